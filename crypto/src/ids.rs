//! Names and public keys: 32 bytes each, every kind its own type.
//!
//! Promises: kinds cannot be confused; `Debug` never shows the bytes; locations and extent ids are computed as
//! the protocol says, so that a storer can check them.
//!
//! Does not know: which ids exist, or where what they name is kept.

use crate::hash::hash;
use crate::labels;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident[$len:literal];)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(pub [u8; $len]);

            impl $name {
                /// The bytes, as they appear on the wire.
                #[must_use]
                pub const fn as_bytes(&self) -> &[u8; $len] {
                    &self.0
                }
            }

            /// Shows the kind, never the bytes: ids end up in logs by way of `Debug`.
            impl core::fmt::Debug for $name {
                fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    f.write_str(concat!(stringify!($name), "(..)"))
                }
            }
        )*
    };
}

ids! {
    /// A node, on one network: costly to choose (see `node_id`).
    NodeId[32];
    /// A spot in the id space; the nodes nearest to it store what belongs there.
    Location[32];
    /// A run of sibling chunks.
    ExtentId[32];
    /// The name of a chunk: BLAKE2b-256 of its ciphertext (ERIS 1.0).
    Reference[32];
    /// A network: the hash of its parameters and secret.
    NetworkId[32];
    /// X25519: a node's static key on links.
    LinkPublic[32];
    /// X25519: a node's daily key for sessions and circuits.
    OnionPublic[32];
    /// Ed25519: a node's identity.
    IdentityPublic[32];
    /// Ed25519 signature.
    Signature[64];
}

impl Location {
    /// Where placement `i` of an extent belongs.
    #[must_use]
    pub fn of_extent(network: &NetworkId, extent: &ExtentId, i: u8) -> Self {
        Self(hash(
            labels::EXTENT_LOCATION,
            &[&network.0, &extent.0, &[i]],
        ))
    }

    /// Where placement `i` of a term's entries belongs: derived from the term's public write key, which every entry
    /// shows, so a storer can check it without knowing the term.
    #[must_use]
    pub fn of_entry(network: &NetworkId, write_key: &[u8; 32], i: u8) -> Self {
        Self(hash(labels::ENTRY_LOCATION, &[&network.0, write_key, &[i]]))
    }
}

impl ExtentId {
    /// The id of the extent that consists of these chunks in this order.
    #[must_use]
    pub fn of(references: &[Reference]) -> Self {
        let parts: Vec<&[u8]> = references
            .iter()
            .map(|reference| reference.0.as_slice())
            .collect();
        Self(hash(labels::EXTENT_ID, &parts))
    }
}

/// How far two points of the id space are from each other: XOR, to be compared as a big-endian number
/// (which is how arrays compare).
#[must_use]
pub fn distance(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    core::array::from_fn(|i| a[i] ^ b[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    #[test]
    fn debug_shows_the_kind_and_no_byte() {
        assert_eq!(format!("{:?}", NodeId([0xAB; 32])), "NodeId(..)");
        assert_eq!(format!("{:?}", Signature([0xAB; 64])), "Signature(..)");
    }

    #[test]
    fn locations_and_extent_ids_have_fixed_bytes() {
        let extent = ExtentId::of(&[Reference([1; 32]), Reference([2; 32])]);
        assert_eq!(
            HEXLOWER.encode(&extent.0),
            "8ce9306a69241dfd48ffef4f4937135a35f5d17fd145ec0404c9eeb86983581e"
        );
        let network = NetworkId([3; 32]);
        assert_eq!(
            HEXLOWER.encode(&Location::of_extent(&network, &extent, 1).0),
            "890a4e2ecde7a3b793d24be86f20a42c9d298d1035cd4126beb1e09d20683ab2"
        );
        assert_eq!(
            HEXLOWER.encode(&Location::of_entry(&network, &[4; 32], 1).0),
            "2e22322fedb297575477cd260a7187d77d6f4874ec793335c4f9ce6b09493a65"
        );
    }

    #[test]
    fn locations_differ_by_network_content_placement_and_kind() {
        let (network, extent) = (NetworkId([3; 32]), ExtentId([4; 32]));
        let base = Location::of_extent(&network, &extent, 0);
        assert_ne!(base, Location::of_extent(&NetworkId([9; 32]), &extent, 0));
        assert_ne!(base, Location::of_extent(&network, &ExtentId([9; 32]), 0));
        assert_ne!(base, Location::of_extent(&network, &extent, 1));
        assert_ne!(base, Location::of_entry(&network, &extent.0, 0));
    }

    #[test]
    fn extent_id_depends_on_order_and_count() {
        let (a, b) = (Reference([1; 32]), Reference([2; 32]));
        assert_ne!(ExtentId::of(&[a, b]), ExtentId::of(&[b, a]));
        assert_ne!(ExtentId::of(&[a]), ExtentId::of(&[a, a]));
    }

    proptest! {
        #[test]
        fn distance_is_a_metric(a: [u8; 32], b: [u8; 32], c: [u8; 32]) {
            prop_assert_eq!(distance(&a, &a), [0; 32]);
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&distance(&a, &b), &distance(&b, &c)), distance(&a, &c));
        }
    }
}
