//! Doing what the user asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use oboro_cache::{CacheError, CacheStats};
use oboro_core::Failure as CoreFailure;
use oboro_core::command::Command;
use oboro_core::event::Event;
use oboro_core::ids::JobId;
use oboro_core::report::Hit;
use oboro_core::stats::{Standing, Stats};
use oboro_crypto::ids::Reference;
use tokio::sync::{oneshot, watch};

use super::{Content, Driver};
use crate::api::{self, Job};
use crate::content::{Fault, FetchPlan, PublishPlan, Sink, Source};
use crate::fault;
use crate::home::Start;

/// Numbers of searches begin here: they share the core's names with jobs, and are never shown.
const SEARCHES_FROM: u64 = 1 << 63;

/// What the handle asks of the driver. A reply that nobody waits for is dropped.
pub(crate) enum Request {
    Overview(oneshot::Sender<Overview>),
    Cache(oneshot::Sender<CacheStats>),
    Join(Start),
    Publish(Box<PublishPlan>, oneshot::Sender<()>),
    Fetch(Box<FetchPlan>, oneshot::Sender<()>),
    Search {
        words: Vec<String>,
        patience: Duration,
        fewer_hops: bool,
        /// The number of the search, told at once, and what it brings, told at its end.
        begun: oneshot::Sender<JobId>,
        reply: oneshot::Sender<Result<Found, CoreFailure>>,
    },
    Watch(api::JobId, oneshot::Sender<Option<watch::Receiver<Job>>>),
    Jobs(oneshot::Sender<Vec<Job>>),
    Cancel(JobId),
    Refuse {
        references: Vec<Reference>,
        refuse: bool,
        reply: oneshot::Sender<Result<(), CacheError>>,
    },
    Stop(oneshot::Sender<()>),
}

/// The core at a glance.
pub(crate) struct Overview {
    pub(crate) standing: Standing,
    pub(crate) stats: Stats,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) now: oboro_core::Time,
    pub(crate) jobs: usize,
}

/// What a search brought.
pub(crate) struct Found {
    pub(crate) hits: Vec<Hit>,
    pub(crate) asked: u32,
    pub(crate) answered: u32,
    pub(crate) route: api::Route,
}

/// Searches under way. Bounded by the core, which refuses more jobs than it can do at once.
#[derive(Default)]
pub(super) struct Searches {
    count: u64,
    waiting: BTreeMap<JobId, Waiting>,
}

/// A search under way.
struct Waiting {
    reply: oneshot::Sender<Result<Found, CoreFailure>>,
    /// What there was when the core last said.
    latest: Option<Found>,
}

impl Searches {
    fn begin(&mut self, reply: oneshot::Sender<Result<Found, CoreFailure>>) -> JobId {
        let job = JobId(SEARCHES_FROM + self.count);
        self.count += 1;
        let waiting = Waiting {
            reply,
            latest: None,
        };
        self.waiting.insert(job, waiting);
        job
    }

    /// A search is over (`last`), or there is something to say of it.
    pub(super) fn found(&mut self, job: JobId, found: Found, last: bool) {
        if !last {
            if let Some(waiting) = self.waiting.get_mut(&job) {
                waiting.latest = Some(found);
            }
        } else if let Some(waiting) = self.waiting.remove(&job) {
            // Who gave up waiting does not need to be told.
            let _ = waiting.reply.send(Ok(found));
        }
    }

    /// Nobody waits for it any more.
    fn forget(&mut self, job: JobId) {
        self.waiting.remove(&job);
    }

    /// Whether it was a search that failed.
    pub(super) fn failed(&mut self, job: JobId, failure: CoreFailure) -> bool {
        let Some(waiting) = self.waiting.remove(&job) else {
            return false;
        };
        let answer = match (failure, waiting.latest) {
            // That nothing is there is an answer: how many said so, and by which way they were asked, goes with it.
            (CoreFailure::NotFound, Some(found)) => Ok(found),
            _ => Err(failure),
        };
        // Who gave up waiting does not need to be told.
        let _ = waiting.reply.send(answer);
        true
    }
}

impl Driver {
    /// Everything but the end, which the loop itself sees to.
    pub(super) fn asked(&mut self, request: Request) {
        // Replies below: who gave up waiting does not need to be told.
        match request {
            Request::Overview(reply) => {
                let _ = reply.send(self.overview());
            }
            Request::Cache(reply) => self.storage.stats(reply),
            Request::Join((link, addresses)) => {
                self.feed(Event::Command(Command::Join { link, addresses }));
            }
            Request::Publish(plan, reply) => {
                self.begin_publish(*plan);
                let _ = reply.send(());
            }
            Request::Fetch(plan, reply) => {
                self.begin_fetch(*plan);
                let _ = reply.send(());
            }
            Request::Search {
                words,
                patience,
                fewer_hops,
                begun,
                reply,
            } => {
                let job = self.searches.begin(reply);
                let _ = begun.send(job);
                self.feed(Event::Command(Command::Search {
                    job,
                    words,
                    patience,
                    fewer_hops,
                }));
            }
            Request::Watch(id, reply) => {
                let _ = reply.send(self.table.watch(id));
            }
            Request::Jobs(reply) => {
                let _ = reply.send(self.table.list());
            }
            Request::Cancel(job) => {
                self.searches.forget(job);
                self.feed(Event::Command(Command::Cancel { job, keep: false }));
            }
            Request::Refuse {
                references,
                refuse,
                reply,
            } => {
                self.storage.refuse(references, refuse, reply);
            }
            Request::Stop(_) => {}
        }
    }

    fn overview(&self) -> Overview {
        let now = self.clock.now();
        Overview {
            standing: self.core.standing(now),
            stats: self.core.stats(),
            addresses: self.core.addresses(),
            now,
            jobs: self.table.running().len(),
        }
    }

    fn begin_publish(&mut self, plan: PublishPlan) {
        let PublishPlan {
            job,
            source,
            secret,
            title,
            kind,
            terms,
            extra,
            fewer_hops,
        } = plan;
        let (id, size, fault) = (JobId(job.id), source.size(), Fault::default());
        let thread = Source::start(id, source, secret, self.answers.clone(), fault.clone());
        self.table.enter(job, fault);
        match thread {
            Ok(source) => self.content.insert(id, Content::Source(source)),
            Err(error) => {
                let ended = self.table.failed(id.0, fault::thread(&error), false);
                self.ended(id, ended);
                return;
            }
        };
        self.feed(Event::Command(Command::Publish {
            job: id,
            title,
            size,
            kind,
            terms,
            extra,
            fewer_hops,
        }));
    }

    pub(super) fn begin_fetch(&mut self, plan: FetchPlan) {
        let FetchPlan {
            job,
            capability,
            resume,
            part,
            record,
        } = plan;
        let fewer_hops = record.fetch.as_ref().is_some_and(|fetch| fetch.fewer_hops);
        let (id, fault) = (JobId(job.id), Fault::default());
        let files = self.files.clone();
        let thread = Sink::start(part, record, files, self.answers.clone(), fault.clone());
        self.table.enter(job, fault);
        match thread {
            Ok(sink) => self.content.insert(id, Content::Sink(sink)),
            Err(error) => {
                let ended = self.table.failed(id.0, fault::thread(&error), false);
                self.ended(id, ended);
                return;
            }
        };
        let capability = Box::new(capability);
        self.feed(Event::Command(Command::Fetch {
            job: id,
            capability,
            resume,
            fewer_hops,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(answered: u32) -> Found {
        Found {
            hits: Vec::new(),
            asked: 4,
            answered,
            route: api::Route::default(),
        }
    }

    /// A search of which the core has said something, and the answer to it when it fails.
    fn failing(failure: CoreFailure) -> Result<Found, CoreFailure> {
        let (mut searches, (reply, mut answer)) = (Searches::default(), oneshot::channel());
        let job = searches.begin(reply);
        searches.found(job, found(2), false);
        searches.found(job, found(3), false);
        assert!(searches.failed(job, failure));
        assert!(!searches.failed(job, failure), "it ends once");
        answer.try_recv().unwrap()
    }

    #[test]
    fn a_search_that_finds_nothing_says_how_many_were_asked() {
        let found = failing(CoreFailure::NotFound).ok().unwrap();
        assert_eq!((found.asked, found.answered), (4, 3));
        assert_eq!(
            failing(CoreFailure::NoRoute).err(),
            Some(CoreFailure::NoRoute)
        );
    }
}
