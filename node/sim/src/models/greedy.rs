//! Recursive greedy routing as in Freenet: every node on the way learns the key and who it came from.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::measure::{Estimate, Measures, Trial, mean};
use super::space::Space;
use super::table::{Cell, Table};
use super::{SHARES, Setting};

/// Nodes of the network in the rows that are compared with the survey 2.2.
const NODES: usize = 100_000;
/// Contacts per bucket there.
const BUCKET: usize = 8;

/// What goes before the greedy steps.
#[derive(Clone, Copy)]
enum Walk {
    None,
    /// At least one random step, then on with this probability; the phase can be seen, a count cannot.
    Geometric(f64),
    /// So many random steps, with a hop count on the wire (as in R5N).
    Counted(usize),
}

/// What the first spy on the way saw.
struct Sighting {
    /// Phase and common prefix of predecessor and key, or the hop count.
    class: u32,
    /// Whether the predecessor is the origin.
    right: bool,
}

/// The first spy's sighting of one lookup, if there was a spy. The origin is honest.
fn lookup(space: &Space, walk: Walk, f: f64, dice: &mut Dice) -> Option<Sighting> {
    let (mut way, key) = (vec![dice.below(space.len())], dice.bits());
    let steps = match walk {
        Walk::None => 0,
        Walk::Counted(steps) => steps,
        Walk::Geometric(on) => {
            let mut steps = 1;
            while dice.chance(on) {
                steps += 1;
            }
            steps
        }
    };
    for _ in 0..steps {
        let at = way[way.len() - 1];
        way.push(space.contact(at, BUCKET, dice));
    }
    let last = way[way.len() - 1];
    way.extend(space.path(last, key, BUCKET, dice).into_iter().skip(1));
    let spy = (1..way.len()).find(|_| dice.chance(f))?;
    let walking = spy <= steps;
    let class = match walk {
        Walk::Counted(_) => u32::try_from(spy).unwrap_or(0),
        _ => 65 * u32::from(walking) + space.common_prefix(way[spy - 1], key),
    };
    Some(Sighting {
        class,
        right: spy == 1,
    })
}

/// Runs as many lookups to learn how often each sighting is right, and as many again to judge by.
fn attack(space: &Space, walk: Walk, f: f64, trials: u32, dice: &mut Dice) -> Measures {
    let mut known: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for _ in 0..trials {
        if let Some(seen) = lookup(space, walk, f, dice) {
            let entry = known.entry(seen.class).or_default();
            entry.0 += u64::from(seen.right);
            entry.1 += 1;
        }
    }
    let honest = ((1.0 - f) * space.len() as f64) as u32;
    let judged: Vec<Trial> = (0..trials)
        .map(|_| match lookup(space, walk, f, dice) {
            None => Trial::unobserved(honest),
            Some(seen) => {
                let (right, all) = known.get(&seen.class).copied().unwrap_or((0, 0));
                // One more, so that what was seen once is not certain.
                let p = right as f64 / (all + 1) as f64;
                Trial::suspect(seen.right, p.max(1.0 / f64::from(honest)), honest)
            }
        })
        .collect();
    Measures::of(&judged, honest)
}

/// The share of requests, of files and the certainty a spy among the neighbours has.
pub(super) fn table(setting: &Setting) -> Table {
    let space = Space::new(NODES, &mut Dice::new(setting.seed, "greedy/space"));
    let kinds = [
        ("greedy", Walk::None),
        ("walk .5, then greedy", Walk::Geometric(0.5)),
        ("walk .9, then greedy", Walk::Geometric(0.9)),
        ("walk of 3, hops visible", Walk::Counted(3)),
    ];
    let mut rows = Vec::new();
    for (kind, (label, walk)) in kinds.into_iter().enumerate() {
        for (place, f) in SHARES.into_iter().enumerate() {
            let mut dice = Dice::new(setting.seed, &format!("greedy/{label}/{f}"));
            let found = attack(&space, walk, f, setting.trials, &mut dice);
            let [precision, sure, d] = PUBLISHED[kind][place];
            rows.push(vec![
                label.into(),
                Cell::exact(f, 2),
                Cell::sampled(found.recall, 3),
                Cell::exact(f, 3),
                Cell::sampled(found.precision, 3),
                Cell::exact(precision, 3),
                Cell::sampled(found.recall_sure, 3),
                Cell::exact(sure, 3),
                Cell::sampled(found.precision_sure, 3),
                Cell::sampled(found.vulnerability, 3),
                Cell::sampled(found.anonymity, 3),
                Cell::exact(d, 3),
            ]);
        }
    }
    setting.table(
        vec![
            "routing",
            "f",
            "M2(0)",
            "formula f",
            "precision",
            "2.2",
            "M2(.9)",
            "2.2",
            "precision(.9)",
            "V",
            "d",
            "2.2",
        ],
        rows,
        vec![
            "N = 100,000, k = 8, uniform 64-bit ids, uniform origin and key; nodes are the attacker's independently with f.",
            "The first spy suspects its predecessor; its certainty is the share of right ones among as many other lookups \
             with the same common prefix of predecessor and key (and phase, or hop count).",
            "Columns 2.2: figures of the survey of the literature that the design rests on; its row for visible hops has no precision and no d.",
        ],
    )
}

/// Precision, M2(0.9) and d of the survey 2.2 for each routing and f; 0.9 is never reached in the second
/// and third, and the fourth has only M2(0.9).
#[allow(
    clippy::approx_constant,
    reason = "a published figure that happens to look like one"
)]
const PUBLISHED: [[[f64; 3]; 4]; 4] = [
    [
        [0.272, 0.036, 0.953],
        [0.297, 0.073, 0.905],
        [0.350, 0.149, 0.808],
        [0.409, 0.225, 0.710],
    ],
    [
        [0.193, 0.0, 0.956],
        [0.220, 0.0, 0.911],
        [0.280, 0.0, 0.820],
        [0.350, 0.0, 0.726],
    ],
    [
        [0.109, 0.0, 0.962],
        [0.148, 0.0, 0.921],
        [0.230, 0.0, 0.836],
        [0.318, 0.0, 0.746],
    ],
    [
        [f64::NAN, 0.052, f64::NAN],
        [f64::NAN, 0.102, f64::NAN],
        [f64::NAN, 0.202, f64::NAN],
        [f64::NAN, 0.303, f64::NAN],
    ],
];

/// Hops of a lookup, by size of the network and of buckets.
#[allow(
    clippy::approx_constant,
    reason = "a published figure that happens to look like one"
)]
pub(super) fn hops(setting: &Setting) -> Table {
    let published = [
        (
            10_000,
            [(1, 6.48), (2, 4.94), (4, 3.84), (8, 3.14), (20, 2.52)],
        ),
        (
            100_000,
            [(1, 8.15), (2, 6.14), (4, 4.79), (8, 3.89), (20, 3.12)],
        ),
        (
            1_000_000,
            [(1, 9.85), (2, 7.46), (4, 5.74), (8, 4.62), (20, 3.69)],
        ),
    ];
    let mut rows = Vec::new();
    for (nodes, figures) in published {
        let space = Space::new(
            nodes,
            &mut Dice::new(setting.seed, &format!("hops/{nodes}")),
        );
        for (k, figure) in figures {
            let mut dice = Dice::new(setting.seed, &format!("hops/{nodes}/{k}"));
            let mut lengths: Vec<usize> = (0..setting.trials)
                .map(|_| {
                    let (from, key) = (dice.below(space.len()), dice.bits());
                    space.path(from, key, k, &mut dice).len() - 1
                })
                .collect();
            let hops = mean(lengths.iter().map(|&length| length as f64));
            lengths.sort_unstable();
            let rank = |share: f64| lengths[((lengths.len() - 1) as f64 * share) as usize] as u64;
            let contacts: Estimate =
                mean((0..200).map(|_| space.contacts(dice.below(space.len()), k) as f64));
            rows.push(vec![
                Cell::Count(nodes as u64),
                Cell::Count(k as u64),
                Cell::exact(contacts.value, 0),
                Cell::sampled(hops, 2),
                Cell::exact(figure, 2),
                Cell::Count(rank(0.5)),
                Cell::Count(rank(0.99)),
            ]);
        }
    }
    setting.table(
        vec!["N", "k", "contacts", "mean h", "3.2", "p50", "p99"],
        rows,
        vec!["Column 3.2: the survey of the literature that the design rests on. Hops are forwardings of one greedy lookup from a uniform node."],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_spy_is_right_in_a_share_f_of_all_lookups() {
        let space = Space::new(2_000, &mut Dice::new(1, "s"));
        let found = attack(&space, Walk::None, 0.2, 4_000, &mut Dice::new(1, "a"));
        assert!(found.recall.agrees(0.2, 4.0, 0.002), "{found:?}");
        assert!(found.precision_sure.value > 0.95 || found.recall_sure.value == 0.0);
    }

    #[test]
    fn a_long_walk_leaves_no_certainty_and_a_hop_count_gives_all_of_it() {
        let space = Space::new(2_000, &mut Dice::new(1, "s"));
        let dice = &mut Dice::new(1, "a");
        let walked = attack(&space, Walk::Geometric(0.9), 0.1, 4_000, dice);
        assert!(walked.recall_sure.value < 0.005, "{walked:?}");
        let counted = attack(&space, Walk::Counted(3), 0.1, 4_000, dice);
        assert!(counted.recall_sure.agrees(0.1, 4.0, 0.0), "{counted:?}");
    }
}
