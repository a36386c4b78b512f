//! Source indirection as in GNUnet's GAP: a node that forwards a query puts its own address in it, unless it is busy;
//! then it leaves the one before (the shortcut of Kügler, "An Analysis of GNUnet", PET 2003).

use super::dice::Dice;
use super::measure::{Measures, Trial};
use super::table::{Cell, Table};
use super::{SHARES, Setting};

/// Honest and hostile nodes together.
const NODES: f64 = 100_000.0;
/// Nodes a query passes after its origin.
const HOPS: usize = 5;

/// The first spy on the way sees a reply address: whether there was one, and whether it is the origin's.
fn query(f: f64, shortcut: f64, dice: &mut Dice) -> Option<bool> {
    let mut origin_shown = true;
    for _ in 0..HOPS {
        if dice.chance(f) {
            return Some(origin_shown);
        }
        // An honest node on the way: once the address is replaced it stays another's.
        origin_shown &= dice.chance(shortcut);
    }
    None
}

/// Share of first spies that are shown the origin's own address.
fn formula(f: f64, shortcut: f64) -> f64 {
    let shown: f64 = (0..HOPS)
        .map(|step| ((1.0 - f) * shortcut).powi(step as i32))
        .sum();
    f * shown / (1.0 - (1.0 - f).powi(HOPS as i32))
}

pub(super) fn table(setting: &Setting) -> Table {
    let published = [
        (0.0, [0.221, 0.244, 0.297, 0.361]),
        (0.5, [0.41, 0.44, 0.49, 0.55]),
        (0.9, [0.83, 0.84, 0.86, 0.88]),
    ];
    let mut rows = Vec::new();
    for (shortcut, figures) in published {
        for (f, figure) in SHARES.into_iter().zip(figures) {
            let mut dice = Dice::new(setting.seed, &format!("gap/{shortcut}/{f}"));
            let honest = ((1.0 - f) * NODES) as u32;
            let p = formula(f, shortcut);
            let trials: Vec<Trial> = (0..setting.trials)
                .map(|_| match query(f, shortcut, &mut dice) {
                    None => Trial::unobserved(honest),
                    Some(right) => Trial::suspect(right, p, honest),
                })
                .collect();
            let found = Measures::of(&trials, honest);
            rows.push(vec![
                Cell::exact(shortcut, 1),
                Cell::exact(f, 2),
                Cell::sampled(found.observed, 3),
                Cell::sampled(found.precision, 3),
                Cell::exact(p, 3),
                Cell::exact(figure, 3),
                Cell::sampled(found.recall, 3),
                Cell::sampled(found.vulnerability, 3),
                Cell::sampled(found.anonymity, 3),
            ]);
        }
    }
    setting.table(
        vec!["s", "f", "M1", "precision", "formula", "2.2", "M2(0)", "V", "d"],
        rows,
        vec![
            "s: probability that an honest node on the way keeps the reply address it was given; 5 hops.",
            "formula: f·Sum(((1-f)s)^(j-1), j = 1..5) / (1-(1-f)^5).",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortcuts_make_the_first_spy_right_as_often_as_the_formula_says() {
        for shortcut in [0.0, 0.5, 0.9] {
            let mut dice = Dice::new(3, "gap");
            let seen: Vec<bool> = (0..20_000)
                .filter_map(|_| query(0.1, shortcut, &mut dice))
                .collect();
            let right = seen.iter().filter(|&&right| right).count() as f64 / seen.len() as f64;
            assert!((right - formula(0.1, shortcut)).abs() < 0.025, "{right}");
        }
    }
}
