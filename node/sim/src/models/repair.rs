//! What it costs to keep copies and parity whole while nodes come and go.

use super::Setting;
use super::dice::Dice;
use super::measure::{Estimate, mean};
use super::parity::SCHEMES;
use super::table::{Cell, Table};

/// Share of nodes that are always there.
const ALWAYS: f64 = 0.2;
/// Minutes of a session: median, and sigma of its logarithm. The same of an absence.
const SESSION: (f64, f64) = (60.0, 1.5);
const ABSENCE: (f64, f64) = (480.0, 1.5);
/// Hours that are watched, and hours before them to forget the beginning: absences have a long tail.
const HOURS: f64 = 500.0;
const BEFORE: f64 = 4_000.0;
/// Extents of a group in a large file.
const K: usize = 32;
const GIB: f64 = 1_073_741_824.0;

/// One volatile node's life: hours it was there, and absences longer than the grace that began while watched.
fn life(grace: f64, dice: &mut Dice) -> (f64, f64) {
    let (mut at, mut there, mut repairs) = (0.0, 0.0, 0.0);
    while at < BEFORE + HOURS {
        let session = dice.log_normal(SESSION.0, SESSION.1) / 60.0;
        let absence = dice.log_normal(ABSENCE.0, ABSENCE.1) / 60.0;
        let end = (at + session).min(BEFORE + HOURS);
        there += (end - at.max(BEFORE)).max(0.0);
        at += session;
        if (BEFORE..BEFORE + HOURS).contains(&at) && absence > grace {
            repairs += 1.0;
        }
        at += absence;
    }
    (there, repairs)
}

/// Repairs per hour and node that is there, the always-present among them: a ratio of two means, with its error.
fn rate(lives: &[(f64, f64)]) -> Estimate {
    let there = |life: &(f64, f64)| ALWAYS * HOURS + (1.0 - ALWAYS) * life.0;
    let repairs = |life: &(f64, f64)| (1.0 - ALWAYS) * life.1;
    let present = mean(lives.iter().map(there)).value;
    let value = mean(lives.iter().map(repairs)).value / present;
    let residue = mean(lives.iter().map(|life| repairs(life) - value * there(life)));
    Estimate {
        value,
        error: residue.error / present,
    }
}

/// Mean of a log-normal, in hours.
fn mean_hours((median, sigma): (f64, f64)) -> f64 {
    median / 60.0 * (sigma * sigma / 2.0).exp()
}

/// Share of absences longer than a grace: the tail of a normal (Abramowitz and Stegun 7.1.26, to 1.5e-7).
fn longer(grace: f64) -> f64 {
    if grace <= 0.0 {
        return 1.0;
    }
    let z = (grace * 60.0 / ABSENCE.0).ln() / ABSENCE.1 / core::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z.abs());
    let series = [
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let poly = series.iter().rev().fold(0.0, |sum, a| (sum + a) * t);
    let tail = poly * (-z * z).exp() / 2.0;
    if z >= 0.0 { tail } else { 1.0 - tail }
}

/// Repairs per hour and listed node that is there, by renewal: departures of volatile nodes over those there.
fn formula(grace: f64) -> f64 {
    let cycle = mean_hours(SESSION) + mean_hours(ABSENCE);
    let there = ALWAYS + (1.0 - ALWAYS) * mean_hours(SESSION) / cycle;
    (1.0 - ALWAYS) * longer(grace) / cycle / there
}

pub(super) fn table(setting: &Setting) -> Table {
    let mut rows = Vec::new();
    for grace in [0.0, 6.0, 24.0] {
        let mut dice = Dice::new(setting.seed, &format!("repair/{grace}"));
        let lives: Vec<(f64, f64)> = (0..setting.trials)
            .map(|_| life(grace, &mut dice))
            .collect();
        let rate = rate(&lives);
        for scheme in &SCHEMES {
            // A lost copy is copied from another; what has no other is made anew from k extents of its group. If repair
            // waits until half the parity is gone, those k serve for all that is lost, and all but one are sent on.
            let (k, gathered) = (K as f64, scheme.parity_of(K) as f64 / 2.0);
            let (reads, fewer) = if scheme.is_coded() && scheme.copies == 1 {
                (k, (k + gathered - 1.0) / gathered)
            } else {
                (1.0, 1.0)
            };
            let stored = scheme.overhead(K) * GIB;
            let per_hour = |rate: f64| rate * stored * reads / 1e6;
            rows.push(vec![
                Cell::exact(grace, 0),
                scheme.label.into(),
                Cell::exact(scheme.overhead(K), 2),
                Cell::sampled(rate, 4),
                Cell::exact(formula(grace), 4),
                Cell::sampled(
                    Estimate {
                        value: per_hour(rate.value),
                        error: per_hour(rate.error),
                    },
                    0,
                ),
                Cell::exact(per_hour(formula(grace)), 0),
                Cell::exact(rate.value * stored * fewer / 1e6, 0),
            ]);
        }
    }
    setting.table(
        vec![
            "grace, h",
            "scheme",
            "overhead",
            "repairs/node/h",
            "formula",
            "MB/node/h",
            "formula",
            "gathered, MB/node/h",
        ],
        rows,
        vec![
            "20 % of nodes are always there; sessions of the others are log-normal, median 60 min, absences median 8 h, \
             sigma 1.5 each (the survey gives no sigma and no absences). All nodes store.",
            "Repair of a node that is away for longer than the grace: all it held is sent once more. Per GiB of users' data \
             that a node's share of the network comes to. 1 copy of a code: k = 32 extents are read for each lost one; \
             gathered: once for all, when half of a group's parity is gone. That both copies of a coded extent go is left \
             out.",
            "Whoever repairs a group must know which extents are of one file, which storers now do not.",
            "Formula: renewal, 0.8·P(absence > grace)/(E session + E absence) over the share of nodes there.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departures_come_as_often_as_renewal_theory_says() {
        let mut dice = Dice::new(43, "repair");
        for grace in [0.0, 6.0] {
            let lives: Vec<(f64, f64)> = (0..2_000).map(|_| life(grace, &mut dice)).collect();
            let rate = rate(&lives);
            assert!(
                rate.agrees(formula(grace), 4.0, 0.0),
                "{rate:?} {}",
                formula(grace)
            );
        }
    }

    #[test]
    fn half_of_absences_are_longer_than_their_median() {
        assert!((longer(8.0) - 0.5).abs() < 1e-6);
        assert!((longer(0.0) - 1.0).abs() < 1e-12);
    }
}
