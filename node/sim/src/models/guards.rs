//! Guards as `node/core/src/circuit/guard.rs` keeps them: a list of three, each with a term of its own by chance, a new
//! one at the end of the list when one's term is over; the first that is there is in use.

use super::dice::Dice;
use super::measure::{Estimate, mean};
use super::table::{Cell, Table};
use super::{SHARES, Setting};

/// As in the core's limits: guards kept.
const GUARDS: usize = 3;
/// Days of a term at least and how many more at the most, as the design had them. The core keeps guards longer now
/// ([`KEPT_DAYS`]), for what this table says.
const GUARD_DAYS: (usize, usize) = (120, 150);
/// The same in the core.
const KEPT_DAYS: (usize, usize) = (240, 180);
/// Mean days of a term.
pub(super) const GUARD_MEAN: f64 = GUARD_DAYS.0 as f64 + GUARD_DAYS.1 as f64 / 2.0;
const YEAR: usize = 365;

/// One guard: whether it is the attacker's, and the day it is given up.
struct Guard {
    name: usize,
    spy: bool,
    until: usize,
}

/// How guards are kept.
#[derive(Clone, Copy)]
struct Rule {
    label: &'static str,
    /// Guards on the list.
    kept: usize,
    /// Share of the time each guard is away for longer than ten minutes.
    away: f64,
    /// The year that is looked at: 0 is the first with the program.
    year: usize,
    /// How many times likelier than an honest node the attacker's nodes are drawn.
    weight: f64,
    /// Days of a term at least, and how many more at the most.
    days: (usize, usize),
    /// Whether a standby's term begins when it becomes the first, instead of when it is drawn.
    from_first_use: bool,
}

/// One user's year: different guards used, and whether one of them was the attacker's.
fn year(rule: &Rule, f: f64, dice: &mut Dice) -> (usize, bool) {
    let share = f * rule.weight / (f * rule.weight + 1.0 - f);
    let term = |dice: &mut Dice| rule.days.0 + dice.below(rule.days.1 + 1);
    let mut list: Vec<Guard> = Vec::new();
    let (mut used, mut drawn, mut met) = (Vec::new(), 0, false);
    for day in 0..(rule.year + 1) * YEAR {
        let before = list.first().map(|guard| guard.name);
        list.retain(|guard| day < guard.until);
        while list.len() < rule.kept {
            let until = day + term(dice);
            list.push(Guard {
                name: drawn,
                spy: dice.chance(share),
                until,
            });
            drawn += 1;
        }
        if rule.from_first_use && list.first().map(|guard| guard.name) != before {
            list[0].until = day + term(dice);
            // Standbys do not age.
            for standby in &mut list[1..] {
                standby.until = usize::MAX;
            }
        }
        if day < rule.year * YEAR {
            continue;
        }
        let here = list.iter().find(|_| !dice.chance(rule.away));
        if let Some(guard) = here.or(list.first()) {
            if !used.contains(&guard.name) {
                used.push(guard.name);
            }
            met |= guard.spy;
        }
    }
    (used.len(), met)
}

/// Guards used in a year and share of users that met a hostile one.
fn met(rule: &Rule, f: f64, trials: u32, dice: &mut Dice) -> (Estimate, Estimate) {
    let years: Vec<(usize, bool)> = (0..trials).map(|_| year(rule, f, dice)).collect();
    let hits = years.iter().filter(|(_, met)| *met).count() as u64;
    (
        mean(years.iter().map(|&(used, _)| used as f64)),
        Estimate::share(hits, u64::from(trials)),
    )
}

const PLAIN: Rule = Rule {
    label: "three, always there, second year",
    kept: GUARDS,
    away: 0.0,
    year: 1,
    weight: 1.0,
    days: GUARD_DAYS,
    from_first_use: false,
};

const RULES: [Rule; 12] = [
    Rule {
        label: "one, first year",
        kept: 1,
        year: 0,
        ..PLAIN
    },
    Rule {
        label: "one, second year",
        kept: 1,
        ..PLAIN
    },
    Rule {
        label: "three, always there, first year",
        year: 0,
        ..PLAIN
    },
    PLAIN,
    Rule {
        label: "three, terms from first use, second year",
        from_first_use: true,
        ..PLAIN
    },
    Rule {
        label: "the same with 240 to 420 days (as built)",
        from_first_use: true,
        days: KEPT_DAYS,
        ..PLAIN
    },
    Rule {
        label: "as built, each away 1 %",
        from_first_use: true,
        days: KEPT_DAYS,
        away: 0.01,
        ..PLAIN
    },
    Rule {
        label: "one, second year, 240 to 420 days",
        kept: 1,
        days: KEPT_DAYS,
        ..PLAIN
    },
    Rule {
        label: "three, second year, each away 1 %",
        away: 0.01,
        ..PLAIN
    },
    Rule {
        label: "three, second year, each away 10 %",
        away: 0.1,
        ..PLAIN
    },
    Rule {
        label: "three, second year, each away 50 %",
        away: 0.5,
        ..PLAIN
    },
    Rule {
        label: "three, second year, attackers claim class 8",
        weight: 256.0,
        ..PLAIN
    },
];

pub(super) fn table(setting: &Setting) -> Table {
    let mut rows = Vec::new();
    for rule in &RULES {
        let mut dice = Dice::new(setting.seed, &format!("guards/{}", rule.label));
        let mut row: Vec<Cell> = vec![rule.label.into()];
        let mut shares = Vec::new();
        let mut used = Estimate::default();
        for f in SHARES {
            let (guards, hit) = met(rule, f, setting.trials, &mut dice);
            used = guards;
            shares.push(Cell::sampled(hit, 3));
        }
        row.push(Cell::sampled(used, 2));
        row.extend(shares);
        rows.push(row);
    }
    for (label, guards) in [
        (
            "formula, one guard, 1-(1-f)^(1+365/195)",
            1.0 + YEAR as f64 / GUARD_MEAN,
        ),
        ("2.2: one guard, 9 months, 1-(1-f)^2", 2.0),
        ("2.2: one guard, 4 months, 1-(1-f)^4", 4.0),
    ] {
        let mut row: Vec<Cell> = vec![label.into(), Cell::exact(guards, 2)];
        row.extend(SHARES.map(|f| Cell::exact(1.0 - (1.0 - f).powf(guards), 3)));
        rows.push(row);
    }
    setting.table(
        vec!["guards", "used in a year", "f=.05", ".10", ".20", ".30"],
        rows,
        vec![
            "Share of users who had a hostile guard in use on at least one day of the year: the bound of what can be \
             linked per user-year (M7). Gate at f = .10: .20.",
            "Terms are 120 to 270 days from the day a guard is drawn, as in the design, where it does not say otherwise: a \
             standby's term runs while it stands by, so that it serves only what is left. Terms from first use: a \
             standby's begins when it becomes the first. As built: so, and 240 to 420 days.",
            "Away: on each day each guard is away with this probability, independently; a day's circuits use the first \
             that is there. Class 8: descriptors state their own capacity, and a class-8 node is drawn 256 times as \
             often as one of class 0, which is what every honest node states: so the core draws all alike.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_guard_is_replaced_as_often_as_renewal_theory_says() {
        let rule = Rule {
            kept: 1,
            year: 5,
            ..PLAIN
        };
        let (used, hit) = met(&rule, 0.1, 800, &mut Dice::new(1, "guards"));
        // A year holds 365/195 ends of terms once the beginning is forgotten.
        assert!(used.agrees(1.0 + 365.0 / GUARD_MEAN, 4.0, 0.03), "{used:?}");
        assert!(hit.agrees(1.0 - 0.9f64.powf(1.0 + 365.0 / GUARD_MEAN), 4.0, 0.01));
    }

    #[test]
    fn standbys_that_age_are_used_up_faster_than_one_guard() {
        let mut dice = Dice::new(1, "guards");
        let aged = met(&PLAIN, 0.1, 400, &mut dice).0;
        let fresh = met(
            &Rule {
                from_first_use: true,
                ..PLAIN
            },
            0.1,
            400,
            &mut dice,
        )
        .0;
        let one = met(&Rule { kept: 1, ..PLAIN }, 0.1, 400, &mut dice).0;
        assert!(aged.value > one.value + 0.2, "{aged:?} {one:?}");
        assert!(fresh.agrees(one.value, 4.0, 0.1), "{fresh:?} {one:?}");
    }
}
