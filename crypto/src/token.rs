//! Keyword tokens: what knowing a word means in keys.
//!
//! Promises: whoever knows a term derives the same keys on the same network as everyone else, and other keys on any other
//! network; trying a word costs what the network file says (about 100 ms and 64 MiB on the public one), so that words can
//! be guessed but not listed. The keys erase themselves and cannot be printed.
//! Does not know: how text becomes terms, or what is sealed under them.
//!
//! Argon2id over the term (salt: a hash of the network id) gives one secret; labels split it into the key that seals
//! entries and the Ed25519 key that writes them. The public half of the write key is shown on every entry and gives its
//! locations ([`Location::of_entry`](crate::ids::Location::of_entry)), so a storer can check both without the word.

use crate::hash::{derive, hash};
use crate::ids::NetworkId;
use crate::keys::IdentityKey;
use crate::labels;
use crate::network::Network;
use crate::secret::Secret;
use crate::terms::Term;

/// The keys of one term on one network.
pub struct KeywordToken {
    network: NetworkId,
    sealing: Secret<32>,
    write: Secret<32>,
    write_public: [u8; 32],
}

impl KeywordToken {
    /// Computes the keys of a term. Slow on purpose: not for a thread that others wait for.
    #[must_use]
    pub fn derive(network: &Network, term: &Term) -> Self {
        let id = network.id();
        let salt = hash(labels::KEYWORD_SALT, &[id.as_bytes()]);
        let root = network
            .params
            .keyword_cost
            .stretch(term.as_str().as_bytes(), &salt);
        let write = derive(labels::KEYWORD_WRITE, &root, &[]);
        Self {
            network: id,
            sealing: derive(labels::KEYWORD_SEALING, &root, &[]),
            write_public: IdentityKey::from_secret(&write).public().0,
            write,
        }
    }

    /// The public write key, from which the locations of the term's entries derive: what a query shows to a storer.
    #[must_use]
    pub const fn location_key(&self) -> [u8; 32] {
        self.write_public
    }

    /// The network it belongs to.
    #[must_use]
    pub const fn network(&self) -> NetworkId {
        self.network
    }

    /// Seals and opens the term's entries.
    #[must_use]
    pub const fn sealing_key(&self) -> &Secret<32> {
        &self.sealing
    }

    /// Signs the term's entries. Everyone who knows the word has it: it keeps out those who do not.
    #[must_use]
    pub fn write_key(&self) -> IdentityKey {
        IdentityKey::from_secret(&self.write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::ENTRY;
    use data_encoding::HEXLOWER;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn network(name: &str, secret: u8) -> Network {
        let params = crate::network::Params::local();
        Network::new(name, params, Some(Secret::from_bytes([secret; 32]))).unwrap()
    }

    fn term(text: &str) -> Term {
        Term::parse(text).unwrap()
    }

    #[test]
    fn a_token_has_fixed_bytes() {
        // Computed a second time by a program of its own, from the description above.
        let token = KeywordToken::derive(&network("test", 7), &term("東京"));
        assert_eq!(
            HEXLOWER.encode(&token.location_key()),
            "5fbeb247621a2f46f0e99864fbc5816a0c4683e57817ddae615d3473e0392d0c"
        );
        assert_eq!(
            HEXLOWER.encode(token.sealing_key().expose()),
            "932ab4255a5b3d68d82e32a0f90570f690d98f76f89d2cbcd3f9e903fced9cd7"
        );
    }

    #[test]
    fn the_same_word_gives_the_same_keys_on_the_same_network_only() {
        let token = KeywordToken::derive(&network("test", 7), &term("oboro"));
        let again = KeywordToken::derive(&network("test", 7), &term("oboro"));
        assert_eq!(token.location_key(), again.location_key());
        assert!(token.sealing_key().matches(again.sealing_key()));
        let others = [
            KeywordToken::derive(&network("test", 7), &term("oborp")),
            KeywordToken::derive(&network("tests", 7), &term("oboro")),
            KeywordToken::derive(&network("test", 8), &term("oboro")),
        ];
        for other in others {
            assert_ne!(token.location_key(), other.location_key());
            assert!(!token.sealing_key().matches(other.sealing_key()));
        }
    }

    #[test]
    fn the_write_key_signs_for_the_location_key() {
        let network = Network::private("test", true, &mut ChaCha20Rng::from_seed([1; 32])).unwrap();
        let token = KeywordToken::derive(&network, &term("oboro"));
        let signature = token.write_key().sign(ENTRY, &[b"entry"]);
        assert!(crate::ids::IdentityPublic(token.location_key()).verify(
            ENTRY,
            &[b"entry"],
            &signature
        ));
        assert_eq!(token.network(), network.id());
    }
}
