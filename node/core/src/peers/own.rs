//! What this node says of itself: its descriptor, and the addresses it learns from what others see.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use oboro_crypto::ids::{LinkPublic, NetworkId, NodeId, OnionPublic};
use oboro_crypto::keys::IdentityKey;
use oboro_crypto::provider::Provider;

use super::ranges::is_public;
use crate::limits::DESCRIPTOR_HOURS;
use crate::time::Time;
use crate::wire::descriptor::{ADDRESSES_MAX, Descriptor, Roles};
use crate::wire::listing::Listing;

/// Nodes that must see us at the same address before a public network is told it.
const WITNESSES: usize = 2;
/// Different addresses that are remembered as seen; beyond it new ones are not.
const SEEN_MAX: usize = 16;

/// Who this node is, once and for all.
pub(crate) struct Own {
    pub(crate) id: NodeId,
    pub(crate) link: LinkPublic,
    pub(crate) onion: OnionPublic,
    pub(crate) identity: IdentityKey,
    pub(crate) network: NetworkId,
    pub(crate) local: bool,
    pub(crate) listed: bool,
    pub(crate) storage: bool,
    /// Addresses its operator names.
    pub(crate) configured: Vec<SocketAddr>,
    /// The port it listens on, for addresses that others see.
    pub(crate) port: Option<u16>,
}

/// This node's own part of the view.
pub(super) struct Announced {
    own: Own,
    seen: BTreeMap<IpAddr, BTreeSet<LinkPublic>>,
    issued: u32,
    current: Option<Listing>,
}

impl core::ops::Deref for Announced {
    type Target = Own;

    fn deref(&self) -> &Own {
        &self.own
    }
}

impl Announced {
    pub(super) const fn new(own: Own) -> Self {
        Self {
            own,
            seen: BTreeMap::new(),
            issued: 0,
            current: None,
        }
    }

    /// Somebody says at which address it sees us. True if that makes a new descriptor due.
    pub(super) fn observed(&mut self, by: LinkPublic, address: IpAddr) -> bool {
        let usable = self.own.local || is_public(address);
        if !self.own.configured.is_empty()
            || !usable
            || (self.seen.len() >= SEEN_MAX && !self.seen.contains_key(&address))
        {
            return false;
        }
        let before = self.addresses();
        let witnesses = self.seen.entry(address).or_default();
        if witnesses.len() < WITNESSES {
            witnesses.insert(by);
        }
        self.addresses() != before
    }

    /// Where this node believes it can be reached.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        if !self.own.configured.is_empty() {
            return self
                .configured
                .iter()
                .copied()
                .take(ADDRESSES_MAX)
                .collect();
        }
        let enough = if self.own.local { 1 } else { WITNESSES };
        let port = self.own.port.into_iter();
        let confirmed = self
            .seen
            .iter()
            .filter(|(_, witnesses)| witnesses.len() >= enough)
            .map(|(ip, _)| *ip);
        port.flat_map(|port| confirmed.clone().map(move |ip| SocketAddr::new(ip, port)))
            .take(ADDRESSES_MAX)
            .collect()
    }

    /// When the descriptor must be renewed; `None` if there is none.
    pub(super) fn renew_at(&self) -> Option<Time> {
        let third = u64::from(DESCRIPTOR_HOURS) * 1200;
        self.current
            .as_ref()
            .map(|_| Time::from_secs(u64::from(self.issued) + third))
    }

    /// Issues a new descriptor if this node is listed and knows where it is.
    pub(super) fn issue(&mut self, now: Time, provider: &dyn Provider) -> Option<Listing> {
        let addresses = self.addresses();
        if !self.own.listed || addresses.is_empty() {
            return None;
        }
        // Strictly newer than the last one, even within a second: others keep the newest.
        self.issued = u32::try_from(now.secs())
            .unwrap_or(u32::MAX)
            .max(self.issued.saturating_add(1));
        let descriptor = Descriptor {
            identity: self.identity.public(),
            link: self.link,
            onion: self.onion,
            id: self.id,
            issued: self.issued,
            valid_hours: DESCRIPTOR_HOURS,
            roles: Roles {
                relay: true,
                storage: self.storage,
            },
            capacity: 0,
            addresses,
        };
        let encoded = descriptor.sign(&self.network, &self.identity);
        self.current = Listing::signed(&encoded, provider).ok();
        self.current.clone()
    }

    /// The descriptor as others get it.
    pub(super) fn encoded(&self) -> Option<Vec<u8>> {
        let current = self.current.as_ref();
        current.map(|listing| listing.encoded().to_vec())
    }
}
