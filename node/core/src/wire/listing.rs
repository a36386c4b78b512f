//! A descriptor as it is kept: its bytes and nothing else, once for all who keep it.
//!
//! A node knows every other one, so what it keeps of each is counted in bytes. Fields are read where they lie in the
//! layout of [`super::descriptor`]; addresses, whose length varies, are decoded when they are asked for. After the bytes
//! comes what views are compared by, so that it is reckoned once.

use std::net::SocketAddr;
use std::sync::Arc;

use oboro_crypto::hash::hash;
use oboro_crypto::ids::{IdentityPublic, LinkPublic, NetworkId, NodeId, OnionPublic};
use oboro_crypto::labels;
use oboro_crypto::provider::Provider;

use super::codec::{Reader, WireError};
use super::descriptor::{ADDRESSES_MAX, Descriptor, Roles, expires, read_address};
use crate::time::Time;

const IDENTITY: usize = 1;
const LINK: usize = 33;
const ONION: usize = 65;
const ID: usize = 97;
const ISSUED: usize = 129;
const VALID: usize = 133;
const ROLES: usize = 135;
const COUNT: usize = 137;
/// The signature, which ends a descriptor.
const SIGNATURE: usize = 64;
/// What is kept behind it.
const TERM: usize = 8;
const NOTHING: [u8; 32] = [0; 32];

/// A descriptor that could be read, encoded, and its term. To clone one costs nothing. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Listing(Arc<[u8]>);

impl core::fmt::Debug for Listing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Listing(..)")
    }
}

impl Listing {
    /// Reads one, asks `wanted` whether it is, and only then checks its signature, which costs more than all the rest.
    /// `None`: not wanted. Its validity and its id are checked elsewhere.
    pub(crate) fn open(
        bytes: &[u8],
        network: &NetworkId,
        provider: &dyn Provider,
        wanted: impl FnOnce(&Descriptor) -> bool,
    ) -> Result<Option<Self>, WireError> {
        let (descriptor, _) = Descriptor::decode(bytes)?;
        if !wanted(&descriptor) {
            return Ok(None);
        }
        if let Some(same) = provider.kept(bytes) {
            return Ok(Some(Self(same)));
        }
        Descriptor::open(bytes, network, provider)?;
        Ok(Some(Self::keep(bytes, provider)))
    }

    /// One that this node has just signed itself.
    pub(crate) fn signed(bytes: &[u8], provider: &dyn Provider) -> Result<Self, WireError> {
        Descriptor::decode(bytes)?;
        Ok(Self::keep(bytes, provider))
    }

    /// Whoever keeps for many nodes has only what one of them has checked.
    fn keep(bytes: &[u8], provider: &dyn Provider) -> Self {
        let id = bytes.get(ID..ISSUED).unwrap_or_default();
        let issued = bytes.get(ISSUED..VALID).unwrap_or_default();
        let full = hash(labels::VIEW_DIGEST, &[id, issued]);
        Self(provider.keep(bytes, full.first_chunk::<TERM>().unwrap_or(&[0; TERM])))
    }

    /// As others get it.
    pub(crate) fn encoded(&self) -> &[u8] {
        let end = self.0.len().saturating_sub(TERM);
        self.0.get(..end).unwrap_or_default()
    }

    /// What it adds to the sums by which views are compared.
    pub(crate) fn term(&self) -> u64 {
        u64::from_be_bytes(self.0.last_chunk().copied().unwrap_or_default())
    }

    /// Whether the other is of the same node and says the same, but for its time.
    pub(crate) fn is_renewed_by(&self, other: &Self) -> bool {
        let before = |listing: &Self| listing.0.get(..ISSUED) == self.0.get(..ISSUED);
        let after = |listing: &Self| {
            let end = listing.0.len().saturating_sub(SIGNATURE + TERM);
            listing.0.get(VALID..end)
                == self
                    .0
                    .get(VALID..self.0.len().saturating_sub(SIGNATURE + TERM))
        };
        before(other) && after(other)
    }

    pub(crate) fn identity(&self) -> IdentityPublic {
        IdentityPublic(*self.key(IDENTITY))
    }

    pub(crate) fn link(&self) -> LinkPublic {
        LinkPublic(*self.key(LINK))
    }

    pub(crate) fn onion(&self) -> OnionPublic {
        OnionPublic(*self.key(ONION))
    }

    pub(crate) fn id(&self) -> NodeId {
        NodeId(*self.id_bytes())
    }

    /// The same where it lies, for those who compare many.
    pub(crate) fn id_bytes(&self) -> &[u8; 32] {
        self.key(ID)
    }

    /// The link key where it lies.
    pub(crate) fn link_bytes(&self) -> &[u8; 32] {
        self.key(LINK)
    }

    pub(crate) fn issued(&self) -> u32 {
        u32::from_be_bytes(self.array(ISSUED))
    }

    pub(crate) fn roles(&self) -> Roles {
        let [byte] = self.array(ROLES);
        Roles {
            relay: byte & 1 != 0,
            storage: byte & 2 != 0,
        }
    }

    /// When it stops being valid.
    pub(crate) fn expires(&self) -> Time {
        expires(self.issued(), u16::from_be_bytes(self.array(VALID)))
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let mut reader = Reader::new(self.0.get(COUNT..).unwrap_or_default());
        let count = reader.count8(ADDRESSES_MAX).unwrap_or_default();
        let all = (0..count).map(|_| read_address(&mut reader).ok());
        all.map_while(|address| address).collect()
    }

    fn key(&self, at: usize) -> &[u8; 32] {
        let there = self.0.get(at..).and_then(<[u8]>::first_chunk);
        there.unwrap_or(&NOTHING)
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let there = self.0.get(at..).and_then(<[u8]>::first_chunk);
        there.copied().unwrap_or([0; N])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use oboro_crypto::keys::IdentityKey;
    use oboro_crypto::provider::RealProvider;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const NETWORK: NetworkId = NetworkId([9; 32]);

    fn key() -> IdentityKey {
        IdentityKey::generate(&mut ChaCha20Rng::from_seed([1; 32]))
    }

    /// A descriptor as it would be kept, under a signature that nobody looks at.
    pub(crate) fn listing(descriptor: &Descriptor) -> Listing {
        let bytes = descriptor.sign(&NETWORK, &key());
        Listing::signed(&bytes, &RealProvider).unwrap()
    }

    fn any_descriptor() -> impl Strategy<Value = Descriptor> {
        let keys = (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 32]>());
        let addresses = proptest::collection::vec(any::<SocketAddr>(), 0..=ADDRESSES_MAX);
        let rest = (any::<u32>(), 1u16..=48, any::<(bool, bool)>(), 0u8..16);
        (keys, rest, addresses).prop_map(|((link, onion, id), rest, addresses)| Descriptor {
            identity: key().public(),
            link: LinkPublic(link),
            onion: OnionPublic(onion),
            id: NodeId(id),
            issued: rest.0,
            valid_hours: rest.1,
            roles: Roles {
                relay: rest.2.0,
                storage: rest.2.1,
            },
            capacity: rest.3,
            addresses: addresses
                .into_iter()
                .map(|address| SocketAddr::new(address.ip(), address.port()))
                .collect(),
        })
    }

    proptest! {
        #[test]
        fn every_field_is_read_where_it_was_written(descriptor in any_descriptor()) {
            let bytes = descriptor.sign(&NETWORK, &key());
            let listing = Listing::open(&bytes, &NETWORK, &RealProvider, |_| true).unwrap().unwrap();
            prop_assert_eq!(listing.encoded(), bytes.as_slice());
            prop_assert_eq!(listing.identity().0, descriptor.identity.0);
            prop_assert_eq!(listing.link(), descriptor.link);
            prop_assert_eq!(listing.link_bytes(), &descriptor.link.0);
            prop_assert_eq!(listing.onion().0, descriptor.onion.0);
            prop_assert_eq!(listing.id(), descriptor.id);
            prop_assert_eq!(listing.id_bytes(), &descriptor.id.0);
            prop_assert_eq!(listing.issued(), descriptor.issued);
            prop_assert_eq!(listing.expires(), descriptor.expires());
            prop_assert_eq!(listing.roles(), descriptor.roles);
            prop_assert_eq!(listing.addresses(), descriptor.addresses);
        }

        #[test]
        fn what_is_not_a_descriptor_is_never_kept(
            descriptor in any_descriptor(), at in any::<prop::sample::Index>(), change in 1u8.., cut in any::<prop::sample::Index>()
        ) {
            let mut bytes = descriptor.sign(&NETWORK, &key());
            let short = cut.index(bytes.len());
            prop_assert!(Listing::open(&bytes[..short], &NETWORK, &RealProvider, |_| true).is_err());
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            prop_assert!(Listing::open(&bytes, &NETWORK, &RealProvider, |_| true).is_err());
        }
    }

    #[test]
    fn the_signature_of_what_is_not_wanted_is_not_looked_at() {
        let descriptor = Descriptor {
            identity: key().public(),
            link: LinkPublic([2; 32]),
            onion: OnionPublic([3; 32]),
            id: NodeId([4; 32]),
            issued: 1,
            valid_hours: 1,
            roles: Roles {
                relay: true,
                storage: false,
            },
            capacity: 0,
            addresses: Vec::new(),
        };
        let mut bytes = descriptor.sign(&NETWORK, &key());
        *bytes.last_mut().unwrap() ^= 1;
        let unwanted = Listing::open(&bytes, &NETWORK, &RealProvider, |_| false);
        assert_eq!(unwanted, Ok(None));
        let wanted = Listing::open(&bytes, &NETWORK, &RealProvider, |_| true);
        assert_eq!(wanted, Err(WireError::Invalid));
    }
}
