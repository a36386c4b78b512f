//! Chance, from one seed.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// A source of chance of its own for a purpose: what one purpose draws does not move the others.
pub(crate) fn source(seed: u64, purpose: &str, index: u64) -> ChaCha20Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..16].copy_from_slice(&index.to_be_bytes());
    for (byte, letter) in bytes[16..].iter_mut().zip(purpose.bytes()) {
        *byte = letter;
    }
    ChaCha20Rng::from_seed(bytes)
}

/// 0 to 1, without 1.
pub(crate) fn unit(rng: &mut ChaCha20Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// One of so many; 0 if there is none.
pub(crate) fn below(rng: &mut ChaCha20Rng, count: usize) -> usize {
    (rng.next_u64() % count.max(1) as u64) as usize
}

pub(crate) fn exponential(rng: &mut ChaCha20Rng, mean: f64) -> f64 {
    -(1.0 - unit(rng)).ln() * mean
}

/// Log-normal by its median and the standard deviation of its logarithm.
pub(crate) fn log_normal(rng: &mut ChaCha20Rng, median: f64, sigma: f64) -> f64 {
    // Box and Muller 1958.
    let (a, b) = (1.0 - unit(rng), unit(rng));
    let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
    median * (sigma * normal).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_log_normal_is_below_its_median() {
        let mut rng = source(1, "test", 0);
        let below = (0..10_000)
            .filter(|_| log_normal(&mut rng, 60.0, 1.0) < 60.0)
            .count();
        assert!((4_800..5_200).contains(&below), "{below}");
    }
}
