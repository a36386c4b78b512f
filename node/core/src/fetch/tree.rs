//! The tree of a file as it unfolds: which parts are known and not yet asked for. Constant memory for any size.
//!
//! A part is an extent: up to 32 sibling blocks of one level. Parts of low levels are handed out first, so that at most
//! one part's worth of nodes is unfolded at each level.

use core::ops::Range;
use std::collections::VecDeque;

use oboro_crypto::eris::{BlockSize, Capability, ErisError, LEVEL_MAX, Pair, open_node};
use oboro_crypto::ids::{ExtentId, Reference};

use super::done::Done;
use crate::serve::put::all_of;
use crate::wire::message::EXTENT_CHUNKS_MAX;

/// Blocks under one node.
const ARITY: u64 = 512;

/// An extent of the file that is to be fetched.
pub(super) struct Part {
    /// References and keys of its blocks, in order.
    pub(super) pairs: Vec<Pair>,
    /// The level of its blocks; 0 are leaves.
    pub(super) level: u8,
    /// The number of its first block among the blocks of its level.
    pub(super) first: u64,
    /// Whether the last of its blocks is the last of its level.
    pub(super) last: bool,
    /// Whether it is the root.
    pub(super) root: bool,
    /// Which of its blocks are needed (bit n: block n).
    pub(super) wanted: u32,
}

impl Part {
    pub(super) fn references(&self) -> Vec<Reference> {
        self.pairs.iter().map(|pair| pair.reference).collect()
    }

    pub(super) fn extent(&self) -> ExtentId {
        ExtentId::of(&self.references())
    }

    /// Its number among the parts of its level.
    pub(super) const fn number(&self) -> u64 {
        self.first / EXTENT_CHUNKS_MAX as u64
    }
}

/// Parts known and not handed out.
pub(super) struct Tree {
    levels: Vec<VecDeque<Part>>,
    /// Of the leaf parts only these are wanted, and what leads to them; all if there is none.
    only: Option<Range<u64>>,
    /// Leaves in all, once it can be told; an upper bound before.
    leaves: Option<u64>,
}

impl Tree {
    pub(super) fn new(capability: &Capability) -> Self {
        let mut levels: Vec<VecDeque<Part>> = (0..=LEVEL_MAX).map(|_| VecDeque::new()).collect();
        let root = Pair {
            reference: capability.root,
            key: capability.key.duplicate(),
        };
        if let Some(level) = levels.get_mut(usize::from(capability.level)) {
            level.push_back(Part {
                pairs: vec![root],
                level: capability.level,
                first: 0,
                last: true,
                root: true,
                wanted: 1,
            });
        }
        Self {
            levels,
            only: None,
            leaves: (capability.level == 0).then_some(1),
        }
    }

    /// One of which only some leaf parts are wanted.
    pub(super) fn of_parts(capability: &Capability, only: Range<u64>) -> Self {
        Self {
            only: Some(only),
            ..Self::new(capability)
        }
    }

    /// The next part of nodes, from below.
    pub(super) fn next_nodes(&mut self) -> Option<Part> {
        self.levels.iter_mut().skip(1).find_map(VecDeque::pop_front)
    }

    /// The next part of leaves.
    pub(super) fn next_leaves(&mut self) -> Option<Part> {
        self.levels.first_mut().and_then(VecDeque::pop_front)
    }

    /// Takes a part of leaves back: it is handed out again.
    pub(super) fn give_back(&mut self, part: Part) {
        if let Some(leaves) = self.levels.first_mut() {
            leaves.push_back(part);
        }
    }

    /// Parts of leaves that are known and not handed out.
    pub(super) fn leaf_parts(&self) -> usize {
        self.levels.first().map_or(0, VecDeque::len)
    }

    /// The next part to ask for: of the lowest level that has one, so that what is unfolded is used up first.
    pub(super) fn next(&mut self) -> Option<Part> {
        self.levels.iter_mut().find_map(VecDeque::pop_front)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.levels.iter().all(VecDeque::is_empty)
    }

    /// Leaves in all, or an upper bound.
    pub(super) const fn leaves(&self) -> Option<u64> {
        self.leaves
    }

    /// Unfolds a part of nodes whose blocks are all there: their children become parts, without those that are done.
    pub(super) fn unfold(
        &mut self,
        part: &Part,
        mut blocks: Vec<Vec<u8>>,
        done: &Done,
    ) -> Result<(), ErisError> {
        let count = blocks.len();
        for (index, (block, pair)) in blocks.iter_mut().zip(&part.pairs).enumerate() {
            if part.wanted & (1 << index) == 0 {
                continue;
            }
            let pairs = open_node(block, &pair.key, part.level, BlockSize::Large, part.root)?;
            let last = part.last && index + 1 == count;
            // Only the last node of a level may be less than full: otherwise leaves would overlap or be missing.
            if !last && pairs.len() as u64 != ARITY {
                return Err(ErisError::Node);
            }
            self.adopt(
                pairs,
                part.level - 1,
                (part.first + index as u64) * ARITY,
                last,
                done,
            );
        }
        Ok(())
    }

    fn adopt(&mut self, pairs: Vec<Pair>, level: u8, first: u64, last: bool, done: &Done) {
        let count = pairs.len() as u64;
        if last {
            // The end of this level is known now: exactly for leaves, as a bound for higher levels.
            self.leaves = Some((first + count) * ARITY.pow(u32::from(level)));
        }
        let Some(queue) = self.levels.get_mut(usize::from(level)) else {
            return;
        };
        let mut pairs = pairs.into_iter().peekable();
        let mut at = first;
        while pairs.peek().is_some() {
            let run: Vec<Pair> = pairs.by_ref().take(EXTENT_CHUNKS_MAX).collect();
            let length = run.len() as u64;
            let mut part = Part {
                pairs: run,
                level,
                first: at,
                last: last && pairs.peek().is_none(),
                root: false,
                wanted: 0,
            };
            part.wanted = wanted(&part, self.only.as_ref(), done);
            at += length;
            if part.wanted != 0 {
                queue.push_back(part);
            }
        }
    }
}

/// Which blocks of a part lead to leaves that are wanted and not done: of leaves all or none. The last node of a level is
/// always among them, if everything is wanted: only it says how many leaves there are.
fn wanted(part: &Part, only: Option<&Range<u64>>, done: &Done) -> u32 {
    let is_wanted = |parts: Range<u64>| match only {
        Some(only) => parts.start < only.end && only.start < parts.end,
        None => !done.contains_all(parts),
    };
    let count = part.pairs.len();
    if part.level == 0 {
        let all = covered(0, part.first, count as u64);
        return if is_wanted(all) { all_of(count) } else { 0 };
    }
    let ends = |index: usize| only.is_none() && part.last && index + 1 == count;
    (0..count)
        .filter(|&index| {
            ends(index) || is_wanted(covered(part.level, part.first + index as u64, 1))
        })
        .fold(0, |mask, index| mask | 1 << index)
}

/// The numbers of the leaf parts under so many blocks of a level.
fn covered(level: u8, first: u64, count: u64) -> Range<u64> {
    let each = ARITY.pow(u32::from(level));
    let chunks = EXTENT_CHUNKS_MAX as u64;
    let start = first * each / chunks;
    let end = ((first + count) * each).div_ceil(chunks);
    start..end
}

#[cfg(test)]
mod tests {
    use oboro_crypto::eris::{ConvergenceSecret, Encoder, Run};

    use super::*;

    /// A file's runs by extent id, and its capability.
    fn encode(
        content: &[u8],
    ) -> (
        std::collections::BTreeMap<ExtentId, Run>,
        Capability,
        Vec<(u8, usize)>,
    ) {
        let mut encoder = Encoder::new(content, BlockSize::Large, ConvergenceSecret::null());
        let (mut runs, mut shapes) = (std::collections::BTreeMap::new(), Vec::new());
        while let Some(run) = encoder.next_run().unwrap() {
            shapes.push((run.level, run.blocks.len()));
            runs.insert(ExtentId::of(&run.references), run);
        }
        (runs, encoder.capability().unwrap(), shapes)
    }

    fn walk(content: &[u8], done: &Done) -> Vec<(u64, usize, bool)> {
        let (runs, capability, _) = encode(content);
        let mut tree = Tree::new(&capability);
        let mut leaves = Vec::new();
        while let Some(part) = tree.next() {
            let run = &runs[&part.extent()];
            assert_eq!(
                run.level, part.level,
                "parts are the runs that the encoder makes"
            );
            if part.level == 0 {
                leaves.push((part.number(), part.pairs.len(), part.last));
            } else {
                tree.unfold(&part, run.blocks.clone(), done).unwrap();
            }
        }
        assert!(tree.is_empty());
        leaves
    }

    #[test]
    fn the_parts_of_a_file_are_the_runs_it_was_published_in() {
        assert_eq!(walk(b"", &Done::default()), [(0, 1, true)]);
        assert_eq!(walk(&vec![1; 40_000], &Done::default()), [(0, 2, true)]);
        let big = vec![7u8; 17 * 1024 * 1024 + 5];
        let leaves = walk(&big, &Done::default());
        assert_eq!(leaves.len(), 18);
        assert_eq!(
            leaves[16],
            (16, 32, false),
            "beyond 512 leaves a second node goes on"
        );
        assert_eq!(leaves[17], (17, 1, true));
    }

    #[test]
    fn what_is_done_is_not_unfolded_again() {
        let mut done = Done::default();
        (0..17).for_each(|part| done.insert(part));
        let leaves = walk(&vec![7u8; 17 * 1024 * 1024 + 5], &done);
        assert_eq!(leaves, [(17, 1, true)]);
    }

    #[test]
    fn of_a_tree_of_which_some_parts_are_wanted_only_what_leads_to_them_is_asked_for() {
        let (runs, capability, _) = encode(&vec![7u8; 17 * 1024 * 1024 + 5]);
        let mut tree = Tree::of_parts(&capability, 15..17);
        let mut leaves = Vec::new();
        loop {
            if let Some(part) = tree.next_nodes() {
                let mut blocks = runs[&part.extent()].blocks.clone();
                for (index, block) in blocks.iter_mut().enumerate() {
                    if part.wanted & (1 << index) == 0 {
                        block.clear();
                    }
                }
                tree.unfold(&part, blocks, &Done::default()).unwrap();
            } else if let Some(part) = tree.next_leaves() {
                leaves.push(part.number());
            } else {
                break;
            }
        }
        assert_eq!(leaves, [15, 16]);
        let mut tree = Tree::of_parts(&capability, 3..5);
        let root = tree.next_nodes().unwrap();
        let blocks = runs[&root.extent()].blocks.clone();
        tree.unfold(&root, blocks, &Done::default()).unwrap();
        assert_eq!(tree.next_nodes().unwrap().wanted, 0b01);
    }

    #[test]
    fn how_many_leaves_there_are_is_known_in_the_end_whatever_is_done() {
        let (runs, capability, _) = encode(&vec![7u8; 17 * 1024 * 1024 + 5]);
        let mut done = Done::default();
        (0..18)
            .filter(|part| *part != 3)
            .for_each(|part| done.insert(part));
        let mut tree = Tree::new(&capability);
        while let Some(part) = tree.next() {
            if part.level > 0 {
                tree.unfold(&part, runs[&part.extent()].blocks.clone(), &done)
                    .unwrap();
            } else {
                assert_eq!(part.number(), 3);
            }
        }
        assert_eq!(tree.leaves(), Some(545));
    }

    #[test]
    fn a_node_that_is_not_full_and_not_last_is_refused() {
        let (runs, capability, _) = encode(&vec![3; 100_000]);
        let mut tree = Tree::new(&capability);
        let mut part = tree.next().unwrap();
        part.last = false;
        let blocks = runs[&part.extent()].blocks.clone();
        assert!(tree.unfold(&part, blocks, &Done::default()).is_err());
    }
}
