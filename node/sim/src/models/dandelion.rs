//! Dandelion++ (Fanti and others, SIGMETRICS 2018): a message goes from node to node along a stem that is fixed for an
//! epoch, then spreads to all.

use super::dice::Dice;
use super::measure::{Estimate, mean};
use super::table::{Cell, Table};
use super::{SHARES, Setting};

const NODES: usize = 2_000;
/// Probability that a node spreads what it should pass on (BIP 156).
const FLUFF: f64 = 0.1;

/// One epoch in which every honest node sends one message: recall and precision of the first-spy estimator, both as
/// Dandelion's authors define them. Precision of an origin: 1 over the messages laid to it, if its own is among them.
fn epoch(f: f64, dice: &mut Dice) -> (f64, f64) {
    let spies = (f * NODES as f64).round() as usize;
    // Two outgoing stems a node: about 4-regular.
    let stems: Vec<[usize; 2]> = (0..NODES)
        .map(|node| {
            [0, 1].map(|_| {
                let other = dice.below(NODES - 1);
                if other >= node { other + 1 } else { other }
            })
        })
        .collect();
    // Which stem a node uses for its own, and for what comes from a predecessor, is fixed for the epoch.
    let own: Vec<usize> = (0..NODES).map(|_| dice.below(2)).collect();
    let salt = dice.bits();
    let relay = |node: usize, from: usize| {
        let mixed = (node as u64 * 0x9e37_79b9 + from as u64 + 1).wrapping_mul(salt | 1);
        stems[node][(mixed >> 63) as usize]
    };
    let mut laid_to = vec![0u32; NODES];
    let mut right = vec![false; NODES];
    for origin in spies..NODES {
        let (mut from, mut at) = (origin, stems[origin][own[origin]]);
        // A spy sees who gave it the message; without one the spies are granted to see exactly who spread it.
        let suspect = loop {
            if at < spies {
                break from;
            }
            if dice.chance(FLUFF) {
                break at;
            }
            (from, at) = (at, relay(at, from));
        };
        laid_to[suspect] += 1;
        right[origin] = suspect == origin;
    }
    let honest = (NODES - spies) as f64;
    let hits = (spies..NODES).filter(|&node| right[node]);
    let precision: f64 = hits
        .clone()
        .map(|node| 1.0 / f64::from(laid_to[node]))
        .sum();
    (hits.count() as f64 / honest, precision / honest)
}

/// Share of users whose first stem hop was a spy in at least one of so many epochs.
fn exposed(f: f64, epochs: u32, users: u32, dice: &mut Dice) -> Estimate {
    let hits = (0..users)
        .filter(|_| (0..epochs).any(|_| dice.chance(f)))
        .count();
    Estimate::share(hits as u64, u64::from(users))
}

pub(super) fn table(setting: &Setting) -> Table {
    let rows = SHARES.into_iter().map(|f| {
        let mut dice = Dice::new(setting.seed, &format!("dandelion/{f}"));
        let epochs: Vec<(f64, f64)> = (0..setting.trials).map(|_| epoch(f, &mut dice)).collect();
        vec![
            Cell::exact(f, 2),
            Cell::sampled(mean(epochs.iter().map(|epoch| epoch.0)), 3),
            Cell::exact(f, 3),
            Cell::sampled(mean(epochs.iter().map(|epoch| epoch.1)), 3),
            Cell::exact(f * f, 4),
            Cell::exact(f * f * (1.0 / f).ln(), 4),
            Cell::sampled(exposed(f, 10, 2_000, &mut dice), 3),
            Cell::exact(1.0 - (1.0 - f).powi(10), 3),
            Cell::sampled(exposed(f, 100, 2_000, &mut dice), 3),
            Cell::exact(1.0 - (1.0 - f).powi(100), 3),
        ]
    });
    setting.table(
        vec![
            "f",
            "recall",
            "bound p",
            "precision",
            "floor p^2",
            "order p^2 ln(1/p)",
            "10 epochs",
            "1-(1-f)^10",
            "100 epochs",
            "1-(1-f)^100",
        ],
        rows.collect(),
        vec![
            "2,000 nodes, a 4-regular stem graph, each honest node sends one message an epoch, stems end with 0.1 a hop.",
            "The spies use the first-spy estimator, which knows no graph; precision is the mean over origins, as in the \
             paper. Better estimators exist: the bounds hold for the best defence, not for this attack.",
            "Epochs: share of users with a spy as first hop at least once; a guard kept for months is one long epoch.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_is_the_share_of_spies_and_precision_lies_between_its_square_and_recall() {
        let mut dice = Dice::new(5, "dandelion");
        let epochs: Vec<(f64, f64)> = (0..8).map(|_| epoch(0.2, &mut dice)).collect();
        let recall = mean(epochs.iter().map(|epoch| epoch.0));
        let precision = mean(epochs.iter().map(|epoch| epoch.1));
        assert!(recall.agrees(0.2, 4.0, 0.01), "{recall:?}");
        assert!(precision.value > 0.04 && precision.value < recall.value);
    }
}
