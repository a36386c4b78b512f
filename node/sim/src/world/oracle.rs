//! The oracle: who holds what, seen from above. It says what can be had, whatever the nodes believe.

use std::collections::{BTreeMap, BTreeSet};

use oboro_cache::Store;
use oboro_crypto::ids::{Location, Reference};

use super::machine::Machine;
use super::work::File;

/// Everything that was ever acknowledged by a store.
#[derive(Default)]
pub(super) struct Oracle {
    /// By an extent's first reference: every store that took it, with the location.
    holders: BTreeMap<Reference, BTreeSet<(usize, Location, u8)>>,
    /// Which file an extent is of, and which extent is placed at a location.
    files: BTreeMap<Reference, usize>,
    placed: BTreeMap<Location, Reference>,
}

/// How things stand with what was published.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Look {
    /// Files published, and those of which every extent is whole on some node that is there.
    pub(super) files: usize,
    pub(super) whole: usize,
    /// Extents, and the distinct placements of them that nodes hold that are there.
    pub(super) extents: usize,
    pub(super) placements: usize,
    /// The fewest placements of any extent.
    pub(super) fewest: usize,
}

impl Oracle {
    /// A publisher was handed an extent of a file.
    pub(super) fn cut(&mut self, file: usize, references: &[Reference]) {
        if let Some(&first) = references.first() {
            self.files.insert(first, file);
        }
    }

    /// Which file an extent belongs to, by its first reference.
    pub(super) fn file_of(&self, first: &Reference) -> Option<usize> {
        self.files.get(first).copied()
    }

    /// Which file what is placed at a location belongs to.
    pub(super) fn file_at(&self, location: &Location) -> Option<usize> {
        self.files.get(self.placed.get(location)?).copied()
    }

    pub(super) fn stored(
        &mut self,
        machine: usize,
        location: Location,
        index: u8,
        references: &[Reference],
    ) {
        if let Some(&first) = references.first() {
            let holders = self.holders.entry(first).or_default();
            holders.insert((machine, location, index));
            self.placed.insert(location, first);
        }
    }

    /// Looks at every file.
    pub(super) fn look(&self, files: &[File], machines: &mut [Machine]) -> Look {
        let mut look = Look {
            fewest: usize::MAX,
            ..Look::default()
        };
        for file in files.iter().filter(|file| file.capability.is_some()) {
            look.files += 1;
            let mut whole = true;
            for extent in &file.extents {
                let held = self.placements(extent, machines);
                look.extents += 1;
                look.placements += held;
                look.fewest = look.fewest.min(held);
                whole &= held > 0;
            }
            look.whole += usize::from(whole);
        }
        if look.extents == 0 {
            look.fewest = 0;
        }
        look
    }

    /// How many placements of an extent are held whole by honest nodes that are there.
    fn placements(&self, extent: &[Reference], machines: &mut [Machine]) -> usize {
        let Some(holders) = extent.first().and_then(|first| self.holders.get(first)) else {
            return 0;
        };
        let mut found = BTreeSet::new();
        for &(machine, location, index) in holders {
            let machine = &mut machines[machine];
            if !machine.is_up()
                || machine.kind.is_some_and(|kind| !kind.holds())
                || found.contains(&index)
            {
                continue;
            }
            let info = machine.store.extent(&location).ok().flatten();
            if info.is_some_and(|info| info.present.count_ones() as usize == extent.len()) {
                found.insert(index);
            }
        }
        found.len()
    }
}
