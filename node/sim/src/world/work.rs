//! What users do in the world, and the shell's part in it: files to publish, files to write.

use std::collections::BTreeSet;
use std::io::{self, Read};

use oboro_core::Time;
use oboro_core::action::Recover;
use oboro_core::event::SourceEvent;
use oboro_crypto::eris::{
    BlockSize, Capability, ConvergenceSecret, Encoder, Run, open_leaf, unpad,
};
use oboro_crypto::ids::Reference;
use oboro_crypto::network::Class;
use oboro_crypto::parity::{ParityStream, Scheme, fill_leaf, recover};
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
    /// Its extents and those of its parity, as they were handed to the publisher's core.
    pub(super) extents: Vec<Cut>,
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

    /// Of which class an extent of it is.
    pub(super) fn class(&self, extent: &Cut) -> Class {
        match Scheme::of_content(self.length) {
            Some(_) if extent.level == 0 => Class::Grouped,
            _ => Class::Alone,
        }
    }
}

/// An extent of a file.
pub(super) struct Cut {
    pub(super) references: Vec<Reference>,
    pub(super) level: u8,
    /// Whether it is of the parity.
    pub(super) parity: bool,
}

impl Cut {
    fn new(run: &Run, parity: bool) -> Self {
        Self {
            references: run.references.clone(),
            level: run.level,
            parity,
        }
    }
}

/// A file on its way to the publisher's core: its runs, then those of its parity.
pub(super) struct Source {
    seed: u64,
    number: u64,
    file: Option<Encoder<Content>>,
    parity: Option<Encoder<Box<dyn Read>>>,
}

impl Source {
    pub(super) fn new(seed: u64, file: &File) -> Box<Self> {
        let content = Content::new(seed, file.number, file.length);
        let secret = secret(seed, "secret", file.number);
        Box::new(Self {
            seed,
            number: file.number,
            file: Some(Encoder::new(content, BlockSize::Large, secret)),
            parity: None,
        })
    }

    /// What comes next, and the extent in it.
    pub(super) fn next(&mut self) -> Option<(SourceEvent, Option<Cut>)> {
        if let Some(file) = &mut self.file {
            match file.next_run() {
                Ok(Some(run)) => {
                    let cut = Cut::new(&run, false);
                    return Some((SourceEvent::Run(run), Some(cut)));
                }
                Ok(None) => {}
                Err(_) => return Some((SourceEvent::Failed, None)),
            }
            let file = self.file.take()?;
            let length = file.content_len();
            let (seed, number) = (self.seed, self.number);
            let read = move |offset: u64, bytes: &mut [u8]| {
                let whole = block(seed, number, offset / BLOCK as u64, length - offset);
                bytes.copy_from_slice(&whole[..bytes.len()]);
                Ok(())
            };
            self.parity = ParityStream::new(length, read).map(|parity| {
                let secret = secret(seed, "parity", number);
                Encoder::new(Box::new(parity) as Box<dyn Read>, BlockSize::Large, secret)
            });
            let capability = file.capability()?;
            return Some((SourceEvent::End { capability, length }, None));
        }
        match self.parity.as_mut()?.next_run() {
            Ok(Some(run)) => {
                let cut = Cut::new(&run, true);
                Some((SourceEvent::ParityRun(run), Some(cut)))
            }
            Ok(None) => {
                let parity = self.parity.take()?;
                let length = parity.content_len();
                let capability = parity.capability()?;
                Some((SourceEvent::ParityEnd { capability, length }, None))
            }
            Err(_) => Some((SourceEvent::Failed, None)),
        }
    }
}

fn secret(seed: u64, what: &str, number: u64) -> ConvergenceSecret {
    let mut secret = [0; 32];
    chance::source(seed, what, number).fill_bytes(&mut secret);
    ConvergenceSecret::from_bytes(secret)
}

/// The bytes of a file, as they are read.
struct Content {
    seed: u64,
    number: u64,
    left: u64,
    block: Vec<u8>,
    taken: usize,
    next: u64,
}

impl Content {
    const fn new(seed: u64, number: u64, length: u64) -> Self {
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
        source: Option<Box<Source>>,
    },
    Fetch {
        file: usize,
        begun: Time,
        /// How often it was begun again after waiting for the guard, as the user was told.
        again: u32,
        sink: Sink,
    },
    /// What a flooder publishes.
    Rubbish { source: Option<Box<Source>> },
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

    /// Recovers extents as the shell does, and compares them with what they should be. False if the parity is of no use.
    pub(super) fn recover(&mut self, wish: Recover) -> bool {
        let parity: Vec<(u64, Vec<Vec<u8>>)> = wish
            .parity
            .into_iter()
            .map(|(number, blocks)| {
                let opened = blocks.into_iter().map(|(mut block, key)| {
                    open_leaf(&mut block, &key);
                    block
                });
                (number, opened.collect())
            })
            .collect();
        let (seed, number, length) = (self.seed, self.number, self.length);
        let got = self.got.clone();
        let content = |leaf: u64, bytes: &mut [u8]| {
            fill_leaf(length, leaf, bytes, &mut |offset, bytes| {
                let whole = block(seed, number, offset / BLOCK as u64, length - offset);
                bytes.copy_from_slice(&whole[..bytes.len()]);
                Ok::<(), ()>(())
            })
        };
        let mut read = |leaf: u64, bytes: &mut [u8]| {
            // What was not written cannot be read.
            if !got.contains(&leaf) {
                return Err(());
            }
            content(leaf, bytes)
        };
        let mut write = |leaf: u64, plain: &[u8]| {
            let mut right = vec![0; BLOCK];
            content(leaf, &mut right)?;
            self.corrupt |= plain != right;
            self.got.insert(leaf);
            Ok(())
        };
        recover(&wish.group, &wish.missing, &parity, &mut read, &mut write).is_ok()
    }

    /// Whether all of the file was written, and rightly.
    pub(super) fn is_right(&self) -> bool {
        let blocks = self.length.div_ceil(BLOCK as u64);
        !self.corrupt && (0..blocks).all(|index| self.got.contains(&index))
    }
}
