//! The way through the store, page by page, and what each thing found there wants.

use core::time::Duration;

use oboro_crypto::ids::Reference;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use super::{
    Arc, Ctx, ExtentId, Location, Peers, State, StoreOutcome, Thing, Time, Upkeep, Want, Why,
};
use crate::action::StoreRequest;
use crate::event::{HeldThing, HeldWhat, StoredExtent};
use crate::limits::{UPKEEP_BATCH, UPKEEP_ROUND, UPKEEP_TICK, UPKEEP_WANTS_MAX};
use crate::placement::holders;
use crate::serve::put::all_of;
use crate::wire::placement::Placement;

/// Where the walk is.
#[derive(Default)]
pub(super) struct Walk {
    /// Whether a round is under way, and the mark it has come to.
    under_way: bool,
    after: Option<Vec<u8>>,
    /// The page that the store is asked for.
    reading: Option<u64>,
    /// When the next look is, or the next round; not set before the first event.
    next: Time,
    next_round: Time,
}

impl Walk {
    pub(super) fn is(&self, slot: u64) -> bool {
        self.reading == Some(slot)
    }

    pub(super) const fn next(&self) -> Time {
        self.next
    }
}

impl Upkeep {
    /// Asks the store for the next page when it is time and there is room for what it brings.
    pub(super) fn walk_on(&mut self, peers: &Peers, ctx: &mut Ctx<'_>) {
        if self.walk.next > ctx.now {
            return;
        }
        if self.walk.next_round == Time::default() {
            // A node that has just come does not know yet who else is there.
            self.walk.next_round = ctx.now + jittered(UPKEEP_ROUND, &mut self.rng);
        }
        if !self.walk.under_way && self.walk.next_round <= ctx.now {
            self.walk.under_way = true;
            self.walk.after = None;
            self.walk.next_round = ctx.now + jittered(UPKEEP_ROUND, &mut self.rng);
            self.memory.forget_old(ctx.now);
        }
        if !self.walk.under_way {
            self.walk.next = self.walk.next_round;
            return;
        }
        self.walk.next = ctx.now + jittered(UPKEEP_TICK, &mut self.rng);
        self.memory.forget_lost(peers.view());
        let room = self.wants.len() + 2 * UPKEEP_BATCH <= UPKEEP_WANTS_MAX;
        if room && self.walk.reading.is_none() {
            let slot = self.names.next();
            self.walk.reading = Some(slot);
            let (after, max) = (self.walk.after.take(), UPKEEP_BATCH);
            ctx.store(Self::waiting(slot), StoreRequest::Walk { after, max });
        }
    }

    /// A page has come.
    pub(super) fn walked(&mut self, outcome: StoreOutcome, peers: &Peers, ctx: &mut Ctx<'_>) {
        self.walk.reading = None;
        let (things, mark) = match outcome {
            StoreOutcome::Held(things, mark) => (things, mark),
            // The store could not: this round is over.
            _ => (Vec::new(), None),
        };
        if mark.is_none() {
            self.walk.under_way = false;
            self.walk.next = self.walk.next_round;
            ctx.stats.upkeep.rounds += 1;
        }
        self.walk.after = mark;
        for held in things {
            self.found(held, peers, ctx);
        }
    }

    fn found(&mut self, held: HeldThing, peers: &Peers, ctx: &Ctx<'_>) {
        match held.what {
            HeldWhat::Extent { placement, extent } => {
                self.found_extent(held.location, placement, extent, peers, ctx);
            }
            HeldWhat::Entries { tally } => {
                let thing = Arc::new(Thing::Entries {
                    location: held.location,
                    tally,
                });
                self.want(&thing, 0, Why::Share, peers, ctx);
                self.want(&thing, 1, Why::Share, peers, ctx);
            }
        }
    }

    fn found_extent(
        &mut self,
        here: Location,
        placement: Placement,
        extent: StoredExtent,
        peers: &Peers,
        ctx: &Ctx<'_>,
    ) {
        let Some(locations) = self.locations(placement, &extent.references) else {
            return;
        };
        let index = placement.index();
        // What is not whole can't be passed on.
        let whole = extent.present == all_of(extent.references.len());
        if !whole || locations.get(usize::from(index)) != Some(&here) {
            return;
        }
        let chosen = holders(&self.sight(peers, ctx), &locations, &|_| false);
        let count = chosen.len();
        // The one after this that anybody but us should have: on small networks some have nobody.
        let next = (1..count)
            .map(|step| (usize::from(index) + step) % count)
            .find(|next| {
                let holder = chosen.get(*next).copied().flatten();
                holder.is_some_and(|holder| holder != self.own)
            });
        let thing = Arc::new(Thing::Extent {
            here,
            references: extent.references,
            locations,
        });
        self.want(&thing, index, Why::Handover, peers, ctx);
        if let Some(next) = next.and_then(|next| u8::try_from(next).ok()) {
            self.want(&thing, next, Why::Repair, peers, ctx);
        }
    }

    /// Where all placements of an extent belong; `None` if it has a number of them that nothing has.
    pub(super) fn locations(
        &self,
        placement: Placement,
        references: &[Reference],
    ) -> Option<Vec<Location>> {
        let (id, network) = (ExtentId::of(references), self.network.id());
        let copies = placement.copies(&self.network.params)?;
        let all = (0..copies).map(|index| Location::of_extent(&network, &id, index));
        Some(all.collect())
    }

    fn want(&mut self, thing: &Arc<Thing>, number: u8, why: Why, peers: &Peers, ctx: &Ctx<'_>) {
        self.want_at(ctx.now, Want::new(thing, number, why), peers, ctx);
    }

    /// Takes up what a node should have, to be looked after from a time on, unless it is known to have it.
    pub(super) fn want_at(&mut self, at: Time, mut want: Want, peers: &Peers, ctx: &Ctx<'_>) {
        want.state = State::Due(at);
        let target = want.target(&self.sight(peers, ctx), &self.own);
        let open = target.is_some_and(|target| !self.memory.has(&target, want.key(), ctx.now));
        let doubled = |other: &Want| other.key() == want.key() && other.number == want.number;
        if open && self.wants.len() < UPKEEP_WANTS_MAX && !self.wants.values().any(doubled) {
            self.wants.insert(self.names.next(), want);
        }
    }
}

/// A time a quarter shorter at the most, so that nodes that began together do not go on together.
fn jittered(wait: Duration, rng: &mut ChaCha20Rng) -> Duration {
    let less = f64::from(rng.next_u32()) / f64::from(u32::MAX);
    wait.mul_f64(1.0 - less / 4.0)
}
