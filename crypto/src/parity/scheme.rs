//! Which extents make a group, and how much parity each group has.

use core::ops::Range;

use super::{COLUMNS, LEAF};
use crate::eris::BlockSize;

/// Leaf extents a file has at least if it is to have parity: with fewer, copies cost less than parity would.
pub const EXTENTS_MIN: u64 = 4;
/// Most extents of one group.
pub const GROUP_MAX: u64 = 32;
/// Most parity extents of one group.
pub const PARITY_MAX: u64 = parity_of(GROUP_MAX);

/// Parity extents for a group of `count`: one for every two, and two more.
const fn parity_of(count: u64) -> u64 {
    count.div_ceil(2) + 2
}

/// The groups of one file. A function of how many leaves it has, and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scheme {
    leaves: u64,
}

/// Consecutive leaf extents of a file and the parity over them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its number, from 0.
    pub number: u64,
    /// The number of its first extent among the file's leaf extents.
    pub first: u64,
    /// How many extents it has: 4 to [`GROUP_MAX`].
    pub count: u64,
    /// The number of its first parity extent in the parity stream.
    pub parity_first: u64,
    /// How many parity extents it has, up to [`PARITY_MAX`].
    pub parity: u64,
    /// Leaves of the whole file: beyond them are zeros.
    pub leaves: u64,
}

impl Scheme {
    /// The scheme of a file with so many leaves; `None` for one that has no parity.
    #[must_use]
    pub const fn of_leaves(leaves: u64) -> Option<Self> {
        if leaves.div_ceil(COLUMNS as u64) < EXTENTS_MIN {
            return None;
        }
        Some(Self { leaves })
    }

    /// The scheme of a content of so many bytes; `None` for one that has no parity.
    #[must_use]
    pub const fn of_content(length: u64) -> Option<Self> {
        Self::of_leaves(BlockSize::Large.leaf_count(length))
    }

    /// Leaf extents of the file.
    #[must_use]
    pub const fn extents(&self) -> u64 {
        self.leaves.div_ceil(COLUMNS as u64)
    }

    /// Groups of the file.
    #[must_use]
    pub const fn groups(&self) -> u64 {
        self.extents().div_ceil(GROUP_MAX)
    }

    /// Group number `number`; `None` beyond the last.
    #[must_use]
    pub const fn group(&self, number: u64) -> Option<Group> {
        let groups = self.groups();
        if number >= groups {
            return None;
        }
        let (count, longer) = (self.extents() / groups, self.extents() % groups);
        let before = if number < longer { number } else { longer };
        let parity_before = before * parity_of(count + 1) + (number - before) * parity_of(count);
        let own = if number < longer { count + 1 } else { count };
        Some(Group {
            number,
            first: number * count + before,
            count: own,
            parity_first: parity_before,
            parity: parity_of(own),
            leaves: self.leaves,
        })
    }

    /// The group of a leaf extent; `None` if the file has no such extent.
    #[must_use]
    pub const fn group_of(&self, extent: u64) -> Option<Group> {
        if extent >= self.extents() {
            return None;
        }
        let groups = self.groups();
        let (count, longer) = (self.extents() / groups, self.extents() % groups);
        let long = longer * (count + 1);
        let number = if extent < long {
            extent / (count + 1)
        } else {
            longer + (extent - long) / count
        };
        self.group(number)
    }

    /// Parity extents of the whole file.
    #[must_use]
    pub const fn parity_extents(&self) -> u64 {
        match self.group(self.groups() - 1) {
            Some(last) => last.parity_first + last.parity,
            None => 0,
        }
    }

    /// Bytes of the parity stream.
    #[must_use]
    pub const fn parity_length(&self) -> u64 {
        self.parity_extents() * (COLUMNS * LEAF) as u64
    }
}

impl Group {
    /// Numbers of its extents among the file's leaf extents.
    #[must_use]
    pub const fn extents(&self) -> Range<u64> {
        self.first..self.first + self.count
    }

    /// Numbers of its parity extents in the parity stream.
    #[must_use]
    pub const fn parity_extents(&self) -> Range<u64> {
        self.parity_first..self.parity_first + self.parity
    }

    /// The number in the file of leaf `column` of the group's extent `extent`; `None` where the file has ended.
    pub(super) fn leaf(&self, extent: u64, column: usize) -> Option<u64> {
        let leaf = (self.first + extent) * COLUMNS as u64 + column as u64;
        (leaf < self.leaves).then_some(leaf)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_files_have_no_parity_and_others_what_was_decided() {
        assert_eq!(Scheme::of_leaves(96), None);
        let least = Scheme::of_leaves(97).unwrap();
        assert_eq!((least.extents(), least.groups()), (4, 1));
        assert_eq!(least.parity_extents(), 4);
        let full = Scheme::of_leaves(1024).unwrap();
        assert_eq!((full.groups(), full.parity_extents()), (1, 18));
        assert_eq!(PARITY_MAX, 18);
        let two = Scheme::of_leaves(33 * 32).unwrap();
        let (one, other) = (two.group(0).unwrap(), two.group(1).unwrap());
        assert_eq!((one.count, one.parity, one.first), (17, 11, 0));
        assert_eq!((other.count, other.parity, other.first), (16, 10, 17));
        assert_eq!(two.group(2), None);
        assert_eq!(Scheme::of_content(6 << 20).unwrap().extents(), 7);
    }

    proptest! {
        #[test]
        fn groups_follow_one_another_and_cover_every_extent(leaves in 97u64..400_000) {
            let scheme = Scheme::of_leaves(leaves).unwrap();
            let (mut extents, mut parity) = (0, 0);
            for number in 0..scheme.groups() {
                let group = scheme.group(number).unwrap();
                prop_assert_eq!((group.first, group.parity_first), (extents, parity));
                prop_assert!((EXTENTS_MIN..=GROUP_MAX).contains(&group.count));
                prop_assert!(group.parity <= PARITY_MAX && group.parity * 2 >= group.count + 4);
                for extent in group.extents() {
                    prop_assert_eq!(scheme.group_of(extent), Some(group));
                }
                extents += group.count;
                parity += group.parity;
            }
            prop_assert_eq!(extents, scheme.extents());
            prop_assert_eq!(parity, scheme.parity_extents());
            prop_assert_eq!(scheme.group_of(extents), None);
        }
    }
}
