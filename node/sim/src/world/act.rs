//! What a node's shell does for it: links, store, workers, files.

use std::sync::Arc;
use std::time::Duration;

use oboro_cache::{Put, PutEntry, PutExtent, Store};
use oboro_core::action::{SinkCommand, SourceCommand, StoreRequest, Task};
use oboro_core::event::{
    Computed, DialFailure, HeldThing, HeldWhat, PutOutcome, SinkEvent, SourceEvent, StoreOutcome,
    StoredExtent,
};
use oboro_core::ids::{DialId, JobId, LinkId, Ticket};
use oboro_core::wire::placement::Placement;
use oboro_core::{Action, Event};
use oboro_crypto::entry;
use oboro_crypto::hash::hash;
use oboro_crypto::ids::{LinkPublic, NodeId};
use oboro_crypto::labels;
use oboro_crypto::record::{RECORD_PLAIN, RECORD_WIRE};
use oboro_crypto::token::KeywordToken;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::work::Job;
use super::{Due, START, World, chance, links, malice};

/// How long a dial to nobody takes: the shell's patience with one address.
const NOBODY: Duration = Duration::from_secs(4);
/// A handshake's three flights are this many bytes.
const HANDSHAKE: usize = 3_000;

impl World {
    pub(super) fn act(&mut self, index: usize, action: Action) {
        let soon = self.now + Duration::from_micros(50);
        match action {
            Action::Dial { dial, remote, .. } => self.dial(index, dial, &remote),
            Action::Close { link } => self.close(index, link),
            Action::Send { link, plain } => self.send(index, link, plain),
            Action::Store { ticket, request } => {
                self.seen_asking(index, &request);
                self.count(index, &request);
                let machine = &self.machines[index];
                let at = self.now + machine.disk + malice::delay(machine.kind);
                let life = machine.life;
                self.queue
                    .push(at, Due::Stored(index, life, ticket, Box::new(request)));
            }
            Action::Compute { ticket, task } => {
                let outcome = self.compute(task);
                let at = self.now + Duration::from_millis(100);
                self.push_event(at, index, Event::Computed { ticket, outcome });
            }
            Action::Guards(bytes) => self.machines[index].guards = Some(bytes),
            Action::Source { job, command } => {
                if let Some(event) = self.source(index, job, command) {
                    self.push_event(soon, index, Event::Source { job, event });
                }
            }
            Action::Sink { job, command } => {
                if let Some(event) = self.sink(index, job, command) {
                    self.push_event(soon, index, Event::Sink { job, event });
                }
            }
            Action::Report { job, report } => self.reported(index, job, report),
        }
    }

    // Links

    fn dial(&mut self, from: usize, dial: DialId, remote: &LinkPublic) {
        let life = self.machines[from].life;
        let to = self.by_link.get(remote).copied();
        let there = to.filter(|&to| {
            to != from
                && self.machines[to].is_up()
                && self.net.closed_until(from, to, self.now).is_none()
                && self.net.closed_until(to, from, self.now).is_none()
        });
        let at = match there {
            Some(to) => {
                let here = self
                    .net
                    .arrival(from, to, HANDSHAKE, self.now, &mut self.net_rng);
                self.net
                    .arrival(to, from, HANDSHAKE, here, &mut self.net_rng)
                    + self.net.delay(from, to)
            }
            None => self.now + NOBODY,
        };
        self.queue.push(
            at,
            Due::Dialed {
                from,
                life,
                to: there,
                dial,
                remote: *remote,
            },
        );
    }

    pub(super) fn dialed(
        &mut self,
        (from, life): (usize, u32),
        to: Option<usize>,
        dial: DialId,
        named: LinkPublic,
    ) {
        if self.machines[from].life != life || !self.machines[from].is_up() {
            return;
        }
        let Some(to) = to.filter(|&to| self.machines[to].is_up()) else {
            let cause = DialFailure::Unreachable;
            return self.step(from, life, Event::DialFailed { dial, cause });
        };
        let far_life = self.machines[to].life;
        let (near, far) = self.links.join((from, life), (to, far_life), self.now);
        self.machines[from].links.insert(near);
        self.machines[to].links.insert(far);
        // A machine has the name under which it was dialled: in a crowd that of a member. It dials as one, too.
        let own = self.called(from);
        for (machine, life, link, (other, remote), dial) in [
            (from, life, near, (to, named), Some(dial)),
            (to, far_life, far, (from, own), None),
        ] {
            let address = self.machines[other].address;
            let up = Event::LinkUp {
                link,
                remote,
                address,
                dial,
            };
            self.queue.push(self.now, Due::Event(machine, life, up));
            let records = links::CREDIT;
            let writable = Event::Writable { link, records };
            self.queue
                .push(self.now, Due::Event(machine, life, writable));
        }
    }

    fn close(&mut self, index: usize, link: LinkId) {
        if let Some(end) = self.links.remove(link) {
            let way = self
                .net
                .arrival(index, end.other, 60, self.now, &mut self.net_rng);
            let link = end.other_link;
            self.push_event(way.max(end.last), end.other, Event::LinkDown { link });
        }
        self.machines[index].links.remove(&link);
        let soon = self.now + Duration::from_micros(50);
        self.push_event(soon, index, Event::LinkDown { link });
    }

    fn send(&mut self, index: usize, link: LinkId, plain: Vec<u8>) {
        let records = plain.len() / RECORD_PLAIN;
        let Some((other, far)) = self.far_end(link) else {
            return;
        };
        let late = malice::delay(self.machines[index].kind);
        let bytes = records * RECORD_WIRE;
        let arrival = self
            .net
            .arrival(index, other, bytes, self.now + late, &mut self.net_rng);
        let Some(end) = self.links.get(link) else {
            return;
        };
        end.last = arrival.max(end.last + Duration::from_micros(1));
        end.owed += records as u32;
        let (at, owed) = (end.last, end.owed);
        if owed >= links::CREDIT_STEP {
            end.owed = 0;
            let back = at + self.net.delay(other, index);
            let records = owed;
            self.push_event(back, index, Event::Writable { link, records });
        }
        self.tally.sent(records);
        self.watch(index, other, records, at);
        self.push_event(at, other, Event::Records { link: far, plain });
    }

    // Store

    pub(super) fn store(&mut self, index: usize, life: u32, ticket: Ticket, request: StoreRequest) {
        if self.machines[index].life != life || !self.machines[index].is_up() {
            return;
        }
        let kind = self.machines[index].kind;
        let Some(request) = malice::asked(kind, request) else {
            return;
        };
        let outcome = match request {
            Ok(request) => self.keep(index, request),
            Err(outcome) => outcome,
        };
        let outcome = malice::answered(kind, outcome);
        self.step(index, life, Event::Stored { ticket, outcome });
    }

    fn keep(&mut self, index: usize, request: StoreRequest) -> StoreOutcome {
        let put = |put: Result<Put, _>| match put {
            Ok(Put::Stored) => StoreOutcome::Put(PutOutcome::Stored),
            Ok(Put::Already) => StoreOutcome::Put(PutOutcome::Already),
            Ok(Put::NoRoom) => StoreOutcome::Put(PutOutcome::NoRoom),
            Ok(Put::Refused) => StoreOutcome::Put(PutOutcome::Refused),
            Err(_) => StoreOutcome::Failed,
        };
        let store = &mut self.machines[index].store;
        match request {
            StoreRequest::PutExtent {
                location,
                placement,
                references,
                chunks,
                distance,
                today,
            } => {
                self.oracle
                    .stored(index, location, placement.index(), &references);
                put(store.put_extent(PutExtent {
                    location,
                    index: placement.byte(),
                    references,
                    chunks,
                    distance,
                    today,
                }))
            }
            StoreRequest::Extent(location) => match store.extent(&location) {
                Ok(info) => StoreOutcome::Extent(info.map(|info| StoredExtent {
                    references: info.references,
                    present: info.present,
                })),
                Err(_) => StoreOutcome::Failed,
            },
            StoreRequest::Read { location, indexes } => store
                .read(&location, &indexes)
                .map_or(StoreOutcome::Failed, StoreOutcome::Chunks),
            StoreRequest::Copy { location, indexes } => store
                .copy(&location, &indexes)
                .map_or(StoreOutcome::Failed, StoreOutcome::Chunks),
            StoreRequest::Walk { after, max } => match store.held(after.as_deref(), max) {
                Ok(page) => {
                    StoreOutcome::Held(page.held.into_iter().map(held_thing).collect(), page.next)
                }
                Err(_) => StoreOutcome::Failed,
            },
            StoreRequest::Tally(all) => all
                .iter()
                .map(|location| store.tally(location))
                .collect::<Result<_, _>>()
                .map_or(StoreOutcome::Failed, StoreOutcome::Tallies),
            StoreRequest::Names(location) => store
                .names(&location)
                .map_or(StoreOutcome::Failed, StoreOutcome::Names),
            StoreRequest::PutEntry {
                location,
                bytes,
                expires_day,
                work,
                today,
            } => put(store.put_entry(PutEntry {
                location,
                bytes,
                expires_day,
                work,
                today,
            })),
            StoreRequest::Entries {
                location,
                after,
                max,
            } => store
                .entries(&location, after, max)
                .map_or(StoreOutcome::Failed, StoreOutcome::Entries),
            StoreRequest::PutDescriptors(all) => {
                for (id, encoded) in all {
                    self.descriptors.kept(id, &encoded, self.now);
                }
                StoreOutcome::Done
            }
            StoreRequest::ForgetDescriptors(_) => StoreOutcome::Done,
            StoreRequest::Descriptors => StoreOutcome::Descriptors(self.on_disk(index)),
            StoreRequest::Expire { today } => {
                let _ = store.expire(today);
                StoreOutcome::Done
            }
        }
    }

    /// The descriptors a node had when it left, or begins with: what had been issued by then.
    fn on_disk(&mut self, index: usize) -> Vec<Vec<u8>> {
        let machine = &self.machines[index];
        if machine.life == 1 && !(self.scenario.warm && machine.starts.len() <= 1) {
            return Vec::new();
        }
        if machine.life == 1 && self.descriptors.nodes() < self.scenario.nodes {
            return Vec::new();
        }
        let until = machine.left.max(START).secs() as u32;
        self.descriptors.by(until)
    }

    // Workers

    fn compute(&mut self, task: Task) -> Computed {
        match task {
            Task::Token(term) => {
                let network = &self.network;
                let token = self
                    .tokens
                    .entry(term.as_str().to_owned())
                    .or_insert_with(|| Arc::new(KeywordToken::derive(network, &term)));
                Computed::Token(Arc::clone(token))
            }
            Task::NodeId(identity) => {
                Computed::NodeId(NodeId(hash(labels::VIEW_DIGEST, &[&identity.0])))
            }
            Task::Entry {
                token,
                body,
                index,
                expires_day,
                seed,
            } => {
                let mut rng = ChaCha20Rng::from_seed(seed);
                entry::seal(&self.network, &token, &body, index, expires_day, &mut rng)
                    .map_or(Computed::Failed, |entry| {
                        Computed::Entry(Box::new(entry.solve()))
                    })
            }
        }
    }

    // Files

    fn source(&mut self, index: usize, job: JobId, command: SourceCommand) -> Option<SourceEvent> {
        let (file, source) = match self.machines[index].jobs.get_mut(&job)? {
            Job::Publish { file, source } => (Some(*file), source),
            Job::Rubbish { source } => (None, source),
            _ => return None,
        };
        if command == SourceCommand::Stop {
            *source = None;
            return None;
        }
        let (event, cut) = source.as_mut()?.next()?;
        if let Some(cheap) = &self.cheap
            && let SourceEvent::Run(run) | SourceEvent::ParityRun(run) = &event
        {
            for (reference, block) in run.references.iter().zip(&run.blocks) {
                cheap.knows(*reference, block);
            }
        }
        if let (Some(file), Some(cut)) = (file, cut) {
            self.oracle.cut(file, &cut.references);
            self.files[file].extents.push(cut);
        }
        Some(event)
    }

    fn sink(&mut self, index: usize, job: JobId, command: SinkCommand) -> Option<SinkEvent> {
        let Some(Job::Fetch { file, sink, .. }) = self.machines[index].jobs.get_mut(&job) else {
            return None;
        };
        match command {
            SinkCommand::Write {
                first_leaf,
                leaves,
                last,
            } => {
                sink.write(first_leaf, leaves, last);
                Some(SinkEvent::Written { writes: 1 })
            }
            SinkCommand::Recover(wish) => Some(SinkEvent::Recovered {
                right: sink.recover(*wish),
            }),
            SinkCommand::Finish => Some(SinkEvent::Finished {
                length: self.files[*file].length,
            }),
            SinkCommand::Checkpoint(_) | SinkCommand::Stop { .. } => None,
        }
    }

    /// A node that is there and honest, has been for a while, and is not `but`.
    pub(super) fn somebody(&mut self, but: Option<usize>) -> Option<usize> {
        const SETTLED: Duration = Duration::from_secs(100);
        (0..50)
            .map(|_| chance::below(&mut self.rng, self.machines.len()))
            .find(|&index| {
                let machine = &self.machines[index];
                machine.is_up()
                    && machine.kind.is_none()
                    && Some(index) != but
                    && self.now.since(machine.since) >= SETTLED
            })
    }
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
