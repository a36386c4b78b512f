//! What it costs to hold all placements of one extent by ids made near its locations (M12), and to try words (M14).

use super::Setting;
use super::dice::Dice;
use super::measure::Estimate;
use super::table::{Cell, Table};

/// Placements of an extent.
const PLACEMENTS: usize = 4;
/// Core-seconds of one id (Argon2id as in the network file).
const ID_SECONDS: f64 = 0.25;
/// Probability of success the attacker wants.
const WANTED: f64 = 0.9;

/// What the attacker must hold of each location.
#[derive(Clone, Copy)]
enum Goal {
    /// The nearest id of every location: the storer.
    Nearest,
    /// The three nearest: the storer and the two that accept after it.
    Three,
    /// All that may hold placement i and are asked for it: 3 + i (`placement.rs`, `acceptable_rank`).
    Acceptable,
}

impl Goal {
    fn ids(self, placement: usize) -> usize {
        match self {
            Self::Nearest => 1,
            Self::Three => 3,
            Self::Acceptable => 3 + placement,
        }
    }

    fn all(self) -> usize {
        (0..PLACEMENTS).map(|placement| self.ids(placement)).sum()
    }
}

/// Ids an attacker has to make, in one network with honest ids at random, before he holds every location.
///
/// Distances of the honest nearest are exponential with mean 1/N of the space; the j-th of his ids to come nearer than
/// that is what he needs. He makes ids until the slowest location is held: each id may serve any location.
fn ids_needed(nodes: usize, goal: Goal, dice: &mut Dice) -> f64 {
    let honest: Vec<f64> = (0..PLACEMENTS)
        .map(|_| {
            // Least of N uniform distances, drawn by its distribution.
            1.0 - dice.unit().powf(1.0 / nodes as f64)
        })
        .collect();
    let slowest = honest.iter().enumerate().map(|(placement, &distance)| {
        // Trials until so many fall below the distance: a sum of geometric waits.
        (0..goal.ids(placement))
            .map(|_| ((1.0 - dice.unit()).ln() / (-distance).ln_1p()).floor() + 1.0)
            .sum::<f64>()
    });
    slowest.fold(0.0, f64::max)
}

/// The formula: he is nearer k times before an honest id is once with (A/(A+N))^k, for all locations with the product.
fn formula(nodes: usize, goal: Goal) -> f64 {
    let each = WANTED.powf(1.0 / goal.all() as f64);
    nodes as f64 * each / (1.0 - each)
}

pub(super) fn table(setting: &Setting) -> Table {
    let mut rows = Vec::new();
    for nodes in [1_000, 10_000, 100_000] {
        for (label, goal) in [
            ("nearest", Goal::Nearest),
            ("3 nearest", Goal::Three),
            ("3 + i nearest", Goal::Acceptable),
        ] {
            let mut dice = Dice::new(setting.seed, &format!("eclipse/{nodes}/{label}"));
            let mut needed: Vec<f64> = (0..setting.trials)
                .map(|_| ids_needed(nodes, goal, &mut dice))
                .collect();
            needed.sort_by(f64::total_cmp);
            let quantile = |share: f64| needed[((needed.len() - 1) as f64 * share) as usize];
            // The error of a quantile, by the ranks one standard deviation away.
            let spread = (WANTED * (1.0 - WANTED) / f64::from(setting.trials)).sqrt();
            let sampled = Estimate {
                value: quantile(WANTED),
                error: (quantile((WANTED + spread).min(1.0)) - quantile(WANTED - spread)) / 2.0,
            };
            let hours = sampled.value * ID_SECONDS / 3600.0;
            let survey = 3.0 * PLACEMENTS as f64 * nodes as f64;
            let held = needed.iter().filter(|&&ids| ids <= survey).count();
            rows.push(vec![
                Cell::Count(nodes as u64),
                label.into(),
                Cell::exact(quantile(0.5), 0),
                Cell::sampled(sampled, 0),
                Cell::exact(formula(nodes, goal), 0),
                Cell::exact(hours, 1),
                Cell::exact(hours * 0.04, 2),
                Cell::Count(goal.all() as u64),
                Cell::exact(survey, 0),
                Cell::sampled(Estimate::share(held as u64, u64::from(setting.trials)), 3),
            ]);
        }
    }
    setting.table(
        vec![
            "N",
            "held of each location",
            "ids, p = .5",
            "ids, p = .9",
            "formula",
            "core-hours",
            "USD",
            "ids listed",
            "W13: 3rN",
            "p at 3rN",
        ],
        rows,
        vec![
            "Ids made (0.25 core-seconds each, 0.04 USD a core-hour) until all 4 locations of one extent are held; formula \
             N·x/(1-x) with x = .9^(1/ids held). Only those in the column \"ids listed\" have to be nodes, so caps on \
             addresses cost the attacker 2 per /24.",
            "Ids last: locations of extents do not move with time, and the same ids made serve other extents' locations.",
            "W13 of the survey of the literature that the design rests on gives 3rN trials as the cost: the last column is how often that many suffice.",
        ],
    )
}

/// M14: what trying words costs once per re-keying, by arithmetic; nothing is sampled but the seed is kept for form.
pub(super) fn dictionary(setting: &Setting) -> Table {
    let mut rows = Vec::new();
    for words in [100_000u64, 1_000_000, 10_000_000] {
        for seconds in [0.1, 0.25, 1.0] {
            let hours = words as f64 * seconds / 3600.0;
            rows.push(vec![
                Cell::Count(words),
                Cell::exact(seconds, 2),
                Cell::exact(hours, 1),
                Cell::exact(hours * 0.04, 2),
                Cell::exact(hours / 64.0, 2),
            ]);
        }
    }
    setting.table(
        vec!["words", "core-seconds a word", "core-hours", "USD", "hours on 64 cores"],
        rows,
        vec![
            "Once for the whole network: the salt is the network id and does not change, so a table never expires.",
            "the survey of the literature that the design rests on 1.5 at 1 s: 28, 278, 2778 core-hours and 1, 11, 111 USD at 0.04 a core-hour.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampled_and_computed_ids_agree() {
        for (nodes, goal) in [
            (1_000, Goal::Nearest),
            (10_000, Goal::Three),
            (1_000, Goal::Acceptable),
        ] {
            let mut dice = Dice::new(37, "eclipse");
            let enough = formula(nodes, goal);
            let held = (0..4_000)
                .filter(|_| ids_needed(nodes, goal, &mut dice) <= enough)
                .count();
            let share = Estimate::share(held as u64, 4_000);
            assert!(share.agrees(WANTED, 4.0, 0.002), "{share:?}");
        }
    }
}
