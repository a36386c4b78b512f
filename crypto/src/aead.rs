//! ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305: the only file that names the AEAD crates.
//!
//! Promises: the fastest implementation built in (ring with feature `fast`, pure Rust without), both giving the same
//! bytes; what does not authenticate is never handed out, only `OpenError`.
//!
//! Does not know: nonces. Callers count them (records, slots) or draw them at random (the 24-byte ones).

use chacha20poly1305::aead::{Aead as _, AeadInPlace as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, XChaCha20Poly1305};

use crate::secret::Secret;

/// Bytes a sealed message is longer than its plaintext.
pub const TAG_LEN: usize = 16;

/// The bytes were not sealed with this key, nonce and associated data: someone else's fault, or a damaged disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("sealed bytes do not authenticate")]
pub struct OpenError;

/// Which implementation does the work. The bytes are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// ring: assembly, the fastest measured.
    #[cfg(feature = "fast")]
    Ring,
    /// RustCrypto: pure Rust, for static builds.
    Portable,
}

impl Backend {
    /// Every implementation built in, the fastest first.
    pub const ALL: &[Self] = &[
        #[cfg(feature = "fast")]
        Self::Ring,
        Self::Portable,
    ];

    /// The fastest built in.
    #[must_use]
    pub const fn fastest() -> Self {
        Self::ALL[0]
    }
}

/// ChaCha20-Poly1305 under one key.
pub struct Aead(Cipher);

enum Cipher {
    #[cfg(feature = "fast")]
    // Boxed: seventeen times the size of the other.
    Ring(Box<ring::aead::LessSafeKey>),
    Portable(ChaCha20Poly1305),
}

impl Aead {
    /// A cipher on the fastest implementation built in.
    #[must_use]
    pub fn new(key: &Secret<32>) -> Self {
        Self::with_backend(Backend::fastest(), key.expose())
    }

    /// A cipher on a chosen implementation.
    #[must_use]
    pub fn with_backend(backend: Backend, key: &[u8; 32]) -> Self {
        Self(match backend {
            #[cfg(feature = "fast")]
            Backend::Ring => Cipher::Ring(Box::new(ring_key(key))),
            Backend::Portable => Cipher::Portable(ChaCha20Poly1305::new(key.into())),
        })
    }

    /// Encrypts `buf` and returns its tag. A nonce must never repeat under one key.
    ///
    /// # Panics
    /// Over 256 GiB, where ChaCha20's block counter ends; no caller holds that much in one buffer.
    #[must_use]
    pub fn seal_in_place(&self, nonce: &[u8; 12], aad: &[u8], buf: &mut [u8]) -> [u8; TAG_LEN] {
        match &self.0 {
            #[cfg(feature = "fast")]
            Cipher::Ring(key) => {
                let nonce = ring::aead::Nonce::assume_unique_for_key(*nonce);
                let tag = key
                    .seal_in_place_separate_tag(nonce, ring::aead::Aad::from(aad), buf)
                    .expect(WITHIN_BLOCK_COUNTER);
                let mut out = [0; TAG_LEN];
                out.copy_from_slice(tag.as_ref());
                out
            }
            Cipher::Portable(key) => key
                .encrypt_in_place_detached(nonce.into(), aad, buf)
                .expect(WITHIN_BLOCK_COUNTER)
                .into(),
        }
    }

    /// Decrypts `buf` if it authenticates. If not, `buf` holds nothing of use and must not be read.
    pub fn open_in_place(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        buf: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), OpenError> {
        match &self.0 {
            #[cfg(feature = "fast")]
            Cipher::Ring(key) => {
                let nonce = ring::aead::Nonce::assume_unique_for_key(*nonce);
                let (aad, tag) = (ring::aead::Aad::from(aad), ring::aead::Tag::from(*tag));
                key.open_in_place_separate_tag(nonce, aad, tag, buf, 0..)
                    .map(drop)
                    .map_err(|_| OpenError)
            }
            Cipher::Portable(key) => key
                .decrypt_in_place_detached(nonce.into(), aad, buf, tag.into())
                .map_err(|_| OpenError),
        }
    }
}

/// Seals `plain` with XChaCha20-Poly1305; the nonce is long enough to be drawn at random.
///
/// # Panics
/// Over 256 GiB, as [`Aead::seal_in_place`].
#[must_use]
pub fn xseal(key: &Secret<32>, nonce: &[u8; 24], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    cipher
        .encrypt(nonce.into(), Payload { msg: plain, aad })
        .expect(WITHIN_BLOCK_COUNTER)
}

/// Opens what [`xseal`] sealed.
pub fn xopen(
    key: &Secret<32>,
    nonce: &[u8; 24],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, OpenError> {
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    cipher
        .decrypt(nonce.into(), Payload { msg: sealed, aad })
        .map_err(|_| OpenError)
}

const WITHIN_BLOCK_COUNTER: &str = "a buffer in memory is shorter than ChaCha20's 256 GiB";

#[cfg(feature = "fast")]
fn ring_key(key: &[u8; 32]) -> ring::aead::LessSafeKey {
    let unbound = ring::aead::UnboundKey::new(&ring::aead::CHACHA20_POLY1305, key);
    ring::aead::LessSafeKey::new(unbound.expect("a ChaCha20-Poly1305 key has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    const SUNSCREEN: &[u8] = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";

    fn counting_key() -> [u8; 32] {
        core::array::from_fn(|i| 0x80 + i as u8)
    }

    #[test]
    fn chacha20poly1305_is_that_of_rfc_8439_section_2_8_2() {
        let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let aad = HEXLOWER.decode(b"50515253c0c1c2c3c4c5c6c7").unwrap();
        for &backend in Backend::ALL {
            let aead = Aead::with_backend(backend, &counting_key());
            let mut buf = SUNSCREEN.to_vec();
            let tag = aead.seal_in_place(&nonce, &aad, &mut buf);
            assert_eq!(
                HEXLOWER.encode(&buf[..16]),
                "d31a8d34648e60db7b86afbc53ef7ec2"
            );
            assert_eq!(HEXLOWER.encode(&tag), "1ae10b594f09e26a7e902ecbd0600691");
            assert_eq!(aead.open_in_place(&nonce, &aad, &mut buf, &tag), Ok(()));
            assert_eq!(buf, SUNSCREEN);
        }
    }

    #[test]
    fn xchacha20poly1305_is_that_of_the_irtf_draft_appendix_a_3_1() {
        let key = Secret::from_bytes(counting_key());
        let nonce: [u8; 24] = core::array::from_fn(|i| 0x40 + i as u8);
        let aad = HEXLOWER.decode(b"50515253c0c1c2c3c4c5c6c7").unwrap();
        let sealed = xseal(&key, &nonce, &aad, SUNSCREEN);
        assert_eq!(
            HEXLOWER.encode(&sealed[..16]),
            "bd6d179d3e83d43b9576579493c0e939"
        );
        assert_eq!(
            HEXLOWER.encode(&sealed[sealed.len() - 16..]),
            "c0875924c1c7987947deafd8780acf49"
        );
        assert_eq!(xopen(&key, &nonce, &aad, &sealed).as_deref(), Ok(SUNSCREEN));
        assert_eq!(xopen(&key, &nonce, b"", &sealed), Err(OpenError));
        assert_eq!(xopen(&key, &nonce, &aad, &sealed[..15]), Err(OpenError));
    }

    proptest! {
        #[test]
        fn all_implementations_give_the_same_bytes(key: [u8; 32], nonce: [u8; 12], aad in prop::collection::vec(any::<u8>(), 0..40), plain in prop::collection::vec(any::<u8>(), 0..5000)) {
            let sealed: Vec<_> = Backend::ALL.iter().map(|&backend| {
                let mut buf = plain.clone();
                let tag = Aead::with_backend(backend, &key).seal_in_place(&nonce, &aad, &mut buf);
                (buf, tag)
            }).collect();
            for (&backend, (buf, tag)) in Backend::ALL.iter().rev().zip(&sealed) {
                let mut buf = buf.clone();
                prop_assert_eq!(Aead::with_backend(backend, &key).open_in_place(&nonce, &aad, &mut buf, tag), Ok(()));
                prop_assert_eq!(&buf, &plain);
            }
            prop_assert!(sealed.windows(2).all(|pair| pair[0] == pair[1]));
        }

        #[test]
        fn one_flipped_bit_anywhere_does_not_open(bit in 0usize..(64 + 16 + 12 + 8) * 8) {
            for &backend in Backend::ALL {
                let aead = Aead::with_backend(backend, &[1; 32]);
                let (mut nonce, mut aad, mut buf) = ([2; 12], [3; 8], [4; 64]);
                let mut tag = aead.seal_in_place(&nonce, &aad, &mut buf);
                let (byte, mask) = (bit / 8, 1 << (bit % 8));
                match byte {
                    0..64 => buf[byte] ^= mask,
                    64..80 => tag[byte - 64] ^= mask,
                    80..92 => nonce[byte - 80] ^= mask,
                    _ => aad[byte - 92] ^= mask,
                }
                prop_assert_eq!(aead.open_in_place(&nonce, &aad, &mut buf, &tag), Err(OpenError));
            }
        }
    }
}
