//! Membership: who else is there. Learns descriptors by gossip, keeps links to some nodes warm, never gives up.
//!
//! Knows nothing of streams, content or jobs.

mod bootstrap;
mod budget;
mod gossip;
mod own;
mod ranges;
mod unasked;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use oboro_crypto::ids::{LinkPublic, Location, NodeId, Signature};
use oboro_crypto::labels::Label;
use oboro_crypto::provider::Provider;
use rand_core::RngCore;

use self::bootstrap::{Bootstrap, jittered};
use self::budget::Budgets;
use self::own::Announced;
pub(crate) use self::own::Own;
pub(crate) use self::unasked::{Guarding, Unasked};
pub(crate) use self::view::{Known, View};
use self::view::{NotTaken, Verified};
use crate::action::{StoreRequest, Task};
use crate::effect::{Ctx, Waiting};
use crate::ids::LinkId;
use crate::limits::{GOSSIP_EVERY, NEIGHBOURS, RETRY_FIRST, VERIFYING_MAX};
use crate::link::{Links, Way};
use crate::placement::{Directory, acceptable_rank, is_responsible};
use crate::time::Time;
use crate::wire::control::Control;
use crate::wire::descriptor::Descriptor;

/// Everything about other nodes.
pub(crate) struct Peers {
    own_id: NodeId,
    guarding: Guarding,
    own: Announced,
    provider: Arc<dyn Provider>,
    view: View,
    bootstrap: Bootstrap,
    neighbours: BTreeSet<LinkPublic>,
    budgets: Budgets,
    /// Descriptors to be kept on disk, by node: news since they were last saved.
    unsaved: BTreeMap<NodeId, Vec<u8>>,
    /// How many ids are being verified.
    verifying: usize,
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
            own_id: own.id,
            guarding: Guarding::default(),
            own: Announced::new(own),
            provider,
            bootstrap,
            neighbours: BTreeSet::new(),
            budgets: Budgets::default(),
            unsaved: BTreeMap::new(),
            verifying: 0,
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
        let own = usize::from(
            self.view
                .get(&self.own.id)
                .is_some_and(|known| known.descriptor.roles.storage),
        );
        self.view.storers() > own
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
            self.view.failed(&id, ctx.now);
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
        let answers = match message {
            Control::Hello {
                observed,
                descriptor,
            } => {
                self.greeted(link, observed, descriptor, links, ctx);
                Vec::new()
            }
            Control::Digest(sums) => gossip::on_digest(&self.view, &sums, ctx.rng.next_u32()),
            Control::Bucket(bucket, items) => gossip::on_bucket(&self.view, bucket, &items),
            Control::Want(bucket, ids) => gossip::on_want(&self.view, bucket, &ids),
            Control::Descriptors(all) => {
                let news: Vec<Vec<u8>> = all
                    .into_iter()
                    .filter(|encoded| self.learn(encoded, ctx))
                    .collect();
                self.spread(news, Some(link), links, ctx);
                Vec::new()
            }
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
            if !self.budgets.spend(remote, answer.encode().len(), ctx.now) {
                ctx.stats.dropped("gossip_budget");
                return;
            }
            links.send(link, &answer, ctx);
        }
    }

    // Disk and ids

    /// Descriptors that were on disk.
    pub(crate) fn loaded(&mut self, all: Vec<Vec<u8>>, ctx: &mut Ctx<'_>) {
        for encoded in all {
            self.learn(&encoded, ctx);
        }
        self.next_look = ctx.now;
    }

    /// Has a node's id checked if that was not done yet: when it is relied on, never for all. It is asked meanwhile; the
    /// check only decides whether it stays. Beyond the bound the check waits for the next time.
    pub(crate) fn rely_on(&mut self, id: &NodeId, ctx: &mut Ctx<'_>) {
        let Some(known) = self.view.get(id) else {
            return;
        };
        if known.verified == Verified::No && self.verifying < VERIFYING_MAX {
            let identity = known.descriptor.identity;
            self.verifying += 1;
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

    /// What an identity's id really is.
    pub(crate) fn verified(&mut self, claimed: &NodeId, real: Option<NodeId>, ctx: &mut Ctx<'_>) {
        self.verifying = self.verifying.saturating_sub(1);
        match real {
            Some(real) if real == *claimed => self.view.set_verified(claimed, Verified::Yes),
            Some(_) => {
                ctx.stats.violated("node_id");
                self.view.remove(claimed);
                self.unsaved.remove(claimed);
                ctx.store(
                    Waiting::Nobody,
                    StoreRequest::ForgetDescriptors(vec![*claimed]),
                );
            }
            None => self.view.set_verified(claimed, Verified::No),
        }
    }

    // Time

    pub(crate) fn deadline(&self) -> Time {
        self.next_gossip.min(self.next_look)
    }

    pub(crate) fn tick(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        self.view.set_now(ctx.now);
        if self.own.renew_at().is_none_or(|at| at <= ctx.now) {
            self.announce(links, ctx);
        }
        if self.next_look <= ctx.now {
            self.look(links, ctx);
        }
        if self.next_gossip <= ctx.now {
            self.next_gossip = ctx.now + jittered(GOSSIP_EVERY, ctx.rng);
            self.compare(links, ctx);
            self.save(ctx);
        }
    }

    /// Issues a new descriptor and tells it.
    fn announce(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        let Some((descriptor, encoded)) = self.own.issue(ctx.now).cloned() else {
            return;
        };
        if self.view.insert(descriptor, encoded.clone()).is_ok() {
            self.view.set_verified(&self.own.id, Verified::Yes);
        }
        self.spread(vec![encoded], None, links, ctx);
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
        let mut candidates: Vec<&Known> = self
            .view
            .iter()
            .filter(|known| {
                let descriptor = &known.descriptor;
                descriptor.id != self.own.id
                    && !self.neighbours.contains(&descriptor.link)
                    && !self.view.is_suspect(&descriptor.id)
            })
            .collect();
        let mut chosen = Vec::new();
        while self.neighbours.len() + chosen.len() < NEIGHBOURS && !candidates.is_empty() {
            let index = ctx.rng.next_u32() as usize % candidates.len();
            let descriptor = &candidates.swap_remove(index).descriptor;
            chosen.push(Way {
                link: descriptor.link,
                addresses: descriptor.addresses.clone(),
            });
        }
        for way in chosen {
            self.neighbours.insert(way.link);
            links.keep(&way, ctx);
        }
        let alone = links.greeted().next().is_none();
        if alone {
            for way in self.bootstrap.due(ctx.now, ctx.rng) {
                links.keep(&way, ctx);
            }
        }
        let soon = if alone { RETRY_FIRST * 2 } else { GOSSIP_EVERY };
        self.next_look = ctx.now + jittered(soon, ctx.rng);
        if alone && let Some(next) = self.bootstrap.next() {
            self.next_look = self.next_look.min(next.max(ctx.now + RETRY_FIRST / 4));
        }
    }

    /// Compares views with one neighbour, and drops what has expired.
    fn compare(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        let gone = self.view.expire(ctx.now);
        if !gone.is_empty() {
            ctx.store(Waiting::Nobody, StoreRequest::ForgetDescriptors(gone));
        }
        let all: Vec<LinkId> = links.greeted().map(|(link, _)| link).collect();
        if let Some(&link) = all.get(ctx.rng.next_u32() as usize % all.len().max(1)) {
            links.send(link, &Control::Digest(self.view.sums()), ctx);
        }
    }

    fn save(&mut self, ctx: &mut Ctx<'_>) {
        if !self.unsaved.is_empty() {
            let all = std::mem::take(&mut self.unsaved).into_iter().collect();
            ctx.store(Waiting::Nobody, StoreRequest::PutDescriptors(all));
        }
    }

    fn greeted(
        &mut self,
        link: LinkId,
        observed: SocketAddr,
        descriptor: Option<Vec<u8>>,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        let remote = links
            .greeted()
            .find(|(id, _)| *id == link)
            .map(|(_, remote)| remote);
        if let Some(remote) = remote {
            self.bootstrap.succeeded(&remote);
            if let Some(id) = self.view.node_of(&remote) {
                self.view.succeeded(&id);
            }
            if self.own.observed(remote, observed.ip()) {
                self.announce(links, ctx);
            }
        }
        if let Some(encoded) = descriptor
            && self.learn(&encoded, ctx)
        {
            self.spread(vec![encoded], Some(link), links, ctx);
        }
    }

    /// Takes a descriptor if it is signed, valid and allowed. True if it is news.
    fn learn(&mut self, encoded: &[u8], ctx: &mut Ctx<'_>) -> bool {
        let Ok(descriptor) = Descriptor::open(encoded, &self.own.network, &*self.provider) else {
            ctx.stats.violated("descriptor");
            return false;
        };
        if !descriptor.is_valid(ctx.now) {
            ctx.stats.dropped("descriptor_expired");
            return false;
        }
        let id = descriptor.id;
        if id == self.own.id {
            return false;
        }
        match self.view.insert(descriptor, encoded.to_vec()) {
            Ok(()) => {
                self.unsaved.insert(id, encoded.to_vec());
                self.next_look = self.next_look.min(ctx.now + RETRY_FIRST / 4);
                true
            }
            Err(NotTaken::Older) => false,
            Err(why) => {
                ctx.stats.dropped(match why {
                    NotTaken::Range => "descriptor_range",
                    NotTaken::Full => "descriptor_full",
                    NotTaken::Conflict => "descriptor_conflict",
                    NotTaken::Address | NotTaken::Older => "descriptor_address",
                });
                false
            }
        }
    }

    fn spread(
        &self,
        news: Vec<Vec<u8>>,
        except: Option<LinkId>,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        if news.is_empty() {
            return;
        }
        let to: Vec<LinkId> = links
            .greeted()
            .map(|(link, _)| link)
            .filter(|link| Some(*link) != except)
            .collect();
        for message in gossip::pack(news) {
            for &link in &to {
                links.send(link, &message, ctx);
            }
        }
    }
}
