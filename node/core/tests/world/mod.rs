//! A small world for tests: real cores, real cryptography, stores in memory, links that are queues with a delay.
//!
//! [`shell`] does what a shell would; [`puppet`] holds peers that keep to no rule; [`meddle`] what happens on the way;
//! [`chain`] makes runs comparable; [`watch`] keeps what passes.

#![allow(dead_code, reason = "each test uses its part of it")]

mod chain;
mod files;
pub mod meddle;
pub mod puppet;
mod shell;
pub mod watch;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use oboro_cache::MemoryStore;
use oboro_core::ids::{JobId, LinkId};
use oboro_core::{Command, Config, Event, Node, Outbox, Report, Time};
use oboro_crypto::entry;
use oboro_crypto::eris::Capability;
use oboro_crypto::ids::{IdentityPublic, LinkPublic, Location, NodeId, OnionPublic};
use oboro_crypto::keys::NodeKeys;
use oboro_crypto::network::{Network, Params};
use oboro_crypto::node_id::node_id;
use oboro_crypto::provider::{Provider, RealProvider};
use oboro_crypto::secret::Secret;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use self::meddle::Meddle;
use self::puppet::Puppet;
use self::watch::Watch;

/// One node and what its shell would hold.
pub struct Machine {
    pub node: Node,
    pub store: MemoryStore,
    pub link: LinkPublic,
    pub id: NodeId,
    pub onion: OnionPublic,
    pub identity: IdentityPublic,
    pub address: SocketAddr,
    pub alive: bool,
    pub reports: BTreeMap<JobId, Vec<Report>>,
    pub sinks: BTreeMap<JobId, Vec<u8>>,
    pub checkpoints: BTreeMap<JobId, Vec<u8>>,
    sources: BTreeMap<JobId, files::Source>,
    /// This node's end of each link: the other node and its name for it.
    links: BTreeMap<LinkId, (usize, LinkId)>,
    woken: Option<Time>,
    /// How often it was woken for a deadline: more than a little is a busy loop.
    pub wakes: u64,
    /// How far its clock is ahead of the world's.
    pub ahead: Duration,
    /// Its store answers gets with chunks that are not what was asked for.
    pub lies: bool,
    /// Its store acknowledges extents and keeps none.
    pub forgets: bool,
    /// Its store answers nothing any more.
    pub mute: bool,
    /// Where its store answers as if nothing were there.
    pub gone: BTreeSet<Location>,
    /// What it last gave to be kept of its guards.
    pub guards: Option<Vec<u8>>,
    /// It drops every cell it is given, without a word.
    pub drops: bool,
    /// Extents it was given to keep, with how many chunks each has.
    pub kept: Vec<(Location, usize)>,
}

pub struct World {
    pub machines: Vec<Machine>,
    pub network: Network,
    pub now: Time,
    pub delay: Duration,
    /// A running digest over every action of every node, for those who compare runs.
    pub chain: [u8; 32],
    /// Peers that keep to no rule.
    pub puppets: Vec<Puppet>,
    /// What nodes sent over links whose other end is a test.
    pub overheard: BTreeMap<LinkId, Vec<u8>>,
    queue: BinaryHeap<Reverse<(Time, u64, usize)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    links: u64,
    seed: u8,
    /// Records on links, by link: everything before its encryption.
    pub tap: Option<Vec<u8>>,
    /// The same with both ends' names, and what stores are asked.
    pub watch: Option<Watch>,
    /// Whether jobs are told to do with fewer relays.
    pub fewer_hops: bool,
    /// What nodes added from now on compute with.
    pub provider: fn(usize) -> Arc<dyn Provider>,
    /// What is done to records on their way: who sends, who is to have them, the records.
    pub meddle: Option<Meddle>,
}

impl World {
    /// A network in which requests go straight to the nodes asked.
    pub fn new(count: usize, seed: u8) -> Self {
        Self::with_hops(count, seed, 0)
    }

    /// A network in which requests go over so many relays.
    pub fn with_hops(count: usize, seed: u8, hops: u8) -> Self {
        let params = Params {
            hops,
            ..Params::local()
        };
        Self::on(params, count, seed)
    }

    /// A network with such parameters.
    pub fn on(params: Params, count: usize, seed: u8) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let secret = Secret::random(&mut rng);
        let network = Network::new("test", params, Some(secret)).unwrap();
        let mut world = Self {
            machines: Vec::new(),
            network,
            now: Time::from_secs(1_800_000_000),
            delay: Duration::from_millis(5),
            chain: [0; 32],
            puppets: Vec::new(),
            overheard: BTreeMap::new(),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            links: 0,
            seed,
            tap: None,
            watch: None,
            fewer_hops: false,
            provider: |_| Arc::new(RealProvider),
            meddle: None,
        };
        for index in 0..count {
            let bootstrap: Vec<usize> = if index == 0 { vec![] } else { vec![0] };
            world.add(&bootstrap);
        }
        world
    }

    pub fn add(&mut self, bootstrap: &[usize]) -> usize {
        let index = self.machines.len();
        let (config, core_seed) = self.config(index, bootstrap, None);
        let link = config.link;
        let (id, onion, address) = (config.id, config.onion.public(), config.addresses[0]);
        let identity = config.identity.public();
        self.machines.push(Machine {
            node: Node::new(config, core_seed, self.now),
            store: MemoryStore::new(1 << 30),
            link,
            id,
            onion,
            identity,
            address,
            alive: true,
            reports: BTreeMap::new(),
            sinks: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            sources: BTreeMap::new(),
            links: BTreeMap::new(),
            woken: None,
            wakes: 0,
            ahead: Duration::ZERO,
            lies: false,
            forgets: false,
            mute: false,
            gone: BTreeSet::new(),
            guards: None,
            drops: false,
            kept: Vec::new(),
        });
        self.push(self.now, index, Event::Deadline);
        index
    }

    /// What a machine is configured with: the same keys each time.
    fn config(
        &self,
        index: usize,
        bootstrap: &[usize],
        guards: Option<Vec<u8>>,
    ) -> (Config, [u8; 32]) {
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
        let id = node_id(&self.network, &keys.identity.public());
        let config = Config {
            id,
            identity: keys.identity,
            link,
            onion: keys.onion,
            onion_previous: keys.onion_previous,
            addresses: vec![address],
            listen_port: Some(4000),
            listed: true,
            storage: true,
            bootstrap: starts.collect(),
            guards,
            provider: (self.provider)(index),
            network: self.network.duplicate(),
        };
        let mut core_seed = [0; 32];
        rng.fill_bytes(&mut core_seed);
        (config, core_seed)
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
        let source = files::Source::new(content, [7; 32]);
        self.machines[machine].sources.insert(job, source);
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
                fewer_hops: self.fewer_hops,
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
                fewer_hops: self.fewer_hops,
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
                fewer_hops: self.fewer_hops,
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

    /// Storers have handed on what they were given and another should have.
    pub fn handed_on(&mut self) {
        let quiet = self.run_until(Duration::from_secs(60), |world| {
            let mut held = world.machines.iter().map(|machine| machine.node.held());
            held.all(|held| held.upkeep + held.serving + held.exchanges == 0)
        });
        assert!(quiet, "what is to be handed on is handed on");
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

    /// Where the longest extent that a machine was given to keep lies.
    pub fn longest_extent(&self, machine: usize) -> Location {
        let kept = self.machines[machine].kept.iter();
        let longest = kept.max_by_key(|(_, chunks)| *chunks);
        longest.expect("it holds something").0
    }

    pub fn links_of(&self, machine: usize) -> Vec<LinkId> {
        self.machines[machine].links.keys().copied().collect()
    }

    /// A link to a node whose other end is nobody: the test speaks, and reads [`World::overheard`].
    pub fn connect_stranger(&mut self, to: usize) -> LinkId {
        self.connect_reader(to, 1_000_000)
    }

    /// Such a link whose other end reads no more than so many records.
    pub fn connect_reader(&mut self, to: usize, records: u32) -> LinkId {
        let mut remote = LinkPublic([0x5a; 32]);
        remote.0[..8].copy_from_slice(&(self.links + 1).to_be_bytes());
        self.connect_as(to, remote, records)
    }

    /// Such a link that comes from a certain key.
    pub fn connect_as(&mut self, to: usize, remote: LinkPublic, records: u32) -> LinkId {
        self.links += 1;
        let link = LinkId(self.links);
        let address = "127.9.9.9:1".parse().unwrap();
        self.overheard.insert(link, Vec::new());
        self.step(
            to,
            Event::LinkUp {
                link,
                remote,
                address,
                dial: None,
            },
        );
        self.step(to, Event::Writable { link, records });
        link
    }

    /// Such a link breaks.
    pub fn disconnect(&mut self, from: usize, link: LinkId) {
        self.overheard.remove(&link);
        self.step(from, Event::LinkDown { link });
    }

    fn job(&mut self) -> JobId {
        self.sequence += 1;
        JobId(self.sequence)
    }

    fn step(&mut self, machine: usize, event: Event) {
        let mut out = Outbox::new();
        let node = &mut self.machines[machine];
        node.wakes += u64::from(matches!(event, Event::Deadline));
        node.node.handle(self.now + node.ahead, event, &mut out);
        while let Some(action) = out.take() {
            self.act(machine, action);
        }
        let node = &mut self.machines[machine];
        if let Some((at, _)) = node.node.deadline() {
            let at = (at - node.ahead).max(self.now + Duration::from_micros(1));
            if node
                .woken
                .is_none_or(|woken| woken <= self.now || at < woken)
            {
                node.woken = Some(at);
                self.push(at, machine, Event::Deadline);
            }
        }
    }
}
