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
