//! Layers: one key's encryption of what has others beneath it, and the filler that keeps the length.
//!
//! A hop takes its part off the front and adds as many bytes of its keystream at the end. The next hop's tag covers
//! these too, so the client computes beforehand what every hop will add: of the innermost ciphertext, all that lies
//! where fillers come to lie is given, and its plaintext follows.
//!
//! Promises: whatever a client lays out according to a [`Shape`], each hop finds authentic and of the same length.
//!
//! Does not know: what is in the layers, or whose they are.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};

use super::{CELL_LEN, CREATE_HEADER, CREATE_LEN, CircuitError, HOPS_MAX};
use crate::aead::{Aead, TAG_LEN};
use crate::secret::Secret;

pub(super) type Nonce = [u8; 12];

/// Bytes of keystream that ChaCha20-Poly1305 uses up before the message: one block, for the tag's key (RFC 8439, 2.8).
const BEFORE_MESSAGE: u64 = 64;

/// The nonce of the next cell in one direction.
pub(super) fn next_nonce(count: &mut u64) -> Result<Nonce, CircuitError> {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&count.to_le_bytes());
    *count = count.checked_add(1).ok_or(CircuitError::Gone)?;
    Ok(nonce)
}

/// Adds an unauthenticated layer to `bytes`, or takes it off: ChaCha20 from its first block on.
pub(super) fn cover(key: &Secret<32>, nonce: &Nonce, bytes: &mut [u8]) {
    ChaCha20::new(key.expose().into(), nonce.into()).apply_keystream(bytes);
}

/// One hop's authenticated layer.
pub(super) struct Layer {
    aead: Aead,
    key: Secret<32>,
}

impl Layer {
    pub(super) fn new(key: Secret<32>) -> Self {
        Self {
            aead: Aead::new(&key),
            key,
        }
    }

    pub(super) fn key(&self) -> &Secret<32> {
        &self.key
    }

    pub(super) fn seal(&self, nonce: &Nonce, bytes: &mut [u8]) -> [u8; TAG_LEN] {
        self.aead.seal_in_place(nonce, &[], bytes)
    }

    pub(super) fn open(
        &self,
        nonce: &Nonce,
        bytes: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CircuitError> {
        self.aead
            .open_in_place(nonce, &[], bytes, tag)
            .map_err(|_| CircuitError::Unauthenticated)
    }

    /// Applies to `bytes` the keystream that begins `at` bytes into the sealed message; it goes on beyond its end.
    fn stream(&self, nonce: &Nonce, at: usize, bytes: &mut [u8]) {
        let mut stream = ChaCha20::new(self.key.expose().into(), nonce.into());
        stream.seek(BEFORE_MESSAGE + at as u64);
        stream.apply_keystream(bytes);
    }
}

/// How long the layers of something are.
pub(super) struct Shape {
    /// What each hop takes off the front, and adds at the end.
    unit: usize,
    /// What is sealed: all but the front.
    inner: usize,
}

impl Shape {
    pub(super) const CREATE: Self = Self {
        unit: CREATE_HEADER,
        inner: CREATE_LEN - CREATE_HEADER,
    };
    pub(super) const CELL: Self = Self {
        unit: TAG_LEN,
        inner: CELL_LEN - TAG_LEN,
    };

    /// Bytes at the end of the innermost message that are not free: room for the fillers of all hops but the last.
    const fn end(&self) -> usize {
        (HOPS_MAX - 1) * self.unit
    }

    /// Bytes of that end that no hop fills when the path has `hops`: they are drawn at random.
    pub(super) const fn unfilled(&self, hops: usize) -> usize {
        HOPS_MAX.saturating_sub(hops) * self.unit
    }

    /// What a hop adds at the end: the keystream after the message.
    pub(super) fn fill(&self, layer: &Layer, nonce: &Nonce, filler: &mut [u8]) {
        filler.fill(0);
        layer.stream(nonce, self.inner, filler);
    }

    /// Computes the end of the innermost plaintext such that its ciphertext ends with what the hops will have added.
    /// `end`, which is [`Self::end`] bytes long, begins with the [`Self::unfilled`] bytes; the rest is overwritten.
    pub(super) fn plain_end(&self, layers: &[Layer], nonce: &Nonce, end: &mut [u8]) {
        let Some((exit, before)) = layers.split_last() else {
            return;
        };
        let mut known = self.unfilled(layers.len());
        for layer in before {
            let (whole, later) = (known + self.unit, known);
            if let Some(fillers) = end.get_mut(..whole) {
                fillers[later..].fill(0);
                layer.stream(nonce, self.inner - known, fillers);
            }
            known = whole;
        }
        exit.stream(nonce, self.inner - self.end(), end);
    }
}
