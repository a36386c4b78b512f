//! Exact binomial probabilities, for tests of shares and for survival.

/// Probabilities of 0, 1, …, n successes of n, each with probability `p`.
pub(super) fn masses(n: u32, p: f64) -> Vec<f64> {
    let (n, p) = (n as usize, p.clamp(0.0, 1.0));
    if p == 0.0 || p == 1.0 {
        let sure = if p == 0.0 { 0 } else { n };
        return (0..=n).map(|x| f64::from(u8::from(x == sure))).collect();
    }
    // By logarithms: (1-p)^n alone is below what a float holds for large n.
    let odds = (p / (1.0 - p)).ln();
    let mut log = n as f64 * (1.0 - p).ln();
    let mut all = Vec::with_capacity(n + 1);
    for x in 0..=n {
        all.push(log.exp());
        log += odds + ((n - x) as f64 / (x + 1) as f64).ln();
    }
    all
}

/// Probability of at least `x` successes of n.
pub(super) fn at_least(x: u32, n: u32, p: f64) -> f64 {
    let all = masses(n, p);
    all.iter()
        .skip(x as usize)
        .rev()
        .sum::<f64>()
        .clamp(0.0, 1.0)
}

/// The least x that at most `rate` of Binomial(n, p) reaches.
pub(super) fn threshold(n: u32, p: f64, rate: f64) -> u32 {
    let mut tail = 0.0;
    let mut x = n + 1;
    for mass in masses(n, p).iter().rev() {
        tail += mass;
        if tail > rate {
            break;
        }
        x -= 1;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_coins_have_the_known_tails() {
        assert!((at_least(2, 3, 0.5) - 0.5).abs() < 1e-12);
        assert!((at_least(3, 3, 0.5) - 0.125).abs() < 1e-12);
        assert!((at_least(0, 3, 0.5) - 1.0).abs() < 1e-12);
        assert_eq!(threshold(3, 0.5, 0.2), 3);
        assert_eq!(threshold(3, 0.5, 0.1), 4);
    }

    #[test]
    fn sure_things_are_sure() {
        assert!((at_least(5, 5, 1.0) - 1.0).abs() < 1e-12);
        assert!(at_least(1, 5, 0.0) < 1e-12);
        assert!((masses(5000, 0.3).iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
