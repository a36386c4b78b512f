//! The view: every listed node this node knows of. Who may be in it, and who is near to what.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use oboro_crypto::hash::hash;
use oboro_crypto::ids::{IdentityPublic, LinkPublic, Location, NodeId, OnionPublic, distance};
use oboro_crypto::labels;

use super::ranges::{Ranges, is_public, share_network};
use crate::limits::{RETRY_FIRST, RETRY_LONGEST, SETTLE, SETTLE_LOCAL, SETTLE_LONGEST, VIEW_MAX};
use crate::link::Way;
use crate::placement::Directory;
use crate::time::Time;
use crate::wire::control::BUCKETS;
use crate::wire::descriptor::Descriptor;

/// Whether a node's id has been checked against its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    No,
    UnderWay,
    Yes,
}

pub(crate) struct Known {
    pub(crate) descriptor: Descriptor,
    pub(crate) encoded: Vec<u8>,
    pub(crate) verified: Verified,
    fails: u32,
    suspect_until: Time,
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

/// All listed nodes known, this one among them if it is listed.
pub(crate) struct View {
    local: bool,
    nodes: BTreeMap<NodeId, Known>,
    by_link: BTreeMap<LinkPublic, NodeId>,
    sums: Box<[u64; BUCKETS]>,
    ranges: Ranges,
    storers: usize,
    relays: usize,
    /// When the first node came that is not this one, and when the last that was new.
    first: Option<Time>,
    grew: Time,
    now: Time,
}

impl View {
    pub(crate) fn new(local: bool) -> Self {
        Self {
            local,
            nodes: BTreeMap::new(),
            by_link: BTreeMap::new(),
            sums: Box::new([0; BUCKETS]),
            ranges: Ranges::default(),
            storers: 0,
            relays: 0,
            first: None,
            grew: Time::default(),
            now: Time::default(),
        }
    }

    /// Takes a descriptor whose signature and validity have been checked.
    pub(crate) fn insert(
        &mut self,
        descriptor: Descriptor,
        encoded: Vec<u8>,
    ) -> Result<(), NotTaken> {
        let id = descriptor.id;
        let before = self.nodes.get(&id);
        if let Some(known) = before {
            if known.descriptor.identity != descriptor.identity {
                return Err(NotTaken::Conflict);
            }
            if known.descriptor.issued >= descriptor.issued {
                return Err(NotTaken::Older);
            }
        } else if self.nodes.len() >= VIEW_MAX {
            return Err(NotTaken::Full);
        }
        if self
            .by_link
            .get(&descriptor.link)
            .is_some_and(|other| *other != id)
        {
            return Err(NotTaken::Conflict);
        }
        let public = |address: &SocketAddr| self.local || is_public(address.ip());
        if descriptor.addresses.is_empty() || !descriptor.addresses.iter().all(public) {
            return Err(NotTaken::Address);
        }
        let (verified, fails, suspect_until) = before
            .map_or((Verified::No, 0, Time::default()), |known| {
                (known.verified, known.fails, known.suspect_until)
            });
        let old = self.remove(&id);
        if !self.local
            && !self
                .ranges
                .have_room(&descriptor.addresses, self.nodes.len())
        {
            if let Some(old) = old {
                self.add(old);
            }
            return Err(NotTaken::Range);
        }
        if old.is_none() {
            self.grew = self.now;
            self.first.get_or_insert(self.now);
        }
        self.add(Known {
            descriptor,
            encoded,
            verified,
            fails,
            suspect_until,
        });
        Ok(())
    }

    pub(crate) fn remove(&mut self, id: &NodeId) -> Option<Known> {
        let known = self.nodes.remove(id)?;
        self.by_link.remove(&known.descriptor.link);
        let bucket = usize::from(id.0[0]);
        self.sums[bucket] = self.sums[bucket].wrapping_sub(term(&known.descriptor));
        self.ranges.remove(&known.descriptor.addresses);
        self.storers -= usize::from(known.descriptor.roles.storage);
        self.relays -= usize::from(known.descriptor.roles.relay);
        Some(known)
    }

    fn add(&mut self, known: Known) {
        let descriptor = &known.descriptor;
        let bucket = usize::from(descriptor.id.0[0]);
        self.sums[bucket] = self.sums[bucket].wrapping_add(term(descriptor));
        self.ranges.add(&descriptor.addresses);
        self.storers += usize::from(descriptor.roles.storage);
        self.relays += usize::from(descriptor.roles.relay);
        self.by_link.insert(descriptor.link, descriptor.id);
        self.nodes.insert(descriptor.id, known);
    }

    /// Drops what is no longer valid and says what went.
    pub(crate) fn expire(&mut self, now: Time) -> Vec<NodeId> {
        self.now = now;
        let gone: Vec<NodeId> = self
            .nodes
            .values()
            .filter(|known| known.descriptor.expires() <= now)
            .map(|known| known.descriptor.id)
            .collect();
        for id in &gone {
            self.remove(id);
        }
        gone
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<&Known> {
        self.nodes.get(id)
    }

    /// How many of them relay, this one among them if it is listed.
    pub(crate) const fn relays(&self) -> usize {
        self.relays
    }

    /// Whether two nodes have addresses in one /16 or /32: never on a local network, where all have.
    pub(crate) fn share_network(&self, one: &NodeId, other: &NodeId) -> bool {
        let addresses = |id| self.nodes.get(id).map(|known| &known.descriptor.addresses);
        match (addresses(one), addresses(other)) {
            (Some(one), Some(other)) if !self.local => share_network(one, other),
            _ => false,
        }
    }

    /// Whether the view has been still for a while, or has had long enough to grow: before that, whoever was met first
    /// would be half of what there is to choose from.
    pub(crate) fn is_settled(&self) -> bool {
        let Some(first) = self.first else {
            return false;
        };
        let still = if self.local { SETTLE_LOCAL } else { SETTLE };
        self.now.since(self.grew) >= still || self.now.since(first) >= SETTLE_LONGEST
    }

    pub(crate) fn node_of(&self, link: &LinkPublic) -> Option<NodeId> {
        self.by_link.get(link).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Known> {
        self.nodes.values()
    }

    /// How to reach a node and under which key to speak with it.
    pub(crate) fn way(&self, id: &NodeId) -> Option<(Way, OnionPublic)> {
        let descriptor = &self.nodes.get(id)?.descriptor;
        Some((
            Way {
                link: descriptor.link,
                addresses: descriptor.addresses.clone(),
            },
            descriptor.onion,
        ))
    }

    pub(crate) fn identity(&self, id: &NodeId) -> Option<IdentityPublic> {
        self.nodes.get(id).map(|known| known.descriptor.identity)
    }

    pub(crate) fn set_verified(&mut self, id: &NodeId, verified: Verified) {
        if let Some(known) = self.nodes.get_mut(id) {
            known.verified = verified;
        }
    }

    /// A node did not answer: it is suspect for a while, longer each time.
    pub(crate) fn failed(&mut self, id: &NodeId, now: Time) {
        self.now = now;
        if let Some(known) = self.nodes.get_mut(id) {
            let wait =
                (RETRY_FIRST * 4 * 2u32.saturating_pow(known.fails.min(8))).min(RETRY_LONGEST);
            known.fails = known.fails.saturating_add(1);
            known.suspect_until = now + wait;
        }
    }

    /// A node answered.
    pub(crate) fn succeeded(&mut self, id: &NodeId) {
        if let Some(known) = self.nodes.get_mut(id) {
            known.fails = 0;
            known.suspect_until = Time::default();
        }
    }

    pub(crate) fn set_now(&mut self, now: Time) {
        self.now = now;
    }

    // Comparing views

    pub(crate) fn sums(&self) -> Box<[u64; BUCKETS]> {
        self.sums.clone()
    }

    /// All nodes in a bucket.
    pub(crate) fn bucket(&self, bucket: u8) -> impl Iterator<Item = &Known> {
        let (mut low, mut high) = ([0; 32], [0xff; 32]);
        low[0] = bucket;
        high[0] = bucket;
        self.nodes
            .range(NodeId(low)..=NodeId(high))
            .map(|(_, known)| known)
    }
}

impl Directory for View {
    fn nearest(
        &self,
        location: &Location,
        count: usize,
        allow: &dyn Fn(&NodeId) -> bool,
    ) -> Vec<NodeId> {
        // Ids that share a longer prefix with the location are nearer than all others: widen until enough are found.
        let mut bits = self.nodes.len().checked_ilog2().unwrap_or(0).min(255);
        loop {
            let (low, high) = prefix_range(&location.0, bits);
            let mut found: Vec<NodeId> = self
                .nodes
                .range(NodeId(low)..=NodeId(high))
                .filter(|(id, known)| known.descriptor.roles.storage && allow(id))
                .map(|(id, _)| *id)
                .collect();
            if found.len() >= count || bits == 0 {
                found.sort_by_cached_key(|id| distance(id.as_bytes(), location.as_bytes()));
                found.truncate(count);
                return found;
            }
            bits -= 1;
        }
    }

    fn is_suspect(&self, node: &NodeId) -> bool {
        self.nodes
            .get(node)
            .is_none_or(|known| known.suspect_until > self.now)
    }

    fn storers(&self) -> usize {
        self.storers
    }
}

/// The short id of a node: what views are compared by.
pub(crate) fn short(id: &NodeId) -> u64 {
    let [_, a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn term(descriptor: &Descriptor) -> u64 {
    let full = hash(
        labels::VIEW_DIGEST,
        &[descriptor.id.as_bytes(), &descriptor.issued.to_be_bytes()],
    );
    let [a, b, c, d, e, f, g, h, ..] = full;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn prefix_range(at: &[u8; 32], bits: u32) -> ([u8; 32], [u8; 32]) {
    let (mut low, mut high) = (*at, *at);
    for (index, (low, high)) in low.iter_mut().zip(high.iter_mut()).enumerate() {
        let covered = bits
            .saturating_sub(u32::try_from(index).unwrap_or(u32::MAX).saturating_mul(8))
            .min(8);
        let mask = if covered == 0 {
            0
        } else {
            0xffu8 << (8 - covered)
        };
        *low &= mask;
        *high |= !mask;
    }
    (low, high)
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
