//! A crowd of real cores that only keep company: links are queues with a delay, disks are empty, ids cost nothing.
//!
//! For what membership costs on the line, in wakes and in memory; files and searches belong to the other world.

#![allow(dead_code, reason = "each user takes its part of it")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oboro_core::action::{StoreRequest, Task};
use oboro_core::event::{Computed, DialFailure, StoreOutcome};
use oboro_core::ids::LinkId;
use oboro_core::wire::frame::{Frame, Frames};
use oboro_core::{Action, Config, Event, Node, Outbox, Time};
use oboro_crypto::circuit::{CircuitError, Hop};
use oboro_crypto::ids::{
    IdentityPublic, LinkPublic, NetworkId, NodeId, OnionPublic, Reference, Signature,
};
use oboro_crypto::keys::{NodeKeys, OnionKey};
use oboro_crypto::labels::Label;
use oboro_crypto::network::{Network, Params};
use oboro_crypto::provider::{
    AcceptedCircuit, Accepting, Building, Opening, Provider, RealProvider,
};
use oboro_crypto::record::RECORD_PLAIN;
use oboro_crypto::session::SessionError;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, RngCore, SeedableRng};

/// Believes every signature, and keeps one copy of what many nodes keep.
#[derive(Default)]
pub struct Shared {
    kept: Mutex<BTreeSet<Arc<[u8]>>>,
}

impl Provider for Shared {
    fn open(
        &self,
        to: &OnionPublic,
        network: &NetworkId,
        request: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Opening>, Vec<u8>), SessionError> {
        RealProvider.open(to, network, request, rng)
    }

    fn accept(
        &self,
        keys: &[&OnionKey],
        network: &NetworkId,
        msg1: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Accepting>, Vec<u8>), SessionError> {
        RealProvider.accept(keys, network, msg1, rng)
    }

    fn keep(&self, bytes: &[u8], reckoned: &[u8]) -> Arc<[u8]> {
        let mut kept = self.kept.lock().unwrap();
        let new: Arc<[u8]> = [bytes, reckoned].concat().into();
        if let Some(same) = kept.get(&new) {
            return Arc::clone(same);
        }
        kept.insert(Arc::clone(&new));
        // What nobody else holds any more was replaced by something newer.
        if kept.len().is_multiple_of(4096) {
            kept.retain(|one| Arc::strong_count(one) > 1);
        }
        new
    }

    fn verify(&self, _: &IdentityPublic, _: Label, _: &[&[u8]], _: &Signature) -> bool {
        true
    }

    fn chunk_matches(&self, refs: &[Reference], chunks: &[&[u8]]) -> Vec<bool> {
        RealProvider.chunk_matches(refs, chunks)
    }

    fn create(
        &self,
        path: &[Hop],
        network: &NetworkId,
        minute: u32,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Building>, Vec<u8>), CircuitError> {
        RealProvider.create(path, network, minute, rng)
    }

    fn accept_circuit(
        &self,
        keys: &[&OnionKey],
        network: &NetworkId,
        body: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<AcceptedCircuit, CircuitError> {
        RealProvider.accept_circuit(keys, network, body, rng)
    }
}

/// One node and its end of each link.
pub struct Member {
    pub node: Node,
    pub link: LinkPublic,
    pub address: SocketAddr,
    pub alive: bool,
    links: BTreeMap<LinkId, (usize, LinkId)>,
    woken: Option<Time>,
    /// How often a deadline woke it, and how many records it has sent.
    pub wakes: u64,
    pub records: u64,
    /// How often it dialled.
    pub dials: u64,
}

/// All of them.
pub struct Crowd {
    pub members: Vec<Member>,
    pub network: Network,
    pub now: Time,
    pub delay: Duration,
    /// Whether records with an offer in them get lost.
    pub loses_offers: bool,
    /// What each new member finds on its disk.
    pub disk: Vec<Vec<u8>>,
    provider: Arc<dyn Provider>,
    by_link: BTreeMap<LinkPublic, usize>,
    ids: BTreeMap<[u8; 32], NodeId>,
    queue: BinaryHeap<Reverse<(Time, u64, usize)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    links: u64,
}

/// The parameters of the public network, with ids that cost nothing.
pub fn public() -> Params {
    Params {
        hops: 3,
        local: false,
        ..Params::local()
    }
}

/// An address of its own range for each number.
pub fn address(number: usize) -> SocketAddr {
    let [a, b, c] = [
        30 + number % 40,
        (number / 40) % 250,
        (number / 10_000) % 250,
    ];
    format!("{a}.{b}.{c}.1:4000").parse().unwrap()
}

impl Crowd {
    pub fn new(params: Params, provider: Arc<dyn Provider>) -> Self {
        Self {
            members: Vec::new(),
            network: Network::new("crowd", params, None).unwrap(),
            now: Time::from_secs(1_800_000_000),
            delay: Duration::from_millis(40),
            loses_offers: false,
            disk: Vec::new(),
            provider,
            by_link: BTreeMap::new(),
            ids: BTreeMap::new(),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            links: 0,
        }
    }

    /// One more member, which knows some others to start from.
    pub fn add(&mut self, starts: &[usize]) -> usize {
        let index = self.members.len();
        let mut seed = [0x31; 32];
        seed[..8].copy_from_slice(&(index as u64).to_be_bytes());
        let mut rng = ChaCha20Rng::from_seed(seed);
        let keys = NodeKeys::generate(self.now.day(), &mut rng);
        let link = keys.link.public();
        let identity = keys.identity.public();
        let mut id = [0; 32];
        rng.fill_bytes(&mut id);
        let starts = starts
            .iter()
            .map(|&other| (self.members[other].link, vec![self.members[other].address]));
        let config = Config {
            id: NodeId(id),
            identity: keys.identity,
            link,
            onion: keys.onion,
            onion_previous: keys.onion_previous,
            addresses: vec![address(index)],
            listen_port: Some(4000),
            listed: true,
            storage: true,
            bootstrap: starts.collect(),
            guards: None,
            provider: Arc::clone(&self.provider),
            network: self.network.duplicate(),
        };
        let mut core_seed = [0; 32];
        rng.fill_bytes(&mut core_seed);
        self.members.push(Member {
            node: Node::new(config, core_seed, self.now),
            link,
            address: address(index),
            alive: true,
            links: BTreeMap::new(),
            woken: None,
            wakes: 0,
            records: 0,
            dials: 0,
        });
        self.by_link.insert(link, index);
        self.ids.insert(identity.0, NodeId(id));
        self.push(self.now, index, Event::Deadline);
        index
    }

    /// How many members everybody who is alive knows at least.
    pub fn least_known(&self) -> usize {
        let alive = self.members.iter().filter(|member| member.alive);
        alive.map(|member| member.node.known()).min().unwrap_or(0)
    }

    pub fn kill(&mut self, index: usize) {
        self.members[index].alive = false;
        let links = std::mem::take(&mut self.members[index].links);
        for (other, link) in links.into_values() {
            self.members[other].links.remove(&link);
            self.push(self.now + self.delay, other, Event::LinkDown { link });
        }
    }

    pub fn run(&mut self, longest: Duration) {
        self.run_until(longest, |_| false);
    }

    /// Runs until something holds, which is looked at every tenth of a second, or for so long.
    pub fn run_until(&mut self, longest: Duration, mut over: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + longest;
        let mut look = self.now;
        loop {
            if look <= self.now {
                if over(self) {
                    return true;
                }
                look = self.now + Duration::from_millis(100);
            }
            let Some(&Reverse((at, sequence, member))) = self.queue.peek() else {
                return false;
            };
            if at > end {
                self.now = end;
                return over(self);
            }
            self.queue.pop();
            self.now = at.max(self.now);
            let event = self.events.remove(&sequence).unwrap();
            if self.members[member].alive {
                self.step(member, event);
            }
        }
    }

    fn on_the_way(&self, plain: Vec<u8>) -> Vec<u8> {
        if !self.loses_offers {
            return plain;
        }
        let kept = plain.chunks(RECORD_PLAIN).filter(|record| {
            let mut frames = Frames::new(record);
            let mut offers = false;
            while let Some(frame) = frames.next_frame().unwrap() {
                offers |= matches!(frame, Frame::Control([8, ..]));
            }
            !offers
        });
        kept.flatten().copied().collect()
    }

    fn push(&mut self, at: Time, member: usize, event: Event) {
        self.sequence += 1;
        self.events.insert(self.sequence, event);
        self.queue.push(Reverse((at, self.sequence, member)));
    }

    fn step(&mut self, index: usize, event: Event) {
        let mut out = Outbox::new();
        let member = &mut self.members[index];
        if matches!(event, Event::Deadline) {
            if member.woken.is_some_and(|woken| woken > self.now) {
                return;
            }
            member.wakes += 1;
            member.woken = None;
        }
        member.node.handle(self.now, event, &mut out);
        while let Some(action) = out.take() {
            self.act(index, action);
        }
        let member = &mut self.members[index];
        if let Some((at, _)) = member.node.deadline() {
            let at = at.max(self.now + Duration::from_micros(1));
            if member.woken.is_none_or(|woken| at < woken) {
                member.woken = Some(at);
                self.push(at, index, Event::Deadline);
            }
        }
    }

    fn act(&mut self, index: usize, action: Action) {
        let soon = self.now + Duration::from_micros(50);
        let then = self.now + self.delay;
        match action {
            Action::Dial { dial, remote, .. } => {
                self.members[index].dials += 1;
                let at = then + self.delay;
                let found = self.by_link.get(&remote).copied();
                let Some(other) = found.filter(|&other| self.members[other].alive) else {
                    let cause = DialFailure::Unreachable;
                    return self.push(at, index, Event::DialFailed { dial, cause });
                };
                self.links += 2;
                let (mine, theirs) = (LinkId(self.links - 1), LinkId(self.links));
                self.members[index].links.insert(mine, (other, theirs));
                self.members[other].links.insert(theirs, (index, mine));
                let ends = [
                    (index, mine, other, Some(dial)),
                    (other, theirs, index, None),
                ];
                for (at_end, link, far, dial) in ends {
                    let (remote, address) = (self.members[far].link, self.members[far].address);
                    let up = Event::LinkUp {
                        link,
                        remote,
                        address,
                        dial,
                    };
                    self.push(at, at_end, up);
                    self.push(at, at_end, Event::Writable { link, records: 64 });
                }
            }
            Action::Close { link } => {
                if let Some((other, theirs)) = self.members[index].links.remove(&link) {
                    self.members[other].links.remove(&theirs);
                    self.push(soon, other, Event::LinkDown { link: theirs });
                }
                self.push(soon, index, Event::LinkDown { link });
            }
            Action::Send { link, plain } => {
                let records = u32::try_from(plain.len() / RECORD_PLAIN).unwrap();
                self.members[index].records += u64::from(records);
                if let Some(&(other, link)) = self.members[index].links.get(&link) {
                    let plain = self.on_the_way(plain);
                    self.push(then, other, Event::Records { link, plain });
                    self.push(then, index, Event::Writable { link, records });
                }
            }
            Action::Store { ticket, request } => {
                let outcome = match request {
                    StoreRequest::Descriptors => StoreOutcome::Descriptors(self.disk.clone()),
                    _ => StoreOutcome::Done,
                };
                self.push(soon, index, Event::Stored { ticket, outcome });
            }
            Action::Compute { ticket, task } => {
                let outcome = match task {
                    Task::NodeId(identity) => {
                        let id = self.ids.get(&identity.0).copied();
                        id.map_or(Computed::Failed, Computed::NodeId)
                    }
                    _ => Computed::Failed,
                };
                self.push(soon, index, Event::Computed { ticket, outcome });
            }
            _ => {}
        }
    }
}
