//! Bytes that must not get out: fixed-size keys and variable-size passphrases.
//!
//! Promises: wiped when dropped; moved as a pointer, so a move leaves no copy behind; neither printable nor clonable nor
//! comparable by accident; a copy is made only where the word `duplicate` stands.
//!
//! Does not know: what a secret is for. Types with a purpose wrap these.

use rand_core::CryptoRngCore;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret of exactly `N` bytes.
pub struct Secret<const N: usize>(Box<Zeroizing<[u8; N]>>);

impl<const N: usize> Secret<N> {
    /// Takes over `bytes`. The caller's own copy is the caller's to wipe.
    #[must_use]
    pub fn from_bytes(bytes: [u8; N]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let mut boxed = Box::new(Zeroizing::new([0; N]));
        boxed.copy_from_slice(bytes.as_slice());
        Self(boxed)
    }

    /// Draws a fresh secret.
    #[must_use]
    pub fn random(rng: &mut dyn CryptoRngCore) -> Self {
        let mut boxed = Box::new(Zeroizing::new([0; N]));
        rng.fill_bytes(boxed.as_mut_slice());
        Self(boxed)
    }

    /// The bytes, for the one computation that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    pub(crate) fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }

    /// A second copy, made on purpose.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let mut boxed = Box::new(Zeroizing::new([0; N]));
        boxed.copy_from_slice(self.0.as_slice());
        Self(boxed)
    }

    /// Whether both are the same, in time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

/// A secret of any length, such as a passphrase.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes over `bytes` without copying them.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one computation that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// A second copy, made on purpose.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }
}

impl From<String> for SecretBytes {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn a_duplicate_matches_and_a_changed_byte_does_not() {
        let secret = Secret::from_bytes([7; 32]);
        assert!(secret.matches(&secret.duplicate()));
        for place in 0..32 {
            let mut other = [7; 32];
            other[place] ^= 0x80;
            assert!(!secret.matches(&Secret::from_bytes(other)));
        }
    }

    #[test]
    fn chance_comes_from_the_caller_alone() {
        let draw = |seed| Secret::<32>::random(&mut ChaCha20Rng::from_seed(seed));
        assert!(draw([1; 32]).matches(&draw([1; 32])));
        assert!(!draw([1; 32]).matches(&draw([2; 32])));
        assert!(!draw([1; 32]).matches(&Secret::from_bytes([0; 32])));
    }

    #[test]
    fn a_passphrase_keeps_its_bytes() {
        assert_eq!(
            SecretBytes::from(String::from("ことば"))
                .duplicate()
                .expose(),
            "ことば".as_bytes()
        );
    }
}
