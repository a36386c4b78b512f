//! Chance, from a seed alone.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// A source of chance. Each model, and each row of it, throws dice of its own, named by a label, so that a row added or
/// left out changes no other.
pub(super) struct Dice(ChaCha20Rng);

impl Dice {
    /// The dice of a seed and a label.
    pub(super) fn new(seed: u64, label: &str) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        // FNV-1a: labels need only differ.
        let stream = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        rng.set_stream(stream);
        Self(rng)
    }

    /// 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// One of `0..n`; 0 if `n` is 0. The bias of the multiplication is below 2^-32 for the sizes of these models.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Log-normal with this median; `sigma` is the standard deviation of its logarithm.
    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let normal = radius * (core::f64::consts::TAU * self.unit()).cos();
        median * (sigma * normal).exp()
    }

    /// `count` different ones of `0..n`, or all if there are fewer, in no particular order (Floyd's method).
    pub(super) fn distinct(&mut self, count: usize, n: usize) -> Vec<usize> {
        let mut chosen = Vec::with_capacity(count.min(n));
        for top in n.saturating_sub(count)..n {
            let candidate = self.below(top + 1);
            chosen.push(if chosen.contains(&candidate) {
                top
            } else {
                candidate
            });
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_give_different_dice_and_a_seed_the_same() {
        let draw = |seed, label| Dice::new(seed, label).bits();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }

    #[test]
    fn distinct_draws_are_distinct_and_each_as_likely() {
        let mut dice = Dice::new(7, "distinct");
        let mut seen = [0u32; 10];
        for _ in 0..3000 {
            let mut drawn = dice.distinct(3, 10);
            drawn.iter().for_each(|&one| seen[one] += 1);
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), 3);
        }
        assert!(seen.iter().all(|&n| (780..1020).contains(&n)), "{seen:?}");
        assert_eq!(dice.distinct(5, 2).len(), 2);
    }

    #[test]
    fn half_of_a_log_normal_lies_below_its_median() {
        let mut dice = Dice::new(7, "log-normal");
        let below = (0..10_000)
            .filter(|_| dice.log_normal(60.0, 1.5) < 60.0)
            .count();
        assert!((4_800..5_200).contains(&below), "{below}");
    }
}
