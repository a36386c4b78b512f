//! Membership: who else is there. Learns descriptors by gossip, keeps links to some nodes warm, never gives up.
//!
//! Knows nothing of streams, content or jobs.

mod admission;
mod bootstrap;
mod budget;
mod draw;
mod gossip;
mod ids;
mod missed;
mod near;
mod news;
mod offered;
mod order;
mod own;
mod ranges;
mod rumours;
mod unasked;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use core::time::Duration;
use oboro_crypto::ids::{IdentityPublic, LinkPublic, NodeId, Signature};
use oboro_crypto::labels::Label;
use oboro_crypto::provider::Provider;
use rand_core::RngCore;

use self::bootstrap::{Bootstrap, jittered};
use self::budget::Budgets;
use self::missed::Missed;
use self::own::Announced;
pub(crate) use self::own::Own;
use self::rumours::Rumours;
pub(crate) use self::unasked::{Guarding, Unasked};
use self::view::way;
pub(crate) use self::view::{View, weight};
use crate::action::StoreRequest;
use crate::effect::{Ctx, Waiting};
use crate::ids::LinkId;
use crate::limits::{GOSSIP_EVERY, GOSSIP_SETTLED, MISSED_EVERY, NEIGHBOURS, RETRY_FIRST};
use crate::link::Links;
use crate::placement::Directory;
use crate::time::Time;
use crate::wire::control::Control;
use crate::wire::listing::Listing;

/// Everything about other nodes.
pub(crate) struct Peers {
    own_id: NodeId,
    guarding: Guarding,
    own: Announced,
    provider: Arc<dyn Provider>,
    view: View,
    bootstrap: Bootstrap,
    missed: Missed,
    next_search: Time,
    neighbours: BTreeSet<LinkPublic>,
    budgets: Budgets,
    rumours: Rumours,
    /// Descriptors to be kept on disk, by node: news since they were last saved.
    unsaved: BTreeSet<NodeId>,
    /// Ids being verified, and whose they are said to be.
    verifying: BTreeMap<NodeId, IdentityPublic>,
    /// When views are compared again with those who have more than there was room for.
    more: Option<Time>,
    next_gossip: Time,
    next_look: Time,
    accepted_once: bool,
}

impl Peers {
    pub(crate) fn new(
        own: Own,
        starts: Vec<(LinkPublic, Vec<SocketAddr>)>,
        provider: Arc<dyn Provider>,
        now: Time,
    ) -> Self {
        let mut bootstrap = Bootstrap::default();
        for (link, addresses) in starts {
            bootstrap.add(link, addresses, now);
        }
        Self {
            view: View::new(own.local),
            rumours: Rumours::new(own.local),
            own_id: own.id,
            guarding: Guarding::default(),
            own: Announced::new(own),
            provider,
            bootstrap,
            missed: Missed::default(),
            next_search: now + MISSED_EVERY,
            neighbours: BTreeSet::new(),
            budgets: Budgets::default(),
            unsaved: BTreeSet::new(),
            verifying: BTreeMap::new(),
            more: None,
            next_gossip: now,
            next_look: now,
            accepted_once: false,
        }
    }

    pub(crate) const fn view(&self) -> &View {
        &self.view
    }

    pub(crate) fn id(&self) -> NodeId {
        self.own.id
    }

    /// Says what time it is, before anything is asked of the view.
    pub(crate) fn set_now(&mut self, now: Time) {
        self.view.set_now(now);
    }

    /// Signs for this node.
    pub(crate) fn sign(&self, label: Label, parts: &[&[u8]]) -> Signature {
        self.own.identity.sign(label, parts)
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.own.addresses()
    }

    pub(crate) fn bootstraps(&self) -> usize {
        self.bootstrap.len()
    }

    /// `Some(true)` once somebody has reached us.
    pub(crate) const fn reachable(&self) -> Option<bool> {
        if self.accepted_once { Some(true) } else { None }
    }

    /// Whether any other storing node is known.
    pub(crate) fn knows_others(&self) -> bool {
        self.view.storers() > usize::from(self.is_storer(&self.own.id))
    }

    /// How many storing nodes are known that this node's own jobs may ask.
    pub(crate) fn storers_to_ask(&self) -> usize {
        let unasked = self.unasked();
        let passed_over = core::iter::once(unasked.own).chain(unasked.guard);
        let passed_over = passed_over.filter(|node| self.is_storer(node)).count();
        self.view.storers().saturating_sub(passed_over)
    }

    fn is_storer(&self, id: &NodeId) -> bool {
        self.view
            .get(id)
            .is_some_and(|listing| listing.roles().storage)
    }

    pub(crate) fn join(&mut self, link: LinkPublic, addresses: Vec<SocketAddr>, now: Time) {
        if link != self.own.link {
            self.bootstrap.add(link, addresses, now);
            self.next_look = now;
        }
    }

    // Links

    pub(crate) fn up(
        &mut self,
        link: LinkId,
        address: SocketAddr,
        dialed: bool,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        self.accepted_once |= !dialed;
        links.send(
            link,
            &Control::Hello {
                observed: address,
                descriptor: self.own.encoded(),
            },
            ctx,
        );
        links.send(link, &Control::Digest(self.view.sums()), ctx);
        self.next_look = self.next_look.min(ctx.now + RETRY_FIRST);
    }

    pub(crate) fn down(&mut self, remote: &LinkPublic, ctx: &mut Ctx<'_>) {
        self.budgets.forget(remote);
        self.view.without(remote);
        // A dialled neighbour that is gone is tried again by the next look, after a moment.
        if self.neighbours.contains(remote) {
            self.next_look = self.next_look.min(ctx.now + jittered(RETRY_FIRST, ctx.rng));
        }
    }

    pub(crate) fn unreachable(
        &mut self,
        remote: &LinkPublic,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        self.bootstrap.failed(remote, ctx.now, ctx.rng);
        if let Some(id) = self.view.node_of(remote) {
            let alone = links.greeted().next().is_none();
            self.view.unreachable(&id, alone, ctx.now);
            self.view.dialled(&id, false);
        }
        if self.neighbours.remove(remote) {
            links.release(remote);
        }
        self.next_look = self.next_look.min(ctx.now + jittered(RETRY_FIRST, ctx.rng));
    }

    /// A node did not do what it was asked: others are asked first for a while.
    pub(crate) fn failed(&mut self, id: &NodeId, now: Time) {
        self.view.failed(id, now);
    }

    /// A node answered.
    pub(crate) fn succeeded(&mut self, id: &NodeId) {
        self.view.succeeded(id);
    }

    pub(crate) fn control(
        &mut self,
        link: LinkId,
        message: Control,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(remote) = links.remote(link) else {
            return;
        };
        let answers = match message {
            Control::Hello {
                observed,
                descriptor,
            } => {
                self.greeted((link, remote), observed, descriptor, links, ctx);
                Vec::new()
            }
            Control::Digest(sums) => gossip::on_digest(&self.view, &sums, ctx.rng.next_u32()),
            Control::Bucket(bucket, items) => self.on_bucket(remote, bucket, &items, ctx.now),
            Control::Want(bucket, ids) => gossip::on_want(&self.view, bucket, &ids),
            Control::Descriptors(all) => {
                self.take_news(&all, (link, remote), ctx);
                Vec::new()
            }
            Control::Offer(offers) => self.on_offer((link, remote), &offers, ctx),
            Control::Ask(names) => gossip::on_ask(&self.view, &names),
            Control::Ping(_) | Control::Pong(_) => Vec::new(),
        };
        self.say(link, answers, links, ctx);
    }

    /// Answers a peer as far as its budget reaches.
    fn say(&mut self, link: LinkId, answers: Vec<Control>, links: &mut Links, ctx: &mut Ctx<'_>) {
        let Some(remote) = links.remote(link) else {
            return;
        };
        for answer in answers {
            let encoded = answer.encode();
            if !self.budgets.spend(remote, encoded.len(), ctx.now) {
                ctx.stats.dropped("gossip_budget");
                return;
            }
            links.send_encoded(link, encoded, ctx);
        }
    }

    // Time

    pub(crate) fn deadline(&self) -> Time {
        let own = self.next_gossip.min(self.next_look);
        let own = self.more.map_or(own, |at| at.min(own));
        self.rumours.deadline().map_or(own, |at| at.min(own))
    }

    pub(crate) fn tick(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        self.view.set_now(ctx.now);
        if self.own.renew_at().is_none_or(|at| at <= ctx.now) {
            self.announce(links, ctx);
        }
        self.tick_rumours(links, ctx);
        if self.more.is_some_and(|at| at <= ctx.now) {
            self.learn_more(links, ctx);
        }
        if self.next_look <= ctx.now {
            self.look(links, ctx);
        }
        if self.next_gossip <= ctx.now {
            self.next_gossip = ctx.now + jittered(self.compares_every(), ctx.rng);
            self.compare(links, ctx);
            self.check_newcomers(ctx);
            self.save(ctx);
        }
    }

    /// A view that has stopped growing has little to find: what comes is told. On a local network nobody minds.
    fn compares_every(&self) -> Duration {
        if self.view.is_settled() && !self.own.local {
            GOSSIP_SETTLED
        } else {
            GOSSIP_EVERY
        }
    }

    /// Issues a new descriptor and tells it.
    fn announce(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        let Some(listing) = self.own.issue(ctx.now, &*self.provider) else {
            return;
        };
        if self.view.insert(listing.clone()).is_ok() {
            self.view.prove(&self.own_id);
        }
        self.spread(&listing, links, ctx);
    }

    /// Keeps enough links warm; starts from the beginning if there are none.
    fn look(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        self.neighbours.retain(|remote| {
            let stays = links.is_linked(remote) || links.is_dialing(remote);
            if !stays {
                links.release(remote);
            }
            stays
        });
        while self.neighbours.len() < NEIGHBOURS {
            let fits = |listing: &Listing| {
                let id = listing.id();
                id != self.own_id
                    && !self.neighbours.contains(&listing.link())
                    && !self.view.suspects(&id)
            };
            let Some(chosen) = self.view.draw_node(ctx.rng, &fits) else {
                break;
            };
            self.neighbours.insert(chosen.link());
            links.keep(&way(chosen), ctx);
        }
        let alone = links.greeted().next().is_none();
        if alone {
            for way in self.bootstrap.due(ctx.now, ctx.rng) {
                links.keep(&way, ctx);
            }
        }
        if self.next_search <= ctx.now {
            self.next_search = ctx.now + jittered(MISSED_EVERY, ctx.rng);
            self.search(links, ctx);
        }
        // A neighbour that is lost is heard of.
        let soon = match self.neighbours.len() {
            _ if alone => RETRY_FIRST * 2,
            NEIGHBOURS.. => GOSSIP_EVERY * 3,
            _ => GOSSIP_EVERY,
        };
        self.next_look = ctx.now + jittered(soon, ctx.rng);
        if alone && let Some(next) = self.bootstrap.next() {
            self.next_look = self.next_look.min(next.max(ctx.now + RETRY_FIRST / 4));
        }
    }

    /// Looks for one of those who went out of the view, or whom this node began with: there may be a whole network
    /// behind it that this part has lost. The link is not kept: if it is the only way there, views are compared over it.
    fn search(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        let start = self.bootstrap.one(ctx.rng);
        let missed = self.missed.one(ctx.now, ctx.rng);
        for way in [start, missed].into_iter().flatten() {
            if self.view.node_of(&way.link).is_some() || links.is_linked(&way.link) {
                self.missed.found(&way.link);
            } else if !links.is_dialing(&way.link) {
                links.keep(&way, ctx);
                links.release(&way.link);
            }
        }
    }

    /// Compares views with one neighbour, and drops what has expired.
    fn compare(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        self.view.forgive(ctx.now);
        let gone = self.view.expire(ctx.now);
        let mut ids = Vec::new();
        for (id, way) in gone {
            self.missed.add(way, ctx.now, ctx.rng);
            ids.push(id);
        }
        let gone = ids;
        if !gone.is_empty() {
            ctx.store(Waiting::Nobody, StoreRequest::ForgetDescriptors(gone));
        }
        let all: Vec<_> = links.greeted().collect();
        if let Some(&(link, remote)) = all.get(ctx.rng.next_u32() as usize % all.len().max(1)) {
            self.view.newcomers.compares(&remote);
            links.send(link, &Control::Digest(self.view.sums()), ctx);
        }
    }

    fn save(&mut self, ctx: &mut Ctx<'_>) {
        if !self.unsaved.is_empty() {
            let all = std::mem::take(&mut self.unsaved).into_iter();
            // One that went meanwhile may have come back as a newcomer.
            let kept = |id| {
                let listing = self.view.get(&id)?;
                let kept = self.view.may_offer(listing);
                kept.then(|| (id, listing.encoded().to_vec()))
            };
            let all = all.filter_map(kept).collect();
            ctx.store(Waiting::Nobody, StoreRequest::PutDescriptors(all));
        }
    }

    fn greeted(
        &mut self,
        (link, remote): (LinkId, LinkPublic),
        observed: SocketAddr,
        descriptor: Option<Vec<u8>>,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        if links.greeted().any(|(id, _)| id == link) {
            self.bootstrap.succeeded(&remote);
            if let Some(id) = self.view.node_of(&remote) {
                self.view.succeeded(&id);
                self.view.dialled(&id, true);
            }
            if self.own.observed(remote, observed.ip()) {
                self.announce(links, ctx);
            }
        }
        self.take_news(descriptor.as_slice(), (link, remote), ctx);
    }
}
