//! A small world for tests: real cores, real cryptography, stores in memory, links that are queues with a delay.

#![allow(dead_code, reason = "each test uses its part of it")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use oboro_cache::{MemoryStore, Put, PutEntry, PutExtent, Store};
use oboro_core::action::{SinkCommand, SourceCommand, StoreRequest, Task};
use oboro_core::event::{
    Computed, DialFailure, PutOutcome, SinkEvent, SourceEvent, StoreOutcome, StoredExtent,
};
use oboro_core::ids::{JobId, LinkId, Ticket};
use oboro_core::{Action, Command, Config, Event, Node, Outbox, Report, Time};
use oboro_crypto::entry;
use oboro_crypto::eris::{BlockSize, Capability, ConvergenceSecret, Encoder, open_leaf, unpad};
use oboro_crypto::ids::LinkPublic;
use oboro_crypto::keys::NodeKeys;
use oboro_crypto::network::Network;
use oboro_crypto::node_id::node_id;
use oboro_crypto::provider::RealProvider;
use oboro_crypto::record::RECORD_PLAIN;
use oboro_crypto::token::KeywordToken;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// One node and what its shell would hold.
pub struct Machine {
    pub node: Node,
    pub store: MemoryStore,
    pub link: LinkPublic,
    pub address: SocketAddr,
    pub alive: bool,
    pub reports: BTreeMap<JobId, Vec<Report>>,
    pub sinks: BTreeMap<JobId, Vec<u8>>,
    pub checkpoints: BTreeMap<JobId, Vec<u8>>,
    sources: BTreeMap<JobId, Encoder<std::io::Cursor<Vec<u8>>>>,
    /// This node's end of each link: the other node and its name for it.
    links: BTreeMap<LinkId, (usize, LinkId)>,
    woken: Option<Time>,
    /// Answers gets with chunks that are not what was asked for.
    pub lies: bool,
}

pub struct World {
    pub machines: Vec<Machine>,
    pub network: Network,
    pub now: Time,
    pub delay: Duration,
    /// Everything that was handed to links, for those who compare runs.
    pub trace: Vec<[u8; 8]>,
    queue: BinaryHeap<Reverse<(Time, u64, usize)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    links: u64,
    seed: u8,
    /// Records on links, by link: everything before its encryption.
    pub tap: Option<Vec<u8>>,
}

impl World {
    pub fn new(count: usize, seed: u8) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let network = Network::private("test", true, &mut rng).unwrap();
        let mut world = Self {
            machines: Vec::new(),
            network,
            now: Time::from_secs(1_800_000_000),
            delay: Duration::from_millis(5),
            trace: Vec::new(),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            links: 0,
            seed,
            tap: None,
        };
        for index in 0..count {
            let bootstrap: Vec<usize> = if index == 0 { vec![] } else { vec![0] };
            world.add(&bootstrap);
        }
        world
    }

    pub fn add(&mut self, bootstrap: &[usize]) -> usize {
        let index = self.machines.len();
        let mut seed = [self.seed; 32];
        seed[1] = index as u8;
        let mut rng = ChaCha20Rng::from_seed(seed);
        let keys = NodeKeys::generate(self.now.day(), &mut rng);
        let address: SocketAddr = format!("127.0.{}.1:4000", index + 1).parse().unwrap();
        let link = keys.link.public();
        let starts = bootstrap.iter().map(|&other| {
            (
                self.machines[other].link,
                vec![self.machines[other].address],
            )
        });
        let config = Config {
            id: node_id(&self.network, &keys.identity.public()),
            identity: keys.identity,
            link,
            onion: keys.onion,
            onion_previous: keys.onion_previous,
            addresses: vec![address],
            listen_port: Some(4000),
            listed: true,
            storage: true,
            bootstrap: starts.collect(),
            provider: Arc::new(RealProvider),
            network: self.network.duplicate(),
        };
        let mut core_seed = [0; 32];
        rng.fill_bytes(&mut core_seed);
        self.machines.push(Machine {
            node: Node::new(config, core_seed, self.now),
            store: MemoryStore::new(1 << 30),
            link,
            address,
            alive: true,
            reports: BTreeMap::new(),
            sinks: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            sources: BTreeMap::new(),
            links: BTreeMap::new(),
            woken: None,
            lies: false,
        });
        self.push(self.now, index, Event::Deadline);
        index
    }

    fn push(&mut self, at: Time, machine: usize, event: Event) {
        self.sequence += 1;
        self.events.insert(self.sequence, event);
        self.queue.push(Reverse((at, self.sequence, machine)));
    }

    /// Runs until something holds, or for so long.
    pub fn run_until(&mut self, longest: Duration, mut over: impl FnMut(&World) -> bool) -> bool {
        let end = self.now + longest;
        while !over(self) {
            let Some(&Reverse((at, sequence, machine))) = self.queue.peek() else {
                return false;
            };
            if at > end {
                self.now = end;
                return over(self);
            }
            self.queue.pop();
            self.now = at.max(self.now);
            let event = self.events.remove(&sequence).unwrap();
            if self.machines[machine].alive {
                self.step(machine, event);
            }
        }
        true
    }

    pub fn run(&mut self, longest: Duration) {
        self.run_until(longest, |_| false);
    }

    pub fn command(&mut self, machine: usize, command: Command) {
        self.step(machine, Event::Command(command));
    }

    /// Publishes bytes under a title at a node, waits, and returns the capability.
    pub fn publish(&mut self, machine: usize, title: &str, content: &[u8]) -> Capability {
        self.try_publish(machine, title, content)
            .expect("published")
    }

    pub fn try_publish(
        &mut self,
        machine: usize,
        title: &str,
        content: &[u8],
    ) -> Option<Capability> {
        let job = self.begin_publish(machine, title, content);
        self.run_until(Duration::from_secs(300), |world| {
            world.is_over(machine, job)
        });
        self.machines[machine].reports[&job]
            .iter()
            .find_map(|report| match report {
                Report::Published { capability, .. } => Some((**capability).clone()),
                _ => None,
            })
    }

    pub fn begin_publish(&mut self, machine: usize, title: &str, content: &[u8]) -> JobId {
        let job = self.job();
        let reader = std::io::Cursor::new(content.to_vec());
        let secret = ConvergenceSecret::from_bytes([7; 32]);
        self.machines[machine]
            .sources
            .insert(job, Encoder::new(reader, BlockSize::Large, secret));
        let terms = oboro_crypto::terms::of_text(title);
        let (title, size) = (title.to_owned(), content.len() as u64);
        let kind = entry::Kind::of_name(&title);
        self.command(
            machine,
            Command::Publish {
                job,
                title,
                size,
                kind,
                terms,
                extra: vec![],
            },
        );
        job
    }

    /// Searches and returns the last report.
    pub fn search(&mut self, machine: usize, words: &[&str]) -> &Report {
        let job = self.job();
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        self.command(
            machine,
            Command::Search {
                job,
                words,
                patience: Duration::from_secs(30),
            },
        );
        self.run_until(Duration::from_secs(60), |world| world.is_over(machine, job));
        self.machines[machine].reports[&job].last().unwrap()
    }

    pub fn begin_fetch(
        &mut self,
        machine: usize,
        capability: &Capability,
        resume: Option<Vec<u8>>,
    ) -> JobId {
        let job = self.job();
        self.machines[machine].sinks.insert(job, Vec::new());
        self.command(
            machine,
            Command::Fetch {
                job,
                capability: Box::new(capability.clone()),
                resume,
            },
        );
        job
    }

    /// Fetches and returns the bytes, or why not.
    pub fn fetch(
        &mut self,
        machine: usize,
        capability: &Capability,
    ) -> Result<Vec<u8>, oboro_core::Failure> {
        let job = self.begin_fetch(machine, capability, None);
        self.run_until(Duration::from_secs(600), |world| {
            world.is_over(machine, job)
        });
        match self.machines[machine].reports[&job].last() {
            Some(Report::Fetched { .. }) => Ok(self.machines[machine].sinks[&job].clone()),
            Some(Report::Failed(failure)) => Err(*failure),
            _ => panic!("the fetch is not over"),
        }
    }

    pub fn is_over(&self, machine: usize, job: JobId) -> bool {
        self.machines[machine]
            .reports
            .get(&job)
            .and_then(|reports| reports.last())
            .is_some_and(|report| {
                matches!(
                    report,
                    Report::Published { .. }
                        | Report::Found { last: true, .. }
                        | Report::Fetched { .. }
                        | Report::Failed(_)
                )
            })
    }

    /// Everybody knows everybody.
    pub fn settle(&mut self) {
        let count = self.machines.len();
        let known = self.run_until(Duration::from_secs(120), |world| {
            world
                .machines
                .iter()
                .all(|machine| machine.node.standing(world.now).view == count)
        });
        assert!(known, "views converge");
    }

    /// A node vanishes without a word.
    pub fn kill(&mut self, machine: usize) {
        self.machines[machine].alive = false;
        let links = std::mem::take(&mut self.machines[machine].links);
        for (other, link) in links.into_values() {
            self.machines[other].links.remove(&link);
            self.push(self.now + self.delay, other, Event::LinkDown { link });
        }
    }

    /// Hands bytes to a node as if they had come over one of its links.
    pub fn inject(&mut self, to: usize, link: LinkId, plain: Vec<u8>) {
        self.step(to, Event::Records { link, plain });
    }

    pub fn links_of(&self, machine: usize) -> Vec<LinkId> {
        self.machines[machine].links.keys().copied().collect()
    }

    /// A link to a node whose other end is nobody: the test speaks.
    pub fn connect_stranger(&mut self, to: usize) -> LinkId {
        self.links += 1;
        let link = LinkId(self.links);
        let remote = LinkPublic([self.links as u8; 32]);
        let address = "127.9.9.9:1".parse().unwrap();
        self.step(
            to,
            Event::LinkUp {
                link,
                remote,
                address,
                dial: None,
            },
        );
        self.step(
            to,
            Event::Writable {
                link,
                records: 1_000_000,
            },
        );
        link
    }

    fn job(&mut self) -> JobId {
        self.sequence += 1;
        JobId(self.sequence)
    }

    fn step(&mut self, machine: usize, event: Event) {
        let mut out = Outbox::new();
        self.machines[machine]
            .node
            .handle(self.now, event, &mut out);
        while let Some(action) = out.take() {
            self.act(machine, action);
        }
        if let Some((at, _)) = self.machines[machine].node.deadline() {
            let at = at.max(self.now + Duration::from_micros(1));
            if self.machines[machine]
                .woken
                .is_none_or(|woken| woken <= self.now || at < woken)
            {
                self.machines[machine].woken = Some(at);
                self.push(at, machine, Event::Deadline);
            }
        }
    }

    fn act(&mut self, machine: usize, action: Action) {
        let soon = self.now + Duration::from_micros(50);
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
                let (mine, theirs) = (LinkId(self.links), LinkId(self.links + 1));
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
                let digest = oboro_crypto::hash::blake2b_256(&plain);
                self.trace.push(digest[..8].try_into().unwrap());
                if let Some(&(other, theirs)) = self.machines[machine].links.get(&link) {
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
                let lies = self.machines[machine].lies;
                let outcome = keep(&mut self.machines[machine].store, request, lies);
                self.push(soon, machine, Event::Stored { ticket, outcome });
            }
            Action::Compute { ticket, task } => {
                let outcome = compute(&self.network, task);
                self.push(
                    soon + Duration::from_millis(2),
                    machine,
                    Event::Computed { ticket, outcome },
                );
            }
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
        let Some(encoder) = self.machines[machine].sources.get_mut(&job) else {
            return;
        };
        let event = match encoder.next_run().unwrap() {
            Some(run) => SourceEvent::Run(run),
            None => {
                let encoder = self.machines[machine].sources.remove(&job).unwrap();
                let length = encoder.content_len();
                SourceEvent::End {
                    capability: encoder.capability().unwrap(),
                    length,
                }
            }
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

fn keep(store: &mut MemoryStore, request: StoreRequest, lies: bool) -> StoreOutcome {
    let put = |put: Put| {
        StoreOutcome::Put(match put {
            Put::Stored => PutOutcome::Stored,
            Put::Already => PutOutcome::Already,
            Put::NoRoom => PutOutcome::NoRoom,
            Put::Refused => PutOutcome::Refused,
        })
    };
    match request {
        StoreRequest::PutExtent {
            location,
            index,
            references,
            chunks,
            distance,
            today,
        } => put(store
            .put_extent(PutExtent {
                location,
                index,
                references,
                chunks,
                distance,
                today,
            })
            .unwrap()),
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

/// Unused tickets are never answered twice: for tests that speak for the shell.
pub const NO_TICKET: Ticket = Ticket(u64::MAX);
