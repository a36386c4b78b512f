//! The view: every listed node this node knows of. Who may be in it, and how each stands with us.
//!
//! Every node keeps one of every other, so a node known costs a place in two orders, by id and by link key, and its
//! descriptor, which many views may share. Only of those that failed or were checked is more kept.

use std::collections::BTreeMap;

use core::time::Duration;
use oboro_crypto::ids::{IdentityPublic, LinkPublic, NodeId, OnionPublic};

use super::admission::Newcomers;
use super::order::{LinkKeys, Nodes};
use super::ranges::{Ranges, is_public, share_network};
use crate::limits::{
    FORGIVEN, RETRY_FIRST, RETRY_LONGEST, SETTLE, SETTLE_LOCAL, SETTLE_LONGEST, UNREACHABLE_FIRST,
    VIEW_MAX,
};
use crate::link::Way;
use crate::time::Time;
use crate::wire::control::BUCKETS;
use crate::wire::listing::Listing;

/// Whether a node's id has been checked against its identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verified {
    #[default]
    No,
    UnderWay,
    Yes,
}

/// What is known of a node beyond its descriptor. Kept only if it is not the default.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Standing {
    verified: Verified,
    fails: u8,
    suspect_until: Time,
    /// The first and the last time that it could not be dialled since a link to it was up.
    unreached: Option<(Time, Time)>,
}

/// Why a descriptor was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// What is known is as new or newer.
    Older,
    /// Too many of one address range.
    Range,
    /// The view is full.
    Full,
    /// Another node has this id or link key.
    Conflict,
    /// No address, or one that no public network has.
    Address,
}

/// All nodes whose id begins with one byte.
#[derive(Clone, Copy, Default)]
pub(super) struct Bucket {
    /// What views are compared by: of those that may be offered.
    pub(super) sum: u64,
    pub(super) nodes: u32,
    /// What the relays among them weigh.
    pub(super) weight: u32,
}

/// All listed nodes known, this one among them if it is listed.
pub(crate) struct View {
    local: bool,
    pub(super) nodes: Nodes,
    links: LinkKeys,
    standings: BTreeMap<NodeId, Standing>,
    pub(super) newcomers: Newcomers,
    pub(super) buckets: Box<[Bucket; BUCKETS]>,
    /// Not kept on local networks, where they do not count.
    ranges: Ranges,
    storers: usize,
    pub(super) relays: usize,
    /// Of which newcomers.
    pub(super) new_relays: usize,
    /// When the first node came that is not this one, and when the last that was new.
    first: Option<Time>,
    pub(super) grew: Time,
    /// None expires before this.
    expires: Time,
    pub(super) now: Time,
}

impl View {
    pub(crate) fn new(local: bool) -> Self {
        Self {
            local,
            nodes: Nodes::default(),
            links: LinkKeys::default(),
            standings: BTreeMap::new(),
            newcomers: Newcomers::default(),
            buckets: Box::new([Bucket::default(); BUCKETS]),
            ranges: Ranges::default(),
            storers: 0,
            relays: 0,
            new_relays: 0,
            first: None,
            grew: Time::default(),
            expires: Time(u64::MAX),
            now: Time::default(),
        }
    }

    /// Takes a descriptor whose signature and validity have been checked.
    pub(crate) fn insert(&mut self, listing: Listing) -> Result<(), NotTaken> {
        let before = self.nodes.get(listing.id_bytes());
        if let Some(known) = before {
            if known.identity() != listing.identity() {
                return Err(NotTaken::Conflict);
            }
            if known.issued() >= listing.issued() {
                return Err(NotTaken::Older);
            }
            if known.is_renewed_by(&listing) {
                self.renew(listing);
                return Ok(());
            }
        } else if self.nodes.len() >= VIEW_MAX {
            return Err(NotTaken::Full);
        }
        let other = self.links.of(&self.nodes, &listing.link());
        if other.is_some_and(|other| other.id_bytes() != listing.id_bytes()) {
            return Err(NotTaken::Conflict);
        }
        let addresses = listing.addresses();
        let public = addresses.iter().all(|address| is_public(address.ip()));
        if addresses.is_empty() || !(self.local || public) {
            return Err(NotTaken::Address);
        }
        let old = self.take_out(listing.id_bytes());
        if !self.local && !self.ranges.have_room(&addresses, self.nodes.len()) {
            if let Some(old) = old {
                self.put_in(old);
            }
            return Err(NotTaken::Range);
        }
        if old.is_none() {
            self.grew = self.now;
            self.first.get_or_insert(self.now);
        }
        self.put_in(listing);
        Ok(())
    }

    /// Takes a descriptor that says the same as the one that is known, later: nothing but that one is touched.
    fn renew(&mut self, listing: Listing) {
        self.expires = self.expires.min(listing.expires());
        let first = usize::from(listing.id_bytes()[0]);
        let (counts, term) = (!self.newcomers.has(&listing.id()), listing.term());
        if let Some(old) = self.nodes.insert(listing)
            && counts
        {
            let sum = &mut self.buckets[first].sum;
            *sum = sum.wrapping_sub(old.term()).wrapping_add(term);
        }
    }

    pub(crate) fn remove(&mut self, id: &NodeId) -> bool {
        self.standings.remove(id);
        let was = self.take_out(&id.0).is_some();
        self.newcomers.forget(id);
        was
    }

    fn take_out(&mut self, id: &[u8; 32]) -> Option<Listing> {
        let listing = self.nodes.remove(id)?;
        self.links.remove(&listing);
        if !self.local {
            self.ranges.remove(&listing.addresses());
        }
        let (roles, weight) = (listing.roles(), weight(&listing));
        let bucket = &mut self.buckets[usize::from(id[0])];
        if self.newcomers.has(&NodeId(*id)) {
            self.new_relays -= usize::from(roles.relay);
        } else {
            bucket.sum = bucket.sum.wrapping_sub(listing.term());
        }
        bucket.nodes -= 1;
        bucket.weight -= weight;
        self.storers -= usize::from(roles.storage);
        self.relays -= usize::from(roles.relay);
        Some(listing)
    }

    fn put_in(&mut self, listing: Listing) {
        if !self.local {
            self.ranges.add(&listing.addresses());
        }
        let roles = listing.roles();
        let bucket = &mut self.buckets[usize::from(listing.id_bytes()[0])];
        if self.newcomers.has(&listing.id()) {
            self.new_relays += usize::from(roles.relay);
        } else {
            bucket.sum = bucket.sum.wrapping_add(listing.term());
        }
        bucket.nodes += 1;
        bucket.weight += weight(&listing);
        self.storers += usize::from(roles.storage);
        self.relays += usize::from(roles.relay);
        self.expires = self.expires.min(listing.expires());
        self.links.insert(&listing);
        self.nodes.insert(listing);
    }

    /// Drops what is no longer valid and says what went. Looks at all only when one is due.
    pub(crate) fn expire(&mut self, now: Time) -> Vec<(NodeId, Way)> {
        self.now = now;
        if now < self.expires {
            return Vec::new();
        }
        let (mut gone, mut next) = (Vec::new(), Time(u64::MAX));
        for listing in self.iter() {
            let expires = listing.expires();
            if expires <= now {
                gone.push((listing.id(), way(listing)));
            } else {
                next = next.min(expires);
            }
        }
        self.expires = next;
        for (id, _) in &gone {
            self.remove(id);
        }
        gone
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<&Listing> {
        self.nodes.get(&id.0)
    }

    /// How many of them store.
    pub(crate) const fn storing(&self) -> usize {
        self.storers
    }

    /// Whether two nodes have addresses in one /16 or /32: never on a local network, where all have.
    pub(crate) fn share_network(&self, one: &NodeId, other: &NodeId) -> bool {
        if self.local {
            return false;
        }
        match (self.get(one), self.get(other)) {
            (Some(one), Some(other)) => share_network(&one.addresses(), &other.addresses()),
            _ => false,
        }
    }

    /// Whether the view has been still for a while, or has had long enough to grow: before that, whoever was met first
    /// would be half of what there is to choose from.
    pub(crate) fn is_settled(&self) -> bool {
        self.settles().is_some_and(|at| at <= self.now)
    }

    /// When that is so, if no more nodes come; `None` before the first has come.
    pub(crate) fn settles(&self) -> Option<Time> {
        let still = if self.local { SETTLE_LOCAL } else { SETTLE };
        let first = self.first?;
        Some((self.grew + still).min(first + SETTLE_LONGEST))
    }

    pub(crate) fn node_of(&self, link: &LinkPublic) -> Option<NodeId> {
        self.links.of(&self.nodes, link).map(Listing::id)
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Listing> {
        self.nodes.iter()
    }

    /// How to reach a node and under which key to speak with it.
    pub(crate) fn way(&self, id: &NodeId) -> Option<(Way, OnionPublic)> {
        self.get(id).map(|listing| (way(listing), listing.onion()))
    }

    pub(crate) fn identity(&self, id: &NodeId) -> Option<IdentityPublic> {
        self.get(id).map(Listing::identity)
    }

    // How nodes stand

    pub(crate) fn verified(&self, id: &NodeId) -> Verified {
        self.standing(id).verified
    }

    pub(crate) fn set_verified(&mut self, id: &NodeId, verified: Verified) {
        self.change(id, |standing| standing.verified = verified);
    }

    /// A node did not answer: it is suspect for a while, longer each time.
    pub(crate) fn failed(&mut self, id: &NodeId, now: Time) {
        self.suspect(id, RETRY_FIRST * 4, now);
    }

    /// A node could not be dialled. That is this node's own experience, and counts for more than what came, or did not,
    /// by way of others: an exit can lie about a storer. `alone`: nor could anybody else be reached.
    pub(crate) fn unreachable(&mut self, id: &NodeId, alone: bool, now: Time) {
        let first = if alone {
            RETRY_FIRST * 4
        } else {
            UNREACHABLE_FIRST
        };
        self.suspect(id, first, now);
    }

    fn suspect(&mut self, id: &NodeId, first: Duration, now: Time) {
        self.now = now;
        self.change(id, |standing| {
            if standing.suspect_until + FORGIVEN <= now {
                standing.fails = 0;
            }
            let wait = first * 2u32.saturating_pow(u32::from(standing.fails.min(8)));
            standing.fails = standing.fails.saturating_add(1);
            let until = now + wait.min(RETRY_LONGEST);
            standing.suspect_until = standing.suspect_until.max(until);
        });
    }

    /// A node answered.
    pub(crate) fn succeeded(&mut self, id: &NodeId) {
        self.change(id, |standing| {
            (standing.fails, standing.suspect_until) = (0, Time::default());
        });
    }

    /// Whether a node lately failed to answer. Who is not known is no better.
    pub(crate) fn suspects(&self, id: &NodeId) -> bool {
        self.nodes.get(&id.0).is_none() || self.standing(id).suspect_until > self.now
    }

    /// Forgets failures of long ago.
    pub(crate) fn forgive(&mut self, now: Time) {
        self.standings.retain(|_, standing| {
            if standing.suspect_until + FORGIVEN <= now {
                (standing.fails, standing.suspect_until) = (0, Time::default());
            }
            *standing != Standing::default()
        });
    }

    fn standing(&self, id: &NodeId) -> Standing {
        self.standings.get(id).copied().unwrap_or_default()
    }

    fn change(&mut self, id: &NodeId, change: impl FnOnce(&mut Standing)) {
        if self.nodes.get(&id.0).is_none() {
            return;
        }
        let mut standing = self.standing(id);
        change(&mut standing);
        if standing == Standing::default() {
            self.standings.remove(id);
        } else {
            self.standings.insert(*id, standing);
        }
    }

    /// A link to a node is up, or could not be made. Unlike suspicion this owes nothing to what this node's user asked.
    pub(crate) fn dialled(&mut self, id: &NodeId, reached: bool) {
        let now = self.now;
        self.change(id, |standing| {
            let first = standing.unreached.map_or(now, |(first, _)| first);
            standing.unreached = (!reached).then_some((first, now));
        });
    }

    /// The first and the last time that a node could not be dialled since a link to it was up.
    pub(crate) fn unreached(&self, id: &NodeId) -> Option<(Time, Time)> {
        self.standing(id).unreached
    }

    pub(crate) fn set_now(&mut self, now: Time) {
        self.now = now;
    }

    // In order

    /// All nodes whose id is neither before the one nor after the other.
    pub(super) fn between(
        &self,
        low: [u8; 32],
        high: [u8; 32],
    ) -> impl DoubleEndedIterator<Item = &Listing> {
        self.nodes.between(low, high)
    }
}

/// How to reach a node.
pub(super) fn way(listing: &Listing) -> Way {
    Way {
        link: listing.link(),
        addresses: listing.addresses(),
    }
}

/// How often a relay is chosen, compared with others: all alike. A capacity class is only claimed, and honest nodes claim
/// none: weighted with 2^8 a tenth of all nodes would be drawn as guard 97 times in 100 (docs/simulation.md, table
/// `guards`).
pub(crate) fn weight(listing: &Listing) -> u32 {
    u32::from(listing.roles().relay)
}

/// The short id of a node: what views are compared by.
pub(crate) fn short(id: &[u8; 32]) -> u64 {
    let [_, a, b, c, d, e, f, g, h, ..] = *id;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
