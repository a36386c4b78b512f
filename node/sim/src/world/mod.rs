//! The world: nodes, the network between them, their disks, clocks and users, as one sequence of events. The same
//! scenario and seed give the same run, byte for byte.

mod act;
mod attacks;
pub(crate) mod chance;
mod collude;
mod crowd;
mod floods;
mod happen;
mod issued;
mod links;
mod machine;
mod malice;
mod net;
mod oracle;
mod queue;
mod tally;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use oboro_cache::MemoryStore;
use oboro_core::ids::{JobId, LinkId};
use oboro_core::wire::descriptor::{Descriptor, Roles};
use oboro_core::{Event, Outbox, Time};
use oboro_crypto::cost::Cost;
use oboro_crypto::hash::hash;
use oboro_crypto::ids::{LinkPublic, NodeId};
use oboro_crypto::keys::NodeKeys;
use oboro_crypto::labels;
use oboro_crypto::network::{Network, Params};
use oboro_crypto::provider::{Provider, RealProvider};
use oboro_crypto::secret::Secret;
use oboro_crypto::token::KeywordToken;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use self::links::Links;
use self::machine::Machine;
use self::net::Net;
use self::oracle::Oracle;
use self::queue::Queue;
use self::tally::Tally;
use self::work::File;
use crate::cheap::{self, CheapProvider};
use crate::report::Report;
use crate::scenario::{Fidelity, Hostile, Scenario, What};

/// When every simulation begins: a midnight.
pub(crate) const START: Time = Time(1_800_057_600 * 1_000_000);
/// Between two looks of the oracle.
const LOOK_EVERY: Duration = Duration::from_secs(300);
/// The same in a crowd, where it is views that are looked at.
const LOOK_EVERY_CROWD: Duration = Duration::from_secs(60);
/// A warm start spreads over so long.
const WARM: Duration = Duration::from_secs(60);

/// What a user wants: a file, or its word found.
#[derive(Clone, Copy)]
struct Wish {
    file: usize,
    fetch: bool,
    begun: Time,
    again: u32,
}

/// What is to happen.
enum Due {
    /// A node has something to take, in this life.
    Event(usize, u32, Event),
    /// A node asked to be woken.
    Wake(usize, u32),
    /// A dial has come to its end.
    Dialed {
        from: usize,
        life: u32,
        to: Option<usize>,
        dial: oboro_core::ids::DialId,
        remote: LinkPublic,
    },
    /// The store of a node has done something.
    Stored(
        usize,
        u32,
        oboro_core::ids::Ticket,
        Box<oboro_core::action::StoreRequest>,
    ),
    /// A node comes or goes.
    Turn(usize),
    /// Somebody publishes the next file, fetches one, searches one.
    Publish,
    Fetch,
    Search,
    /// A user tries again, having waited for the guard.
    Again(usize, u32, Wish),
    /// The oracle looks.
    Look,
    /// A flooder floods.
    Flood(usize, u32),
    /// A member of a crowd comes, or has its descriptor renewed.
    Arrive(usize),
    Renew(usize),
    /// An attacker does what it planned.
    Attack(attacks::Step),
    /// What the scenario says.
    Happen(What),
}

/// A world in the middle of a run.
pub struct World {
    scenario: Scenario,
    network: Network,
    provider: Arc<dyn Provider>,
    cheap: Option<Arc<CheapProvider>>,
    now: Time,
    end: Time,
    queue: Queue<Due>,
    machines: Vec<Machine>,
    members: Vec<crowd::Member>,
    by_link: BTreeMap<LinkPublic, usize>,
    by_id: BTreeMap<NodeId, usize>,
    /// Those whose users have jobs.
    busy: BTreeSet<usize>,
    net: Net,
    links: Links,
    files: Vec<File>,
    oracle: Oracle,
    tally: Tally,
    tokens: BTreeMap<String, Arc<KeywordToken>>,
    descriptors: issued::Issued,
    jobs: u64,
    /// Over which link the records came that a node is taking now.
    over: Option<LinkId>,
    seen: collude::Seen,
    attacks: attacks::Attacks,
    rng: ChaCha20Rng,
    net_rng: ChaCha20Rng,
}

impl World {
    /// A world in which nothing has happened yet.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        let seed = scenario.seed;
        let mut rng = chance::source(seed, "world", 0);
        let cost = Cost {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        };
        let params = Params {
            hops: scenario.hops,
            replicas: scenario.replicas,
            id_cost: cost,
            keyword_cost: cost,
            put_work: 1,
            entry_work: 1,
            // With three hops it is a public network, with its rules for address ranges; fewer only a local one allows.
            local: scenario.hops < 3,
            ..Params::local()
        };
        let network = Network::new("simulated", params, Some(Secret::random(&mut rng)))
            .unwrap_or_else(|_| unreachable!("these parameters are within their bounds"));
        let cheap = (scenario.fidelity != Fidelity::Exact).then(cheap::shared);
        let provider: Arc<dyn Provider> = match &cheap {
            Some(cheap) => Arc::clone(cheap) as Arc<dyn Provider>,
            None => Arc::new(RealProvider),
        };
        let mut world = Self {
            network,
            provider,
            cheap,
            now: START,
            end: START + Duration::from_secs(scenario.minutes * 60),
            queue: Queue::new(),
            machines: Vec::new(),
            members: Vec::new(),
            by_link: BTreeMap::new(),
            by_id: BTreeMap::new(),
            busy: BTreeSet::new(),
            net: Net::new(&scenario.net),
            links: Links::default(),
            files: Vec::new(),
            oracle: Oracle::default(),
            tally: Tally::default(),
            tokens: BTreeMap::new(),
            descriptors: issued::Issued::default(),
            jobs: 0,
            over: None,
            seen: collude::Seen::default(),
            attacks: attacks::Attacks::new(seed),
            rng,
            net_rng: chance::source(seed, "net", 0),
            scenario,
        };
        world.populate();
        world.begin_watch();
        world.plan();
        world
    }

    /// Runs a scenario to its end and says what came out.
    #[must_use]
    pub fn run(scenario: Scenario) -> Report {
        Self::run_telling(scenario, &mut |_| {})
    }

    /// The same, and says at each look of the oracle how many minutes have been simulated.
    #[must_use]
    pub fn run_telling(scenario: Scenario, tell: &mut dyn FnMut(u64)) -> Report {
        let mut world = Self::new(scenario);
        while let Some((at, due)) = world.queue.pop(world.end) {
            world.now = at;
            if matches!(due, Due::Look) {
                tell(at.since(START).as_secs() / 60);
            }
            world.carry_out(due);
        }
        world.now = world.end;
        world.look();
        world.report()
    }

    fn populate(&mut self) {
        let count = self.scenario.machines();
        let kinds = self.kinds(count);
        for kind in kinds {
            let starts = if self.machines.is_empty() {
                vec![]
            } else {
                vec![0]
            };
            let index = self.add(starts);
            self.machines[index].kind = kind;
        }
        // The first is where the others start from: it stays and is honest.
        self.machines[0].stays = true;
        self.machines[0].kind = None;
        if self.scenario.warm {
            for index in 0..count {
                self.describe(index);
            }
        }
        self.gather(self.scenario.nodes);
        for index in 0..count {
            let spread = if self.scenario.warm {
                WARM
            } else {
                Duration::from_secs(1)
            };
            let at = START + spread.mul_f64(chance::unit(&mut self.rng));
            self.queue.push(at, Due::Turn(index));
        }
    }

    /// Which nodes are hostile: each kind has its share, drawn by chance.
    fn kinds(&mut self, count: usize) -> Vec<Option<crate::scenario::Kind>> {
        let mut kinds = vec![None; count];
        for &Hostile { kind, share } in &self.scenario.hostile.clone() {
            let mut left = (share * count as f64).round() as usize;
            while left > 0 && kinds.iter().skip(1).any(Option::is_none) {
                let index = chance::below(&mut self.rng, count);
                if index > 0 && kinds[index].is_none() {
                    kinds[index] = Some(kind);
                    left -= 1;
                }
            }
        }
        kinds
    }

    /// A new node that is not there yet.
    fn add(&mut self, starts: Vec<usize>) -> usize {
        let index = self.machines.len();
        let mut rng = chance::source(self.scenario.seed, "machine", index as u64);
        self.net.add(&self.scenario.net, &mut rng);
        let keys = NodeKeys::generate(START.day(), &mut rng);
        // Ids are what a hash of the identity is: what they cost is not simulated.
        let id = NodeId(hash(labels::VIEW_DIGEST, &[&keys.identity.public().0]));
        // Public addresses from all over: 11.0.0.0 to 99.255.255.255.
        let [a, b, c, d] = rng.next_u32().to_be_bytes();
        let address = ([11 + a % 89, b, c, d], 4000);
        let (scenario, link) = (&self.scenario, keys.link.public());
        let signed = |rng: &mut ChaCha20Rng, most: u64| {
            ((chance::unit(rng) * 2.0 - 1.0) * most as f64) as i64
        };
        let draw = chance::unit(&mut rng);
        let slow = chance::unit(&mut rng) < scenario.disk.slow;
        let full = chance::unit(&mut rng) < scenario.disk.full;
        let factor = if slow { 100.0 } else { 1.0 };
        let machine = Machine {
            id,
            link,
            address: address.into(),
            node: None,
            life: 0,
            store: MemoryStore::new(if full { 0 } else { scenario.quota_mib << 20 }),
            guards: None,
            links: Default::default(),
            jobs: BTreeMap::new(),
            wake: None,
            since: self.now,
            left: Time::default(),
            stays: draw < scenario.churn.always,
            gone: false,
            kind: None,
            off_micros: signed(&mut rng, scenario.clock.off_secs) * 1_000_000,
            drift_ppm: signed(&mut rng, scenario.clock.drift_ppm),
            disk: Duration::from_secs_f64(scenario.disk.millis * factor / 1000.0),
            starts,
            before: Default::default(),
            steps: 0,
            keys,
            rng,
        };
        self.by_link.insert(link, index);
        self.by_id.insert(id, index);
        self.machines.push(machine);
        index
    }

    /// Notes a descriptor that a node would have issued some time before the start.
    fn describe(&mut self, index: usize) {
        let age = chance::below(&mut self.rng, 2 * 3600) as u32;
        let machine = &self.machines[index];
        let descriptor = Descriptor {
            identity: machine.keys.identity.public(),
            link: machine.link,
            onion: machine.keys.onion.public(),
            id: machine.id,
            issued: START.secs() as u32 - age,
            valid_hours: oboro_core::limits::DESCRIPTOR_HOURS,
            roles: Roles {
                relay: true,
                storage: true,
            },
            capacity: 0,
            addresses: vec![machine.address],
        };
        let encoded = descriptor.sign(&self.network.id(), &machine.keys.identity);
        self.descriptors
            .add(machine.id, descriptor.issued, &encoded, self.now);
    }

    fn plan(&mut self) {
        let work = self.scenario.work.clone();
        let minutes = |minutes: f64| START + Duration::from_secs_f64(minutes * 60.0);
        let after = minutes(work.after_minutes);
        for number in 0..work.files {
            let at = after + Duration::from_secs_f64(work.publish_every_secs * number as f64);
            self.queue.push(at, Due::Publish);
        }
        if work.fetches_per_minute > 0.0 {
            self.queue.push(after, Due::Fetch);
        }
        if work.searches_per_minute > 0.0 {
            self.queue.push(after, Due::Search);
        }
        self.queue.push(START + self.look_every(), Due::Look);
        for happening in self.scenario.at.clone() {
            self.queue
                .push(minutes(happening.minute), Due::Happen(happening.what));
        }
    }

    fn carry_out(&mut self, due: Due) {
        match due {
            Due::Event(machine, life, event) => self.step(machine, life, event),
            Due::Wake(machine, life) => self.wake(machine, life),
            Due::Dialed {
                from,
                life,
                to,
                dial,
                remote,
            } => self.dialed((from, life), to, dial, remote),
            Due::Stored(machine, life, ticket, request) => {
                self.store(machine, life, ticket, *request);
            }
            Due::Turn(machine) => self.turn(machine),
            Due::Publish => self.begin_publish(),
            Due::Fetch => self.begin_fetch(),
            Due::Search => self.begin_search(),
            Due::Again(machine, life, wish) => {
                if self.machines[machine].life == life && self.machines[machine].is_up() {
                    self.wish(machine, wish);
                } else {
                    self.tally.interrupted(1);
                }
            }
            Due::Look => {
                self.look();
                self.queue.push(self.now + self.look_every(), Due::Look);
            }
            Due::Arrive(member) => self.arrive(member),
            Due::Renew(member) => self.renew(member),
            Due::Flood(machine, life) => self.flood(machine, life),
            Due::Attack(step) => self.attack(step),
            Due::Happen(what) => self.happen(&what),
        }
    }

    /// Hands an event to a node and does what it says.
    fn step(&mut self, index: usize, life: u32, event: Event) {
        let machine = &self.machines[index];
        if machine.life != life || machine.node.is_none() {
            return;
        }
        if self.is_for_stranger(&event) {
            return self.overhear(event);
        }
        self.trace(index, &event);
        let machine = &mut self.machines[index];
        let Some(event) = malice::incoming(machine.kind, event) else {
            return;
        };
        let shown = machine.clock(self.now);
        let mut out = Outbox::new();
        machine.steps += 1;
        self.over = match &event {
            Event::Records { link, .. } => Some(*link),
            _ => None,
        };
        if let Some(node) = &mut machine.node {
            node.handle(shown, event, &mut out);
        }
        while let Some(action) = out.take() {
            self.act(index, action);
        }
        self.set_wake(index);
    }

    fn set_wake(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        let Some((shown, _)) = machine.node.as_ref().and_then(|node| node.deadline()) else {
            return;
        };
        let at = machine
            .unclock(shown)
            .max(self.now + Duration::from_millis(1));
        // A later deadline is looked at when the earlier one comes.
        if machine.wake.is_none_or(|planned| planned > at) {
            machine.wake = Some(at);
            let life = machine.life;
            self.queue.push(at, Due::Wake(index, life));
        }
    }

    fn wake(&mut self, index: usize, life: u32) {
        let machine = &mut self.machines[index];
        if machine.life != life || machine.wake != Some(self.now) {
            return;
        }
        machine.wake = None;
        let shown = machine.clock(self.now);
        let due = machine.node.as_ref().and_then(|node| node.deadline());
        if due.is_some_and(|(at, _)| at <= shown) {
            self.step(index, life, Event::Deadline);
        } else {
            self.set_wake(index);
        }
    }

    fn push_event(&mut self, at: Time, machine: usize, event: Event) {
        let life = self.machines[machine].life;
        self.queue.push(at, Due::Event(machine, life, event));
    }

    fn job(&mut self) -> JobId {
        self.jobs += 1;
        JobId(self.jobs)
    }

    const fn look_every(&self) -> Duration {
        match self.scenario.fidelity {
            Fidelity::Crowd => LOOK_EVERY_CROWD,
            Fidelity::Exact | Fidelity::Protocol => LOOK_EVERY,
        }
    }

    fn look(&mut self) {
        if self.scenario.fidelity == Fidelity::Crowd {
            self.look_at_views();
        }
        let look = self
            .oracle
            .look(&self.files, &mut self.machines, &self.network.params);
        self.tally.looked(look);
        if let Some(cheap) = &self.cheap {
            cheap.tidy();
        }
    }

    /// What came out so far.
    fn report(&mut self) -> Report {
        let mut totals = machine::Totals::default();
        let mut view = 0;
        let mut up = 0;
        for machine in &self.machines {
            totals.join(&machine.totals(self.now));
            if let Some(node) = machine.node.as_ref().filter(|_| machine.kind.is_none()) {
                view += node.standing(machine.clock(self.now)).view;
                up += 1;
            }
        }
        let steps = self.machines.iter().map(|machine| machine.steps).sum();
        let counts = (steps, self.queue.count());
        let linkage = self.seen.report();
        let came = (linkage, self.measured());
        self.tally
            .report(&self.scenario, &totals, (view, up), counts, came)
    }

    /// The other end of a link, if both ends are there in the lives in which it was made.
    fn far_end(&mut self, link: LinkId) -> Option<(usize, LinkId)> {
        let end = *self.links.get(link)?;
        let far = *self.links.get(end.other_link)?;
        (self.machines[far.machine].life == far.life && self.machines[far.machine].is_up())
            .then_some((end.other, end.other_link))
    }
}
