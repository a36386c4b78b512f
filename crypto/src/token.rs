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
//!
//! The parity of a content lies under a token too, which whoever has the content's capability derives, and nobody else
//! ([`KeywordToken::of_parity`]). The capability's key cannot be guessed, so nothing costly is needed.

use crate::eris::Capability;
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
        Self::of_root(id, &root)
    }

    /// The keys under which the parity of a content is found: as those of a word, out of the capability's key.
    #[must_use]
    pub fn of_parity(network: &NetworkId, content: &Capability) -> Self {
        let key = Secret::from_bytes(*content.key.expose());
        let parts: [&[u8]; 2] = [network.as_bytes(), content.root.as_bytes()];
        Self::of_root(*network, &derive(labels::PARITY_TOKEN, &key, &parts))
    }

    fn of_root(network: NetworkId, root: &Secret<32>) -> Self {
        let write = derive(labels::KEYWORD_WRITE, root, &[]);
        Self {
            network,
            sealing: derive(labels::KEYWORD_SEALING, root, &[]),
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

    fn content(root: u8, key: u8) -> Capability {
        Capability {
            block_size: crate::eris::BlockSize::Large,
            level: 1,
            root: crate::ids::Reference([root; 32]),
            key: crate::eris::BlockKey::from_bytes([key; 32]),
        }
    }

    #[test]
    fn a_token_of_parity_has_fixed_bytes() {
        let id = network("test", 7).id();
        let token = KeywordToken::of_parity(&id, &content(1, 2));
        assert_eq!(
            HEXLOWER.encode(&token.location_key()),
            "0ab2a1c1dce5473278f0efa40766f8c4d6a813f46782aad1ae0cd916c150e353"
        );
    }

    #[test]
    fn only_the_same_capability_on_the_same_network_leads_to_the_parity() {
        let id = network("test", 7).id();
        let token = KeywordToken::of_parity(&id, &content(1, 2));
        assert_eq!(
            token.location_key(),
            KeywordToken::of_parity(&id, &content(1, 2)).location_key()
        );
        for other in [
            KeywordToken::of_parity(&id, &content(1, 3)),
            KeywordToken::of_parity(&id, &content(2, 2)),
            KeywordToken::of_parity(&network("test", 8).id(), &content(1, 2)),
        ] {
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
