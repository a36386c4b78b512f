//! Keys at rest: blinded names, sealed values, sealed slot headers, sealed small files.
//!
//! Promises: every key is derived from the store key for one purpose; every nonce is drawn fresh; what was sealed for one
//! place does not open at another.
//!
//! Does not know: what is sealed, or where it lies.

use std::io;

use oboro_crypto::aead::{xopen, xseal};
use oboro_crypto::hash::{derive, hash, keyed};
use oboro_crypto::{Label, Secret, labels};
use zeroize::Zeroizing;

use crate::error::CacheError;

/// Bytes a sealed value is longer than its plaintext: a nonce before it, a tag behind it.
pub(crate) const SEAL_OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// Bytes of a tag, the last of every sealed value.
pub(crate) const TAG_LEN: usize = 16;

/// Bytes of a blinded name: too many for two names ever to meet, few enough for a database that should stay small.
pub(crate) const BLIND_LEN: usize = 16;

const NONCE_LEN: usize = 24;

/// A name nobody can relate to what it stands for without the store key.
pub(crate) type Blind = [u8; BLIND_LEN];

/// Where something sealed belongs. Each has a key of its own.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// A database value, under its (blinded) key.
    Value(&'a [u8]),
    /// The header of a slot: class and number.
    Header(u8, u32),
    /// A small file, by name.
    File(&'a str),
}

/// The derived keys of one cache.
pub(crate) struct Sealing {
    blind: Secret<32>,
    value: Secret<32>,
    slot: Secret<32>,
    file: Secret<32>,
    check: [u8; 32],
}

impl Sealing {
    /// Derives all keys.
    pub(crate) fn new(store_key: &Secret<32>) -> Self {
        let of = |label: Label| derive(label, store_key, &[]);
        Self {
            blind: of(labels::STORE_BLIND),
            value: of(labels::STORE_VALUE),
            slot: of(labels::STORE_SLOT),
            file: of(labels::STORE_FILE),
            check: keyed(labels::STORE_CHECK, store_key.expose(), &[]),
        }
    }

    /// The blinded name of `parts`.
    pub(crate) fn blind(&self, parts: &[&[u8]]) -> Blind {
        first_16(&keyed(labels::STORE_BLIND, self.blind.expose(), parts))
    }

    /// Says which key this is without saying the key.
    pub(crate) fn check(&self) -> Blind {
        first_16(&self.check)
    }

    /// Seals `plain` for `place`: nonce, ciphertext, tag.
    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, CacheError> {
        let nonce = random()?;
        let mut sealed = Vec::with_capacity(plain.len() + SEAL_OVERHEAD);
        sealed.extend_from_slice(&nonce);
        sealed.extend(xseal(self.key(place), &nonce, &associated(place), plain));
        Ok(sealed)
    }

    /// Opens what [`Self::seal`] sealed for the same place; `None` if it is anything else.
    pub(crate) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk()?;
        let plain = xopen(self.key(place), nonce, &associated(place), rest).ok()?;
        Some(Zeroizing::new(plain))
    }

    fn key(&self, place: Place<'_>) -> &Secret<32> {
        match place {
            Place::Value(_) => &self.value,
            Place::Header(..) => &self.slot,
            Place::File(_) => &self.file,
        }
    }
}

/// A checksum that needs no key, against accidents only.
pub(crate) fn checksum(bytes: &[u8]) -> Blind {
    first_16(&hash(labels::STORE_CHECK, &[bytes]))
}

/// Fresh bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], CacheError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| CacheError::Io {
        what: "draw random bytes",
        source: io::Error::other(error.to_string()),
    })?;
    Ok(bytes)
}

fn associated(place: Place<'_>) -> Vec<u8> {
    match place {
        Place::Value(key) => key.to_vec(),
        Place::Header(class, slot) => {
            let mut bytes = vec![class];
            bytes.extend_from_slice(&slot.to_be_bytes());
            bytes
        }
        Place::File(name) => name.as_bytes().to_vec(),
    }
}

fn first_16(digest: &[u8; 32]) -> Blind {
    core::array::from_fn(|i| digest[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealing(key: u8) -> Sealing {
        Sealing::new(&Secret::from_bytes([key; 32]))
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_under_its_key_and_nowhere_else() {
        let ours = sealing(1);
        let sealed = ours.seal(Place::Header(1, 7), b"plain").expect("sealed");
        assert_eq!(sealed.len(), 5 + SEAL_OVERHEAD);
        let open = |s: &Sealing, place| s.open(place, &sealed).map(|p| p.to_vec());
        assert_eq!(open(&ours, Place::Header(1, 7)), Some(b"plain".to_vec()));
        assert_eq!(open(&ours, Place::Header(1, 8)), None);
        assert_eq!(open(&ours, Place::Header(2, 7)), None);
        assert_eq!(open(&ours, Place::Value(&[1, 0, 0, 0, 7])), None);
        assert_eq!(open(&sealing(2), Place::Header(1, 7)), None);
        assert_eq!(ours.open(Place::Header(1, 7), &sealed[..20]), None);
    }

    #[test]
    fn the_same_plaintext_is_never_sealed_the_same_way() {
        let ours = sealing(1);
        let seal = || ours.seal(Place::File("f"), b"plain").expect("sealed");
        assert_ne!(seal(), seal());
    }

    #[test]
    fn blinded_names_depend_on_the_key_and_on_every_boundary() {
        let ours = sealing(1);
        assert_eq!(ours.blind(&[b"a", b"b"]), ours.blind(&[b"a", b"b"]));
        assert_ne!(ours.blind(&[b"a", b"b"]), ours.blind(&[b"ab"]));
        assert_ne!(ours.blind(&[b"a", b"b"]), sealing(2).blind(&[b"a", b"b"]));
        assert_ne!(ours.check(), sealing(2).check());
    }
}
