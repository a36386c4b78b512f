//! A network as bytes: what its id is the hash of, and what an invite carries.
//!
//! Layout, integers little-endian: version u8, length of the name u8, name, hops u8, replicas u8, chunk u32, cost of an
//! id 3 × u32, cost of a keyword 3 × u32, put work u8, entry work u8, entry days u16, local u8, secret? u8, secret.
//!
//! Promises: one network, one encoding; a decoder that reads every byte and no more.
//!
//! Does not know: how bytes travel. They hold the secret: whoever carries them keeps them.

use super::{Cost, NAME_MAX, Network, NetworkError, Params};
use crate::secret::Secret;

const VERSION: u8 = 1;

/// Most bytes a network takes.
pub const ENCODED_MAX: usize = 2 + NAME_MAX + 2 + 4 + 12 + 12 + 2 + 2 + 1 + 1 + 32;

const _: () = assert!(ENCODED_MAX <= 256, "an invite is one line");

impl Network {
    /// The canonical bytes, secret included; at most 256.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let p = &self.params;
        let mut out = Vec::with_capacity(ENCODED_MAX);
        // A name is at most NAME_MAX bytes; one made longer by hand is cut, and so is another network.
        let name = &self.name.as_bytes()[..self.name.len().min(NAME_MAX)];
        out.extend([VERSION, name.len() as u8]);
        out.extend(name);
        out.extend([p.hops, p.replicas]);
        out.extend(p.chunk.to_le_bytes());
        for cost in [p.id_cost, p.keyword_cost] {
            for part in [cost.memory_kib, cost.passes, cost.lanes] {
                out.extend(part.to_le_bytes());
            }
        }
        out.extend([p.put_work, p.entry_work]);
        out.extend(p.entry_days.to_le_bytes());
        out.extend([u8::from(p.local), u8::from(self.secret.is_some())]);
        if let Some(secret) = &self.secret {
            out.extend(secret.expose());
        }
        out
    }

    /// The network that encodes to exactly these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NetworkError> {
        let mut reader = Reader(bytes);
        let version = reader.u8()?;
        if version != VERSION {
            return Err(if version > VERSION {
                NetworkError::NewerVersion(version.into())
            } else {
                NetworkError::Damaged
            });
        }
        let name_len = reader.u8()?;
        let name =
            core::str::from_utf8(reader.take(name_len.into())?).map_err(|_| NetworkError::Name)?;
        let params = Params {
            hops: reader.u8()?,
            replicas: reader.u8()?,
            chunk: reader.u32()?,
            id_cost: reader.cost()?,
            keyword_cost: reader.cost()?,
            put_work: reader.u8()?,
            entry_work: reader.u8()?,
            entry_days: u16::from_le_bytes(reader.array()?),
            local: reader.flag()?,
        };
        let secret = if reader.flag()? {
            Some(Secret::from_bytes(reader.array()?))
        } else {
            None
        };
        if !reader.0.is_empty() {
            return Err(NetworkError::Damaged);
        }
        Self::new(name, params, secret)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], NetworkError> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(NetworkError::Damaged)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NetworkError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(NetworkError::Damaged)?;
        self.0 = tail;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, NetworkError> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, NetworkError> {
        self.array().map(u32::from_le_bytes)
    }

    fn flag(&mut self) -> Result<bool, NetworkError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(NetworkError::Damaged),
        }
    }

    fn cost(&mut self) -> Result<Cost, NetworkError> {
        Ok(Cost {
            memory_kib: self.u32()?,
            passes: self.u32()?,
            lanes: self.u32()?,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    pub(crate) fn any_network() -> impl Strategy<Value = Network> {
        let cost = || (32u32..=1 << 20, 1u32..=16, 1u32..=4);
        let cost = move || {
            cost().prop_map(|(memory_kib, passes, lanes)| Cost {
                memory_kib,
                passes,
                lanes,
            })
        };
        let small = (
            3u8..=3,
            1u8..=16,
            0u8..=32,
            0u8..=32,
            1u16..=365,
            any::<bool>(),
        );
        let params = (small, cost(), cost()).prop_map(
            |((hops, replicas, put_work, entry_work, entry_days, local), id_cost, keyword_cost)| {
                Params {
                    hops,
                    replicas,
                    chunk: super::super::CHUNK_BYTES,
                    id_cost,
                    keyword_cost,
                    put_work,
                    entry_work,
                    entry_days,
                    local,
                }
            },
        );
        ("[a-z友 ]{0,18}x", params, any::<Option<[u8; 32]>>()).prop_map(|(name, params, secret)| {
            Network::new(name.trim(), params, secret.map(Secret::from_bytes)).unwrap()
        })
    }

    #[test]
    fn the_public_network_has_fixed_bytes_and_a_fixed_id() {
        let network = Network::public();
        assert_eq!(
            HEXLOWER.encode(&network.encode()),
            "01056f626f726f0304008000000000010003000000010000000000010001000000010000000a101e000000"
        );
        assert_eq!(
            HEXLOWER.encode(network.id().as_bytes()),
            "41851ec3b73bea65ac120a475f58fe17254b9644eeeeadefc3520607bb55864a"
        );
    }

    #[test]
    fn an_unknown_version_is_told_from_damage() {
        let mut bytes = Network::public().encode();
        bytes[0] = 2;
        assert_eq!(
            Network::decode(&bytes).err(),
            Some(NetworkError::NewerVersion(2))
        );
        bytes[0] = 0;
        assert_eq!(Network::decode(&bytes).err(), Some(NetworkError::Damaged));
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_the_same(network in any_network()) {
            let bytes = network.encode();
            prop_assert!(bytes.len() <= ENCODED_MAX);
            let back = Network::decode(&bytes).unwrap();
            prop_assert_eq!(back.id(), network.id());
            prop_assert_eq!((&back.name, back.params), (&network.name, network.params));
            prop_assert_eq!(back.secret().map(Secret::expose), network.secret().map(Secret::expose));
        }

        #[test]
        fn shortened_or_extended_bytes_are_refused(network in any_network(), cut in 1usize..200, more in 1usize..9) {
            let mut bytes = network.encode();
            let cut = bytes.len().saturating_sub(cut);
            prop_assert!(Network::decode(&bytes[..cut]).is_err());
            bytes.resize(bytes.len() + more, 0);
            prop_assert!(Network::decode(&bytes).is_err());
        }

        #[test]
        fn changed_bytes_are_refused_or_make_another_network(network in any_network(), at: prop::sample::Index, change in 1u8..) {
            let mut bytes = network.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            if let Ok(other) = Network::decode(&bytes) {
                prop_assert_ne!(other.id(), network.id());
                prop_assert_eq!(other.encode(), bytes);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(network) = Network::decode(&bytes) {
                prop_assert_eq!(network.encode(), bytes);
            }
        }
    }
}
