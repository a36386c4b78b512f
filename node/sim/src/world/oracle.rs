//! The oracle: who holds what, seen from above. It says what can be had, whatever the nodes believe.

use std::collections::{BTreeMap, BTreeSet};

use oboro_cache::Store;
use oboro_crypto::ids::{Location, Reference};
use oboro_crypto::network::Params;
use oboro_crypto::parity::Scheme;

use super::machine::Machine;
use super::work::{Cut, File};

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
    /// Files published, and those that can be had: every extent is whole on some node that is there, or enough others of
    /// its group are and what leads to them.
    pub(super) files: usize,
    pub(super) whole: usize,
    /// Extents, how many placements they should have, and the distinct ones that nodes hold that are there.
    pub(super) extents: usize,
    pub(super) wanted: usize,
    pub(super) placements: usize,
    /// The fewest placements of any extent.
    pub(super) fewest: usize,
}

/// What of one file can be had: of nodes whether all, of leaf extents which.
struct Had {
    nodes: bool,
    parity_nodes: bool,
    leaves: Vec<bool>,
    parity: Vec<bool>,
}

impl Default for Had {
    fn default() -> Self {
        Self {
            nodes: true,
            parity_nodes: true,
            leaves: Vec::new(),
            parity: Vec::new(),
        }
    }
}

impl Had {
    fn add(&mut self, extent: &Cut, held: bool) {
        match (extent.parity, extent.level) {
            (false, 0) => self.leaves.push(held),
            (true, 0) => self.parity.push(held),
            (false, _) => self.nodes &= held,
            (true, _) => self.parity_nodes &= held,
        }
    }

    fn is_enough(&self, scheme: Option<&Scheme>) -> bool {
        if self.leaves.iter().all(|held| *held) {
            return self.nodes;
        }
        let Some(scheme) = scheme else { return false };
        let here = |all: &[bool], range: core::ops::Range<u64>| {
            let held = range.filter(|&n| all.get(n as usize).copied().unwrap_or(false));
            held.count() as u64
        };
        let mut groups = (0..scheme.groups()).filter_map(|number| scheme.group(number));
        self.nodes
            && groups.all(|group| {
                let leaves = here(&self.leaves, group.extents());
                let parity = here(&self.parity, group.parity_extents());
                leaves == group.count || (self.parity_nodes && leaves + parity >= group.count)
            })
    }
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
    pub(super) fn look(&self, files: &[File], machines: &mut [Machine], params: &Params) -> Look {
        // No more than there are others to hold them.
        let others = machines.len().saturating_sub(1);
        let mut look = Look {
            fewest: usize::MAX,
            ..Look::default()
        };
        for file in files.iter().filter(|file| file.capability.is_some()) {
            look.files += 1;
            let scheme = Scheme::of_content(file.length);
            let mut had = Had::default();
            for extent in &file.extents {
                let held = self.placements(&extent.references, machines);
                look.extents += 1;
                look.wanted += usize::from(params.copies(file.class(extent))).min(others);
                look.placements += held;
                look.fewest = look.fewest.min(held);
                had.add(extent, held > 0);
            }
            look.whole += usize::from(had.is_enough(scheme.as_ref()));
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
