//! Chance: generators seeded by the operating system. One for each purpose, none shared between threads.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::api::{Code, Failure};

/// A fresh generator.
///
/// # Errors
/// [`Code::Failed`] if the system has no randomness to give; nothing can be done without.
pub(crate) fn generator() -> Result<ChaCha20Rng, Failure> {
    seed().map(|seed| ChaCha20Rng::from_seed(*seed))
}

/// A fresh seed.
///
/// # Errors
/// As [`generator`].
pub(crate) fn seed() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|error| {
        Failure::new(
            Code::Failed,
            format!("the system gives no randomness: {error}"),
        )
    })?;
    Ok(seed)
}
