//! What a node's shell would do for it: links, store, compute, files. All at once, answered a little later.

use std::sync::Arc;
use std::time::Duration;

use oboro_cache::{Put, PutEntry, PutExtent, Store};
use oboro_core::action::{SinkCommand, SourceCommand, StoreRequest, Task};
use oboro_core::event::{
    Computed, DialFailure, HeldThing, HeldWhat, PutOutcome, SinkEvent, StoreOutcome, StoredExtent,
};
use oboro_core::ids::{JobId, LinkId};
use oboro_core::wire::placement::Placement;
use oboro_core::{Action, Event};
use oboro_crypto::entry;
use oboro_crypto::eris::{open_leaf, unpad};
use oboro_crypto::network::Network;
use oboro_crypto::node_id::node_id;
use oboro_crypto::record::RECORD_PLAIN;
use oboro_crypto::token::KeywordToken;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{Machine, World, chain, files};

impl World {
    pub(super) fn act(&mut self, machine: usize, action: Action) {
        let soon = self.now + Duration::from_micros(50);
        self.chain = chain::link(&self.chain, machine, &action);
        match action {
            Action::Dial {
                dial,
                remote,
                addresses,
            } => {
                let found = self.machines.iter().position(|other| {
                    other.alive && other.link == remote && addresses.contains(&other.address)
                });
                let at = self.now + self.delay * 2;
                let Some(other) = found else {
                    if self.puppet_dialed(machine, dial, &remote, &addresses) {
                        return;
                    }
                    self.push(
                        at,
                        machine,
                        Event::DialFailed {
                            dial,
                            cause: DialFailure::Unreachable,
                        },
                    );
                    return;
                };
                self.links += 2;
                let (mine, theirs) = (LinkId(self.links - 1), LinkId(self.links));
                self.machines[machine].links.insert(mine, (other, theirs));
                self.machines[other].links.insert(theirs, (machine, mine));
                let address = self.machines[other].address;
                self.push(
                    at,
                    machine,
                    Event::LinkUp {
                        link: mine,
                        remote,
                        address,
                        dial: Some(dial),
                    },
                );
                let (remote, address) =
                    (self.machines[machine].link, self.machines[machine].address);
                self.push(
                    at,
                    other,
                    Event::LinkUp {
                        link: theirs,
                        remote,
                        address,
                        dial: None,
                    },
                );
                self.push(
                    at,
                    machine,
                    Event::Writable {
                        link: mine,
                        records: 64,
                    },
                );
                self.push(
                    at,
                    other,
                    Event::Writable {
                        link: theirs,
                        records: 64,
                    },
                );
            }
            Action::Close { link } => {
                if let Some((other, theirs)) = self.machines[machine].links.remove(&link) {
                    self.machines[other].links.remove(&theirs);
                    self.push(soon, other, Event::LinkDown { link: theirs });
                }
                self.push(soon, machine, Event::LinkDown { link });
            }
            Action::Send { link, plain } => {
                assert_eq!(plain.len() % RECORD_PLAIN, 0, "whole records only");
                let records = (plain.len() / RECORD_PLAIN) as u32;
                if let Some(tap) = &mut self.tap {
                    tap.extend_from_slice(&plain);
                }
                self.watch_records((machine, link), &plain);
                if let Some(overheard) = self.overheard.get_mut(&link) {
                    overheard.extend_from_slice(&plain);
                }
                if self.puppet_hears(machine, link, &plain) {
                    self.push(
                        self.now + self.delay,
                        machine,
                        Event::Writable { link, records },
                    );
                    return;
                }
                if let Some(&(other, theirs)) = self.machines[machine].links.get(&link) {
                    let plain = self.on_the_way(machine, other, plain);
                    self.push(
                        self.now + self.delay,
                        other,
                        Event::Records {
                            link: theirs,
                            plain,
                        },
                    );
                    self.push(
                        self.now + self.delay,
                        machine,
                        Event::Writable { link, records },
                    );
                }
            }
            Action::Store { ticket, request } => {
                self.watch_store(machine, &request);
                if let Some(outcome) = keep(&mut self.machines[machine], request) {
                    self.push(soon, machine, Event::Stored { ticket, outcome });
                }
            }
            Action::Compute { ticket, task } => {
                let outcome = compute(&self.network, task);
                self.push(
                    soon + Duration::from_millis(2),
                    machine,
                    Event::Computed { ticket, outcome },
                );
            }
            Action::Guards(bytes) => self.machines[machine].guards = Some(bytes),
            Action::Source { job, command } => self.source(machine, job, command),
            Action::Sink { job, command } => self.sink(machine, job, command),
            Action::Report { job, report } => {
                self.machines[machine]
                    .reports
                    .entry(job)
                    .or_default()
                    .push(report);
            }
        }
    }

    fn source(&mut self, machine: usize, job: JobId, command: SourceCommand) {
        let soon = self.now + Duration::from_micros(200);
        if command == SourceCommand::Stop {
            self.machines[machine].sources.remove(&job);
            return;
        }
        let source = self.machines[machine].sources.get_mut(&job);
        let Some(event) = source.and_then(files::Source::next) else {
            return;
        };
        self.push(soon, machine, Event::Source { job, event });
    }

    fn sink(&mut self, machine: usize, job: JobId, command: SinkCommand) {
        let soon = self.now + Duration::from_micros(200);
        let file = self.machines[machine].sinks.entry(job).or_default();
        match command {
            SinkCommand::Write {
                first_leaf,
                leaves,
                last,
            } => {
                let mut at = first_leaf as usize * 32_768;
                for (mut block, key) in leaves {
                    open_leaf(&mut block, &key);
                    if file.len() < at + block.len() {
                        file.resize(at + block.len(), 0);
                    }
                    file[at..at + block.len()].copy_from_slice(&block);
                    at += block.len();
                }
                if last {
                    let start = at - 32_768;
                    let length = unpad(&file[start..]).unwrap();
                    file.truncate(start + length);
                }
                self.push(
                    soon,
                    machine,
                    Event::Sink {
                        job,
                        event: SinkEvent::Written { writes: 1 },
                    },
                );
            }
            SinkCommand::Recover(wish) => {
                let event = files::recovered(file, *wish);
                self.push(soon, machine, Event::Sink { job, event });
            }
            SinkCommand::Checkpoint(bytes) => {
                self.machines[machine].checkpoints.insert(job, bytes);
            }
            SinkCommand::Finish => {
                let length = file.len() as u64;
                self.push(
                    soon,
                    machine,
                    Event::Sink {
                        job,
                        event: SinkEvent::Finished { length },
                    },
                );
            }
            SinkCommand::Stop { .. } => {}
        }
    }
}

fn keep(machine: &mut Machine, request: StoreRequest) -> Option<StoreOutcome> {
    let lies = machine.lies;
    if machine.mute {
        return None;
    }
    if let StoreRequest::PutExtent {
        location, chunks, ..
    } = &request
    {
        machine.kept.push((*location, chunks.len()));
    }
    if machine.forgets && matches!(request, StoreRequest::PutExtent { .. }) {
        return Some(StoreOutcome::Put(PutOutcome::Stored));
    }
    let store = &mut machine.store;
    let put = |put: Put| {
        StoreOutcome::Put(match put {
            Put::Stored => PutOutcome::Stored,
            Put::Already => PutOutcome::Already,
            Put::NoRoom => PutOutcome::NoRoom,
            Put::Refused => PutOutcome::Refused,
        })
    };
    Some(match request {
        StoreRequest::PutExtent {
            location,
            placement,
            references,
            chunks,
            distance,
            today,
        } => put(store
            .put_extent(PutExtent {
                location,
                index: placement.byte(),
                references,
                chunks,
                distance,
                today,
            })
            .unwrap()),
        StoreRequest::Extent(location) if machine.gone.contains(&location) => {
            StoreOutcome::Extent(None)
        }
        StoreRequest::Extent(location) => {
            StoreOutcome::Extent(store.extent(&location).unwrap().map(|found| StoredExtent {
                references: found.references,
                present: found.present,
            }))
        }
        StoreRequest::Read { location, indexes } => {
            let mut chunks = store.read(&location, &indexes).unwrap();
            if lies {
                chunks
                    .iter_mut()
                    .flatten()
                    .for_each(|chunk| chunk[100] ^= 1);
            }
            StoreOutcome::Chunks(chunks)
        }
        StoreRequest::Copy { location, indexes } => {
            StoreOutcome::Chunks(store.copy(&location, &indexes).unwrap())
        }
        StoreRequest::Walk { after, max } => {
            let page = store.held(after.as_deref(), max).unwrap();
            StoreOutcome::Held(page.held.into_iter().map(held_thing).collect(), page.next)
        }
        StoreRequest::Tally(all) => {
            StoreOutcome::Tallies(all.iter().map(|at| store.tally(at).unwrap()).collect())
        }
        StoreRequest::Names(location) => StoreOutcome::Names(store.names(&location).unwrap()),
        StoreRequest::PutEntry {
            location,
            bytes,
            expires_day,
            work,
            today,
        } => put(store
            .put_entry(PutEntry {
                location,
                bytes,
                expires_day,
                work,
                today,
            })
            .unwrap()),
        StoreRequest::Entries { location, .. } if machine.gone.contains(&location) => {
            StoreOutcome::Entries(Vec::new())
        }
        StoreRequest::Entries {
            location,
            after,
            max,
        } => StoreOutcome::Entries(store.entries(&location, after, max).unwrap()),
        StoreRequest::PutDescriptors(all) => {
            store.put_descriptors(&all).unwrap();
            StoreOutcome::Done
        }
        StoreRequest::ForgetDescriptors(all) => {
            store.forget_descriptors(&all).unwrap();
            StoreOutcome::Done
        }
        StoreRequest::Descriptors => StoreOutcome::Descriptors(store.descriptors().unwrap()),
        StoreRequest::Expire { today } => {
            store.expire(today).unwrap();
            StoreOutcome::Done
        }
    })
}

fn held_thing(held: oboro_cache::Held) -> HeldThing {
    let what = match held.what {
        oboro_cache::HeldWhat::Extent { index, info } => HeldWhat::Extent {
            placement: Placement::from_byte(index),
            extent: StoredExtent {
                references: info.references,
                present: info.present,
            },
        },
        oboro_cache::HeldWhat::Entries { tally } => HeldWhat::Entries { tally },
    };
    HeldThing {
        location: held.location,
        what,
    }
}

fn compute(network: &Network, task: Task) -> Computed {
    match task {
        Task::Token(term) => Computed::Token(Arc::new(KeywordToken::derive(network, &term))),
        Task::NodeId(identity) => Computed::NodeId(node_id(network, &identity)),
        Task::Entry {
            token,
            body,
            index,
            expires_day,
            seed,
        } => {
            let mut rng = ChaCha20Rng::from_seed(seed);
            entry::seal(network, &token, &body, index, expires_day, &mut rng)
                .map_or(Computed::Failed, |entry| {
                    Computed::Entry(Box::new(entry.solve()))
                })
        }
    }
}
