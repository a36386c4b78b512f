//! The parity of a file as a stream of bytes, computed group by group as it is read.

use std::io::{self, Read};

use reed_solomon_simd::ReedSolomonEncoder;

use super::{COLUMNS, Group, LEAF, Scheme};

/// Reads the parity of a content: group after group, parity extent after parity extent.
pub struct ParityStream<R> {
    scheme: Scheme,
    length: u64,
    read_at: R,
    next_group: u64,
    /// Parity of the present group, and how much of it has been read.
    parity: Vec<u8>,
    taken: usize,
}

impl<R: FnMut(u64, &mut [u8]) -> io::Result<()>> ParityStream<R> {
    /// The parity of a content of `length` bytes, which `read_at` fills in from an offset on; `None` if it has none.
    pub fn new(length: u64, read_at: R) -> Option<Self> {
        Some(Self {
            scheme: Scheme::of_content(length)?,
            length,
            read_at,
            next_group: 0,
            parity: Vec::new(),
            taken: 0,
        })
    }

    /// Computes the parity of a group: memory for it and for one column.
    fn compute(&mut self, group: &Group) -> io::Result<()> {
        let (count, parity) = (whole(group.count)?, whole(group.parity)?);
        let mut coder = ReedSolomonEncoder::new(count, parity, LEAF).map_err(io::Error::other)?;
        self.parity.clear();
        self.parity.resize(parity * COLUMNS * LEAF, 0);
        let mut block = vec![0; LEAF];
        for column in 0..COLUMNS {
            for extent in 0..group.count {
                match group.leaf(extent, column) {
                    Some(leaf) => fill_leaf(self.length, leaf, &mut block, &mut self.read_at)?,
                    None => block.fill(0),
                }
                coder.add_original_shard(&block).map_err(io::Error::other)?;
            }
            let coded = coder.encode().map_err(io::Error::other)?;
            let places = self
                .parity
                .chunks_exact_mut(LEAF)
                .skip(column)
                .step_by(COLUMNS);
            for (place, symbol) in places.zip(coded.recovery_iter()) {
                place.copy_from_slice(symbol);
            }
        }
        Ok(())
    }
}

impl<R: FnMut(u64, &mut [u8]) -> io::Result<()>> Read for ParityStream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.parity.len() {
            let Some(group) = self.scheme.group(self.next_group) else {
                return Ok(0);
            };
            self.compute(&group)?;
            self.next_group += 1;
            self.taken = 0;
        }
        let rest = self.parity.get(self.taken..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        Ok(length)
    }
}

/// One leaf of a content of `length` bytes as ERIS encodes it: what `read_at` fills in from an offset on, then the padding.
///
/// # Errors
/// Whatever `read_at` says.
pub fn fill_leaf<E>(
    length: u64,
    leaf: u64,
    block: &mut [u8],
    read_at: &mut super::Read<'_, E>,
) -> Result<(), E> {
    let offset = leaf.saturating_mul(LEAF as u64);
    let left = length.saturating_sub(offset);
    let content = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
    let (content, padding) = block.split_at_mut(content);
    if !content.is_empty() {
        read_at(offset, content)?;
    }
    padding.fill(0);
    if let Some(first) = padding.first_mut() {
        *first = 0x80;
    }
    Ok(())
}

fn whole(count: u64) -> io::Result<usize> {
    usize::try_from(count).map_err(io::Error::other)
}
