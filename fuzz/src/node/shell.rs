//! What the node asked of its surroundings, and how they come back to it: late, in any order, well or badly, but never
//! with something that no shell would say.

use oboro_core::action::{SinkCommand, SourceCommand, StoreRequest, Task};
use oboro_core::event::{
    Computed, DialFailure, PutOutcome, SinkEvent, SourceEvent, StoreOutcome, StoredExtent,
};
use oboro_core::ids::{DialId, JobId, LinkId, Ticket};
use oboro_core::{Action, Event};
use oboro_crypto::LinkPublic;
use oboro_crypto::entry;

use super::library::{LIBRARY, WORDS, address, chunk, identity_id, plain_descriptor};
use super::steps::Outcome;
use crate::links::rng;

/// Something the shell has not come back with yet.
pub(super) enum Pending {
    Dial(DialId, LinkPublic),
    Store(Ticket, StoreRequest),
    Compute(Ticket, Task),
    Source(JobId, usize),
    Write(JobId),
    Finish(JobId),
}

impl Pending {
    /// What an action leaves to be done; none if nothing comes back of it. `runs` says how many runs a source has
    /// handed over.
    pub(super) fn of(action: Action, runs: impl FnOnce(JobId) -> usize) -> Option<Self> {
        Some(match action {
            Action::Dial { dial, remote, .. } => Self::Dial(dial, remote),
            Action::Store { ticket, request } => Self::Store(ticket, request),
            Action::Compute { ticket, task } => Self::Compute(ticket, task),
            Action::Source {
                job,
                command: SourceCommand::Next,
            } => Self::Source(job, runs(job)),
            Action::Sink { job, command } => match command {
                SinkCommand::Write { .. } => Self::Write(job),
                SinkCommand::Finish => Self::Finish(job),
                SinkCommand::Checkpoint(_) | SinkCommand::Stop { .. } => return None,
            },
            _ => return None,
        })
    }

    /// What the shell says. A dial that succeeds brings up `link`.
    pub(super) fn settle(self, how: &Outcome, link: LinkId) -> Event {
        let amount = match how {
            Outcome::Well { amount } => *amount,
            Outcome::Empty | Outcome::Failed => 0,
        };
        let failed = matches!(how, Outcome::Failed);
        match self {
            Self::Dial(dial, remote) => dialled(dial, remote, amount, failed, link),
            Self::Store(ticket, request) => Event::Stored {
                ticket,
                outcome: if failed {
                    StoreOutcome::Failed
                } else {
                    stored(request, amount)
                },
            },
            Self::Compute(ticket, task) => Event::Computed {
                ticket,
                outcome: if failed {
                    Computed::Failed
                } else {
                    computed(task, amount)
                },
            },
            Self::Source(job, number) => Event::Source {
                job,
                event: if failed {
                    SourceEvent::Failed
                } else {
                    source(number)
                },
            },
            Self::Write(job) => sink(job, failed, SinkEvent::Written { writes: 1 }),
            Self::Finish(job) => {
                let length = LIBRARY.length;
                sink(job, failed, SinkEvent::Finished { length })
            }
        }
    }
}

fn dialled(dial: DialId, remote: LinkPublic, amount: u8, failed: bool, link: LinkId) -> Event {
    if failed || amount == 0 {
        return Event::DialFailed {
            dial,
            cause: DialFailure::TimedOut,
        };
    }
    Event::LinkUp {
        link,
        remote,
        address: address(remote.0[0]),
        dial: Some(dial),
    }
}

fn sink(job: JobId, failed: bool, well: SinkEvent) -> Event {
    Event::Sink {
        job,
        event: if failed { SinkEvent::Failed } else { well },
    }
}

fn source(number: usize) -> SourceEvent {
    match LIBRARY.run(number) {
        Some(run) => SourceEvent::Run(run),
        None => SourceEvent::End {
            capability: LIBRARY.capability.clone(),
            length: LIBRARY.length,
        },
    }
}

fn stored(request: StoreRequest, amount: u8) -> StoreOutcome {
    match request {
        StoreRequest::PutExtent { .. } | StoreRequest::PutEntry { .. } => {
            StoreOutcome::Put(match amount {
                0 => PutOutcome::NoRoom,
                1 => PutOutcome::Refused,
                2 => PutOutcome::Already,
                _ => PutOutcome::Stored,
            })
        }
        StoreRequest::Extent(location) => {
            let references = LIBRARY.references_at(&location).filter(|_| amount > 0);
            StoreOutcome::Extent(references.map(|references| StoredExtent {
                // All of it, or a part.
                present: ((1u64 << references.len()) - 1) as u32
                    & (u32::from(amount) * 0x0101_0101),
                references,
            }))
        }
        StoreRequest::Read { indexes, .. } => {
            let chunks = indexes
                .iter()
                .map(|&index| (index < amount).then(|| chunk(index)));
            StoreOutcome::Chunks(chunks.collect())
        }
        StoreRequest::Entries { location, max, .. } => {
            let entry = LIBRARY.entries.get(&location);
            let page = entry.into_iter().cycle().take(max.min(usize::from(amount)));
            let numbered = page.zip(0u8..).map(|(entry, n)| ([n; 16], entry.clone()));
            StoreOutcome::Entries(numbered.collect())
        }
        StoreRequest::Descriptors => {
            StoreOutcome::Descriptors((0..amount.min(8)).map(plain_descriptor).collect())
        }
        StoreRequest::PutDescriptors(_)
        | StoreRequest::ForgetDescriptors(_)
        | StoreRequest::Expire { .. } => StoreOutcome::Done,
    }
}

fn computed(task: Task, amount: u8) -> Computed {
    match task {
        Task::Token(term) => {
            let known = WORDS.iter().position(|word| *word == term.as_str());
            known.map_or(Computed::Failed, |at| {
                Computed::Token(LIBRARY.tokens[at].clone())
            })
        }
        // Identities are numbered from 1; now and then one has another id than it says.
        Task::NodeId(identity) => Computed::NodeId(identity_id(
            (identity.0[0].wrapping_sub(1)).wrapping_add(u8::from(amount == 0)),
        )),
        Task::Entry {
            token,
            body,
            index,
            expires_day,
            ..
        } => entry::seal(
            &LIBRARY.network,
            &token,
            &body,
            index,
            expires_day,
            &mut rng(9),
        )
        .map_or(Computed::Failed, |entry| {
            Computed::Entry(Box::new(entry.solve()))
        }),
    }
}
