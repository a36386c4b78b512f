//! One node of the world: the real core, and what its shell would hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use oboro_cache::MemoryStore;
use oboro_core::ids::{JobId, LinkId};
use oboro_core::stats::Stats;
use oboro_core::{Config, Node, Time};
use oboro_crypto::ids::{LinkPublic, NodeId};
use oboro_crypto::keys::NodeKeys;
use oboro_crypto::network::Network;
use oboro_crypto::provider::Provider;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use super::work::Job;
use crate::scenario::Kind;

/// A node, there or not.
pub(super) struct Machine {
    pub(super) keys: NodeKeys,
    pub(super) id: NodeId,
    pub(super) link: LinkPublic,
    pub(super) address: SocketAddr,
    /// The core; none while it is away.
    pub(super) node: Option<Box<Node>>,
    /// Counts starts, so that what was meant for an earlier life is not taken by a later one.
    pub(super) life: u32,
    pub(super) store: MemoryStore,
    pub(super) guards: Option<Vec<u8>>,
    pub(super) links: BTreeSet<LinkId>,
    pub(super) jobs: BTreeMap<JobId, Job>,
    /// When it is to be woken; what was planned for another time is not.
    pub(super) wake: Option<Time>,
    /// Since when it is there, or away.
    pub(super) since: Time,
    /// When it last left.
    pub(super) left: Time,
    /// It never leaves by itself.
    pub(super) stays: bool,
    /// It has left for ever.
    pub(super) gone: bool,
    pub(super) kind: Option<Kind>,
    /// What its clock is off, in microseconds, and its drift in parts in a million.
    pub(super) off_micros: i64,
    pub(super) drift_ppm: i64,
    /// For an answer of its disk.
    pub(super) disk: Duration,
    /// Nodes it was told to start from.
    pub(super) starts: Vec<usize>,
    pub(super) rng: ChaCha20Rng,
    /// What earlier lives have counted.
    pub(super) before: Totals,
    /// How often it was handed an event.
    pub(super) steps: u64,
}

/// What is summed over nodes and lives.
#[derive(Clone, Default, Debug)]
pub(super) struct Totals {
    pub(super) records_out: u64,
    pub(super) padding_out: u64,
    pub(super) by_class: [u64; 4],
    pub(super) circuits_built: u64,
    pub(super) circuits_failed: BTreeMap<&'static str, u64>,
    /// Refusals, drops and violations by kind.
    pub(super) causes: BTreeMap<String, u64>,
    pub(super) seconds: u64,
}

impl Totals {
    pub(super) fn add(&mut self, stats: &Stats, seconds: u64) {
        self.records_out += stats.records_out;
        self.padding_out += stats.padding_out;
        for (sum, class) in self.by_class.iter_mut().zip(&stats.classes) {
            *sum += class.bytes_out;
        }
        self.circuits_built += stats.circuits.built;
        for (cause, count) in &stats.circuits.failures {
            *self.circuits_failed.entry(cause).or_default() += count;
        }
        let all = [
            ("refused", &stats.refusals),
            ("dropped", &stats.drops),
            ("violated", &stats.violations),
        ];
        for (sort, counts) in all {
            for (cause, count) in counts {
                *self.causes.entry(format!("{sort} {cause}")).or_default() += count;
            }
        }
        self.seconds += seconds;
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.records_out += other.records_out;
        self.padding_out += other.padding_out;
        for (sum, class) in self.by_class.iter_mut().zip(&other.by_class) {
            *sum += class;
        }
        self.circuits_built += other.circuits_built;
        for (cause, count) in &other.circuits_failed {
            *self.circuits_failed.entry(cause).or_default() += count;
        }
        for (cause, count) in &other.causes {
            *self.causes.entry(cause.clone()).or_default() += count;
        }
        self.seconds += other.seconds;
    }
}

impl Machine {
    /// What its clock shows.
    pub(super) fn clock(&self, now: Time) -> Time {
        Time(now.0.saturating_add_signed(self.off(now)))
    }

    /// When its clock will show this.
    pub(super) fn unclock(&self, shown: Time) -> Time {
        Time(shown.0.saturating_add_signed(-self.off(shown)))
    }

    fn off(&self, now: Time) -> i64 {
        let drift = (now.0 - super::START.0.min(now.0)) / 1_000_000;
        self.off_micros + self.drift_ppm * i64::try_from(drift).unwrap_or(0)
    }

    /// Begins a life.
    pub(super) fn start(
        &mut self,
        network: &Network,
        provider: &Arc<dyn Provider>,
        bootstrap: Vec<(LinkPublic, Vec<SocketAddr>)>,
        now: Time,
    ) {
        let keys = self.keys.duplicate();
        let config = Config {
            network: network.duplicate(),
            identity: keys.identity,
            id: self.id,
            link: self.link,
            onion: keys.onion,
            onion_previous: keys.onion_previous,
            addresses: vec![self.address],
            listen_port: Some(self.address.port()),
            listed: true,
            storage: true,
            bootstrap,
            guards: self.guards.clone(),
            provider: Arc::clone(provider),
        };
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        self.node = Some(Box::new(Node::new(config, seed, self.clock(now))));
        self.life += 1;
        self.since = now;
        self.wake = None;
    }

    /// Ends it.
    pub(super) fn stop(&mut self, now: Time) {
        if let Some(node) = self.node.take() {
            self.before
                .add(&node.stats(), now.since(self.since).as_secs());
        }
        self.since = now;
        self.jobs.clear();
    }

    /// What it has counted in all its lives.
    pub(super) fn totals(&self, now: Time) -> Totals {
        let mut totals = self.before.clone();
        if let Some(node) = &self.node {
            totals.add(&node.stats(), now.since(self.since).as_secs());
        }
        totals
    }

    pub(super) const fn is_up(&self) -> bool {
        self.node.is_some()
    }
}
