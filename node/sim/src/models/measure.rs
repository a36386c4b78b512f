//! The measures attacks are judged by (the survey 2.1, M1 to M5, M7 and M9), with standard errors.

/// A sampled mean and its standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

impl Estimate {
    /// A share: `hits` of `total` independent trials. Both zero of none.
    #[must_use]
    pub fn share(hits: u64, total: u64) -> Self {
        if total == 0 {
            return Self::default();
        }
        let value = hits as f64 / total as f64;
        Self {
            value,
            error: (value * (1.0 - value) / total as f64).sqrt(),
        }
    }

    /// The mean of independent samples, given as their count, sum and sum of squares.
    #[must_use]
    pub fn mean(count: u64, sum: f64, squares: f64) -> Self {
        if count == 0 {
            return Self::default();
        }
        let n = count as f64;
        let value = sum / n;
        let variance = (squares / n - value * value).max(0.0);
        Self {
            value,
            error: (variance / (n - 1.0).max(1.0)).sqrt(),
        }
    }

    /// Whether a figure lies within so many standard errors, `slack` added.
    #[must_use]
    pub fn agrees(&self, with: f64, errors: f64, slack: f64) -> bool {
        (self.value - with).abs() <= errors * self.error + slack
    }
}

/// What the adversary made of one trial: a distribution over the honest nodes, of which only the figures below matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Whether the adversary saw anything.
    pub observed: bool,
    /// Probability that his best guess is right: 0 or 1 if there is one best guess, the chance if several are equal.
    pub right: f64,
    /// The probability he gives his best guess.
    pub max: f64,
    /// Entropy of his distribution, in bits.
    pub entropy: f64,
}

impl Trial {
    /// Nothing seen: all of `honest` nodes are equally likely.
    #[must_use]
    pub fn unobserved(honest: u32) -> Self {
        let n = f64::from(honest.max(1));
        Self {
            observed: false,
            right: 1.0 / n,
            max: 1.0 / n,
            entropy: n.log2(),
        }
    }

    /// One node is suspected with probability `p`, all others of `honest` equally; `correct` says whether it is the
    /// origin.
    #[must_use]
    pub fn suspect(correct: bool, p: f64, honest: u32) -> Self {
        let others = f64::from(honest.saturating_sub(1).max(1));
        let rest = (1.0 - p) / others;
        if p <= rest {
            // He bets on any of the others then.
            return Self {
                observed: true,
                right: if correct { 0.0 } else { 1.0 / others },
                max: rest,
                entropy: term(p) + others * term(rest),
            };
        }
        Self {
            observed: true,
            right: f64::from(u8::from(correct)),
            max: p,
            entropy: term(p) + others * term(rest),
        }
    }

    /// A whole distribution: probability of each honest node, which sum to 1, and the index of the origin.
    #[must_use]
    pub fn posterior(origin: usize, probabilities: &[f64]) -> Self {
        let max = probabilities.iter().copied().fold(0.0, f64::max);
        let best = probabilities.iter().filter(|&&p| p == max).count();
        let hit = probabilities.get(origin).is_some_and(|&p| p == max);
        Self {
            observed: true,
            right: if hit { 1.0 / best as f64 } else { 0.0 },
            max,
            entropy: probabilities.iter().map(|&p| term(p)).sum(),
        }
    }
}

fn term(p: f64) -> f64 {
    if p > 0.0 { -p * p.log2() } else { 0.0 }
}

/// M1 to M5 over many trials.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measures {
    /// M1: share of trials in which the adversary saw something.
    pub observed: Estimate,
    /// M2 at threshold 0: share of all trials with a right best guess.
    pub recall: Estimate,
    /// M2 at threshold 0.9: the same with a best guess of at least 0.9.
    pub recall_sure: Estimate,
    /// M3 at threshold 0: share of observed trials with a right best guess.
    pub precision: Estimate,
    /// M3 at threshold 0.9.
    pub precision_sure: Estimate,
    /// M4: Bayes vulnerability V, the mean of the best guess's probability.
    pub vulnerability: Estimate,
    /// M5: degree of anonymity d (Diaz; Serjantov and Danezis, 2002): mean entropy over that of no knowledge.
    pub anonymity: Estimate,
}

impl Measures {
    /// The measures of these trials over `honest` possible origins.
    #[must_use]
    pub fn of(trials: &[Trial], honest: u32) -> Self {
        let all = |figure: &dyn Fn(&Trial) -> f64| mean(trials.iter().map(figure));
        let sure = |trial: &&Trial| trial.max >= 0.9;
        let full = f64::from(honest.max(2)).log2();
        Self {
            observed: all(&|trial| f64::from(u8::from(trial.observed))),
            recall: all(&|trial| trial.right),
            recall_sure: all(&|trial| if sure(&trial) { trial.right } else { 0.0 }),
            precision: mean(
                trials
                    .iter()
                    .filter(|trial| trial.observed)
                    .map(|t| t.right),
            ),
            precision_sure: mean(trials.iter().filter(sure).map(|trial| trial.right)),
            vulnerability: all(&|trial| trial.max),
            anonymity: all(&|trial| trial.entropy / full),
        }
    }
}

/// The mean of independent samples.
pub fn mean(samples: impl Iterator<Item = f64>) -> Estimate {
    let (count, sum, squares) = samples.fold((0, 0.0, 0.0), |(count, sum, squares), x| {
        (count + 1, sum + x, squares + x * x)
    });
    Estimate::mean(count, sum, squares)
}

/// M7 and its kin: how often the adversary linked a user to what he asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Linkage {
    /// Share of single objects that were linked.
    pub object: Estimate,
    /// Share of files of which at least one part was linked.
    pub file: Estimate,
    /// Share of users of whom at least one file was linked within a year.
    pub user_year: Estimate,
}

impl Linkage {
    /// From independent trials of each: (linked, all).
    #[must_use]
    pub fn of(objects: (u64, u64), files: (u64, u64), user_years: (u64, u64)) -> Self {
        Self {
            object: Estimate::share(objects.0, objects.1),
            file: Estimate::share(files.0, files.1),
            user_year: Estimate::share(user_years.0, user_years.1),
        }
    }
}

/// M9, ROC-AUC: the probability that a positive scores above a negative, equals counting half. Error after Hanley and
/// McNeil (1982). 0.5 means that the score says nothing.
#[must_use]
pub fn auc(positives: &[f64], negatives: &[f64]) -> Estimate {
    let (p, n) = (positives.len() as f64, negatives.len() as f64);
    if positives.is_empty() || negatives.is_empty() {
        return Estimate {
            value: 0.5,
            error: 0.5,
        };
    }
    let positive = positives.iter().map(|&score| (score, true));
    let mut all: Vec<(f64, bool)> = positive
        .chain(negatives.iter().map(|&score| (score, false)))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut won, mut below) = (0.0, 0.0);
    for equal in all.chunk_by(|a, b| a.0 == b.0) {
        let hits = equal.iter().filter(|(_, positive)| *positive).count() as f64;
        let misses = equal.len() as f64 - hits;
        won += hits * (below + misses / 2.0);
        below += misses;
    }
    let a = won / (p * n);
    let (q1, q2) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
    let variance = (a * (1.0 - a) + (p - 1.0) * (q1 - a * a) + (n - 1.0) * (q2 - a * a)) / (p * n);
    Estimate {
        value: a,
        error: variance.max(0.0).sqrt(),
    }
}

/// Share of positives at or above the lowest threshold that at most `rate` of the negatives reach: the true positive
/// rate at a false positive rate.
#[must_use]
pub fn power(positives: &[f64], negatives: &[f64], rate: f64) -> Estimate {
    let mut sorted = negatives.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let allowed = (rate * sorted.len() as f64).floor() as usize;
    // Strictly above the first negative that is one too many.
    let bound = sorted.get(allowed).copied().unwrap_or(f64::NEG_INFINITY);
    let hits = positives.iter().filter(|&&score| score > bound).count();
    Estimate::share(hits as u64, positives.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_quarter_of_a_hundred_has_the_binomial_error() {
        let share = Estimate::share(25, 100);
        assert!(near(share.value, 0.25) && near(share.error, (0.1875f64 / 100.0).sqrt()));
        assert_eq!(Estimate::share(0, 0), Estimate::default());
    }

    #[test]
    fn the_mean_of_one_to_three_has_the_textbook_error() {
        let mean = mean([1.0, 2.0, 3.0].into_iter());
        assert!(near(mean.value, 2.0) && near(mean.error, (1.0f64 / 3.0).sqrt()));
    }

    #[test]
    fn who_sees_nothing_guesses_by_chance_and_leaves_full_anonymity() {
        let measures = Measures::of(&[Trial::unobserved(16); 3], 16);
        assert!(near(measures.observed.value, 0.0));
        assert!(near(measures.recall.value, 1.0 / 16.0));
        assert!(near(measures.vulnerability.value, 1.0 / 16.0));
        assert!(near(measures.anonymity.value, 1.0));
        assert!(near(measures.recall_sure.value, 0.0));
    }

    #[test]
    fn who_is_certain_in_one_case_of_four_halves_nothing_but_a_quarter() {
        let mut trials = vec![Trial::unobserved(16); 3];
        trials.push(Trial::suspect(true, 1.0, 16));
        let measures = Measures::of(&trials, 16);
        assert!(near(measures.observed.value, 0.25));
        assert!(near(measures.recall_sure.value, 0.25));
        assert!(near(measures.precision_sure.value, 1.0));
        assert!(near(measures.precision.value, 1.0));
        assert!(near(measures.anonymity.value, 0.75));
        assert!(near(measures.vulnerability.value, (3.0 / 16.0 + 1.0) / 4.0));
    }

    #[test]
    fn half_on_one_and_half_on_four_others_is_two_bits() {
        // 0.5 + 4 · (1/8) · 3 = 2 bits.
        let trial = Trial::suspect(false, 0.5, 5);
        assert!(near(trial.entropy, 2.0) && near(trial.right, 0.0) && near(trial.max, 0.5));
        let whole = Trial::posterior(0, &[0.5, 0.125, 0.125, 0.125, 0.125]);
        assert!(near(whole.entropy, 2.0) && near(whole.right, 1.0));
    }

    #[test]
    fn equals_share_the_best_guess() {
        assert!(near(Trial::posterior(1, &[0.4, 0.4, 0.2, 0.0]).right, 0.5));
        assert!(near(Trial::posterior(2, &[0.4, 0.4, 0.2, 0.0]).right, 0.0));
    }

    #[test]
    fn who_is_less_likely_than_the_others_is_not_bet_on() {
        let trial = Trial::suspect(true, 0.0, 5);
        assert!(near(trial.right, 0.0) && near(trial.max, 0.25) && near(trial.entropy, 2.0));
    }

    #[test]
    fn the_area_counts_pairs_and_half_of_equals() {
        // Pairs: 3>1, 3>2, 2>1, 2=2: three and a half of four.
        assert!(near(auc(&[3.0, 2.0], &[1.0, 2.0]).value, 0.875));
        assert!(near(auc(&[1.0; 4], &[1.0; 7]).value, 0.5));
        assert!(near(auc(&[2.0], &[1.0]).value, 1.0));
    }

    #[test]
    fn power_counts_what_lies_above_nearly_all_negatives() {
        let negatives: Vec<f64> = (0..100).map(f64::from).collect();
        // At 1 % one negative may pass, so the bound is 98.
        assert!(near(
            power(&[98.0, 98.5, 200.0, 5.0], &negatives, 0.01).value,
            0.5
        ));
    }

    #[test]
    fn linkage_is_three_shares() {
        let linkage = Linkage::of((1, 100), (5, 50), (2, 10));
        assert!(near(linkage.object.value, 0.01));
        assert!(near(linkage.file.value, 0.1));
        assert!(near(linkage.user_year.value, 0.2));
    }
}
