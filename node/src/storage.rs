//! The storage thread: the only one that touches the store.
//!
//! Promises: requests are carried out in order; a put is answered when it is durable; all puts of a batch share one
//! flush. Does not know what is stored or for whom.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use oboro_cache::{CacheError, CacheStats, ExtentInfo, Held, Put, PutEntry, PutExtent, Store};
use oboro_core::Event;
use oboro_core::action::StoreRequest;
use oboro_core::event::{HeldThing, HeldWhat, PutOutcome, StoreOutcome, StoredExtent};
use oboro_core::ids::Ticket;
use oboro_core::wire::placement::Placement;
use oboro_crypto::ids::Reference;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

/// Requests waiting: more than the core has under way at once (its limits on puts and serving). Beyond it they fail.
const QUEUE_MAX: usize = 1024;

/// Requests carried out between two flushes: enough to make flushing cheap, few enough to answer soon.
const BATCH_MAX: usize = 64;

/// What the store is asked.
enum Order {
    /// By the core.
    Core {
        ticket: Ticket,
        request: StoreRequest,
    },
    /// By the operator: refuse these from now on, or take that back.
    Refuse {
        references: Vec<Reference>,
        refuse: bool,
        reply: oneshot::Sender<Result<(), CacheError>>,
    },
    /// By the user: how full it is.
    Stats(oneshot::Sender<CacheStats>),
}

/// A running storage thread.
pub(crate) struct Storage {
    orders: SyncSender<Order>,
    thread: JoinHandle<()>,
}

impl Storage {
    /// Starts the thread. Answers to the core go to `answers`, which may make the thread wait.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn start(
        store: Box<dyn Store>,
        answers: mpsc::Sender<Event>,
    ) -> std::io::Result<Self> {
        let (orders, queue) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("oboro-store".into())
            .spawn(move || {
                Worker {
                    store,
                    answers,
                    durable: Vec::new(),
                }
                .run(&queue)
            })?;
        Ok(Self { orders, thread })
    }

    /// Passes on a request of the core. What does not fit is answered at once, by the event returned.
    pub(crate) fn submit(&self, ticket: Ticket, request: StoreRequest) -> Option<Event> {
        match self.orders.try_send(Order::Core { ticket, request }) {
            Ok(()) => None,
            Err(refused) => {
                if matches!(refused, TrySendError::Full(_)) {
                    warn!("the store cannot keep up; a request was dropped");
                }
                Some(Event::Stored {
                    ticket,
                    outcome: StoreOutcome::Failed,
                })
            }
        }
    }

    /// Changes what the operator refuses. If there is no room for the order, the reply is dropped.
    pub(crate) fn refuse(
        &self,
        references: Vec<Reference>,
        refuse: bool,
        reply: oneshot::Sender<Result<(), CacheError>>,
    ) {
        // Who waits for the reply sees it dropped.
        let _ = self.orders.try_send(Order::Refuse {
            references,
            refuse,
            reply,
        });
    }

    /// Asks how full the store is. If there is no room for the order, the reply is dropped.
    pub(crate) fn stats(&self, reply: oneshot::Sender<CacheStats>) {
        // Who waits for the reply sees it dropped.
        let _ = self.orders.try_send(Order::Stats(reply));
    }

    /// Lets the thread finish what it was given, flush and close the store. Blocks.
    pub(crate) fn close(self) {
        drop(self.orders);
        if self.thread.join().is_err() {
            error!("the storage thread panicked");
        }
    }
}

struct Worker {
    store: Box<dyn Store>,
    answers: mpsc::Sender<Event>,
    /// What is to be said after the next flush.
    durable: Vec<(Ticket, StoreOutcome)>,
}

impl Worker {
    fn run(mut self, queue: &Receiver<Order>) {
        while let Ok(first) = queue.recv() {
            self.carry_out(first);
            for order in queue.try_iter().take(BATCH_MAX - 1) {
                self.carry_out(order);
            }
            self.flush();
        }
        if let Err(error) = self.store.close() {
            error!(%error, "the store did not close cleanly");
        }
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Core { ticket, request } => self.serve(ticket, request),
            Order::Refuse {
                references,
                refuse,
                reply,
            } => {
                let done = if refuse {
                    self.store.refuse(&references)
                } else {
                    self.store.allow(&references)
                };
                // Who gave up waiting does not need to be told.
                let _ = reply.send(done);
            }
            Order::Stats(reply) => {
                let _ = reply.send(self.store.stats());
            }
        }
    }

    /// Answers a request of the core at once, or keeps the answer until it is durable.
    fn serve(&mut self, ticket: Ticket, request: StoreRequest) {
        let writes = writes(&request);
        let outcome = self.ask(request).unwrap_or_else(|error| {
            warn!(%error, "the store failed");
            StoreOutcome::Failed
        });
        let refused = matches!(
            outcome,
            StoreOutcome::Failed | StoreOutcome::Put(PutOutcome::NoRoom | PutOutcome::Refused)
        );
        if writes && !refused {
            self.durable.push((ticket, outcome));
        } else {
            self.answer(ticket, outcome);
        }
    }

    fn ask(&mut self, request: StoreRequest) -> Result<StoreOutcome, CacheError> {
        let store = &mut self.store;
        Ok(match request {
            StoreRequest::PutExtent {
                location,
                placement,
                references,
                chunks,
                distance,
                today,
            } => {
                let put = PutExtent {
                    location,
                    index: placement.byte(),
                    references,
                    chunks,
                    distance,
                    today,
                };
                StoreOutcome::Put(put_outcome(store.put_extent(put)?))
            }
            StoreRequest::PutEntry {
                location,
                bytes,
                expires_day,
                work,
                today,
            } => {
                let put = PutEntry {
                    location,
                    bytes,
                    expires_day,
                    work,
                    today,
                };
                StoreOutcome::Put(put_outcome(store.put_entry(put)?))
            }
            StoreRequest::Extent(location) => {
                StoreOutcome::Extent(store.extent(&location)?.map(stored_extent))
            }
            StoreRequest::Read { location, indexes } => {
                StoreOutcome::Chunks(store.read(&location, &indexes)?)
            }
            StoreRequest::Copy { location, indexes } => {
                StoreOutcome::Chunks(store.copy(&location, &indexes)?)
            }
            StoreRequest::Walk { after, max } => {
                let page = store.held(after.as_deref(), max)?;
                StoreOutcome::Held(page.held.into_iter().map(held_thing).collect(), page.next)
            }
            StoreRequest::Tally(locations) => {
                let tallies = locations.iter().map(|location| store.tally(location));
                StoreOutcome::Tallies(tallies.collect::<Result<_, _>>()?)
            }
            StoreRequest::Names(location) => StoreOutcome::Names(store.names(&location)?),
            StoreRequest::Entries {
                location,
                after,
                max,
            } => StoreOutcome::Entries(store.entries(&location, after, max)?),
            StoreRequest::Descriptors => StoreOutcome::Descriptors(store.descriptors()?),
            other => {
                self.tidy(other)?;
                StoreOutcome::Done
            }
        })
    }

    /// What has no answer but that it is done.
    fn tidy(&mut self, request: StoreRequest) -> Result<(), CacheError> {
        match request {
            StoreRequest::PutDescriptors(all) => self.store.put_descriptors(&all).map(drop),
            StoreRequest::ForgetDescriptors(nodes) => self.store.forget_descriptors(&nodes),
            StoreRequest::Expire { today } => self.store.expire(today).map(drop),
            _ => Ok(()),
        }
    }

    /// Makes the batch durable and says so; if that fails, nothing in it was kept.
    fn flush(&mut self) {
        if self.durable.is_empty() {
            return;
        }
        let flushed = self.store.flush();
        if let Err(error) = &flushed {
            warn!(%error, "the store could not be flushed");
        }
        for (ticket, outcome) in std::mem::take(&mut self.durable) {
            let outcome = if flushed.is_ok() {
                outcome
            } else {
                StoreOutcome::Failed
            };
            self.answer(ticket, outcome);
        }
    }

    fn answer(&self, ticket: Ticket, outcome: StoreOutcome) {
        // If the driver is gone, nobody wants to know.
        let _ = self
            .answers
            .blocking_send(Event::Stored { ticket, outcome });
    }
}

/// Whether a request changes what is on disk.
fn writes(request: &StoreRequest) -> bool {
    match request {
        StoreRequest::PutExtent { .. }
        | StoreRequest::PutEntry { .. }
        | StoreRequest::PutDescriptors(_)
        | StoreRequest::ForgetDescriptors(_)
        | StoreRequest::Expire { .. } => true,
        StoreRequest::Extent(_)
        | StoreRequest::Read { .. }
        | StoreRequest::Copy { .. }
        | StoreRequest::Walk { .. }
        | StoreRequest::Tally(_)
        | StoreRequest::Names(_)
        | StoreRequest::Entries { .. }
        | StoreRequest::Descriptors => false,
    }
}

fn stored_extent(held: ExtentInfo) -> StoredExtent {
    StoredExtent {
        references: held.references,
        present: held.present,
    }
}

fn held_thing(held: Held) -> HeldThing {
    HeldThing {
        location: held.location,
        what: match held.what {
            oboro_cache::HeldWhat::Extent { index, info } => HeldWhat::Extent {
                placement: Placement::from_byte(index),
                extent: stored_extent(info),
            },
            oboro_cache::HeldWhat::Entries { tally } => HeldWhat::Entries { tally },
        },
    }
}

fn put_outcome(put: Put) -> PutOutcome {
    match put {
        Put::Stored => PutOutcome::Stored,
        Put::Already => PutOutcome::Already,
        Put::NoRoom => PutOutcome::NoRoom,
        Put::Refused => PutOutcome::Refused,
    }
}

#[cfg(test)]
mod tests;
