//! Descriptors: how a listed node says that it exists. At most 512 bytes, signed.
//!
//! Layout: version `u8` (1), identity 32, link 32, onion 32, node id 32, issued `u32` (seconds since the epoch), valid
//! `u16` (hours, 1 to 48), roles `u8` (bit 0 relay, bit 1 storage), capacity class `u8` (0 to 15), count `u8` (0 to 4)
//! of addresses (family `u8` 4 or 6, 4 or 16 bytes, port `u16`), signature 64 over everything before it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use oboro_crypto::ids::{IdentityPublic, LinkPublic, NetworkId, NodeId, OnionPublic, Signature};
use oboro_crypto::keys::IdentityKey;
use oboro_crypto::labels;
use oboro_crypto::provider::Provider;

use super::codec::{Reader, WireError, put_count8};
use crate::time::Time;

/// The most bytes a descriptor takes.
pub const DESCRIPTOR_MAX: usize = 512;
/// The most addresses a node may have: two families, two each.
pub const ADDRESSES_MAX: usize = 4;
/// The longest validity in hours: a node that left is forgotten by then.
pub const VALID_HOURS_MAX: u16 = 48;
/// How far in the future a descriptor may have been issued, in seconds: clocks differ.
pub const SKEW_SECS: u64 = 2 * 3600;
const VERSION: u8 = 1;

/// What a node offers to do for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// It carries circuits.
    pub relay: bool,
    /// It keeps extents and entries.
    pub storage: bool,
}

/// A listed node as it describes itself. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Signs it, and receipts.
    pub identity: IdentityPublic,
    /// Links are shaken hands with under this key.
    pub link: LinkPublic,
    /// Sessions and circuits are opened under this key.
    pub onion: OnionPublic,
    /// The id it claims; true only if it is derived from the identity, which costs much to check.
    pub id: NodeId,
    /// Seconds since the epoch.
    pub issued: u32,
    /// Hours it is valid for.
    pub valid_hours: u16,
    /// What it does for others.
    pub roles: Roles,
    /// Its share of capacity, 0 to 15, each class twice the one before.
    pub capacity: u8,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
}

impl core::fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Descriptor(..)")
    }
}

impl Descriptor {
    /// Its bytes with a signature over them.
    #[must_use]
    pub fn sign(&self, network: &NetworkId, key: &IdentityKey) -> Vec<u8> {
        let mut out = self.body();
        let signature = key.sign(labels::DESCRIPTOR, &[network.as_bytes(), &out]);
        out.extend_from_slice(&signature.0);
        out
    }

    /// Reads one and checks its signature. Its validity and its id are checked elsewhere.
    ///
    /// # Errors
    /// Any [`WireError`]; a bad signature is [`WireError::Invalid`].
    pub fn open(
        bytes: &[u8],
        network: &NetworkId,
        provider: &dyn Provider,
    ) -> Result<Self, WireError> {
        let (descriptor, signature) = Self::decode(bytes)?;
        let body = bytes
            .get(..bytes.len().saturating_sub(64))
            .ok_or(WireError::Truncated)?;
        let parts: [&[u8]; 2] = [network.as_bytes(), body];
        if provider.verify(&descriptor.identity, labels::DESCRIPTOR, &parts, &signature) {
            Ok(descriptor)
        } else {
            Err(WireError::Invalid)
        }
    }

    /// Reads one without checking its signature: for what this node itself has put on its disk after checking.
    ///
    /// # Errors
    /// Any [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<(Self, Signature), WireError> {
        if bytes.len() > DESCRIPTOR_MAX {
            return Err(WireError::TooLong);
        }
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(WireError::Unknown);
        }
        let identity = IdentityPublic(reader.array()?);
        let link = LinkPublic(reader.array()?);
        let onion = OnionPublic(reader.array()?);
        let id = NodeId(reader.array()?);
        let issued = reader.u32()?;
        let valid_hours = reader.u16()?;
        let roles = read_roles(reader.u8()?)?;
        let capacity = reader.u8()?;
        if valid_hours == 0 || valid_hours > VALID_HOURS_MAX || capacity > 15 {
            return Err(WireError::Invalid);
        }
        let count = reader.count8(ADDRESSES_MAX)?;
        let addresses = (0..count)
            .map(|_| read_address(&mut reader))
            .collect::<Result<_, _>>()?;
        let signature = Signature(reader.array()?);
        reader.end()?;
        Ok((
            Self {
                identity,
                link,
                onion,
                id,
                issued,
                valid_hours,
                roles,
                capacity,
                addresses,
            },
            signature,
        ))
    }

    /// When it stops being valid.
    #[must_use]
    pub fn expires(&self) -> Time {
        expires(self.issued, self.valid_hours)
    }

    /// Whether it is valid now: issued, but not in the future beyond what clocks may differ, and not expired.
    #[must_use]
    pub fn is_valid(&self, now: Time) -> bool {
        u64::from(self.issued) <= now.secs() + SKEW_SECS && self.expires() > now
    }

    fn body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(DESCRIPTOR_MAX);
        out.push(VERSION);
        for key in [&self.identity.0, &self.link.0, &self.onion.0, &self.id.0] {
            out.extend_from_slice(key);
        }
        out.extend_from_slice(&self.issued.to_be_bytes());
        out.extend_from_slice(&self.valid_hours.to_be_bytes());
        out.push(u8::from(self.roles.relay) | u8::from(self.roles.storage) << 1);
        out.push(self.capacity);
        put_count8(&mut out, self.addresses.len());
        self.addresses
            .iter()
            .for_each(|address| put_address(&mut out, address));
        out
    }
}

/// When a descriptor issued then for so many hours stops being valid.
pub(crate) fn expires(issued: u32, valid_hours: u16) -> Time {
    Time::from_secs(u64::from(issued) + u64::from(valid_hours) * 3600)
}

fn read_roles(byte: u8) -> Result<Roles, WireError> {
    if byte > 3 {
        return Err(WireError::Unknown);
    }
    Ok(Roles {
        relay: byte & 1 != 0,
        storage: byte & 2 != 0,
    })
}

/// Appends an address: family, bytes, port. Scope and flow of IPv6 are not carried.
pub(crate) fn put_address(out: &mut Vec<u8>, address: &SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

pub(crate) fn read_address(reader: &mut Reader<'_>) -> Result<SocketAddr, WireError> {
    let ip = match reader.u8()? {
        4 => IpAddr::V4(Ipv4Addr::from(reader.array::<4>()?)),
        6 => IpAddr::V6(Ipv6Addr::from(reader.array::<16>()?)),
        _ => return Err(WireError::Unknown),
    };
    Ok(SocketAddr::new(ip, reader.u16()?))
}

#[cfg(test)]
mod tests {
    use oboro_crypto::provider::RealProvider;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const NETWORK: NetworkId = NetworkId([9; 32]);

    fn key() -> IdentityKey {
        IdentityKey::generate(&mut ChaCha20Rng::from_seed([1; 32]))
    }

    fn descriptor(addresses: Vec<SocketAddr>) -> Descriptor {
        Descriptor {
            identity: key().public(),
            link: LinkPublic([2; 32]),
            onion: OnionPublic([3; 32]),
            id: NodeId([4; 32]),
            issued: 1_000_000,
            valid_hours: 6,
            roles: Roles {
                relay: true,
                storage: true,
            },
            capacity: 3,
            addresses,
        }
    }

    #[test]
    fn a_descriptor_round_trips_and_fits() {
        let all =
            ["127.0.0.1:1", "[::1]:65535", "[::2]:1", "[::3]:2"].map(|text| text.parse().unwrap());
        let descriptor = descriptor(all.to_vec());
        let bytes = descriptor.sign(&NETWORK, &key());
        assert!(bytes.len() <= DESCRIPTOR_MAX);
        assert_eq!(
            Descriptor::open(&bytes, &NETWORK, &RealProvider),
            Ok(descriptor)
        );
    }

    #[test]
    fn a_descriptor_of_another_network_is_refused() {
        let bytes = descriptor(vec![]).sign(&NETWORK, &key());
        assert_eq!(
            Descriptor::open(&bytes, &NetworkId([8; 32]), &RealProvider),
            Err(WireError::Invalid)
        );
    }

    #[test]
    fn validity_has_two_ends() {
        let descriptor = descriptor(vec![]);
        assert!(descriptor.is_valid(Time::from_secs(1_000_000)));
        assert!(descriptor.is_valid(Time::from_secs(1_000_000 + 6 * 3600 - 1)));
        assert!(!descriptor.is_valid(Time::from_secs(1_000_000 + 6 * 3600)));
        assert!(!descriptor.is_valid(Time::from_secs(1_000_000 - SKEW_SECS - 1)));
    }

    proptest! {
        #[test]
        fn any_change_of_a_byte_is_refused(at in any::<prop::sample::Index>(), change in 1u8..) {
            let mut bytes = descriptor(vec!["10.0.0.1:9".parse().unwrap()]).sign(&NETWORK, &key());
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            prop_assert!(Descriptor::open(&bytes, &NETWORK, &RealProvider).is_err());
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Descriptor::decode(&bytes);
        }
    }
}
