//! Whether a file survives when a share of nodes vanishes: plain copies of every extent, or Reed-Solomon parity across
//! extents with one or two copies of each.

use super::Setting;
use super::binomial::at_least;
use super::dice::Dice;
use super::measure::Estimate;
use super::table::{Cell, Table};

const NODES: usize = 10_000;
/// Extents of a group at the most: an extent of parity is made from so many.
const GROUP: usize = 32;

/// How a file is spread: per group of k extents, `parity` more for every `per` of them, and so many copies of each.
#[derive(Clone, Copy)]
pub(super) struct Scheme {
    pub(super) label: &'static str,
    pub(super) copies: usize,
    parity: usize,
    per: usize,
    /// So many more, and copies instead where a group is too small for that.
    more: usize,
}

/// Groups of fewer extents have copies instead of parity, in the scheme that is built in.
const EXTENTS_MIN: usize = 4;
/// So many.
const ALONE: usize = 8;

impl Scheme {
    const fn plain(label: &'static str, copies: usize) -> Self {
        Self {
            label,
            copies,
            parity: 0,
            per: 1,
            more: 0,
        }
    }

    const fn coded(label: &'static str, copies: usize, parity: usize, per: usize) -> Self {
        Self {
            label,
            copies,
            parity,
            per,
            more: 0,
        }
    }

    const fn more(self, more: usize) -> Self {
        Self { more, ..self }
    }

    const fn is_too_small(&self, k: usize) -> bool {
        self.more > 0 && k < EXTENTS_MIN
    }

    /// Copies of each extent of a group of k.
    pub(super) fn copies_of(&self, k: usize) -> usize {
        if self.is_too_small(k) {
            ALONE
        } else {
            self.copies
        }
    }

    /// Extents of parity of a group of k.
    pub(super) fn parity_of(&self, k: usize) -> usize {
        if self.is_too_small(k) {
            return 0;
        }
        (k * self.parity).div_ceil(self.per) + self.more
    }

    /// Bytes stored for each of the file's.
    pub(super) fn overhead(&self, k: usize) -> f64 {
        (self.copies_of(k) * (k + self.parity_of(k))) as f64 / k as f64
    }

    pub(super) const fn is_coded(&self) -> bool {
        self.parity > 0
    }
}

/// Plain copies, and codes that cost as much or less.
pub(super) const SCHEMES: [Scheme; 11] = [
    Scheme::plain("2 copies", 2),
    Scheme::coded("k+k, 1 copy", 1, 1, 1),
    Scheme::plain("3 copies", 3),
    Scheme::coded("k+2k, 1 copy", 1, 2, 1),
    Scheme::coded("k+k/2, 2 copies", 2, 1, 2),
    Scheme::plain("4 copies", 4),
    Scheme::coded("k+3k, 1 copy", 1, 3, 1),
    Scheme::coded("k+k, 2 copies", 2, 1, 1),
    Scheme::plain("5 copies", 5),
    Scheme::plain("6 copies", 6),
    Scheme::coded("k+k/2+2, 2 copies", 2, 1, 2).more(2),
];

/// Sizes of the groups of a file of so many extents: as few as hold it, as equal as can be.
fn groups(extents: usize) -> Vec<usize> {
    let count = extents.div_ceil(GROUP);
    (0..count)
        .map(|group| extents / count + usize::from(group < extents % count))
        .collect()
}

/// Whether one file survives, where `gone` says which nodes vanished.
fn survives(scheme: &Scheme, groups: &[usize], gone: &[bool], dice: &mut Dice) -> bool {
    groups.iter().all(|&k| {
        let spare = scheme.parity_of(k);
        let mut lost = 0;
        for _ in 0..k + spare {
            // Copies of one extent lie on different nodes; those of different extents fall as they may.
            let mut nodes = [NODES; ALONE];
            let mut alive = false;
            for copy in 0..scheme.copies_of(k) {
                let node = loop {
                    let node = dice.below(NODES);
                    if !nodes[..copy].contains(&node) {
                        break node;
                    }
                };
                nodes[copy] = node;
                alive |= !gone[node];
            }
            lost += usize::from(!alive);
            if lost > spare {
                return false;
            }
        }
        true
    })
}

/// The same by formula, for nodes that vanish independently.
fn formula(scheme: &Scheme, extents: usize, p: f64) -> f64 {
    let group = |k: usize| {
        let kept = 1.0 - p.powi(scheme.copies_of(k) as i32);
        let all = k + scheme.parity_of(k);
        at_least(k as u32, all as u32, kept)
    };
    groups(extents).into_iter().map(group).product()
}

pub(super) fn table(setting: &Setting) -> Table {
    let mut rows = Vec::new();
    for extents in [1, 8, 64, 1_024] {
        let groups = groups(extents);
        for scheme in &SCHEMES {
            let mut row = vec![
                Cell::Count(extents as u64),
                scheme.label.into(),
                Cell::exact(scheme.overhead(groups[0]), 2),
            ];
            for p in [0.1, 0.3, 0.5] {
                let mut dice = Dice::new(
                    setting.seed,
                    &format!("parity/{extents}/{}/{p}", scheme.label),
                );
                let lost = (p * NODES as f64) as usize;
                // Locations are by chance, so which nodes vanish may be the same in every trial.
                let gone: Vec<bool> = (0..NODES).map(|node| node < lost).collect();
                let alive = (0..setting.trials)
                    .filter(|_| survives(scheme, &groups, &gone, &mut dice))
                    .count();
                row.push(Cell::sampled(
                    Estimate::share(alive as u64, u64::from(setting.trials)),
                    3,
                ));
                row.push(Cell::exact(formula(scheme, extents, p), 6));
            }
            rows.push(row);
        }
    }
    setting.table(
        vec![
            "extents", "scheme", "overhead", "10 % gone", "formula", "30 % gone", "formula", "50 % gone", "formula",
        ],
        rows,
        vec![
            "Share of files all of whose extents can be had when that share of 10,000 nodes vanishes at once, before any \
             repair. k: extents of a group, at most 32; a code needs any k of its group.",
            "Plain copies: (1-p^r)^extents. Coded: the product over groups of P(Binomial(k+m, 1-p^copies) >= k).",
            "A file of one extent has k = 1: parity is another copy. The root is such an extent and comes with every file; \
             it is not counted here.",
            "k+k/2+2, 2 copies is what is built in: groups of fewer than 4 extents have 8 copies instead.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampled_and_computed_survival_agree() {
        let gone: Vec<bool> = (0..NODES).map(|node| node < NODES / 2).collect();
        for scheme in &SCHEMES {
            let mut dice = Dice::new(41, scheme.label);
            let alive = (0..1_000).filter(|_| survives(scheme, &groups(8), &gone, &mut dice));
            let share = Estimate::share(alive.count() as u64, 1_000);
            assert!(
                share.agrees(formula(scheme, 8, 0.5), 4.0, 0.005),
                "{share:?}"
            );
        }
    }

    #[test]
    fn groups_are_equal_and_hold_the_whole_file() {
        assert_eq!(groups(64), vec![32, 32]);
        assert_eq!(groups(33), vec![17, 16]);
        assert_eq!(groups(1), vec![1]);
    }

    #[test]
    fn four_copies_lose_large_files_that_a_code_of_the_same_price_keeps() {
        assert!(formula(&SCHEMES[5], 1_024, 0.3) < 0.01);
        assert!(formula(&SCHEMES[7], 1_024, 0.3) > 0.99);
    }

    #[test]
    fn what_is_built_in_keeps_files_of_every_size_when_three_of_ten_leave() {
        for extents in [1, 2, 4, 8, 64, 1_024] {
            assert!(formula(&SCHEMES[10], extents, 0.3) > 0.999, "{extents}");
        }
    }
}
