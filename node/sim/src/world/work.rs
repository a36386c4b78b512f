//! What users do in the world, and the shell's part in it: files to publish, files to write.

use std::collections::BTreeSet;
use std::io::{self, Read};

use oboro_core::Time;
use oboro_crypto::eris::{BlockSize, Capability, ConvergenceSecret, Encoder, open_leaf, unpad};
use oboro_crypto::ids::Reference;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use super::chance;

const BLOCK: usize = 32 * 1024;

/// A file of the world: its bytes follow from its number.
pub(super) struct File {
    pub(super) number: u64,
    pub(super) length: u64,
    /// The word it is found by.
    pub(super) word: String,
    pub(super) publisher: usize,
    /// References of its extents, as they were handed to the publisher's core.
    pub(super) extents: Vec<Vec<Reference>>,
    /// Once it is published.
    pub(super) capability: Option<Capability>,
    pub(super) published: Time,
}

impl File {
    pub(super) fn new(number: u64, length: u64, publisher: usize) -> Self {
        Self {
            number,
            length,
            word: format!("word{number:05}"),
            publisher,
            extents: Vec::new(),
            capability: None,
            published: Time::default(),
        }
    }
}

/// The bytes of a file, as they are read.
pub(super) struct Content {
    seed: u64,
    number: u64,
    left: u64,
    block: Vec<u8>,
    taken: usize,
    next: u64,
}

impl Content {
    pub(super) const fn new(seed: u64, number: u64, length: u64) -> Self {
        Self {
            seed,
            number,
            left: length,
            block: Vec::new(),
            taken: 0,
            next: 0,
        }
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        if self.taken == self.block.len() {
            self.block = block(self.seed, self.number, self.next, self.left);
            self.next += 1;
            self.taken = 0;
        }
        let rest = &self.block[self.taken..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        self.left -= length as u64;
        Ok(length)
    }
}

/// The bytes of one block of a file, of which so many are left.
fn block(seed: u64, number: u64, index: u64, left: u64) -> Vec<u8> {
    let mut rng: ChaCha20Rng = chance::source(seed ^ number.rotate_left(32), "content", index);
    let mut bytes = vec![0; BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// A job of a user.
pub(super) enum Job {
    Publish {
        file: usize,
        source: Option<Box<Encoder<Content>>>,
    },
    Fetch {
        file: usize,
        begun: Time,
        /// How often it was begun again after waiting for the guard, as the user was told.
        again: u32,
        sink: Sink,
    },
    /// What a flooder publishes.
    Rubbish {
        source: Option<Box<Encoder<Content>>>,
    },
    Search {
        file: usize,
        begun: Time,
        again: u32,
        found: Option<Time>,
    },
}

/// Where a fetched file is written: compared with what it should be, and not kept.
pub(super) struct Sink {
    seed: u64,
    number: u64,
    length: u64,
    got: BTreeSet<u64>,
    pub(super) corrupt: bool,
}

impl Sink {
    pub(super) const fn new(seed: u64, number: u64, length: u64) -> Self {
        Self {
            seed,
            number,
            length,
            got: BTreeSet::new(),
            corrupt: false,
        }
    }

    pub(super) fn write(
        &mut self,
        first: u64,
        leaves: Vec<(Vec<u8>, oboro_crypto::eris::BlockKey)>,
        last: bool,
    ) {
        let count = leaves.len() as u64;
        for (index, (mut leaf, key)) in (first..).zip(leaves) {
            open_leaf(&mut leaf, &key);
            let mut length = leaf.len();
            if last && index + 1 == first + count {
                length = unpad(&leaf).unwrap_or(0);
            }
            let left = self.length.saturating_sub(index * BLOCK as u64);
            let right = block(self.seed, self.number, index, left);
            if left == 0 {
                // Nothing but padding is behind the last byte.
                self.corrupt |= length != 0;
            } else {
                self.corrupt |= leaf.get(..length) != Some(&right[..]);
            }
            self.got.insert(index);
        }
    }

    /// Whether all of the file was written, and rightly.
    pub(super) fn is_right(&self) -> bool {
        let blocks = self.length.div_ceil(BLOCK as u64);
        !self.corrupt && (0..blocks).all(|index| self.got.contains(&index))
    }
}

pub(super) fn encoder(seed: u64, file: &File) -> Box<Encoder<Content>> {
    let mut secret = [0; 32];
    chance::source(seed, "secret", file.number).fill_bytes(&mut secret);
    let content = Content::new(seed, file.number, file.length);
    let secret = ConvergenceSecret::from_bytes(secret);
    Box::new(Encoder::new(content, BlockSize::Large, secret))
}
