//! Oboro's own rules for a fetch: one guard, one of four middles, exits of the job's own; each request sealed to its
//! storer. And the design as it was first drafted, with a recursive lookup behind the exit.

use super::dice::Dice;
use super::guards::GUARD_MEAN;
use super::measure::{Linkage, Measures, Trial};
use super::onion;
use super::space::Space;
use super::table::{Cell, Table};
use super::{SHARES, Setting};

/// Listed nodes: relays and storers.
const NODES: usize = 10_000;
/// Circuits a fetch spreads its parts over (`FETCH_LANES`), each with an exit of its own.
const LANES: usize = 3;
/// Names for client and guard: neither is ever asked, and neither is an exit.
const CLIENT: usize = NODES - 1;
const GUARD: usize = NODES - 2;
/// Files of a user-year, and mean days between them.
const FILES: usize = 50;
/// Different storers of one file that tell an exit which file it is: each is one of a few of 10,000.
const FINGERPRINT: usize = 2;

/// What the attacker holds of one fetch, apart from the guard.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// A storer that was asked: it knows the content.
    storer: bool,
    /// An exit that saw enough storers of the file to know it.
    exit: bool,
}

/// One fetch of a file of so many extents besides its root: who of the content's side is the attacker's.
fn fetch(f: f64, extents: usize, dice: &mut Dice) -> Seen {
    let spies = (f * NODES as f64) as usize;
    let other = |dice: &mut Dice, not: usize| loop {
        let node = dice.below(NODES);
        if node != CLIENT && node != GUARD && node != not {
            break node;
        }
    };
    let mut exits: [Option<usize>; LANES] = [None; LANES];
    let mut visited: [Vec<usize>; LANES] = Default::default();
    let mut seen = Seen::default();
    for part in 0..=extents {
        // The root alone goes first; afterwards lanes take turns, beginning with any.
        let lane = if part < 2 {
            dice.below(LANES)
        } else {
            part % LANES
        };
        // One of four, each nearest to an independent location: any node, each as likely.
        let storer = other(dice, CLIENT);
        // A stream whose storer is the lane's own exit gets another circuit; here the exit is simply drawn again.
        let exit = match exits[lane] {
            Some(exit) if exit != storer => exit,
            _ => other(dice, storer),
        };
        exits[lane] = Some(exit);
        if !visited[lane].contains(&storer) {
            visited[lane].push(storer);
        }
        seen.storer |= storer < spies;
        seen.exit |= exit < spies && visited[lane].len() >= FINGERPRINT;
    }
    seen
}

/// Whether any file of a year is linked, with one guard of 120 to 270 days at a time, as in the design.
fn year(f: f64, extents: usize, dice: &mut Dice) -> bool {
    // Begun long ago, so that the year begins anywhere in a term.
    let (mut guard, mut left) = (false, -3_000.0 * dice.unit() - 1.0);
    let mut renew = |left: &mut f64, dice: &mut Dice| {
        while *left < 0.0 {
            guard = dice.chance(f);
            *left += 120.0 + dice.unit() * 150.0;
        }
        guard
    };
    renew(&mut left, dice);
    (0..FILES).any(|_| {
        left -= 365.0 / FILES as f64;
        let guard = renew(&mut left, dice);
        guard && {
            let seen = fetch(f, extents, dice);
            seen.storer || seen.exit
        }
    })
}

/// What a file of so many extents costs: linked as an object (one part, by its storer), as a file, in a year.
fn linkage(f: f64, extents: usize, trials: u32, dice: &mut Dice) -> Linkage {
    let fewer = |by: u32| trials.div_ceil(by);
    let objects = (0..trials).filter(|_| dice.chance(f) && fetch(f, 0, dice).storer);
    let objects = (objects.count() as u64, u64::from(trials));
    let files = (0..fewer(2)).filter(|_| {
        let guard = dice.chance(f);
        let seen = fetch(f, extents, dice);
        guard && (seen.storer || seen.exit)
    });
    let files = (files.count() as u64, u64::from(fewer(2)));
    let years = (0..fewer(10)).filter(|_| year(f, extents, dice));
    let years = (years.count() as u64, u64::from(fewer(10)));
    Linkage::of(objects, files, years)
}

/// Closed form per file: the guard, and any of the parts' storers or of the exits with enough parts.
fn formula(f: f64, extents: usize) -> f64 {
    let honest = |nodes: usize| (1.0 - f).powi(nodes as i32);
    let clean = match extents {
        // Root and extent share a lane by chance: then its exit sees two storers.
        1 => honest(2) * (honest(1) + 2.0) / 3.0,
        _ => honest(extents + 1) * honest((extents / 2).min(LANES)),
    };
    f * (1.0 - clean)
}

pub(super) fn table(setting: &Setting) -> Table {
    let mut rows = Vec::new();
    for extents in [1, 8, 64] {
        for f in SHARES {
            let mut dice = Dice::new(setting.seed, &format!("oboro/{extents}/{f}"));
            // A large file's fetch costs more to throw; its figures are near f and need fewer trials.
            let trials = setting.trials.div_ceil(if extents > 8 { 8 } else { 1 });
            let found = linkage(f, extents, trials, &mut dice);
            let honest = ((1.0 - f) * NODES as f64) as u32;
            let judged: Vec<Trial> = (0..trials)
                .map(|_| match dice.chance(f) && fetch(f, 0, &mut dice).storer {
                    true => Trial::suspect(true, 1.0, honest),
                    false => Trial::unobserved(honest),
                })
                .collect();
            let measures = Measures::of(&judged, honest);
            rows.push(vec![
                Cell::Count(extents as u64),
                Cell::exact(f, 2),
                Cell::sampled(found.object, 4),
                Cell::exact(f * f, 4),
                Cell::sampled(onion::per_circuit(f, trials, &mut dice), 4),
                Cell::sampled(measures.anonymity, 4),
                Cell::sampled(found.file, 4),
                Cell::exact(formula(f, extents), 4),
                Cell::exact(f * (1.0 - (1.0 - f).powi(2)), 4),
                Cell::exact(f, 2),
                Cell::sampled(found.user_year, 3),
                Cell::exact(1.0 - (1.0 - f).powf(1.0 + 365.0 / GUARD_MEAN), 3),
            ]);
        }
    }
    setting.table(
        vec![
            "extents",
            "f",
            "object",
            "f^2",
            "Tor circuit",
            "d",
            "file",
            "formula",
            "2.2: f(1-(1-f)^2)",
            "bound f",
            "user-year",
            "at most",
        ],
        rows,
        vec![
            "N = 10,000 listed nodes. Linked: the guard, and a storer that was asked or an exit that saw two different \
             storers of the file (for an object: the storer alone), are the attacker's. Timing is taken as certain.",
            "A file is its root and so many extents, over up to three circuits with exits of their own; one storer of four \
             is asked for each part. Nothing fails, so no further exit is tried.",
            "File formula: f(1-(1-f)^(extents+1+exits)), exits those with two parts or more; for one extent root and \
             extent meet in one lane with 1/3. Gates at f = .10: object .012, file .11, user-year .20.",
            "User-year: 50 files, one guard at a time of 120 to 270 days, as in the design; the core keeps them longer: see guards.",
        ],
    )
}

/// Per chunk, if the exit began a recursive lookup: q = f(1-(1-f)^(1+h)).
pub(super) fn drafted(setting: &Setting) -> Table {
    let space = Space::new(100_000, &mut Dice::new(setting.seed, "drafted/space"));
    let figures = [
        (0.0109, 0.0113, 0.989),
        (0.0394, 0.0410, 0.959),
        (0.1313, 0.1345, 0.866),
        (0.2458, 0.2496, 0.750),
    ];
    let rows = SHARES
        .into_iter()
        .zip(figures)
        .map(|(f, (sampled, fixed, d))| {
            let mut dice = Dice::new(setting.seed, &format!("drafted/{f}"));
            let honest = ((1.0 - f) * space.len() as f64) as u32;
            let trials: Vec<Trial> = (0..setting.trials)
                .map(|_| {
                    let (exit, key) = (dice.below(space.len()), dice.bits());
                    let way = space.path(exit, key, 8, &mut dice).len();
                    let guard = dice.chance(f);
                    let content = (0..way).any(|_| dice.chance(f));
                    match guard && content {
                        true => Trial::suspect(true, 1.0, honest),
                        false => Trial::unobserved(honest),
                    }
                })
                .collect();
            let found = Measures::of(&trials, honest);
            vec![
                Cell::exact(f, 2),
                Cell::sampled(found.recall_sure, 4),
                Cell::exact(sampled, 4),
                Cell::exact(f * (1.0 - (1.0 - f).powi(5)), 4),
                Cell::exact(fixed, 4),
                Cell::sampled(found.anonymity, 3),
                Cell::exact(d, 3),
            ]
        });
    setting.table(
        vec!["f", "q", "2.2 sampled", "formula, h = 4", "2.2", "d", "2.2"],
        rows.collect(),
        vec![
            "N = 100,000, k = 8. Linked: the guard and the exit or any node of the lookup are the attacker's.",
            "Not what Oboro does now: kept to show what asking the storer itself, sealed, is worth.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_linked_with_f_squared_and_a_file_by_its_formula() {
        let mut dice = Dice::new(11, "oboro");
        for extents in [1, 8] {
            let found = linkage(0.2, extents, 20_000, &mut dice);
            assert!(found.object.agrees(0.04, 4.0, 0.0), "{found:?}");
            assert!(
                found.file.agrees(formula(0.2, extents), 4.0, 0.0),
                "{found:?}"
            );
            assert!(found.file.value < 0.22);
        }
    }
}
