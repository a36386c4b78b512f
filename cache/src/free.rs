//! Which slots are free: a pure book-keeper for one class of slots.
//!
//! Promises: no slot is given out twice; chunks of one extent come from one group when any group has room, so that they
//! can be read in one go.
//!
//! Does not know: files. Groups are numbers, a slot is `group * 32 + place`.

use std::collections::BTreeSet;

/// Slots in a group: as many as an extent has chunks.
pub(crate) const GROUP_SLOTS: u32 = 32;

/// The free slots of all groups.
pub(crate) struct FreeSlots {
    /// One mask a group, by number; bit `i` is set if place `i` is free. All zero for groups that do not exist.
    masks: Vec<u32>,
    /// Groups with at least one free slot, by how many.
    by_count: [BTreeSet<u32>; GROUP_SLOTS as usize + 1],
    free: usize,
}

impl FreeSlots {
    /// No group, no slot.
    pub(crate) fn new() -> Self {
        Self {
            masks: Vec::new(),
            by_count: std::array::from_fn(|_| BTreeSet::new()),
            free: 0,
        }
    }

    /// Free slots in all.
    pub(crate) fn len(&self) -> usize {
        self.free
    }

    /// Adds a group whose slots are all free.
    pub(crate) fn add_group(&mut self, group: u32) {
        let needed = group as usize + 1;
        if self.masks.len() < needed {
            self.masks.resize(needed, 0);
        }
        self.set(group, u32::MAX);
    }

    /// Forgets a group, whatever is in it.
    pub(crate) fn remove_group(&mut self, group: u32) {
        self.set(group, 0);
    }

    /// Marks a slot as used; false if it was not free.
    pub(crate) fn occupy(&mut self, slot: u32) -> bool {
        let (group, bit) = split(slot);
        let mask = self.mask(group);
        self.set(group, mask & !bit);
        mask & bit != 0
    }

    /// Gives a slot back.
    pub(crate) fn release(&mut self, slot: u32) {
        let (group, bit) = split(slot);
        self.set(group, self.mask(group) | bit);
    }

    /// Takes `count` slots (1 to 32) of one group, the fullest that has so many, side by side if it can be.
    pub(crate) fn take_together(&mut self, count: usize) -> Option<Vec<u32>> {
        let group = self.by_count.get(count..)?.iter();
        let group = *group.filter_map(BTreeSet::first).next()?;
        Some(self.take_from(group, count))
    }

    /// Takes `count` slots wherever they are, from the emptiest groups first.
    pub(crate) fn take_anywhere(&mut self, count: usize) -> Option<Vec<u32>> {
        if self.free < count {
            return None;
        }
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let group = *self.by_count.iter().rev().find_map(BTreeSet::first)?;
            let here = (self.mask(group).count_ones() as usize).min(count - taken.len());
            taken.extend(self.take_from(group, here));
        }
        Some(taken)
    }

    fn take_from(&mut self, group: u32, count: usize) -> Vec<u32> {
        let mut mask = self.mask(group);
        let start = run_of(mask, count as u32).unwrap_or(0);
        let mut taken = Vec::with_capacity(count);
        for place in start..GROUP_SLOTS {
            if taken.len() < count && mask & 1 << place != 0 {
                mask &= !(1 << place);
                taken.push(group * GROUP_SLOTS + place);
            }
        }
        self.set(group, mask);
        taken
    }

    fn mask(&self, group: u32) -> u32 {
        self.masks.get(group as usize).copied().unwrap_or(0)
    }

    fn set(&mut self, group: u32, mask: u32) {
        let Some(held) = self.masks.get_mut(group as usize) else {
            return;
        };
        let (before, after) = (held.count_ones() as usize, mask.count_ones() as usize);
        *held = mask;
        if let (true, Some(groups)) = (before > 0, self.by_count.get_mut(before)) {
            groups.remove(&group);
        }
        if let (true, Some(groups)) = (after > 0, self.by_count.get_mut(after)) {
            groups.insert(group);
        }
        self.free = self.free - before + after;
    }
}

fn split(slot: u32) -> (u32, u32) {
    (slot / GROUP_SLOTS, 1 << (slot % GROUP_SLOTS))
}

/// The first place where `count` bits of `mask` are set side by side.
fn run_of(mask: u32, count: u32) -> Option<u32> {
    let run = u32::try_from((1u64 << count) - 1).ok()?;
    (0..=GROUP_SLOTS.checked_sub(count)?).find(|&at| mask >> at & run == run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_groups(groups: u32) -> FreeSlots {
        let mut free = FreeSlots::new();
        (0..groups).for_each(|group| free.add_group(group));
        free
    }

    #[test]
    fn an_extent_fills_a_group_from_its_start() {
        let mut free = with_groups(2);
        assert_eq!(free.take_together(32), Some((0..32).collect()));
        assert_eq!(free.take_together(32), Some((32..64).collect()));
        assert_eq!(free.take_together(1), None);
    }

    #[test]
    fn the_fullest_group_with_room_is_used_and_side_by_side() {
        let mut free = with_groups(2);
        free.take_together(20);
        free.release(3);
        assert_eq!(free.take_together(2), Some(vec![20, 21]));
        assert_eq!(
            free.take_together(11),
            Some([3].into_iter().chain(22..32).collect())
        );
        assert_eq!(free.take_together(1), Some(vec![32]));
    }

    #[test]
    fn scattered_slots_are_gathered_when_no_group_has_room() {
        let mut free = with_groups(2);
        free.take_together(31);
        free.take_together(30);
        assert_eq!(free.take_together(3), None);
        assert_eq!(free.take_anywhere(4), None);
        assert_eq!(free.take_anywhere(3), Some(vec![62, 63, 31]));
        assert_eq!(free.len(), 0);
    }

    #[test]
    fn a_slot_is_occupied_once_and_only_where_a_group_is() {
        let mut free = with_groups(1);
        assert!(free.occupy(5));
        assert!(!free.occupy(5));
        assert!(!free.occupy(32));
        free.remove_group(0);
        assert_eq!(free.len(), 0);
        assert!(!free.occupy(6));
    }

    proptest! {
        #[test]
        fn no_slot_is_out_twice_and_none_is_lost(steps in prop::collection::vec((any::<bool>(), 1usize..=32), 1..80)) {
            let mut free = with_groups(4);
            let mut out: Vec<Vec<u32>> = Vec::new();
            for (take, n) in steps {
                if take {
                    let slots = free.take_together(n).or_else(|| free.take_anywhere(n));
                    let held: usize = out.iter().map(Vec::len).sum();
                    prop_assert_eq!(slots.is_some(), held + n <= 128);
                    out.extend(slots);
                } else if !out.is_empty() {
                    let gone = out.swap_remove(n % out.len());
                    gone.into_iter().for_each(|slot| free.release(slot));
                }
                let mut all: Vec<u32> = out.iter().flatten().copied().collect();
                let held = all.len();
                all.sort_unstable();
                all.dedup();
                prop_assert_eq!(all.len(), held);
                prop_assert_eq!(free.len(), 128 - held);
            }
        }
    }
}
