//! Three relays as in Tor: fresh middle and exit, the first fresh or pinned. Who holds both ends links them.

use super::dice::Dice;
use super::measure::{Estimate, Linkage, Measures, Trial};
use super::table::{Cell, Table};
use super::{SHARES, Setting};

const RELAYS: usize = 10_000;
/// Circuits a file is fetched over in the rows for files.
const PER_FILE: usize = 32;
/// Files of a user-year.
const FILES: usize = 100;
/// Days a pinned guard is kept: 9 months.
const GUARD_DAYS: f64 = 270.0;

/// Whether each relay of a fresh circuit of three different relays is the attacker's.
fn circuit(f: f64, dice: &mut Dice) -> [bool; 3] {
    let spies = (f * RELAYS as f64) as usize;
    let mut drawn = [0; 3];
    let all = dice.distinct(3, RELAYS);
    // Floyd's method favours no relay, but a later place takes larger numbers: turn them by chance.
    let turn = dice.below(3);
    for (place, relay) in all.into_iter().enumerate() {
        drawn[(place + turn) % 3] = relay;
    }
    drawn.map(|relay| relay < spies)
}

/// Whether a file over `PER_FILE` circuits is linked, if the guard is the attacker's (`None`: fresh for each).
fn file(f: f64, guard: Option<bool>, dice: &mut Dice) -> bool {
    (0..PER_FILE).any(|_| {
        let [first, _, exit] = circuit(f, dice);
        guard.unwrap_or(first) && exit
    })
}

fn linkage(f: f64, pinned: bool, trials: u32, dice: &mut Dice) -> Linkage {
    let spies = |dice: &mut Dice| pinned.then(|| dice.chance(f));
    let count = |hits: usize, all: u32| (hits as u64, u64::from(all));
    let objects = (0..trials).filter(|_| {
        let [first, _, exit] = circuit(f, dice);
        first && exit
    });
    let objects = count(objects.count(), trials);
    let few = trials.div_ceil(20);
    let files = (0..few).filter(|_| {
        let guard = spies(dice);
        file(f, guard, dice)
    });
    let files = count(files.count(), few);
    let years = (0..few.div_ceil(10)).filter(|_| {
        let mut guard = spies(dice);
        // The guard's term ends on a day by chance, and is 270 days long.
        let mut ends = dice.unit() * GUARD_DAYS;
        (0..FILES).any(|number| {
            let day = number as f64 * 365.0 / FILES as f64;
            while day >= ends {
                guard = spies(dice);
                ends += GUARD_DAYS;
            }
            file(f, guard, dice)
        })
    });
    let years = count(years.count(), few.div_ceil(10));
    Linkage::of(objects, files, years)
}

pub(super) fn table(setting: &Setting) -> Table {
    let mut rows = Vec::new();
    for pinned in [false, true] {
        for f in SHARES {
            let mut dice = Dice::new(setting.seed, &format!("onion/{pinned}/{f}"));
            let found = linkage(f, pinned, setting.trials, &mut dice);
            let honest = ((1.0 - f) * 100_000.0) as u32;
            let trials: Vec<Trial> = (0..setting.trials)
                .map(|_| match circuit(f, &mut dice) {
                    [true, _, true] => Trial::suspect(true, 1.0, honest),
                    _ => Trial::unobserved(honest),
                })
                .collect();
            let measures = Measures::of(&trials, honest);
            let seen = 1.0 - (1.0 - f).powi(PER_FILE as i32);
            let fresh = 1.0 - (1.0 - f * f).powi(PER_FILE as i32);
            let year = 1.0 - (1.0 - f).powf(1.0 + 365.0 / GUARD_DAYS);
            rows.push(vec![
                if pinned {
                    "pinned".into()
                } else {
                    "fresh".into()
                },
                Cell::exact(f, 2),
                Cell::sampled(found.object, 4),
                Cell::exact(f * f, 4),
                Cell::sampled(measures.anonymity, 4),
                Cell::exact(1.0 - f * f, 4),
                Cell::sampled(found.file, 3),
                Cell::exact(if pinned { f * seen } else { fresh }, 3),
                Cell::sampled(found.user_year, 3),
                Cell::exact(if pinned { year } else { 1.0 }, 3),
            ]);
        }
    }
    setting.table(
        vec![
            "first relay",
            "f",
            "circuit",
            "f^2",
            "d",
            "1-f^2",
            "file",
            "formula",
            "user-year",
            "formula",
        ],
        rows,
        vec![
            "A file takes 32 circuits; a user-year has 100 files; a pinned guard stays 270 days, from a day by chance.",
            "File: fresh 1-(1-f^2)^32, pinned f(1-(1-f)^32); user-year: 1-(1-f)^(1+365/270) at most (M7).",
            "Both ends seen is taken as linked for certain (DeepCorr needs some 900 packets for 96 %).",
        ],
    )
}

/// A share with its error, for rows of other models that compare with three relays.
pub(super) fn per_circuit(f: f64, trials: u32, dice: &mut Dice) -> Estimate {
    let hits = (0..trials).filter(|_| {
        let [first, _, exit] = circuit(f, dice);
        first && exit
    });
    Estimate::share(hits.count() as u64, u64::from(trials))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circuit_is_linked_with_f_squared_and_a_pinned_guard_bounds_a_file_by_f() {
        let mut dice = Dice::new(9, "onion");
        let fresh = linkage(0.2, false, 20_000, &mut dice);
        assert!(fresh.object.agrees(0.04, 4.0, 0.0), "{fresh:?}");
        assert!(
            fresh.file.agrees(1.0 - 0.96f64.powi(32), 4.0, 0.0),
            "{fresh:?}"
        );
        let pinned = linkage(0.2, true, 20_000, &mut dice);
        assert!(pinned.file.agrees(0.2, 4.0, 0.0), "{pinned:?}");
        assert!(per_circuit(0.2, 20_000, &mut dice).agrees(0.04, 4.0, 0.0));
    }
}
