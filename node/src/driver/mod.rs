//! The loop around the core: what is due, what the core wants done, one thing that happened, again.
//!
//! Promises: it never waits on a channel that others wait for (towards links, threads and files only `try_send`); no
//! source of events starves another, each has a budget a turn; what a thread cannot take is answered as failed at once;
//! when it ends, everything acknowledged is on disk and every link has had its last word. Decides nothing.

mod act;
mod asked;
mod stop;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oboro_core::event::Event;
use oboro_core::ids::{JobId, LinkId};
use oboro_core::{Node, Outbox, Time};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::error;

pub(crate) use asked::{Found, Overview, Request};

use crate::clock::Clock;
use crate::compute::Compute;
use crate::content::{FetchPlan, Sink, Source};
use crate::home::{Guards, Home};
use crate::jobs::{JobFiles, Table};
use crate::net::{Arrival, GRANT, Shared};
use crate::storage::Storage;
use asked::Searches;

/// Answers of threads waiting for the driver. An answer holds up to 1 MiB, so all of them 16; a thread that finds no
/// place waits.
pub(crate) const ANSWERS_MAX: usize = 16;

/// Wishes of the user waiting for the driver. Who finds no place waits.
pub(crate) const REQUESTS_MAX: usize = 64;

/// Events of each source fed to the core in one turn, before the deadline and the other sources are looked at again.
const BUDGET: usize = 16;

/// The core is told of a deadline at most this often, whatever it asks for.
const DEADLINE_STEP: Duration = Duration::from_millis(1);

/// Deadlines in a row without anything else happening that make the core's machine at fault worth a line in the log.
const DEADLINES_SUSPECT: u32 = 10_000;

/// How often job speeds are brought up to date, and ended threads are forgotten.
const TICK: Duration = Duration::from_secs(1);

/// Everything the driver is made of.
pub(crate) struct Parts {
    pub(crate) core: Node,
    pub(crate) clock: Arc<Clock>,
    pub(crate) home: Arc<Home>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) storage: Storage,
    pub(crate) compute: Compute,
    pub(crate) files: Arc<JobFiles>,
    pub(crate) guards: Guards,
    pub(crate) table: Table,
    pub(crate) resumed: Vec<FetchPlan>,
    pub(crate) listeners: Vec<JoinHandle<()>>,
    pub(crate) answers: mpsc::Sender<Event>,
    pub(crate) sources: Sources,
    /// Held by every link and dial; `gone` ends when the last of them has.
    pub(crate) done: mpsc::Sender<()>,
    pub(crate) gone: mpsc::Receiver<()>,
}

/// Where events come from.
pub(crate) struct Sources {
    pub(crate) arrivals: mpsc::Receiver<Arrival>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) requests: mpsc::Receiver<Request>,
}

/// The driver of one node.
pub(crate) struct Driver {
    core: Node,
    clock: Arc<Clock>,
    home: Arc<Home>,
    shared: Arc<Shared>,
    storage: Storage,
    compute: Compute,
    files: Arc<JobFiles>,
    guards: Arc<Guards>,
    table: Table,
    searches: Searches,
    listeners: Vec<JoinHandle<()>>,
    answers: mpsc::Sender<Event>,
    done: mpsc::Sender<()>,
    gone: mpsc::Receiver<()>,
    out: Outbox,
    /// Answers that were known at once.
    early: VecDeque<Event>,
    /// Links that stand; without a sender those that are being closed.
    links: BTreeMap<LinkId, Option<mpsc::Sender<Vec<u8>>>>,
    content: BTreeMap<JobId, Content>,
    /// Content threads on their way out.
    ending: Vec<std::thread::JoinHandle<()>>,
    /// Last states of jobs, and guards, being written.
    writes: JoinSet<()>,
    stopping: bool,
    /// The core is told of no deadline before this.
    patience: Time,
    deadlines: u32,
}

/// The thread of a job's file.
enum Content {
    Source(Source),
    Sink(Sink),
}

impl Driver {
    /// Drives until someone asks for the end, or nobody is left to ask anything.
    pub(crate) async fn run(parts: Parts) {
        let (mut driver, mut sources, resumed) = Self::new(parts);
        for plan in resumed {
            driver.begin_fetch(plan);
        }
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let asker = loop {
            driver.deadline();
            match driver.turn(&mut sources) {
                Turn::Stop(asker) => break asker,
                Turn::Busy => {
                    // Others on this thread of the runtime get their turn, too.
                    tokio::task::yield_now().await;
                    continue;
                }
                Turn::Idle => {}
            }
            let wait = driver.wait_for_deadline();
            tokio::select! {
                () = sleep(wait) => {}
                _ = tick.tick() => driver.tick(),
                Some(event) = sources.events.recv() => driver.feed(event),
                Some(arrival) = sources.arrivals.recv() => driver.arrived(arrival),
                request = sources.requests.recv() => match request {
                    Some(Request::Stop(asker)) => break Some(asker),
                    Some(request) => driver.asked(request),
                    None => break None,
                },
            }
        };
        driver.stop(sources).await;
        if let Some(asker) = asker {
            // Who gave up waiting does not need to be told.
            let _ = asker.send(());
        }
    }

    /// Does one thing that the core wants done, and ends.
    #[cfg(test)]
    pub(crate) async fn act_and_stop(parts: Parts, action: oboro_core::Action) {
        let (mut driver, sources, _) = Self::new(parts);
        driver.act(action);
        driver.stop(sources).await;
    }

    fn new(parts: Parts) -> (Self, Sources, Vec<FetchPlan>) {
        let driver = Self {
            core: parts.core,
            clock: parts.clock,
            home: parts.home,
            shared: parts.shared,
            storage: parts.storage,
            compute: parts.compute,
            files: parts.files,
            guards: Arc::new(parts.guards),
            table: parts.table,
            searches: Searches::default(),
            listeners: parts.listeners,
            answers: parts.answers,
            done: parts.done,
            gone: parts.gone,
            out: Outbox::new(),
            early: VecDeque::new(),
            links: BTreeMap::new(),
            content: BTreeMap::new(),
            ending: Vec::new(),
            writes: JoinSet::new(),
            stopping: false,
            patience: Time::default(),
            deadlines: 0,
        };
        (driver, parts.sources, parts.resumed)
    }

    /// Feeds what has come already, so much of each source.
    fn turn(&mut self, sources: &mut Sources) -> Turn {
        let mut fed = 0;
        for _ in 0..BUDGET {
            let Ok(event) = sources.events.try_recv() else {
                break;
            };
            self.feed(event);
            fed += 1;
        }
        for _ in 0..BUDGET {
            match sources.requests.try_recv() {
                Ok(Request::Stop(asker)) => return Turn::Stop(Some(asker)),
                Ok(request) => self.asked(request),
                Err(mpsc::error::TryRecvError::Disconnected) => return Turn::Stop(None),
                Err(mpsc::error::TryRecvError::Empty) => break,
            }
            fed += 1;
        }
        for _ in 0..BUDGET {
            let Ok(arrival) = sources.arrivals.try_recv() else {
                break;
            };
            self.arrived(arrival);
            fed += 1;
        }
        if fed == 0 { Turn::Idle } else { Turn::Busy }
    }

    /// Tells the core something and does what it wants done.
    fn feed(&mut self, event: Event) {
        self.deadlines = 0;
        self.step(event);
    }

    fn step(&mut self, event: Event) {
        self.core.handle(self.clock.now(), event, &mut self.out);
        loop {
            while let Some(action) = self.out.take() {
                self.act(action);
            }
            let Some(early) = self.early.pop_front() else {
                return;
            };
            self.core.handle(self.clock.now(), early, &mut self.out);
        }
    }

    fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Up {
                link,
                remote,
                address,
                dial,
                outgoing,
            } => {
                self.links.insert(link, Some(outgoing));
                self.feed(Event::LinkUp {
                    link,
                    remote,
                    address,
                    dial,
                });
                self.feed(Event::Writable {
                    link,
                    records: GRANT,
                });
            }
            Arrival::DialFailed { dial, cause } => self.feed(Event::DialFailed { dial, cause }),
            Arrival::Records { link, plain } if self.links.contains_key(&link) => {
                self.feed(Event::Records { link, plain });
            }
            Arrival::Writable { link, records } if self.links.contains_key(&link) => {
                self.feed(Event::Writable { link, records });
            }
            Arrival::Down { link } => {
                if self.links.remove(&link).is_some() {
                    self.feed(Event::LinkDown { link });
                }
            }
            Arrival::Records { .. } | Arrival::Writable { .. } => {}
        }
    }

    /// Tells the core of a deadline that has passed.
    fn deadline(&mut self) {
        let now = self.clock.now();
        let Some((time, why)) = self.core.deadline() else {
            return;
        };
        if time > now || now < self.patience {
            return;
        }
        self.patience = now + DEADLINE_STEP;
        self.deadlines = self.deadlines.saturating_add(1);
        if self.deadlines == DEADLINES_SUSPECT {
            error!(
                ?why,
                "the core asks for one deadline after another and nothing else happens"
            );
        }
        self.step(Event::Deadline);
    }

    fn wait_for_deadline(&self) -> Duration {
        self.core
            .deadline()
            .map_or(TICK, |(time, _)| self.clock.until(time.max(self.patience)))
    }

    fn tick(&mut self) {
        self.table.tick(Instant::now());
        self.ending.retain(|thread| !thread.is_finished());
        while self.writes.try_join_next().is_some() {}
    }
}

/// What a turn came to.
enum Turn {
    Busy,
    Idle,
    Stop(Option<tokio::sync::oneshot::Sender<()>>),
}
