//! Content to blocks, as it is read.
//!
//! Promises: constant memory (one open run and one node's worth of pairs for each level); children always come before
//! their parent and the root comes last, so that blocks can be placed or written as they appear.
//! Does not know: what becomes of the blocks.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::block::{Pair, seal_leaves, seal_node};
use super::{BlockSize, Capability, ConvergenceSecret};
use crate::ids::Reference;

/// Most blocks in a [`Run`]: 1 MiB of large blocks, the unit in which the network places, asks and answers.
pub const RUN_MAX: usize = 32;

/// Consecutive siblings: blocks that one parent node names next to each other.
///
/// The grouping is a function of the tree alone, so that a reader who holds the parent computes the same runs by cutting
/// its pairs into groups of [`RUN_MAX`] (`pairs.chunks(RUN_MAX)`): a run begins at a child whose place in the parent is a
/// multiple of 32 and ends after 32 children or with the parent's last child, whichever comes first. With 32 KiB blocks a
/// full parent has 16 runs; with 1 KiB blocks a parent has at most 16 children and one run. The root has no parent: it is
/// a run of its own, and the last.
pub struct Run {
    /// Level of the blocks: 0 for content, 1 and more for nodes.
    pub level: u8,
    /// Names of the blocks, in the parent's order.
    pub references: Vec<Reference>,
    /// The encrypted blocks, in the same order, each of the full block size.
    pub blocks: Vec<Vec<u8>>,
}

/// Encodes what it reads, run by run.
pub struct Encoder<R> {
    reader: R,
    size: BlockSize,
    secret: ConvergenceSecret,
    /// One entry a level, leaves first.
    levels: Vec<Level>,
    /// Runs that are complete and not yet handed out. At most one for each level and one more.
    ready: VecDeque<Run>,
    content_len: u64,
    /// The padding has been written: no more leaves.
    read_all: bool,
    capability: Option<Capability>,
}

/// The right edge of the tree at one level.
#[derive(Default)]
struct Level {
    /// Children of the parent that is being filled. Empty again once that parent is made.
    pairs: Vec<Pair>,
    /// Blocks of the last pairs that have not left in a run yet.
    blocks: Vec<Vec<u8>>,
}

impl<R: Read> Encoder<R> {
    /// Prepares to encode everything `reader` gives until its end.
    pub fn new(reader: R, size: BlockSize, secret: ConvergenceSecret) -> Self {
        Self {
            reader,
            size,
            secret,
            levels: vec![Level::default()],
            ready: VecDeque::new(),
            content_len: 0,
            read_all: false,
            capability: None,
        }
    }

    /// The next run, reading at most 1 MiB of content; `None` after the root.
    ///
    /// # Errors
    /// Whatever the reader fails with. Nothing read is lost by it only if the reader says
    /// [`io::ErrorKind::Interrupted`], which is retried here; after any other error the encoder is to be dropped.
    pub fn next_run(&mut self) -> io::Result<Option<Run>> {
        while self.ready.is_empty() && self.capability.is_none() {
            if self.read_all {
                self.close();
            } else {
                self.read_leaves()?;
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Bytes of content read so far: all of it once `next_run` has returned `None`.
    #[must_use]
    pub const fn content_len(&self) -> u64 {
        self.content_len
    }

    /// The capability, once the root has been made; `None` while content is missing.
    #[must_use]
    pub fn capability(self) -> Option<Capability> {
        self.capability
    }

    /// Reads and seals leaves up to the end of a run or of the content.
    fn read_leaves(&mut self) -> io::Result<()> {
        let room = RUN_MAX.min(self.size.arity());
        let mut blocks = Vec::with_capacity(room);
        while blocks.len() < room && !self.read_all {
            blocks.push(self.read_leaf()?);
        }
        let mut pairs = Vec::with_capacity(blocks.len());
        seal_leaves(&self.secret, &mut blocks, &mut pairs);
        for (block, pair) in blocks.into_iter().zip(pairs) {
            self.add(0, block, pair);
        }
        Ok(())
    }

    /// One block of content; the last one padded.
    fn read_leaf(&mut self) -> io::Result<Vec<u8>> {
        let mut block = vec![0; self.size.bytes()];
        let mut filled = 0;
        while filled < block.len() {
            match self.reader.read(&mut block[filled..]) {
                Ok(0) => {
                    block[filled] = 0x80;
                    self.read_all = true;
                    break;
                }
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.content_len += filled as u64;
        Ok(block)
    }

    /// Adds a block at the right edge; a parent that is full by it is made at once, and so upwards.
    fn add(&mut self, mut level: usize, mut block: Vec<u8>, mut pair: Pair) {
        loop {
            if self.levels.len() == level {
                self.levels.push(Level::default());
            }
            let edge = &mut self.levels[level];
            if edge.pairs.is_empty() {
                // Room for all at once: growing would leave copies of keys behind.
                edge.pairs.reserve_exact(self.size.arity());
            }
            edge.pairs.push(pair);
            edge.blocks.push(block);
            let full = edge.pairs.len() == self.size.arity();
            if full || edge.blocks.len() == RUN_MAX {
                self.release(level);
            }
            if !full {
                return;
            }
            (block, pair) = self.make_parent(level);
            level += 1;
        }
    }

    /// Moves the open run of a level to the outlet.
    fn release(&mut self, level: usize) {
        let edge = &mut self.levels[level];
        let blocks = std::mem::take(&mut edge.blocks);
        if blocks.is_empty() {
            return;
        }
        let references = edge.pairs[edge.pairs.len() - blocks.len()..]
            .iter()
            .map(|pair| pair.reference)
            .collect();
        self.ready.push_back(Run {
            level: level as u8,
            references,
            blocks,
        });
    }

    /// The node above the pairs of a level, which is empty afterwards.
    fn make_parent(&mut self, level: usize) -> (Vec<u8>, Pair) {
        let pairs = std::mem::take(&mut self.levels[level].pairs);
        seal_node(&pairs, level as u8 + 1, self.size)
    }

    /// After the last leaf: closes the unfinished nodes from below until one pair is left, the root.
    fn close(&mut self) {
        let mut level = 0;
        while level + 1 < self.levels.len() || self.levels[level].pairs.len() > 1 {
            self.release(level);
            if !self.levels[level].pairs.is_empty() {
                let (block, pair) = self.make_parent(level);
                self.add(level + 1, block, pair);
            }
            level += 1;
        }
        self.release(level);
        self.capability = self.levels[level].pairs.pop().map(|root| Capability {
            block_size: self.size,
            level: level as u8,
            root: root.reference,
            key: root.key,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::BlockSize::{Large, Small};
    use super::*;
    use crate::eris::open_node;

    fn runs(content: &[u8], size: BlockSize) -> (Vec<Run>, Capability) {
        let mut encoder = Encoder::new(content, size, ConvergenceSecret::null());
        let mut runs = Vec::new();
        while let Some(run) = encoder.next_run().unwrap() {
            runs.push(run);
        }
        assert!(encoder.next_run().unwrap().is_none());
        assert_eq!(encoder.content_len(), content.len() as u64);
        (runs, encoder.capability().unwrap())
    }

    /// Content whose blocks all differ.
    fn content(len: usize) -> Vec<u8> {
        let mut content = vec![0; len];
        for (i, block) in content.chunks_mut(1024).enumerate() {
            let number = (i as u64).to_le_bytes();
            let n = block.len().min(8);
            block[..n].copy_from_slice(&number[..n]);
        }
        content
    }

    #[test]
    fn runs_are_the_pairs_of_each_parent_cut_into_groups_of_32() {
        for (size, len) in [
            (Small, 40 * 16 * 1024 + 5),
            (Small, 1024),
            (Large, (512 + 70) * 32_768),
            (Large, 32_768),
        ] {
            let (runs, capability) = runs(&content(len), size);
            let groups: BTreeMap<Vec<Reference>, u8> = runs
                .iter()
                .map(|run| (run.references.clone(), run.level))
                .collect();
            assert_eq!(groups.len(), runs.len());
            let root = runs.last().unwrap();
            assert_eq!(
                (root.references.as_slice(), root.level),
                (&[capability.root][..], capability.level)
            );
            let blocks: BTreeMap<Reference, &Vec<u8>> = runs
                .iter()
                .flat_map(|run| run.references.iter().copied().zip(&run.blocks))
                .collect();
            let mut seen = 1;
            let mut nodes = vec![(
                Pair {
                    reference: capability.root,
                    key: capability.key.duplicate(),
                },
                capability.level,
            )];
            while let Some((node, level)) = nodes.pop() {
                let mut block = blocks[&node.reference].clone();
                let is_root = node.reference == capability.root;
                let pairs = open_node(&mut block, &node.key, level, size, is_root)
                    .ok()
                    .unwrap();
                for group in pairs.chunks(RUN_MAX) {
                    let group: Vec<Reference> = group.iter().map(|pair| pair.reference).collect();
                    assert_eq!(groups.get(&group), Some(&(level - 1)));
                    seen += 1;
                }
                if level > 1 {
                    nodes.extend(pairs.into_iter().map(|pair| (pair, level - 1)));
                }
            }
            assert_eq!(seen, runs.len());
        }
    }

    #[test]
    fn children_leave_before_their_parents() {
        let (runs, capability) = runs(&content(70 * 1024), Small);
        assert_eq!(capability.level, 2);
        let levels: Vec<u8> = runs.iter().map(|run| run.level).collect();
        assert_eq!(levels, [0, 0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn empty_content_is_one_block() {
        let (runs, capability) = runs(&[], Large);
        assert_eq!(
            (runs.len(), runs[0].blocks.len(), capability.level),
            (1, 1, 0)
        );
    }

    #[test]
    fn memory_does_not_grow_with_the_content() {
        let content = content(5 << 20);
        let mut encoder = Encoder::new(content.as_slice(), Small, ConvergenceSecret::null());
        let mut most = (0, 0);
        while encoder.next_run().unwrap().is_some() {
            let pairs = encoder.levels.iter().map(|level| level.pairs.len()).sum();
            let open: usize = encoder.levels.iter().map(|level| level.blocks.len()).sum();
            let ready: usize = encoder.ready.iter().map(|run| run.blocks.len()).sum();
            most = (most.0.max(pairs), most.1.max(open + ready));
        }
        let levels = usize::from(Small.level_for(content.len() as u64)) + 1;
        assert!(
            most.0 <= levels * Small.arity() && most.1 <= 2 * levels * RUN_MAX,
            "{most:?}"
        );
    }

    #[test]
    fn a_failing_reader_is_reported_and_an_interrupted_one_asked_again() {
        struct Moody(Vec<io::Result<usize>>);
        impl Read for Moody {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                self.0.pop().unwrap_or(Ok(0))
            }
        }
        let interrupted = || Err(io::ErrorKind::Interrupted.into());
        let mut encoder = Encoder::new(
            Moody(vec![interrupted(), Ok(3), interrupted()]),
            Small,
            ConvergenceSecret::null(),
        );
        assert!(encoder.next_run().unwrap().is_some());
        assert_eq!(encoder.content_len(), 3);
        let broken = Moody(vec![Err(io::ErrorKind::PermissionDenied.into()), Ok(3)]);
        let mut encoder = Encoder::new(broken, Small, ConvergenceSecret::null());
        assert_eq!(
            encoder.next_run().err().map(|error| error.kind()),
            Some(io::ErrorKind::PermissionDenied)
        );
        assert!(encoder.capability().is_none());
    }
}
