//! Upkeep: as nodes come and go, what is kept here gets to where it belongs, and what others have lost is put back.
//!
//! The store is walked through for ever, slowly. Of each thing found the view says who should have it now; those nodes are
//! asked whether they do, many locations at a time, and given what they lack by the same puts that a publisher uses. They
//! are asked straight, as one storer asks another: nothing here is of this node's own user, nor depends on him (I1).
//! Nothing is deleted: what is far from us is what eviction takes first anyway.

mod asking;
mod memory;
mod sending;
mod shares;
mod taken;
mod walk;
mod want;

use std::collections::BTreeMap;
use std::sync::Arc;

use oboro_crypto::ids::{ExtentId, Location, NodeId};
use oboro_crypto::network::Network;
use oboro_crypto::provider::Provider;
use rand_chacha::ChaCha20Rng;

use self::asking::Asking;
use self::memory::{Memory, Sight};
use self::sending::Sending;
use self::walk::Walk;
use self::want::{State, Thing, Want, Why};
use crate::effect::{Ctx, Effect, Owner, Waiting};
use crate::event::StoreOutcome;
use crate::exchange::Answer;
use crate::ids::{Counter, ExchangeId};
use crate::limits::{UPKEEP_PUTS, UPKEEP_TICK, UPKEEP_TRIES};
use crate::peers::Peers;
use crate::time::Time;
use crate::wire::message::Request;

/// Everything under way for what others have given this node to keep.
pub(crate) struct Upkeep {
    network: Network,
    own: NodeId,
    provider: Arc<dyn Provider>,
    walk: Walk,
    memory: Memory,
    wants: BTreeMap<u64, Want>,
    asking: BTreeMap<u64, Asking>,
    sending: BTreeMap<u64, Sending>,
    /// Locations of entries that have just come, of which the store is asked what it has there.
    taken: BTreeMap<u64, Location>,
    /// When what has just come is looked after, and the chance that says so: another stream, so that what comes changes
    /// nothing of the walk.
    soon: Time,
    soon_rng: ChaCha20Rng,
    names: Counter,
    /// Chance of its own: what this node's user does must not show in when others are asked what they keep (I1).
    rng: ChaCha20Rng,
    /// Nothing new is sent before this.
    paced: Time,
    wake: Option<Time>,
}

impl Upkeep {
    /// `stores`: whether this node is listed as one that stores. If not it passes nothing on: it would have to show itself.
    pub(crate) fn new(
        network: Network,
        own: NodeId,
        stores: bool,
        provider: Arc<dyn Provider>,
        rng: ChaCha20Rng,
    ) -> Self {
        let mut soon_rng = rng.clone();
        soon_rng.set_stream(rng.get_stream().wrapping_add(1));
        Self {
            network,
            own,
            provider,
            walk: Walk::default(),
            memory: Memory::default(),
            wants: BTreeMap::new(),
            asking: BTreeMap::new(),
            sending: BTreeMap::new(),
            taken: BTreeMap::new(),
            soon: Time::default(),
            soon_rng,
            names: Counter::default(),
            rng,
            paced: Time::default(),
            // The first event begins it.
            wake: stores.then(Time::default),
        }
    }

    /// How much is being looked after, and how many answers are remembered.
    pub(crate) fn count(&self) -> (usize, usize) {
        let under_way =
            self.wants.len() + self.asking.len() + self.sending.len() + self.taken.len();
        (under_way, self.memory.count())
    }

    pub(crate) const fn deadline(&self) -> Option<Time> {
        self.wake
    }

    pub(crate) fn tick(&mut self, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        if self.wake.is_some_and(|at| at <= ctx.now) {
            self.go_on(peers, ctx);
        }
    }

    /// Another storer answered.
    pub(crate) fn answered(
        &mut self,
        slot: u64,
        answer: Answer,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(asking) = self.asking.remove(&slot) {
            self.told(asking, answer, ctx);
        } else if let Some(sending) = self.sending.remove(&slot) {
            let identity = peers.view().identity(&sending.target);
            self.sent(slot, sending, answer, identity, ctx);
        }
        self.go_on(peers, ctx);
    }

    /// The store answered.
    pub(crate) fn stored(
        &mut self,
        slot: u64,
        outcome: StoreOutcome,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        if self.walk.is(slot) {
            self.walked(outcome, peers, ctx);
        } else if let Some(sending) = self.sending.remove(&slot) {
            self.read(slot, sending, outcome, ctx);
        } else if let Some(location) = self.taken.remove(&slot) {
            self.tallied(location, outcome, peers, ctx);
        }
        self.go_on(peers, ctx);
    }

    /// Does what is due and says when to be woken next.
    fn go_on(&mut self, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        self.walk_on(peers, ctx);
        self.ask_due(peers, ctx);
        self.send_due(ctx);
        let due = self.wants.values().filter_map(|want| match want.state {
            State::Due(at) if at > ctx.now => Some(at),
            State::Missing(_) if self.sending.len() < UPKEEP_PUTS && self.paced > ctx.now => {
                Some(self.paced)
            }
            _ => None,
        });
        self.wake = due.chain([self.walk.next()]).min();
    }

    fn sight<'a>(&'a self, peers: &'a Peers, ctx: &Ctx<'_>) -> Sight<'a> {
        Sight {
            view: peers.view(),
            memory: &self.memory,
            now: ctx.now,
        }
    }

    // What becomes of a want

    /// The node has it now, or says so.
    fn settled(&mut self, want: u64, target: &NodeId, ctx: &mut Ctx<'_>) {
        if let Some(want) = self.wants.remove(&want) {
            self.memory.remember(target, want.key(), ctx.now);
        }
    }

    /// The node could not be asked, or not be given it: again in a while, of whoever should have it then.
    fn again(&mut self, id: u64, ctx: &mut Ctx<'_>) {
        let Some(want) = self.wants.get_mut(&id) else {
            return;
        };
        want.tries += 1;
        want.state = State::Due(ctx.now + UPKEEP_TICK);
        if want.tries >= UPKEEP_TRIES {
            self.wants.remove(&id);
        }
    }

    /// The node will not have it: the next one, if there is one.
    fn passed_over(&mut self, id: u64, target: NodeId, ctx: &mut Ctx<'_>) {
        self.again(id, ctx);
        if let Some(want) = self.wants.get_mut(&id) {
            want.tried.push(target);
            want.state = State::Due(ctx.now);
        }
    }

    fn request(slot: u64, target: NodeId, request: Request, ctx: &mut Ctx<'_>) -> ExchangeId {
        ctx.stats.upkeep.requests += 1;
        ctx.ask(Owner::Upkeep { slot }, 0, target, request)
    }

    const fn waiting(slot: u64) -> Waiting {
        Waiting::Client(Owner::Upkeep { slot })
    }

    fn finish(exchange: ExchangeId, ctx: &mut Ctx<'_>) {
        ctx.effect(Effect::Finish { exchange });
    }
}
