//! The compute thread: key stretching and proofs of work, too long for the driver.
//!
//! Promises: what the user waits for goes before what strangers cause; one task at a time, so that no more than one
//! Argon2 memory (up to 64 MiB on the public network) exists at once, and one of the machine's cores stays free.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use oboro_core::Event;
use oboro_core::action::Task;
use oboro_core::event::Computed;
use oboro_core::ids::Ticket;
use oboro_crypto::network::Network;
use oboro_crypto::token::KeywordToken;
use oboro_crypto::{entry, node_id};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tokio::sync::mpsc;
use tracing::error;

/// Tasks of the user waiting: more than the core gives for all its jobs at once. Beyond it they fail.
const OWN_MAX: usize = 2048;

/// Ids of strangers waiting to be verified. Beyond it they fail.
const STRANGERS_MAX: usize = 64;

/// A running compute thread.
pub(crate) struct Compute {
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Queue {
    tasks: Mutex<Tasks>,
    changed: Condvar,
}

#[derive(Default)]
struct Tasks {
    own: VecDeque<(Ticket, Task)>,
    strangers: VecDeque<(Ticket, Task)>,
    closed: bool,
}

impl Compute {
    /// Starts the thread. Answers go to `answers`, which may make the thread wait.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn start(network: Network, answers: mpsc::Sender<Event>) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let worker = Worker {
            network,
            answers,
            queue: Arc::clone(&queue),
        };
        let thread = std::thread::Builder::new()
            .name("oboro-compute".into())
            .spawn(move || worker.run())?;
        Ok(Self { queue, thread })
    }

    /// Passes on a task of the core. What does not fit is answered at once, by the event returned.
    pub(crate) fn submit(&self, ticket: Ticket, task: Task) -> Option<Event> {
        let mut tasks = self.queue.tasks();
        let (queue, most) = match task {
            Task::Token(_) | Task::Entry { .. } => (&mut tasks.own, OWN_MAX),
            Task::NodeId(_) => (&mut tasks.strangers, STRANGERS_MAX),
        };
        if queue.len() >= most {
            return Some(Event::Computed {
                ticket,
                outcome: Computed::Failed,
            });
        }
        queue.push_back((ticket, task));
        drop(tasks);
        self.queue.changed.notify_one();
        None
    }

    /// Drops what waits, and waits for the task under way. Blocks.
    pub(crate) fn close(self) {
        self.queue.tasks().closed = true;
        self.queue.changed.notify_one();
        if self.thread.join().is_err() {
            error!("the compute thread panicked");
        }
    }
}

impl Queue {
    /// Queues stay whole whatever a thread that held them did.
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<(Ticket, Task)> {
        let mut tasks = self.tasks();
        loop {
            if tasks.closed {
                return None;
            }
            if let Some(task) = tasks
                .own
                .pop_front()
                .or_else(|| tasks.strangers.pop_front())
            {
                return Some(task);
            }
            tasks = self
                .changed
                .wait(tasks)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Worker {
    network: Network,
    answers: mpsc::Sender<Event>,
    queue: Arc<Queue>,
}

impl Worker {
    fn run(self) {
        while let Some((ticket, task)) = self.queue.next() {
            let outcome = self.work(task);
            if self
                .answers
                .blocking_send(Event::Computed { ticket, outcome })
                .is_err()
            {
                return;
            }
        }
    }

    fn work(&self, task: Task) -> Computed {
        match task {
            Task::Token(term) => {
                Computed::Token(Arc::new(KeywordToken::derive(&self.network, &term)))
            }
            Task::NodeId(identity) => Computed::NodeId(node_id::node_id(&self.network, &identity)),
            Task::Entry {
                token,
                body,
                index,
                expires_day,
                seed,
            } => {
                let mut rng = ChaCha20Rng::from_seed(seed);
                entry::seal(&self.network, &token, &body, index, expires_day, &mut rng)
                    .map_or(Computed::Failed, |unworked| {
                        Computed::Entry(Box::new(unworked.solve()))
                    })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use oboro_core::action::Task;
    use oboro_crypto::ids::IdentityPublic;
    use oboro_crypto::terms;

    use super::*;

    fn network() -> Network {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        Network::private("compute", true, &mut rng).unwrap()
    }

    #[test]
    fn a_users_keyword_goes_before_ids_of_strangers_that_wait_longer() {
        let (answers, mut events) = mpsc::channel(100);
        let queue = Arc::new(Queue::default());
        let worker = Worker {
            network: network(),
            answers,
            queue: Arc::clone(&queue),
        };
        for i in 0..4u8 {
            queue
                .tasks()
                .strangers
                .push_back((Ticket(i.into()), Task::NodeId(IdentityPublic([i; 32]))));
        }
        let term = terms::of_text("spring").remove(0);
        queue.tasks().own.push_back((Ticket(99), Task::Token(term)));
        let thread = std::thread::spawn(move || worker.run());
        let order: Vec<u64> = (0..5)
            .map(|_| match events.blocking_recv() {
                Some(Event::Computed { ticket, .. }) => ticket.0,
                _ => panic!("only computed events"),
            })
            .collect();
        assert_eq!(order, [99, 0, 1, 2, 3]);
        queue.tasks().closed = true;
        queue.changed.notify_one();
        thread.join().unwrap();
    }

    #[test]
    fn strangers_beyond_the_bound_fail_at_once() {
        let (answers, events) = mpsc::channel(1);
        let compute = Compute::start(network(), answers).unwrap();
        let refused = (0..STRANGERS_MAX as u64 + 8)
            .filter_map(|i| compute.submit(Ticket(i), Task::NodeId(IdentityPublic([0; 32]))))
            .count();
        assert!(
            refused >= 1,
            "one is under way, one is answered, the queue holds {STRANGERS_MAX}"
        );
        drop(events);
        compute.close();
    }
}
