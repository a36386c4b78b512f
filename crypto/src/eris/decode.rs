//! Blocks to content, as they are fetched.
//!
//! Promises: content leaves in order; constant memory (one node for each level and four leaves); every block is checked
//! against its reference before it is opened; only trees that an encoder makes are read, so that the place of a byte in
//! the content and the place of its block in the tree determine each other.
//! Does not know: where blocks come from. If it fails, part of the content may have been written: write to a temporary
//! place and keep it only on success.

use std::io::{self, Write};

use super::block::{Pair, open_leaf, open_node, unpad};
use super::hashing::{LANES, verify};
use super::{BlockSize, Capability, ErisError};
use crate::ids::Reference;

/// Why content could not be decoded. `E` is what fetching a block fails with.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError<E> {
    /// The blocks or the capability are not an encoding of anything.
    #[error(transparent)]
    Eris(#[from] ErisError),
    /// A block could not be had.
    #[error("a block could not be fetched: {0}")]
    Fetch(E),
    /// The content could not be written.
    #[error("the content could not be written: {0}")]
    Write(io::Error),
}

/// Decodes all content under a capability into `out` and returns its length in bytes.
///
/// `fetch` is asked for one block at a time, leaves in groups of four before the first of them is opened.
///
/// # Errors
/// [`DecodeError`]. A level beyond [`BlockSize::level_max`] is refused before `fetch` is called at all.
pub fn decode<E>(
    capability: &Capability,
    fetch: &mut dyn FnMut(&Reference) -> Result<Vec<u8>, E>,
    out: &mut dyn Write,
) -> Result<u64, DecodeError<E>> {
    let (size, level) = (capability.block_size, capability.level);
    if level > size.level_max() {
        return Err(ErisError::LevelTooHigh(level).into());
    }
    let root = Pair {
        reference: capability.root,
        key: capability.key.duplicate(),
    };
    let mut decoder = Decoder {
        size,
        fetch,
        out,
        written: 0,
    };
    if level == 0 {
        decoder.leaves(&[root], true)?;
    } else {
        decoder.node(
            &root,
            level,
            Place {
                is_root: true,
                is_last: true,
            },
        )?;
    }
    Ok(decoder.written)
}

/// Where in the tree a node stands.
#[derive(Clone, Copy)]
struct Place {
    is_root: bool,
    /// On the right edge of the tree: it may be partly filled, and its last leaf is padded.
    is_last: bool,
}

struct Decoder<'a, E> {
    size: BlockSize,
    fetch: &'a mut dyn FnMut(&Reference) -> Result<Vec<u8>, E>,
    out: &'a mut dyn Write,
    written: u64,
}

impl<E> Decoder<'_, E> {
    /// Decodes all content under a node. Recurses once a level, so at most [`BlockSize::level_max`] deep.
    fn node(&mut self, pair: &Pair, level: u8, place: Place) -> Result<(), DecodeError<E>> {
        let children = self.open(pair, level, place)?;
        if level == 1 {
            return self.leaves(&children, place.is_last);
        }
        let last = children.len() - 1;
        for (i, child) in children.iter().enumerate() {
            let place = Place {
                is_root: false,
                is_last: place.is_last && i == last,
            };
            self.node(child, level - 1, place)?;
        }
        Ok(())
    }

    fn open(&mut self, pair: &Pair, level: u8, place: Place) -> Result<Vec<Pair>, DecodeError<E>> {
        let mut block = (self.fetch)(&pair.reference).map_err(DecodeError::Fetch)?;
        self.check(std::slice::from_ref(pair), &[&block])?;
        let children = open_node(&mut block, &pair.key, level, self.size, place.is_root)?;
        if !place.is_last && children.len() != self.size.arity() {
            return Err(ErisError::Node.into());
        }
        Ok(children)
    }

    /// Fetches, checks, opens and writes leaves. `with_end` says that the last of them is the end of the content.
    fn leaves(&mut self, pairs: &[Pair], with_end: bool) -> Result<(), DecodeError<E>> {
        let mut left = pairs.len();
        for batch in pairs.chunks(LANES) {
            left -= batch.len();
            let mut blocks = Vec::with_capacity(batch.len());
            for pair in batch {
                blocks.push((self.fetch)(&pair.reference).map_err(DecodeError::Fetch)?);
            }
            let slices: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
            self.check(batch, &slices)?;
            for (block, pair) in blocks.iter_mut().zip(batch) {
                open_leaf(block, &pair.key);
            }
            let (end, whole) = match blocks.split_last() {
                Some((end, whole)) if with_end && left == 0 => (Some(end), whole),
                _ => (None, blocks.as_slice()),
            };
            for block in whole {
                self.write(block)?;
            }
            if let Some(end) = end {
                self.write(&end[..unpad(end)?])?;
            }
        }
        Ok(())
    }

    fn check(&self, pairs: &[Pair], blocks: &[&[u8]]) -> Result<(), ErisError> {
        if blocks.iter().any(|block| block.len() != self.size.bytes()) {
            return Err(ErisError::BlockLength);
        }
        let references: Vec<Reference> = pairs.iter().map(|pair| pair.reference).collect();
        if verify(&references, blocks).contains(&false) {
            return Err(ErisError::WrongBlock);
        }
        Ok(())
    }

    fn write(&mut self, content: &[u8]) -> Result<(), DecodeError<E>> {
        self.out.write_all(content).map_err(DecodeError::Write)?;
        self.written += content.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::eris::block::seal_node;
    use crate::eris::{BlockKey, ConvergenceSecret, Encoder};

    type Blocks = BTreeMap<Reference, Vec<u8>>;

    fn encode(content: &[u8], size: BlockSize) -> (Capability, Blocks) {
        let mut encoder = Encoder::new(content, size, ConvergenceSecret::from_bytes([3; 32]));
        let mut blocks = Blocks::new();
        while let Some(run) = encoder.next_run().unwrap() {
            blocks.extend(run.references.into_iter().zip(run.blocks));
        }
        (encoder.capability().unwrap(), blocks)
    }

    fn decode_from(blocks: &Blocks, capability: &Capability) -> Result<Vec<u8>, DecodeError<()>> {
        let mut out = Vec::new();
        let written = decode(
            capability,
            &mut |reference| blocks.get(reference).cloned().ok_or(()),
            &mut out,
        )?;
        assert_eq!(written, out.len() as u64);
        Ok(out)
    }

    /// Makes a node above `pairs`, puts it among the blocks and returns its pair.
    fn put_node(blocks: &mut Blocks, pairs: &[Pair], level: u8) -> Pair {
        let (block, pair) = seal_node(pairs, level, BlockSize::Small);
        blocks.insert(pair.reference, block);
        pair
    }

    fn under(root: Pair, level: u8) -> Capability {
        Capability {
            block_size: BlockSize::Small,
            level,
            root: root.reference,
            key: root.key,
        }
    }

    fn copy(pair: &Pair) -> Pair {
        Pair {
            reference: pair.reference,
            key: pair.key.duplicate(),
        }
    }

    #[test]
    fn a_level_bomb_is_refused_before_anything_is_fetched() {
        for (block_size, level) in [
            (BlockSize::Large, 5),
            (BlockSize::Large, 255),
            (BlockSize::Small, 11),
        ] {
            let bomb = Capability {
                block_size,
                level,
                root: Reference([0; 32]),
                key: BlockKey::from_bytes([0; 32]),
            };
            let mut asked = 0;
            let mut fetch = |_: &Reference| {
                asked += 1;
                Err::<Vec<u8>, ()>(())
            };
            let refused = decode(&bomb, &mut fetch, &mut io::sink());
            assert!(
                matches!(refused, Err(DecodeError::Eris(ErisError::LevelTooHigh(found))) if found == level)
            );
            assert_eq!(asked, 0);
        }
    }

    #[test]
    fn trees_that_no_encoder_makes_are_refused() {
        let (capability, mut blocks) = encode(&[1; 1023], BlockSize::Small);
        let leaf = Pair {
            reference: capability.root,
            key: capability.key,
        };
        // A chain of nodes with a single child, and a node that is not full and not the last.
        let chain = put_node(&mut blocks, &[copy(&leaf)], 1);
        assert!(matches!(
            decode_from(&blocks, &under(copy(&chain), 1)),
            Err(DecodeError::Eris(ErisError::Node))
        ));
        let root = put_node(&mut blocks, &[copy(&chain), chain], 2);
        assert!(matches!(
            decode_from(&blocks, &under(root, 2)),
            Err(DecodeError::Eris(ErisError::Node))
        ));
    }

    #[test]
    fn the_end_is_padded_and_only_the_end() {
        let (capability, mut blocks) = encode(&[1; 1023], BlockSize::Small);
        let padded = Pair {
            reference: capability.root,
            key: capability.key,
        };
        let root = put_node(&mut blocks, &[copy(&padded), copy(&padded)], 1);
        let mut expected = vec![1; 1023];
        expected.push(0x80);
        expected.extend([1; 1023]);
        // A leaf in the middle that looks like padding is content.
        assert_eq!(decode_from(&blocks, &under(root, 1)).ok(), Some(expected));
        let (_, others) = encode(&[1; 2048], BlockSize::Small);
        blocks.extend(others);
        let full: Vec<Pair> = full_leaves(&mut blocks);
        let root = put_node(&mut blocks, &full, 1);
        assert!(matches!(
            decode_from(&blocks, &under(root, 1)),
            Err(DecodeError::Eris(ErisError::Padding))
        ));
    }

    /// Two leaves of content without any padding.
    fn full_leaves(blocks: &mut Blocks) -> Vec<Pair> {
        let mut leaves = vec![vec![1; 1024], vec![2; 1024]];
        let mut pairs = Vec::new();
        crate::eris::block::seal_leaves(&ConvergenceSecret::null(), &mut leaves, &mut pairs);
        blocks.extend(pairs.iter().map(|pair| pair.reference).zip(leaves));
        pairs
    }

    #[test]
    fn blocks_of_another_length_and_failing_outlets_are_reported() {
        let (capability, mut blocks) = encode(&[1; 3000], BlockSize::Small);
        let full: Result<u64, DecodeError<()>> = decode(
            &capability,
            &mut |reference| blocks.get(reference).cloned().ok_or(()),
            &mut (&mut [0u8; 10][..]),
        );
        assert!(matches!(full, Err(DecodeError::Write(_))));
        for block in blocks.values_mut() {
            block.push(0);
        }
        assert!(matches!(
            decode_from(&blocks, &capability),
            Err(DecodeError::Eris(ErisError::BlockLength))
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_encoded_decodes_to_the_same(content in prop::collection::vec(any::<u8>(), 0..40_000), large: bool) {
            let size = if large { BlockSize::Large } else { BlockSize::Small };
            let (capability, blocks) = encode(&content, size);
            prop_assert!(capability.admits(content.len() as u64));
            prop_assert_eq!(decode_from(&blocks, &capability).ok(), Some(content));
        }

        #[test]
        fn a_changed_or_missing_block_is_never_overlooked(
            len in 0usize..40_000, which: prop::sample::Index, at in 0usize..1024, flip in 1u8.., gone: bool,
        ) {
            let content: Vec<u8> = (0..len).map(|i| (i / 7) as u8).collect();
            let (capability, mut blocks) = encode(&content, BlockSize::Small);
            let reference = *which.get(&blocks.keys().copied().collect::<Vec<_>>());
            if gone {
                blocks.remove(&reference);
            } else if let Some(block) = blocks.get_mut(&reference) {
                block[at] ^= flip;
            }
            prop_assert!(decode_from(&blocks, &capability).is_err());
        }

        #[test]
        fn a_changed_capability_never_gives_other_content(
            len in 1024usize..9000, at in 0usize..66, flip in 1u8..,
        ) {
            let content = vec![7; len];
            let (capability, blocks) = encode(&content, BlockSize::Small);
            let mut bytes = capability.to_bytes();
            bytes[at] ^= flip;
            if let Ok(other) = Capability::from_bytes(&bytes) {
                prop_assert!(decode_from(&blocks, &other).is_err());
            }
        }
    }
}
