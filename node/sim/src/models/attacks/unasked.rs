//! An attack nobody has published, for it is on a rule of Oboro's own: a client never asks itself nor its guard
//! (`peers/unasked.rs`). An exit that knows the file and sees which storers are asked may learn who that is.

use super::super::Setting;
use super::super::dice::Dice;
use super::super::measure::{Estimate, mean};
use super::super::table::{Cell, Table};
use super::PLACEMENTS;

/// Probability that a storer is passed over for another reason: it was busy, or lately failed.
const NOISE: f64 = 0.02;
/// Names of the client and its guard; all nodes are alike, so any would do.
const CLIENT: usize = 0;
const GUARD: usize = 1;

/// Whom a client asks if the node nearest to a location is itself or its guard.
#[derive(Clone, Copy)]
enum Rule {
    /// The next nearest, which then counts as nearest (as in `fetch/sources.rs`).
    Next,
    /// The nearest to another location of the extent.
    Elsewhere,
}

/// One fetch, seen by an exit that carries a third of it, knows the file and the order of its extents: whether it names
/// the client or the guard as the node likeliest never to be asked, and how many nodes it has not seen asked.
fn fetch(nodes: usize, extents: usize, rule: Rule, dice: &mut Dice) -> (bool, f64) {
    let mut evidence = vec![0.0f64; nodes];
    let unasked = |node: usize| node == CLIENT || node == GUARD;
    for _ in 0..extents {
        // The nearest of each location, then the second of each.
        let near = dice.distinct(2 * PLACEMENTS, nodes);
        let (first, second) = near.split_at(PLACEMENTS);
        let fit: Vec<usize> = (0..PLACEMENTS)
            .filter(|&place| match rule {
                Rule::Next => true,
                Rule::Elsewhere => !unasked(first[place]),
            })
            .collect();
        let place = fit[dice.below(fit.len())];
        let passed_over = unasked(first[place]) || dice.chance(NOISE);
        let asked = if passed_over {
            second[place]
        } else {
            first[place]
        };
        if unasked(asked) || !dice.chance(1.0 / 3.0) {
            continue;
        }
        for (other, &storer) in first.iter().enumerate() {
            evidence[storer] += match (other == place, passed_over) {
                // The second was asked in its stead, which is rare unless it is out of the question.
                (true, true) if matches!(rule, Rule::Next) => -NOISE.ln(),
                // Asked, or passed over where the client never passes over itself: it is neither client nor guard.
                (true, _) => f64::NEG_INFINITY,
                // Not asked: a little likelier if it was out of the question.
                (false, _) => (4.0f64 / 3.0).ln(),
            };
        }
        if passed_over {
            evidence[asked] = f64::NEG_INFINITY;
        }
    }
    let top = evidence.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let best: Vec<usize> = (0..nodes).filter(|&node| evidence[node] == top).collect();
    let hit = unasked(best[dice.below(best.len())]);
    let left = evidence.iter().filter(|&&one| one > f64::NEG_INFINITY);
    (hit, left.count() as f64)
}

pub(in super::super) fn table(setting: &Setting) -> Table {
    let mut rows = Vec::new();
    for (nodes, extents) in [
        (100, 64),
        (100, 1_024),
        (1_000, 64),
        (1_000, 1_024),
        (1_000, 10_240),
        (10_000, 64),
        (10_000, 1_024),
        (10_000, 10_240),
    ] {
        let trials = setting.trials.div_ceil(if extents > 5_000 { 4 } else { 1 });
        let run = |label: &str, rule: Rule| {
            let mut dice = Dice::new(setting.seed, &format!("unasked/{label}/{nodes}/{extents}"));
            let seen: Vec<(bool, f64)> = (0..trials)
                .map(|_| fetch(nodes, extents, rule, &mut dice))
                .collect();
            let hits = seen.iter().filter(|(hit, _)| *hit).count() as u64;
            let left = mean(seen.iter().map(|(_, left)| *left));
            (Estimate::share(hits, u64::from(trials)), left)
        };
        let (next, left) = run("next", Rule::Next);
        let (elsewhere, _) = run("elsewhere", Rule::Elsewhere);
        let asked = extents as f64 / 3.0 / nodes as f64;
        let skips = 2.0 * extents as f64 / 3.0 / nodes as f64;
        rows.push(vec![
            Cell::Count(nodes as u64),
            Cell::Count(extents as u64),
            Cell::sampled(next, 3),
            Cell::exact(1.0 - (-skips).exp(), 3),
            Cell::sampled(elsewhere, 3),
            Cell::exact(2.0 / nodes as f64, 4),
            Cell::sampled(left, 1),
            Cell::exact(2.0 + (nodes as f64 - 2.0) * (-asked).exp(), 1),
        ]);
    }
    setting.table(
        vec![
            "N",
            "extents",
            "named, next nearest",
            "a skip is seen",
            "named, other location (as built)",
            "chance",
            "nodes left",
            "formula",
        ],
        rows,
        vec![
            "Named: one hostile exit of the three of a fetch knows the file and which extent each of its requests is for, \
             and names the client (if it is listed) or its guard. Storers are passed over with 0.02 for other reasons.",
            "Next nearest: it is asked at the same location when the nearest is the client or its guard, as the core did once; \"a skip is seen\": \
             1-exp(-2·extents/3N), the probability that this happens at all. Other location: the same extent is asked for \
             at another of its locations instead, so that only never being asked can tell.",
            "Nodes left: 2 + (N-2)·exp(-extents/3N). Found while modelling; not in the survey of the literature that the design rests on. A hostile storer \
             that is second nearest sees a skip without any exit. A guard that is named is one step to its clients.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_fetch_in_a_small_network_leaves_the_client_and_its_guard() {
        let mut dice = Dice::new(31, "unasked");
        for rule in [Rule::Next, Rule::Elsewhere] {
            let named = (0..20).filter(|_| fetch(50, 2_000, rule, &mut dice).0);
            assert_eq!(named.count(), 20);
        }
    }

    #[test]
    fn asking_at_another_location_hides_the_client_in_a_network_that_is_not_small() {
        let mut dice = Dice::new(31, "unasked");
        let mut named = |rule| {
            (0..200)
                .filter(|_| fetch(1_000, 512, rule, &mut dice).0)
                .count()
        };
        assert!(named(Rule::Next) > 10);
        assert!(named(Rule::Elsewhere) < 10);
    }
}
