//! A node's keys: identity (Ed25519, RFC 8032), link and onion (X25519, RFC 7748). Never one key for two jobs.
//!
//! Promises: private halves are secrets that cannot be printed or cloned; a signature covers its purpose's label;
//! verification is strict, so a signature that one node accepts every node accepts.
//!
//! Does not know: where keys are kept (`keyfile`), or what day it is.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use rand_core::CryptoRngCore;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::hash::hash;
use crate::ids::{IdentityPublic, LinkPublic, OnionPublic, Signature};
use crate::labels::Label;
use crate::secret::Secret;

/// The key a node is known by.
pub struct IdentityKey(SigningKey);

impl IdentityKey {
    /// A fresh key.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRngCore) -> Self {
        Self::from_secret(&Secret::random(rng))
    }

    /// The key that belongs to a secret seed.
    #[must_use]
    pub fn from_secret(seed: &Secret<32>) -> Self {
        Self(SigningKey::from_bytes(seed.expose()))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> IdentityPublic {
        IdentityPublic(self.0.verifying_key().to_bytes())
    }

    /// Signs `parts` for the purpose `label`.
    #[must_use]
    pub fn sign(&self, label: Label, parts: &[&[u8]]) -> Signature {
        Signature(self.0.sign(&hash(label, parts)).to_bytes())
    }

    pub(crate) fn secret(&self) -> Secret<32> {
        Secret::from_bytes(self.0.to_bytes())
    }
}

impl IdentityPublic {
    /// Whether the holder of this key signed exactly `parts` for the purpose `label`.
    /// Keys and nonce points of small order are refused.
    #[must_use]
    pub fn verify(&self, label: Label, parts: &[&[u8]], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(&hash(label, parts), &signature).is_ok())
    }
}

macro_rules! agreement_keys {
    ($($(#[$doc:meta])* $name:ident => $public:ident;)*) => {
        $(
            $(#[$doc])*
            pub struct $name {
                secret: Secret<32>,
                public: $public,
            }

            impl $name {
                /// A fresh key.
                #[must_use]
                pub fn generate(rng: &mut dyn CryptoRngCore) -> Self {
                    Self::from_secret(Secret::random(rng))
                }

                /// The public half.
                #[must_use]
                pub fn public(&self) -> $public {
                    self.public
                }

                pub(crate) fn from_secret(secret: Secret<32>) -> Self {
                    let public = $public(x25519_public(&secret));
                    Self { secret, public }
                }

                pub(crate) fn secret(&self) -> &Secret<32> {
                    &self.secret
                }
            }
        )*
    };
}

agreement_keys! {
    /// The key a node has on its links, for as long as it lives.
    LinkKey => LinkPublic;
    /// The key a node has on circuits and sessions, for a day.
    OnionKey => OnionPublic;
}

fn x25519_public(secret: &Secret<32>) -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(*secret.expose())).to_bytes()
}

/// Everything a node must keep to stay the same node.
pub struct NodeKeys {
    /// Who it is.
    pub identity: IdentityKey,
    /// How its neighbours reach it.
    pub link: LinkKey,
    /// Today's onion key.
    pub onion: OnionKey,
    /// Yesterday's, still accepted.
    pub onion_previous: Option<OnionKey>,
    /// The day `onion` was made, counted from 1970-01-01 UTC.
    pub onion_day: u32,
    /// Seals what it stores for others.
    pub store: Secret<32>,
    /// Seals the state of its own user.
    pub state: Secret<32>,
}

impl NodeKeys {
    /// The keys of a new node.
    #[must_use]
    pub fn generate(day: u32, rng: &mut dyn CryptoRngCore) -> Self {
        Self {
            identity: IdentityKey::generate(rng),
            link: LinkKey::generate(rng),
            onion: OnionKey::generate(rng),
            onion_previous: None,
            onion_day: day,
            store: Secret::random(rng),
            state: Secret::random(rng),
        }
    }

    /// Makes a new onion key if it is time to; says whether it did. Yesterday's key stays, an older one goes.
    ///
    /// A clock set back by one day changes nothing; one set back further means that it was wrong before, and waiting
    /// for the day to come round again would leave the key unrotated: it is replaced.
    pub fn rotate_onion(&mut self, day: u32, rng: &mut dyn CryptoRngCore) -> bool {
        if day == self.onion_day || day.checked_add(1) == Some(self.onion_day) {
            return false;
        }
        let fresh_enough = day < self.onion_day || day - self.onion_day == 1;
        let old = core::mem::replace(&mut self.onion, OnionKey::generate(rng));
        self.onion_previous = fresh_enough.then_some(old);
        self.onion_day = day;
        true
    }

    /// The onion keys in use, today's first.
    #[must_use]
    pub fn onion_keys(&self) -> Vec<&OnionKey> {
        core::iter::once(&self.onion)
            .chain(&self.onion_previous)
            .collect()
    }

    /// A second copy, made on purpose.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let onion = |key: &OnionKey| OnionKey {
            secret: key.secret.duplicate(),
            public: key.public,
        };
        Self {
            identity: IdentityKey(self.identity.0.clone()),
            link: LinkKey {
                secret: self.link.secret.duplicate(),
                public: self.link.public,
            },
            onion: onion(&self.onion),
            onion_previous: self.onion_previous.as_ref().map(onion),
            onion_day: self.onion_day,
            store: self.store.duplicate(),
            state: self.state.duplicate(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::{DESCRIPTOR, RECEIPT};
    use data_encoding::HEXLOWER;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([1; 32])
    }

    fn bytes(hex: &str) -> [u8; 32] {
        HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    #[test]
    fn public_keys_are_those_of_the_rfcs() {
        // RFC 7748 section 6.1, Bob
        let key = LinkKey::from_secret(Secret::from_bytes(bytes(
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        )));
        assert_eq!(
            key.public(),
            LinkPublic(bytes(
                "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
            ))
        );
        // RFC 8032 section 7.1, test 1
        let key = IdentityKey::from_secret(&Secret::from_bytes(bytes(
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        )));
        assert_eq!(
            key.public(),
            IdentityPublic(bytes(
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
            ))
        );
    }

    #[test]
    fn a_signature_holds_for_its_key_its_label_and_its_parts_only() {
        let (key, other) = (
            IdentityKey::generate(&mut rng()),
            IdentityKey::from_secret(&Secret::from_bytes([2; 32])),
        );
        let signature = key.sign(DESCRIPTOR, &[b"a", b"b"]);
        assert!(key.public().verify(DESCRIPTOR, &[b"a", b"b"], &signature));
        assert!(!other.public().verify(DESCRIPTOR, &[b"a", b"b"], &signature));
        assert!(!key.public().verify(RECEIPT, &[b"a", b"b"], &signature));
        assert!(!key.public().verify(DESCRIPTOR, &[b"ab"], &signature));
        for place in 0..64 {
            let mut damaged = signature;
            damaged.0[place] ^= 1;
            assert!(
                !key.public().verify(DESCRIPTOR, &[b"a", b"b"], &damaged),
                "byte {place}"
            );
        }
    }

    #[test]
    fn a_key_of_small_order_verifies_nothing() {
        // With the identity point as key and as nonce point and s = 0, the plain equation holds for every message.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = Signature([0; 64]);
        signature.0[0] = 1;
        assert!(!IdentityPublic(identity).verify(DESCRIPTOR, &[b"anything"], &signature));
    }

    #[test]
    fn the_onion_key_rotates_once_a_day_and_yesterdays_stays() {
        let mut keys = NodeKeys::generate(100, &mut rng());
        let first = keys.onion.public();
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        assert!(!keys.rotate_onion(100, &mut rng));
        assert_eq!(keys.onion.public(), first);
        assert!(keys.rotate_onion(101, &mut rng));
        assert!(!keys.rotate_onion(101, &mut rng));
        let publics: Vec<_> = keys.onion_keys().iter().map(|key| key.public()).collect();
        assert_eq!(publics.len(), 2);
        assert_ne!(publics[0], first);
        assert_eq!(publics[1], first);
    }

    #[test]
    fn a_key_older_than_yesterday_goes() {
        let mut keys = NodeKeys::generate(100, &mut rng());
        assert!(keys.rotate_onion(102, &mut rng()));
        assert!(keys.onion_previous.is_none());
    }

    #[test]
    fn a_clock_set_back_a_day_changes_nothing_and_further_replaces_the_key() {
        let mut keys = NodeKeys::generate(100, &mut rng());
        assert!(!keys.rotate_onion(99, &mut rng()));
        assert!(keys.rotate_onion(50, &mut rng()));
        assert_eq!(keys.onion_day, 50);
        assert!(keys.onion_previous.is_some());
        assert!(keys.rotate_onion(u32::MAX, &mut rng()));
    }

    #[test]
    fn a_duplicate_is_the_same_node() {
        let mut keys = NodeKeys::generate(100, &mut rng());
        keys.rotate_onion(101, &mut rng());
        let copy = keys.duplicate();
        assert_eq!(copy.identity.public(), keys.identity.public());
        assert_eq!(copy.link.public(), keys.link.public());
        assert_eq!(copy.onion.public(), keys.onion.public());
        assert_eq!(
            copy.onion_previous.map(|key| key.public()),
            keys.onion_previous.map(|key| key.public())
        );
        assert_eq!(copy.onion_day, keys.onion_day);
        assert!(copy.store.matches(&keys.store) && copy.state.matches(&keys.state));
        assert!(!copy.store.matches(&copy.state));
    }
}
