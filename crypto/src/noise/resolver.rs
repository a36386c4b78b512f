//! What snow computes with: our chance, our agreement, our AEAD; the hash is snow's own.
//!
//! Promises: keys are wiped where snow would leave them, and agreements that come to zero are refused. (What snow itself
//! holds, its chaining key and pre-shared keys, it does not wipe; it is dropped as soon as the handshake ends.)
//!
//! Does not know: patterns, messages, who is who.

use std::cell::Cell;

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::aead::{Aead, Backend, TAG_LEN};
use crate::secret::Secret;

/// Gives snow our chance, our agreement and our AEAD; the hash is snow's own.
pub(super) struct Resolver {
    draw: Cell<Option<Draw>>,
    backend: Backend,
}

impl Resolver {
    /// One handshake's means; `ephemeral` is the only key it will draw.
    pub(super) fn new(backend: Backend, ephemeral: Secret<32>) -> Self {
        Self {
            draw: Cell::new(Some(Draw(Some(ephemeral)))),
            backend,
        }
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        self.draw
            .take()
            .map(|draw| Box::new(draw) as Box<dyn Random>)
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        match choice {
            DHChoice::Curve25519 => Some(Box::<X25519>::default()),
            _ => None,
        }
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        match choice {
            CipherChoice::ChaChaPoly => Some(Box::new(ChaChaPoly {
                backend: self.backend,
                aead: None,
            })),
            _ => None,
        }
    }
}

/// What a handshake may draw: one ephemeral key, taken from the caller's generator beforehand.
struct Draw(Option<Secret<32>>);

impl Random for Draw {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        let bytes = self.0.take().ok_or(snow::Error::Rng)?;
        let dest: &mut [u8; 32] = dest.try_into().map_err(|_| snow::Error::Rng)?;
        dest.copy_from_slice(bytes.expose());
        Ok(())
    }
}

/// X25519 (RFC 7748) that wipes its key and refuses agreements of zero (section 6.1).
#[derive(Default)]
struct X25519 {
    secret: Option<StaticSecret>,
    public: [u8; 32],
}

impl X25519 {
    fn hold(&mut self, key: Zeroizing<[u8; 32]>) {
        let secret = StaticSecret::from(*key);
        self.public = PublicKey::from(&secret).to_bytes();
        self.secret = Some(secret);
    }
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, privkey: &[u8]) {
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(privkey);
        self.hold(key);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        let mut key = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(key.as_mut_slice())?;
        self.hold(key);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.secret
            .as_ref()
            .map(|secret| secret.as_bytes().as_slice())
            .unwrap_or_default()
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let public: [u8; 32] = *pubkey.first_chunk().ok_or(snow::Error::Dh)?;
        let secret = self.secret.as_ref().ok_or(snow::Error::Dh)?;
        let shared = secret.diffie_hellman(&PublicKey::from(public));
        let out = out.first_chunk_mut().ok_or(snow::Error::Dh)?;
        if !shared.was_contributory() {
            return Err(snow::Error::Dh);
        }
        *out = *shared.as_bytes();
        Ok(())
    }
}

struct ChaChaPoly {
    backend: Backend,
    aead: Option<Aead>,
}

impl ChaChaPoly {
    /// Noise, section 12.3: 32 zero bits, then the count.
    fn nonce(count: u64) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&count.to_le_bytes());
        nonce
    }
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.aead = Some(Aead::with_backend(self.backend, key));
    }

    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let aead = self
            .aead
            .as_ref()
            .expect("snow sets a key before it encrypts");
        let (body, tail) = out.split_at_mut(plaintext.len());
        body.copy_from_slice(plaintext);
        tail[..TAG_LEN].copy_from_slice(&aead.seal_in_place(&Self::nonce(nonce), authtext, body));
        plaintext.len() + TAG_LEN
    }

    fn decrypt(
        &self,
        nonce: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let (body, tag) = ciphertext.split_last_chunk().ok_or(snow::Error::Decrypt)?;
        let out = out.get_mut(..body.len()).ok_or(snow::Error::Decrypt)?;
        let aead = self.aead.as_ref().ok_or(snow::Error::Decrypt)?;
        out.copy_from_slice(body);
        aead.open_in_place(&Self::nonce(nonce), authtext, out, tag)
            .map_err(|_| snow::Error::Decrypt)?;
        Ok(body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_draws_one_key_and_no_more() {
        let mut draw = Draw(Some(Secret::from_bytes([1; 32])));
        let mut out = [0; 32];
        assert!(draw.try_fill_bytes(&mut out).is_ok());
        assert_eq!(out, [1; 32]);
        assert!(draw.try_fill_bytes(&mut out).is_err());
    }

    #[test]
    fn an_agreement_that_comes_to_zero_is_refused() {
        let mut ours = X25519::default();
        ours.set(&[7; 32]);
        let mut out = [0; 56];
        assert!(ours.dh(&[0; 32], &mut out).is_err());
        assert!(ours.dh(&[9; 32], &mut out).is_ok());
        assert_ne!(out[..32], [0; 32]);
        assert!(ours.dh(&[9; 31], &mut out).is_err());
    }
}
