//! What has just been taken and belongs to another: it goes there soon, not in the next round. Who publishes asks neither
//! himself nor his guard (`peers/unasked.rs`); as long as the two lack what they should have, whoever asks around sees who
//! they are. Nothing here knows of that: it goes to whoever the view says should have it.

use std::sync::Arc;

use oboro_crypto::ids::{Location, distance};
use rand_core::RngCore;

use super::{Ctx, Peers, StoreOutcome, Thing, Upkeep, Want, Why};
use crate::action::StoreRequest;
use crate::effect::Took;
use crate::limits::{UPKEEP_BATCH, UPKEEP_SOON, UPKEEP_WANTS_MAX};
use crate::placement::sharers;

impl Upkeep {
    /// Something new is kept here.
    pub(crate) fn took(&mut self, took: Took, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        // No more than leaves the walk its room: what is left out here it finds.
        let room = self.wants.len() + self.taken.len() + 2 * UPKEEP_BATCH < UPKEEP_WANTS_MAX;
        if self.wake.is_none() || !room {
            return;
        }
        match took {
            Took::Extent {
                location,
                placement,
                references,
            } => {
                let Some(locations) = self.locations(placement, &references) else {
                    return;
                };
                let thing = Arc::new(Thing::Extent {
                    here: location,
                    references,
                    locations,
                });
                let want = Want::new(&thing, placement.index(), Why::Handover);
                self.want_soon(want, peers, ctx);
            }
            Took::Entry { location } => {
                let asked = self.taken.values().any(|other| *other == location);
                if !asked && self.has_nearer(&location, peers, ctx) {
                    let slot = self.names.next();
                    self.taken.insert(slot, location);
                    ctx.store(Self::waiting(slot), StoreRequest::Tally(vec![location]));
                }
            }
        }
        self.go_on(peers, ctx);
    }

    /// The store says what there is at a location where an entry has come.
    pub(super) fn tallied(
        &mut self,
        location: Location,
        outcome: StoreOutcome,
        peers: &Peers,
        ctx: &Ctx<'_>,
    ) {
        let StoreOutcome::Tallies(tallies) = outcome else {
            return;
        };
        if let Some(&tally) = tallies.first().filter(|tally| **tally > 0) {
            let thing = Arc::new(Thing::Entries { location, tally });
            self.want_soon(Want::new(&thing, 0, Why::Share), peers, ctx);
        }
    }

    /// Takes it up with all that comes before the moment that the first of it has set.
    fn want_soon(&mut self, want: Want, peers: &Peers, ctx: &Ctx<'_>) {
        if self.soon <= ctx.now {
            self.soon = ctx.now + self.a_moment();
        }
        self.want_at(self.soon, want, peers, ctx);
    }

    fn a_moment(&mut self) -> core::time::Duration {
        let share = f64::from(self.soon_rng.next_u32()) / f64::from(u32::MAX);
        UPKEEP_SOON.mul_f64(share)
    }

    /// Whether another node that should have what belongs to a location is nearer to it than this one.
    fn has_nearer(&self, location: &Location, peers: &Peers, ctx: &Ctx<'_>) -> bool {
        let all = sharers(&self.sight(peers, ctx), &self.own, location);
        let far = |id: &[u8; 32]| distance(id, location.as_bytes());
        all.first()
            .is_some_and(|node| far(node.as_bytes()) < far(self.own.as_bytes()))
    }
}
