//! Descriptors that come and go: what is taken from others, and how it is told on.

use std::collections::BTreeSet;

use oboro_crypto::ids::LinkPublic;

use super::view::NotTaken;
use super::{Peers, gossip};
use crate::effect::Ctx;
use crate::ids::LinkId;
use crate::limits::{NEIGHBOURS, RETRY_FIRST};
use crate::link::Links;
use crate::wire::control::{Control, OFFER_MAX};
use crate::wire::descriptor::Descriptor;
use crate::wire::listing::Listing;

impl Peers {
    /// Takes what is news of these descriptors, and tells it on in time; of newcomers only once they are checked.
    pub(super) fn take_news(
        &mut self,
        all: &[Vec<u8>],
        (from, by): (LinkId, LinkPublic),
        ctx: &mut Ctx<'_>,
    ) {
        for encoded in all {
            self.view.newcomers.came(&by);
            let Some(listing) = self.learn(encoded, Some(by), ctx) else {
                continue;
            };
            let name = gossip::name(&listing);
            let renewed = self.view.get(&listing.id()).is_some();
            let mut has = self.rumours.arrived(name);
            has.push(from);
            if self.insert(listing.clone(), Some(by), ctx) && self.view.may_offer(&listing) {
                self.tell((name, renewed), has, ctx);
            }
        }
        self.check_newcomers(ctx);
    }

    /// Others are to be told of this; whether the node was known before.
    pub(super) fn tell(&mut self, name: ((u64, u32), bool), has: Vec<LinkId>, ctx: &mut Ctx<'_>) {
        if !self.rumours.heard(name, has, ctx.now, ctx.rng) {
            ctx.stats.dropped("rumours");
        }
    }

    /// A descriptor that is wanted, signed and valid. `by`: which link peer brought it, if not this node's own disk; of
    /// whom nobody knows it may bring only so many.
    fn learn(
        &mut self,
        encoded: &[u8],
        by: Option<LinkPublic>,
        ctx: &mut Ctx<'_>,
    ) -> Option<Listing> {
        let (mut expired, mut refused) = (false, false);
        let has_room = by.is_none_or(|by| self.view.newcomers.room(&by, ctx.now) > 0);
        let wanted = |descriptor: &Descriptor| {
            expired = !descriptor.is_valid(ctx.now);
            let known = self.view.get(&descriptor.id).map(Listing::issued);
            let is_new = known.is_none_or(|known| known < descriptor.issued);
            let wanted = !expired && is_new && descriptor.id != self.own_id;
            refused = wanted && known.is_none() && !has_room;
            wanted && !refused
        };
        let opened = Listing::open(encoded, &self.own.network, &*self.provider, wanted);
        if refused && let Some(by) = by {
            ctx.stats.dropped("newcomer_allowance");
            self.view.newcomers.has_more(&by);
        }
        match opened {
            Err(_) => {
                ctx.stats.violated("descriptor");
                None
            }
            Ok(listing) => {
                if expired {
                    ctx.stats.dropped("descriptor_expired");
                }
                listing
            }
        }
    }

    /// Takes a descriptor into the view if it is allowed there.
    fn insert(&mut self, listing: Listing, by: Option<LinkPublic>, ctx: &mut Ctx<'_>) -> bool {
        let id = listing.id();
        let is_known = self.view.get(&id).is_some();
        let taken = match by.filter(|_| !is_known) {
            Some(by) => self.view.admit(listing, by),
            None => self.view.insert(listing),
        };
        let why = match taken {
            Ok(()) => {
                // What is not checked does not go to disk.
                if !self.view.newcomers.has(&id) {
                    self.unsaved.insert(id);
                }
                if self.neighbours.len() < NEIGHBOURS {
                    self.next_look = self.next_look.min(ctx.now + RETRY_FIRST / 4);
                }
                return true;
            }
            Err(why) => why,
        };
        match why {
            NotTaken::Older => {}
            NotTaken::Range => ctx.stats.dropped("descriptor_range"),
            NotTaken::Full => ctx.stats.dropped("descriptor_full"),
            NotTaken::Conflict => ctx.stats.dropped("descriptor_conflict"),
            NotTaken::Address => ctx.stats.dropped("descriptor_address"),
        }
        false
    }

    /// Descriptors that were on disk: no news to anybody.
    pub(crate) fn loaded(&mut self, all: Vec<Vec<u8>>, ctx: &mut Ctx<'_>) {
        for encoded in all {
            if let Some(listing) = self.learn(&encoded, None, ctx) {
                let id = listing.id();
                self.insert(listing, None, ctx);
                // It need not go there again.
                self.unsaved.remove(&id);
            }
        }
        self.next_look = ctx.now;
    }

    /// Tells a descriptor that nobody can have yet: this node's own.
    pub(super) fn spread(&self, listing: &Listing, links: &mut Links, ctx: &mut Ctx<'_>) {
        let to: Vec<LinkId> = links.greeted().map(|(link, _)| link).collect();
        let message = Control::Descriptors(vec![listing.encoded().to_vec()]);
        for link in to {
            links.send(link, &message, ctx);
        }
    }

    /// What to say to offers: which of them we would like.
    pub(super) fn on_offer(
        &mut self,
        (link, by): (LinkId, LinkPublic),
        offers: &[(u64, u32)],
        ctx: &mut Ctx<'_>,
    ) -> Vec<Control> {
        let mut wanted = BTreeSet::new();
        let mut wish = self.view.newcomers.wish(&by, ctx.now);
        let mut asks = 0;
        for &name in offers {
            let known = gossip::has(&self.view, name);
            let is_new = gossip::is_new(&self.view, name);
            let too_many = is_new && wish == 0;
            if too_many {
                self.view.newcomers.has_more(&by);
            }
            if self.rumours.offered(link, name, known || too_many, ctx.now) {
                wanted.insert(name);
                if is_new {
                    (wish, asks) = (wish - 1, asks + 1);
                }
            }
        }
        self.view.newcomers.asks(&by, asks);
        if wanted.is_empty() {
            return Vec::new();
        }
        vec![Control::Ask(wanted.into_iter().collect())]
    }

    /// Tells what is to be told, and asks others for what did not come.
    pub(super) fn tick_rumours(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        let greeted: Vec<LinkId> = links.greeted().map(|(link, _)| link).collect();
        let there = |link| greeted.contains(&link);
        let again = self.rumours.impatient(&there, ctx.now);
        let told = self.rumours.tell(greeted.clone(), ctx.now, ctx.rng);
        for (link, names) in again {
            for names in names.chunks(OFFER_MAX) {
                links.send(link, &Control::Ask(names.to_vec()), ctx);
            }
        }
        for (link, names) in told {
            for names in names.chunks(OFFER_MAX) {
                links.send(link, &Control::Offer(names.to_vec()), ctx);
            }
        }
    }
}
