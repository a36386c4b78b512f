//! ML-KEM-768 (FIPS 203): the only file that names its crate.
//!
//! Promises: chance is an argument; secrets are wiped when dropped.
//!
//! Does not know: Noise, or what the shared secret is for.

use ml_kem::kem::{Decapsulate as _, KeyExport as _};
use ml_kem::ml_kem_768::{DecapsulationKey, EncapsulationKey};
use zeroize::Zeroize as _;

use crate::secret::Secret;

/// Bytes in an encapsulation key.
pub(super) const KEY_LEN: usize = 1184;
/// Bytes in a ciphertext.
pub(super) const CIPHERTEXT_LEN: usize = 1088;

/// The private half, for one handshake.
pub(super) struct KemSecret(DecapsulationKey);

impl KemSecret {
    /// The key pair of a seed (`d` and `z` of FIPS 203).
    pub(super) fn from_seed(seed: &Secret<64>) -> (Self, [u8; KEY_LEN]) {
        let secret = DecapsulationKey::from_seed((*seed.expose()).into());
        let public = secret.encapsulation_key().to_bytes().into();
        (Self(secret), public)
    }

    /// The shared secret inside `ciphertext`. One that was made for another key gives a secret nobody else has.
    pub(super) fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_LEN]) -> Secret<32> {
        wrap(self.0.decapsulate(&(*ciphertext).into()))
    }
}

/// A shared secret for the holder of `key`, and its ciphertext; none if the key is malformed.
pub(super) fn encapsulate(
    key: &[u8; KEY_LEN],
    chance: &Secret<32>,
) -> Option<([u8; CIPHERTEXT_LEN], Secret<32>)> {
    let key = EncapsulationKey::new(&(*key).into()).ok()?;
    let (ciphertext, shared) = key.encapsulate_deterministic(&(*chance.expose()).into());
    Some((ciphertext.into(), wrap(shared)))
}

fn wrap(mut shared: ml_kem::SharedKey) -> Secret<32> {
    let secret = Secret::from_bytes(shared.into());
    shared.zeroize();
    secret
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::blake2b_256;
    use data_encoding::HEXLOWER;

    fn seed() -> Secret<64> {
        Secret::from_bytes(core::array::from_fn(|i| i as u8))
    }

    #[test]
    fn both_sides_find_the_same_secret_with_fixed_bytes() {
        let (secret, public) = KemSecret::from_seed(&seed());
        let (ciphertext, shared) = encapsulate(&public, &Secret::from_bytes([9; 32])).unwrap();
        assert!(secret.decapsulate(&ciphertext).matches(&shared));
        assert_eq!(
            HEXLOWER.encode(&blake2b_256(&public)),
            "ed55dc79a5e00ee5a5517d622e5b2d6f22ad296c2796301eb38dc3f40e6e5e62"
        );
        assert_eq!(
            HEXLOWER.encode(&blake2b_256(&ciphertext)),
            "f0f5ac2d2001dccf8df4eb1e61021d07b29be6d2805aa1e037888d4c8ab0db47"
        );
        assert_eq!(
            HEXLOWER.encode(shared.expose()),
            "49e92d796023ac30fd5922c53d3775baf59e3b4b947df339e3425d7c913629d8"
        );
    }

    #[test]
    fn a_damaged_ciphertext_gives_another_secret() {
        let (secret, public) = KemSecret::from_seed(&seed());
        let (mut ciphertext, shared) = encapsulate(&public, &Secret::from_bytes([9; 32])).unwrap();
        ciphertext[1000] ^= 1;
        assert!(!secret.decapsulate(&ciphertext).matches(&shared));
    }

    #[test]
    fn a_malformed_key_is_refused() {
        // Coefficients are below 3329 (FIPS 203, section 7.2): all ones is no key.
        assert!(encapsulate(&[0xff; KEY_LEN], &Secret::from_bytes([9; 32])).is_none());
    }
}
