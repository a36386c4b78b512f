//! Circuits: this node's own, and those of others that lead over it.
//!
//! A user's request goes through a stream in a circuit of this node's own: guard, middle, exit, then the node asked.
//! This room builds circuits, puts streams on them, notices when one does not hold, and is a hop in circuits of others.
//! It knows links and the view; it does not know what a stream is for.

mod creates;
mod due;
mod end;
mod exit;
mod guard;
mod own;
mod path;
mod pool;
mod relay;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oboro_crypto::handshake::ReplayWindow;
use oboro_crypto::ids::{NetworkId, NodeId};
use oboro_crypto::provider::Provider;
use rand_core::RngCore;

use self::end::EndEvent;
use self::guard::Guards;
use self::own::{CircuitId, Own};
use self::pool::Pending;
use self::relay::{RelayId, Relays};
use crate::effect::Ctx;
use crate::failure::Failure;
use crate::ids::{Counter, JobId};
use crate::limits::{CREATE_SKEW_MINUTES, CREATES_REMEMBERED, GUARD_AWAY};
use crate::link::{HopId, Links};
use crate::onion::OnionKeys;
use crate::peers::{Guarding, View};
use crate::report::Route;
use crate::stats::GuardStanding;
use crate::stream::StreamId;
use crate::time::Time;
use crate::wire::listing::Listing;

/// What happened to a stream that goes through an own circuit.
pub(crate) enum CircuitEvent {
    Readable(StreamId),
    Drained(StreamId),
    /// It is over. `clean`: the node at its other end said it was done.
    Closed {
        stream: StreamId,
        clean: bool,
    },
    /// Its circuit failed.
    Lost {
        stream: StreamId,
        how: Loss,
    },
}

/// How a circuit failed under its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It was built, and did not hold; or there can be none.
    Circuit,
    /// It was not built.
    Build,
    /// The link to the guard failed, for which no relay can be blamed.
    Guard,
}

/// Whose a side of a circuit is.
#[derive(Clone, Copy)]
enum Holder {
    Own(CircuitId),
    /// The client's side of another's circuit.
    Back(RelayId),
    /// The exit's side of it.
    Ahead(RelayId),
}

/// Why an own circuit failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The link to the guard did.
    GuardLink,
    /// A relay ended it.
    Destroyed,
    /// What came back was not what it should be, or too much waits.
    Broken,
    /// It did not answer in time.
    Silent,
}

impl Cause {
    /// Its name in the statistics.
    const fn name(self) -> &'static str {
        match self {
            Self::GuardLink => "guard_link",
            Self::Destroyed => "destroyed",
            Self::Broken => "broken",
            Self::Silent => "silent",
        }
    }
}

/// What a node is told of circuits once.
pub(crate) struct Setting {
    pub(crate) network: NetworkId,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) own_id: NodeId,
    pub(crate) onions: Arc<OnionKeys>,
    /// Relays on a path; 0: none, requests go straight to the nodes asked.
    pub(crate) hops: u8,
    pub(crate) guards: Option<Vec<u8>>,
}

/// All circuits of a node.
pub(crate) struct Circuits {
    network: NetworkId,
    provider: Arc<dyn Provider>,
    own_id: NodeId,
    onions: Arc<OnionKeys>,
    hops: u8,
    guards: Guards,
    guard_tried: Time,
    /// Jobs for which fewer relays will do.
    fewer: BTreeSet<JobId>,
    own: BTreeMap<CircuitId, Own>,
    names: Counter,
    stream_names: Counter,
    /// Streams on circuits, and those that wait for one.
    streams: BTreeMap<StreamId, (CircuitId, u32)>,
    pending: BTreeMap<StreamId, Pending>,
    doubts: BTreeMap<NodeId, Time>,
    /// No circuit is built beforehand earlier than this: the last one failed.
    build_again: Time,
    dirty: BTreeSet<CircuitId>,
    relays: Relays,
    holders: BTreeMap<HopId, Holder>,
    replays: ReplayWindow,
    exit_streams: BTreeMap<StreamId, (RelayId, u32)>,
    dirty_relays: BTreeSet<RelayId>,
    events: Vec<CircuitEvent>,
    next_tick: Time,
    /// Whether guards, circuits or paths are lacking, and how many relays there were to choose from then.
    wanting: bool,
    relays_seen: usize,
}

impl Circuits {
    pub(crate) fn new(setting: Setting, now: Time) -> Self {
        let guards = setting
            .guards
            .and_then(|bytes| Guards::decode(&bytes).ok())
            .unwrap_or_default();
        Self {
            network: setting.network,
            provider: setting.provider,
            own_id: setting.own_id,
            onions: setting.onions,
            hops: setting.hops,
            guards,
            guard_tried: Time::default(),
            fewer: BTreeSet::new(),
            own: BTreeMap::new(),
            names: Counter::default(),
            stream_names: Counter::default(),
            streams: BTreeMap::new(),
            pending: BTreeMap::new(),
            doubts: BTreeMap::new(),
            build_again: now,
            dirty: BTreeSet::new(),
            relays: Relays::new(now),
            holders: BTreeMap::new(),
            replays: ReplayWindow::with_skew(CREATES_REMEMBERED, CREATE_SKEW_MINUTES),
            exit_streams: BTreeMap::new(),
            dirty_relays: BTreeSet::new(),
            events: Vec::new(),
            next_tick: now,
            wanting: true,
            relays_seen: 0,
        }
    }

    // Jobs

    /// A job begins. `Err` if it cannot be anonymous here and was not told to go on without.
    pub(crate) fn begin(&mut self, job: JobId, fewer: bool, view: &View) -> Result<(), Failure> {
        if self.hops == 0 {
            return Ok(());
        }
        if fewer {
            self.fewer.insert(job);
            return Ok(());
        }
        // Nobody else known, or not all yet: that is for the job to wait for, and to say.
        let waits = path::relays(view, &self.own_id) == 0 || !view.is_settled();
        match u32::try_from(self.missing(view)) {
            Ok(missing) if missing > 0 && !waits => Err(Failure::TooFewRelays {
                missing,
                hops: self.hops,
            }),
            _ => Ok(()),
        }
    }

    /// How many more nodes must be known for relays and a node to ask to be distinct.
    pub(crate) fn missing(&self, view: &View) -> usize {
        let needed = usize::from(self.hops) + 1;
        // Where there are plenty it does not matter whether this node is one of them.
        if self.hops == 0 || view.relays() > needed {
            return 0;
        }
        needed.saturating_sub(path::relays(view, &self.own_id))
    }

    /// Relays on the paths of a job.
    pub(crate) fn hops_of(&self, job: JobId, view: &View) -> u8 {
        if !self.fewer.contains(&job) {
            return self.hops;
        }
        let others = path::relays(view, &self.own_id).saturating_sub(1);
        self.hops.min(u8::try_from(others).unwrap_or(u8::MAX))
    }

    pub(crate) fn route(&self, job: JobId, view: &View, now: Time) -> Route {
        let hops = self.hops_of(job, view);
        let guard = self.guards.in_use(now).filter(|_| hops > 0);
        Route {
            hops,
            guard_days: guard.map(|guard| now.day().saturating_sub(guard.since)),
            relays: u32::try_from(path::relays(view, &self.own_id)).unwrap_or(u32::MAX),
        }
    }

    // Standing

    pub(crate) fn guarding(&self, view: &View, now: Time) -> Guarding {
        let wait = self.guards.away_for(now).and_then(|away| {
            let left = GUARD_AWAY.saturating_sub(away).as_secs();
            u32::try_from(left).ok().filter(|&left| left > 0)
        });
        Guarding {
            guard: self.guards.in_use(now).map(|guard| guard.node),
            wait,
            hops: self.hops,
            missing: u32::try_from(self.missing(view)).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn guard(&self, view: &View, links: &Links, now: Time) -> Option<GuardStanding> {
        let guard = self.guards.in_use(now)?;
        let link = view.get(&guard.node).map(Listing::link);
        Some(GuardStanding {
            node: guard.node,
            days: now.day().saturating_sub(guard.since),
            linked: link.is_some_and(|link| links.is_linked(&link)),
            standby: guard.standby,
        })
    }

    /// Nodes whose ids are to be checked: the guards, their standbys, the middles.
    pub(crate) fn relied_on(&self) -> Vec<NodeId> {
        self.guards.standing()
    }

    pub(crate) const fn hops(&self) -> u8 {
        self.hops
    }

    pub(crate) fn relays_known(&self, view: &View) -> usize {
        path::relays(view, &self.own_id)
    }

    pub(crate) fn ready(&self) -> usize {
        self.own.values().filter(|own| own.is_ready()).count()
    }

    /// Creates that wait, circuits of others, and bytes in the streams of all circuits: unsent and unread.
    pub(crate) fn held(&self) -> (usize, usize, (usize, usize)) {
        let exits = self.relays.all.values();
        let ends = exits.filter_map(|relayed| Some(&relayed.exit.as_ref()?.end));
        let ends = ends.chain(self.own.values().map(|own| &own.end));
        let bytes = ends.fold((0, 0), |(unsent, unread), end| {
            let held = end.held();
            (unsent + held.0, unread + held.1)
        });
        (self.relays.creates.len(), self.relays.all.len(), bytes)
    }

    // What links say

    pub(crate) fn on_created(
        &mut self,
        hop: HopId,
        body: &[u8],
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        match self.holders.get(&hop) {
            Some(&Holder::Own(id)) => {
                let Some(own) = self.own.get_mut(&id) else {
                    return;
                };
                match own.created(body, ctx.now) {
                    Ok(took) => {
                        // Who carries a circuit is there: whoever failed beside it was another.
                        for node in &own.path {
                            self.doubts.remove(node);
                        }
                        let trial = own.path.first();
                        if trial.is_some_and(|guard| self.guards.is_on_trial(guard)) {
                            own.probe(ctx.rng.next_u64(), ctx.now);
                        }
                        ctx.stats.circuits.built += 1;
                        ctx.stats.circuits.built_in(took);
                        let due = own.due_at();
                        self.dirty.insert(id);
                        self.soon(due);
                    }
                    Err(_) => self.fail(id, Cause::Broken, links, ctx),
                }
            }
            Some(&Holder::Ahead(id)) => self.relay_created(id, body, links, ctx),
            // Only the next hop answers.
            Some(&Holder::Back(id)) => self.end_relayed(id, "circuit_broken", links, ctx),
            None => {
                self.relays.creates.forget(hop);
                links.destroy(hop);
            }
        }
    }

    pub(crate) fn on_cell(
        &mut self,
        hop: HopId,
        body: Vec<u8>,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        match self.holders.get(&hop) {
            Some(&Holder::Own(id)) => self.own_cell(id, body, links, ctx),
            Some(&Holder::Ahead(id)) => self.backward(id, body, links, ctx),
            Some(&Holder::Back(id)) => self.forward(id, body, view, links, ctx),
            // Its create still waits for its turn: nobody has answered, so nothing may be said yet.
            None => {
                self.relays.creates.forget(hop);
                links.destroy(hop);
            }
        }
    }

    pub(crate) fn on_hop_drained(&mut self, hop: HopId) {
        match self.holders.get(&hop) {
            Some(&Holder::Own(id)) => {
                self.dirty.insert(id);
            }
            Some(&Holder::Back(id)) => {
                self.dirty_relays.insert(id);
            }
            _ => {}
        }
    }

    /// A circuit is over on one side. `cut`: since its link is.
    pub(crate) fn on_destroyed(
        &mut self,
        hop: HopId,
        cut: bool,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        match self.holders.remove(&hop) {
            Some(Holder::Own(id)) if cut => self.fail(id, Cause::GuardLink, links, ctx),
            Some(Holder::Own(id)) => self.fail(id, Cause::Destroyed, links, ctx),
            Some(Holder::Back(id) | Holder::Ahead(id)) => self.end_relayed(id, "", links, ctx),
            None => self.relays.creates.forget(hop),
        }
    }

    fn own_cell(&mut self, id: CircuitId, body: Vec<u8>, links: &mut Links, ctx: &mut Ctx<'_>) {
        let Some(own) = self.own.get_mut(&id) else {
            return;
        };
        ctx.stats.circuits.cells_in += 1;
        let Some(events) = own.cell(body, ctx.now) else {
            return self.fail(id, Cause::Broken, links, ctx);
        };
        if let Some(guard) = own.path.first() {
            self.guards.held(guard);
        }
        self.dirty.insert(id);
        self.next_tick = self.next_tick.min(own.due_at());
        for event in events {
            match event {
                EndEvent::Readable(number) => {
                    if let Some(&stream) = own.streams.get(&number) {
                        self.events.push(CircuitEvent::Readable(stream));
                    }
                }
                EndEvent::Closed(number, clean) => {
                    if let Some(&stream) = own.streams.get(&number) {
                        self.events.push(CircuitEvent::Closed { stream, clean });
                    } else {
                        own.end.discard(number);
                    }
                }
                EndEvent::Begun(..) | EndEvent::Echo(_) => {}
            }
        }
    }
}
