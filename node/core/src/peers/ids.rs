//! Ids that are relied on are checked: to claim one is free, to have one is not.

use oboro_crypto::ids::{LinkPublic, Location, NodeId};

use super::view::Verified;
use super::{Peers, gossip};
use crate::action::{StoreRequest, Task};
use crate::effect::{Ctx, Waiting};
use crate::limits::{CHECKING_MAX, MORE_EVERY, MORE_EVERY_LOCAL, VERIFYING_MAX};
use crate::link::Links;
use crate::placement::{Directory, acceptable_rank, is_responsible};
use crate::time::Time;
use crate::wire::control::Control;
use crate::wire::listing::Listing;

impl Peers {
    /// Has a node's id checked now if that was not done yet, for it is relied on. It is asked meanwhile; the check only
    /// decides whether it stays. Beyond the bound the check waits for the next time.
    pub(crate) fn rely_on(&mut self, id: &NodeId, ctx: &mut Ctx<'_>) {
        let Some(identity) = self.view.identity(id) else {
            return;
        };
        // The same id may have been another's until just now.
        if self.view.verified(id) == Verified::No
            && self.verifying.len() < VERIFYING_MAX
            && !self.verifying.contains_key(id)
        {
            self.verifying.insert(*id, identity);
            self.view.set_verified(id, Verified::UnderWay);
            ctx.compute(Waiting::Id(*id), Task::NodeId(identity));
        }
    }

    /// Whether this node may hold placement `index` of a location. If others seem too much nearer their ids are checked:
    /// to claim an id is free, to have one is not, and a location must not be taken by claims.
    pub(crate) fn is_mine(&mut self, location: &Location, index: u8, ctx: &mut Ctx<'_>) -> bool {
        let own = self.own.id;
        if is_responsible(&self.view, &own, location, index) {
            return true;
        }
        let nearer = self
            .view
            .nearest(location, acceptable_rank(index), &|node| *node != own);
        for node in nearer {
            self.rely_on(&node, ctx);
        }
        false
    }

    /// Has newcomers checked in the background, as many as there are places for.
    pub(super) fn check_newcomers(&mut self, ctx: &mut Ctx<'_>) {
        while self.verifying.len() < CHECKING_MAX
            && let Some(id) = self.view.newcomers.next()
        {
            self.rely_on(&id, ctx);
        }
    }

    /// What an identity's id really is.
    pub(crate) fn verified(
        &mut self,
        claimed: &NodeId,
        real: Option<NodeId>,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        // What is in the view now under this id may be another's than what was checked.
        let checked = self.verifying.remove(claimed);
        let there = self.view.get(claimed).cloned();
        if let Some(listing) = there.filter(|listing| Some(listing.identity()) == checked) {
            match real {
                Some(real) if real == *claimed => self.proved(&listing, links, ctx),
                Some(_) => self.disproved(claimed, links, ctx),
                None => {
                    self.view.set_verified(claimed, Verified::No);
                    if !self.view.newcomers.again(claimed) {
                        self.view.remove(claimed);
                    }
                    // Whatever kept this from being done will keep others too: they wait for the next look.
                    return;
                }
            }
        } else if !self.view.newcomers.again(claimed) {
            self.view.remove(claimed);
        }
        self.check_newcomers(ctx);
    }

    /// A newcomer may be told of and kept from now on, and whoever brought it may bring more.
    fn proved(&mut self, listing: &Listing, links: &Links, ctx: &mut Ctx<'_>) {
        let id = listing.id();
        let by = self.view.newcomers.introducer(&id);
        self.view.prove(&id);
        let Some(by) = by else {
            return;
        };
        self.unsaved.insert(id);
        let has = links.greeted().filter(|(_, remote)| *remote == by);
        let has = has.map(|(link, _)| link).collect();
        self.tell((gossip::name(listing), false), has, ctx);
        if self.more.is_none() && !self.view.newcomers.generous(ctx.now).is_empty() {
            let soon = if self.own.local {
                MORE_EVERY_LOCAL
            } else {
                MORE_EVERY
            };
            self.more = Some(ctx.now + soon);
        }
    }

    /// An id is not its identity's. Nobody honest brings such a newcomer, for it would have checked it.
    fn disproved(&mut self, claimed: &NodeId, links: &mut Links, ctx: &mut Ctx<'_>) {
        ctx.stats.violated("node_id");
        let by = self.view.newcomers.introducer(claimed);
        self.view.remove(claimed);
        let Some(by) = by else {
            self.unsaved.remove(claimed);
            let forget = StoreRequest::ForgetDescriptors(vec![*claimed]);
            return ctx.store(Waiting::Nobody, forget);
        };
        for id in self.view.newcomers.strike(&by, ctx.now) {
            self.view.remove(&id);
        }
        links.shut_all(&by, ctx);
    }

    /// Compares views again with those who have more than there was room for.
    pub(super) fn learn_more(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        self.more = None;
        let all = self.view.newcomers.generous(ctx.now);
        let to: Vec<_> = links.greeted().collect();
        for by in all {
            self.view.newcomers.compares(&by);
            if let Some((link, _)) = to.iter().find(|(_, remote)| *remote == by) {
                links.send(*link, &Control::Digest(self.view.sums()), ctx);
            }
        }
    }

    /// What to say to a link peer's list of a bucket. Of newcomers no more are wanted than it may bring.
    pub(super) fn on_bucket(
        &mut self,
        by: LinkPublic,
        bucket: u8,
        items: &[(u64, u32)],
        now: Time,
    ) -> Vec<Control> {
        let wish = self.view.newcomers.wish(&by, now);
        let (answers, asked, more) = gossip::on_bucket(&self.view, bucket, items, wish);
        self.view.newcomers.asks(&by, asked);
        if more {
            self.view.newcomers.has_more(&by);
        }
        answers
    }
}
