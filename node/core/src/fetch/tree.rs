//! The tree of a file as it unfolds: which parts are known and not yet asked for. Constant memory for any size.
//!
//! A part is an extent: up to 32 sibling blocks of one level. Parts of low levels are handed out first, so that at most
//! one part's worth of nodes is unfolded at each level.

use std::collections::VecDeque;

use oboro_crypto::eris::{BlockSize, Capability, ErisError, LEVEL_MAX, Pair, open_node};
use oboro_crypto::ids::{ExtentId, Reference};

use super::done::Done;
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
            });
        }
        Self {
            levels,
            leaves: (capability.level == 0).then_some(1),
        }
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
            let part = Part {
                pairs: run,
                level,
                first: at,
                last: last && pairs.peek().is_none(),
                root: false,
            };
            at += length;
            if !done.contains_all(covered(&part)) {
                queue.push_back(part);
            }
        }
    }
}

/// The numbers of the leaf parts under a part.
fn covered(part: &Part) -> core::ops::Range<u64> {
    let each = ARITY.pow(u32::from(part.level));
    let chunks = EXTENT_CHUNKS_MAX as u64;
    let start = part.first * each / chunks;
    let end = ((part.first + part.pairs.len() as u64) * each).div_ceil(chunks);
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
    fn a_node_that_is_not_full_and_not_last_is_refused() {
        let (runs, capability, _) = encode(&vec![3; 100_000]);
        let mut tree = Tree::new(&capability);
        let mut part = tree.next().unwrap();
        part.last = false;
        let blocks = runs[&part.extent()].blocks.clone();
        assert!(tree.unfold(&part, blocks, &Done::default()).is_err());
    }
}
