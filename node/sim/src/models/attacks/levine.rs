//! Levine, Liberatore, Lynn and Wright (2017; CCS 2020): one neighbour counts how many of a file's requests a node
//! sends it. Who asks for itself sends 1/g of them, who passes on for a neighbour 1/g².

use super::super::Setting;
use super::super::binomial::{at_least, threshold};
use super::super::dice::Dice;
use super::super::measure::{Estimate, auc, power};
use super::super::table::{Cell, Table};

/// False positive rate the test is set to.
const RATE: f64 = 1e-3;
/// The same for a guard that only counts.
const SIZE_RATE: f64 = 0.01;
/// Listed nodes and fetches of the tracked file by others, in Oboro's world.
const NODES: usize = 1_000;
const OTHERS: usize = 100;
/// Chunks of an extent, and exits of a fetch.
const EXTENT: u32 = 32;
const LANES: usize = 3;
/// Chunks of other files: median 4 MB, with a long tail.
const OTHER_CHUNKS: f64 = 128.0;
const OTHER_SIGMA: f64 = 1.5;

/// Requests of one file that reach the attacker over a neighbour with `g` peers: its own, or another's that it got a
/// share of to pass on.
fn freenet(chunks: u32, g: usize, own: bool, dice: &mut Dice) -> f64 {
    let reached = |dice: &mut Dice| dice.below(g) == 0;
    let count = (0..chunks).filter(|_| (own || reached(dice)) && reached(dice));
    count.count() as f64
}

/// Requests for parts of the file that reach the attacker over a link with one node, in Oboro. He is granted every
/// storer of the file, so that he misses none; he sees the exits they come from. Fetches are as many in both worlds; in
/// one of them the node watched is one of the clients.
fn oboro(parts: usize, own: bool, dice: &mut Dice) -> f64 {
    let watched = 0;
    let mut count = 0;
    for fetch in 0..=OTHERS {
        let client = if own && fetch == 0 {
            watched
        } else {
            1 + dice.below(NODES - 1)
        };
        // Exits differ from the client: a path never leads over its own node.
        let exits = [(); LANES].map(|()| {
            loop {
                let exit = dice.below(NODES);
                if exit != client {
                    break exit;
                }
            }
        });
        count += (0..parts)
            .filter(|part| exits[part % LANES] == watched)
            .count();
    }
    count as f64
}

/// What is left to a guard, which sees cells and no names: minus the difference between the chunks counted and those of
/// the tracked file.
fn guard(chunks: u32, own: bool, dice: &mut Dice) -> f64 {
    let fetched = if own {
        f64::from(chunks)
    } else {
        dice.log_normal(OTHER_CHUNKS, OTHER_SIGMA).ceil()
    };
    -(fetched - f64::from(chunks)).abs()
}

/// True positive rate at the false positive rate, and area, of a statistic under both hypotheses.
fn judge(trials: u32, rate: f64, mut statistic: impl FnMut(bool) -> f64) -> (Estimate, Estimate) {
    let own: Vec<f64> = (0..trials).map(|_| statistic(true)).collect();
    let passed: Vec<f64> = (0..trials).map(|_| statistic(false)).collect();
    (power(&own, &passed, rate), auc(&own, &passed))
}

pub(in super::super) fn table(setting: &Setting) -> Table {
    let cases = [
        (8, 32, 0.37),
        (8, 100, 0.94),
        (20, 100, 0.74),
        (20, 320, 0.999),
        (40, 320, 0.96),
    ];
    let mut rows = Vec::new();
    for (g, chunks, published) in cases {
        let mut dice = Dice::new(setting.seed, &format!("levine/{g}/{chunks}"));
        let share = 1.0 / g as f64;
        let bound = threshold(chunks, share * share, RATE);
        let own: Vec<f64> = (0..setting.trials)
            .map(|_| freenet(chunks, g, true, &mut dice))
            .collect();
        let passed: Vec<f64> = (0..setting.trials)
            .map(|_| freenet(chunks, g, false, &mut dice))
            .collect();
        let above = |counts: &[f64]| {
            let hits = counts.iter().filter(|&&count| count >= f64::from(bound));
            Estimate::share(hits.count() as u64, u64::from(setting.trials))
        };
        // A trial of Oboro's world is a hundred fetches, not one.
        let few = setting.trials.div_ceil(5);
        let parts = 1 + chunks.div_ceil(EXTENT) as usize;
        let (found, area) = judge(few, RATE, |own| oboro(parts, own, &mut dice));
        let (sized, _) = judge(setting.trials, SIZE_RATE, |own| {
            guard(chunks, own, &mut dice)
        });
        let same = (0..setting.trials).filter(|_| guard(chunks, false, &mut dice) == 0.0);
        let same = Estimate::share(same.count() as u64, u64::from(setting.trials));
        rows.push(vec![
            Cell::Count(g as u64),
            Cell::Count(u64::from(chunks)),
            Cell::sampled(above(&own), 3),
            Cell::exact(at_least(bound, chunks, share), 3),
            Cell::exact(published, 3),
            Cell::sampled(above(&passed), 4),
            Cell::sampled(auc(&own, &passed), 3),
            Cell::sampled(found, 4),
            Cell::sampled(area, 3),
            Cell::sampled(sized, 3),
            Cell::sampled(same, 4),
        ]);
    }
    setting.table(
        vec![
            "g",
            "chunks",
            "TPR",
            "formula",
            "1.1",
            "FPR",
            "AUC",
            "Oboro TPR",
            "Oboro AUC",
            "guard, by size: TPR",
            "same size by chance",
        ],
        rows,
        vec![
            "Ancestor: binomial test, Binomial(T, 1/g) against Binomial(T, 1/g²), at a false positive rate of 0.001. \
             Published: FPR about 2 % (2017); FPR 0.002 and, for uploaders, TPR 0.44 at precision 1.00 (2020).",
            "Oboro: the attacker is granted every storer of the file in a network of 1,000 with 100 other fetches of it, \
             and counts requests that come over the watched node. It is their exit, never their origin.",
            "What is left: the guard counts cells. TPR at an FPR of 0.01 of telling the tracked file from another of \
             log-normal size (median 4 MB, sigma 1.5) by its number of chunks, and how often another has the same. \
             Nothing in the protocol pads a fetch.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_finds_most_downloaders_of_freenet_and_none_of_oboro() {
        let mut dice = Dice::new(13, "levine");
        let (found, area) = judge(2_000, RATE, |own| freenet(100, 8, own, &mut dice));
        assert!(found.value > 0.85 && area.value > 0.99, "{found:?}");
        let (found, area) = judge(1_000, RATE, |own| oboro(5, own, &mut dice));
        assert!(
            found.value < 0.02 && area.value < 0.53,
            "{found:?} {area:?}"
        );
    }
}
