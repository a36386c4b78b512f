//! What nobody has, from parity: which extents were set aside, which group is being recovered, with whose parity.

use std::collections::BTreeMap;

use oboro_crypto::eris::{Capability, Pair};
use oboro_crypto::parity::{Group, Missing, Scheme};

use super::finding::Finding;
use super::part::Active;
use super::tree::{Part, Tree};
use crate::action::{Leaves, Recover};
use crate::limits::ASIDE_MAX;

/// How far the recovery is.
pub(super) enum Stage {
    /// Nothing has been looked for.
    Idle,
    /// What leads to the parity is looked for.
    Finding(Finding),
    /// Parity of a group is fetched.
    Fetching(Fetching),
    /// The sink recovers a group.
    Decoding(Group),
    /// There is nothing more to try.
    Over,
}

/// A group whose parity is being fetched.
pub(super) struct Fetching {
    group: Group,
    /// How many parity extents it takes.
    needed: usize,
    /// The parity's tree, as far as it leads to the group's extents.
    pub(super) tree: Tree,
    /// Those that are here, by their number in the group: at most 18 MiB.
    here: BTreeMap<u64, Leaves>,
}

/// What is to be done next for a group.
pub(super) enum Step {
    /// A part of the parity is to be asked for.
    Ask(Part),
    /// What is under way must come first.
    Wait,
    /// All is here that it takes.
    Recover(Box<Recover>),
    /// It cannot be had.
    Failed,
}

/// The recovery of one fetch.
pub(super) struct Recovery {
    aside: BTreeMap<u64, Part>,
    /// What may lead to the parity and has not been tried, the best last.
    untried: Vec<Capability>,
    present: Option<Capability>,
    pub(super) stage: Stage,
}

impl Recovery {
    pub(super) const fn new() -> Self {
        Self {
            aside: BTreeMap::new(),
            untried: Vec::new(),
            present: None,
            stage: Stage::Idle,
        }
    }

    /// Whether an extent that nobody has may be set aside.
    pub(super) fn takes(&self) -> bool {
        !matches!(self.stage, Stage::Over) && self.aside.len() < ASIDE_MAX
    }

    pub(super) fn set_aside(&mut self, part: Part) {
        self.aside.insert(part.number(), part);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.aside.is_empty()
    }

    /// Whether there is further parity to try should the present one fail.
    pub(super) fn has_more(&self) -> bool {
        !self.untried.is_empty()
    }

    /// Takes what was found and begins with the best of it.
    pub(super) fn found(&mut self, found: Vec<Capability>, scheme: Scheme) {
        self.untried = found;
        self.next_parity(scheme);
    }

    /// The present parity is of no use: goes on with another.
    pub(super) fn next_parity(&mut self, scheme: Scheme) {
        self.present = self.untried.pop();
        self.next_group(scheme);
    }

    /// Begins with the first group that lacks something.
    pub(super) fn next_group(&mut self, scheme: Scheme) {
        let lacking = self.aside.keys().next();
        let group = lacking.and_then(|extent| scheme.group_of(*extent));
        // A group that has lost more than its parity can't be had, and so neither can the file.
        let group = group.filter(|group| self.lacking(group) as u64 <= group.parity);
        self.stage = match (&self.present, group) {
            (Some(parity), Some(group)) => Stage::Fetching(Fetching {
                group,
                needed: self.lacking(&group),
                tree: Tree::of_parts(parity, group.parity_extents()),
                here: BTreeMap::new(),
            }),
            _ => Stage::Over,
        };
    }

    fn lacking(&self, group: &Group) -> usize {
        self.aside.range(group.extents()).count()
    }

    /// What is to be done next. `nodes` and `leaves` are the parts of parity under way.
    pub(super) fn step(&mut self, nodes: usize, leaves: usize) -> Step {
        let Stage::Fetching(fetching) = &mut self.stage else {
            return Step::Wait;
        };
        if fetching.here.len() >= fetching.needed {
            if nodes + leaves > 0 {
                return Step::Wait;
            }
            let (group, here) = (fetching.group, std::mem::take(&mut fetching.here));
            let missing = self.aside.range(group.extents());
            let missing = missing.map(|(&extent, part)| Missing {
                extent,
                pairs: part.pairs.iter().map(copy).collect(),
            });
            let recover = Recover {
                group,
                missing: missing.collect(),
                parity: here.into_iter().collect(),
            };
            self.stage = Stage::Decoding(group);
            return Step::Recover(Box::new(recover));
        }
        if let Some(part) = fetching.tree.next_nodes() {
            return Step::Ask(part);
        }
        if fetching.here.len() + leaves < fetching.needed
            && let Some(part) = fetching.tree.next_leaves()
        {
            return Step::Ask(part);
        }
        if nodes + leaves > 0 {
            Step::Wait
        } else {
            Step::Failed
        }
    }

    /// An extent of parity is here.
    pub(super) fn arrived(&mut self, active: Active) {
        if let Stage::Fetching(fetching) = &mut self.stage {
            let number = active
                .part
                .number()
                .checked_sub(fetching.group.parity_first);
            let keys = active.part.pairs.iter().map(|pair| pair.key.duplicate());
            let blocks = active.blocks.into_iter().zip(keys).collect();
            if let Some(number) = number {
                fetching.here.insert(number, blocks);
            }
        }
    }

    /// A group has been recovered: which extents they were.
    pub(super) fn recovered(&mut self, group: &Group) -> Vec<u64> {
        let extents: Vec<u64> = self.aside.range(group.extents()).map(|(&n, _)| n).collect();
        for extent in &extents {
            self.aside.remove(extent);
        }
        extents
    }

    /// Gives back what was set aside: it is asked for as if there were no parity.
    pub(super) fn give_up(&mut self, tree: &mut Tree) {
        self.stage = Stage::Over;
        for part in std::mem::take(&mut self.aside).into_values() {
            tree.give_back(part);
        }
    }
}

fn copy(pair: &Pair) -> Pair {
    Pair {
        reference: pair.reference,
        key: pair.key.duplicate(),
    }
}
