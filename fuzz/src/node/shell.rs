//! What the node asked of its surroundings, and how they come back to it: late, in any order, well or badly, but never
//! with something that no shell would say.

use oboro_core::action::{SinkCommand, SourceCommand, StoreRequest, Task};
use oboro_core::event::{
    Computed, DialFailure, HeldThing, HeldWhat, PutOutcome, SinkEvent, SourceEvent, StoreOutcome,
    StoredExtent,
};
use oboro_core::ids::{DialId, JobId, LinkId, Ticket};
use oboro_core::wire::placement::Placement;
use oboro_core::{Action, Event};
use oboro_crypto::LinkPublic;
use oboro_crypto::entry;
use oboro_crypto::hash::hash;
use oboro_crypto::ids::{ExtentId, Location};
use oboro_crypto::labels;

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
    Recover(JobId),
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
                SinkCommand::Recover(_) => Self::Recover(job),
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
            Self::Recover(job) => sink(job, failed, SinkEvent::Recovered { right: amount > 0 }),
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
        StoreRequest::Read { indexes, .. } | StoreRequest::Copy { indexes, .. } => {
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
        StoreRequest::Walk { after, max } => held(after.as_deref(), max, amount),
        StoreRequest::Tally(locations) => {
            let told = locations.iter().map(|location| {
                let references = LIBRARY.references_at(location);
                let whole = references.map(|all| (1u64 << all.len()) - 1);
                whole.unwrap_or_default() & (u64::from(amount) * 0x0101_0101)
            });
            StoreOutcome::Tallies(told.collect())
        }
        StoreRequest::Names(location) => {
            let entry = LIBRARY.entries.get(&location).filter(|_| amount > 0);
            StoreOutcome::Names(entry.into_iter().map(|entry| name(entry)).collect())
        }
        StoreRequest::Descriptors => {
            StoreOutcome::Descriptors((0..amount.min(8)).map(plain_descriptor).collect())
        }
        StoreRequest::PutDescriptors(_)
        | StoreRequest::ForgetDescriptors(_)
        | StoreRequest::Expire { .. } => StoreOutcome::Done,
    }
}

/// A page of the library: all its extents, then all its entries; of each page only the first few are there.
fn held(after: Option<&[u8]>, max: usize, amount: u8) -> StoreOutcome {
    let places = LIBRARY.extents.keys().chain(LIBRARY.entries.keys());
    let start = after.and_then(|mark| mark.first().copied()).unwrap_or(0);
    let (mut things, mut next) = (Vec::new(), None);
    for (number, location) in (0u8..).zip(places).skip(start.into()) {
        if things.len() >= max.min(usize::from(amount)) {
            next = (amount > 0).then(|| vec![number]);
            break;
        }
        let what = match LIBRARY.references_at(location) {
            Some(references) => HeldWhat::Extent {
                placement: Placement::from_byte(
                    (0..16)
                        .find(|index| {
                            let extent = ExtentId::of(&references);
                            Location::of_extent(&LIBRARY.network.id(), &extent, *index) == *location
                        })
                        .unwrap_or_default(),
                ),
                extent: StoredExtent {
                    present: ((1u64 << references.len()) - 1) as u32,
                    references,
                },
            },
            None => HeldWhat::Entries {
                tally: 1 << 48 | u64::from(amount),
            },
        };
        things.push(HeldThing {
            location: *location,
            what,
        });
    }
    StoreOutcome::Held(things, next)
}

/// The short name of an entry.
fn name(entry: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = hash(labels::RECEIPT, &[entry]);
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
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
