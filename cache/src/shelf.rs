//! Slots of one class with all that is needed to fill, read and erase them: files, free list, sealing.
//!
//! Every body is sealed under a key drawn for that one write, which lies in the slot's sealed header only.
//!
//! Promises: what is read is what was written to that slot under that header, or it is told apart as empty or damaged; an
//! erased slot can be read by nobody.
//!
//! Does not know: the database, or which slots belong together.

use std::path::Path;

use oboro_crypto::Secret;
use oboro_crypto::aead::Aead;

use crate::error::CacheError;
use crate::free::{FreeSlots, GROUP_SLOTS};
use crate::header::{Content, HEADER_LEN, Header};
use crate::sealing::{Sealing, random};
use crate::slots::{Class, SlotFiles};

/// Slots of one class.
pub(crate) struct Shelf {
    slots: SlotFiles,
    free: FreeSlots,
    /// Bytes the files may grow to.
    budget: u64,
    /// Bodies on their way in or out: one run of an extent at most, kept to spare allocation.
    buffer: Vec<u8>,
}

/// What is found in a slot.
pub(crate) enum Found {
    /// What its header says, and the body, verified.
    Held(Content, Vec<u8>),
    /// Never written, or erased.
    Empty,
    /// Neither.
    Damaged,
}

/// A header as a scan finds it, its body unread.
pub(crate) enum Scanned {
    /// Readable: content and stamp.
    Header(Content, u64),
    /// Not readable, and not empty.
    Damaged,
}

impl Shelf {
    /// Opens the files of `class`. All slots count as free.
    pub(crate) fn open(dir: &Path, class: Class, budget: u64) -> Result<Self, CacheError> {
        let slots = SlotFiles::open(dir, class)?;
        let mut shelf = Self {
            slots,
            free: FreeSlots::new(),
            budget,
            buffer: Vec::new(),
        };
        shelf.reset();
        Ok(shelf)
    }

    /// Counts all slots as free again.
    pub(crate) fn reset(&mut self) {
        self.free = FreeSlots::new();
        for group in self.slots.groups() {
            self.free.add_group(group);
        }
    }

    /// Marks a slot as used; false if it is used already or does not exist.
    pub(crate) fn occupy(&mut self, slot: u32) -> bool {
        self.free.occupy(slot)
    }

    /// Bytes of the files.
    pub(crate) fn len(&self) -> u64 {
        self.slots.len()
    }

    /// Bytes the files may grow to.
    pub(crate) fn budget(&self) -> u64 {
        self.budget
    }

    /// Bytes the files grow by.
    pub(crate) fn step(&self) -> u64 {
        self.slots.class().group_len()
    }

    /// Whether the files may grow by a group that leaves `aside` bytes of the budget alone.
    pub(crate) fn may_grow(&self, aside: u64) -> bool {
        self.len() + self.step() + aside <= self.budget
    }

    /// Adds a group of free slots. False if the disk is full.
    pub(crate) fn grow(&mut self) -> Result<bool, CacheError> {
        match self.slots.grow() {
            Ok(group) => {
                self.free.add_group(group);
                Ok(true)
            }
            Err(CacheError::DiskFull) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The first slot that must go for the files to fit into `budget`; `None` if they fit.
    pub(crate) fn excess(&self, budget: u64) -> Option<u32> {
        let over = self.slots.len().saturating_sub(budget);
        let groups = over.div_ceil(self.slots.class().group_len());
        let last = usize::try_from(groups)
            .unwrap_or(usize::MAX)
            .checked_sub(1)?;
        let group = self.slots.groups().rev().nth(last);
        Some(group.unwrap_or(0) * GROUP_SLOTS)
    }

    /// Cuts off every group from `slot` on.
    pub(crate) fn cut(&mut self, slot: u32) -> Result<(), CacheError> {
        while self.slots.groups().next_back() >= Some(slot / GROUP_SLOTS) {
            match self.slots.shrink()? {
                Some(group) => self.free.remove_group(group),
                None => break,
            }
        }
        Ok(())
    }

    /// Takes `count` free slots of one group.
    pub(crate) fn take_together(&mut self, count: usize) -> Option<Vec<u32>> {
        self.free.take_together(count)
    }

    /// Takes `count` free slots wherever they are.
    pub(crate) fn take_anywhere(&mut self, count: usize) -> Option<Vec<u32>> {
        self.free.take_anywhere(count)
    }

    /// Writes each content with its body to its slot. The slots were taken before; on an error they are given back.
    pub(crate) fn fill(
        &mut self,
        sealing: &Sealing,
        stamp: u64,
        items: &[(u32, Content, &[u8])],
    ) -> Result<(), CacheError> {
        let mut rest = items;
        let mut written = Ok(());
        while let (Ok(()), [first, ..]) = (&written, rest) {
            let (run, after) = rest.split_at(run_len(rest.iter().map(|item| item.0)));
            written = self.fill_run(sealing, stamp, first.0, run);
            rest = after;
        }
        if written.is_err() {
            items.iter().for_each(|item| self.free.release(item.0));
        }
        written
    }

    /// Reads slots. The answer is in the order asked; neighbours are read in one go.
    pub(crate) fn read(
        &mut self,
        sealing: &Sealing,
        slots: &[u32],
    ) -> Result<Vec<Found>, CacheError> {
        let mut found = Vec::with_capacity(slots.len());
        let mut rest = slots;
        while let [first, ..] = rest {
            let (run, after) = rest.split_at(run_len(rest.iter().copied()));
            self.read_run(sealing, *first, run.len(), &mut found)?;
            rest = after;
        }
        Ok(found)
    }

    /// Erases slots and gives them back.
    pub(crate) fn erase(&mut self, slots: &[u32]) -> Result<(), CacheError> {
        let mut rest = slots;
        while let [first, ..] = rest {
            let (run, after) = rest.split_at(run_len(rest.iter().copied()));
            self.slots.erase(*first, run.len())?;
            run.iter().for_each(|&slot| self.free.release(slot));
            rest = after;
        }
        Ok(())
    }

    /// Slots in use.
    pub(crate) fn used(&self) -> u64 {
        let all = self.slots.len() / self.slots.class().group_len() * u64::from(GROUP_SLOTS);
        all.saturating_sub(self.free.len() as u64)
    }

    /// Every group there is, for a scan.
    pub(crate) fn groups(&self) -> Vec<u32> {
        self.slots.groups().collect()
    }

    /// What the headers of a group say, by slot; empty ones left out.
    pub(crate) fn scan(
        &mut self,
        sealing: &Sealing,
        group: u32,
    ) -> Result<Vec<(u32, Scanned)>, CacheError> {
        let first = group * GROUP_SLOTS;
        let headers = self.slots.headers(first, GROUP_SLOTS as usize)?;
        let tag = self.slots.class().tag;
        let slots = (first..).zip(headers.chunks_exact(HEADER_LEN));
        let written = slots.filter(|(_, sealed)| !is_empty(sealed));
        Ok(written
            .map(
                |(slot, sealed)| match Header::open(sealing, tag, slot, sealed) {
                    Some(header) => (slot, Scanned::Header(header.content, header.stamp)),
                    None => (slot, Scanned::Damaged),
                },
            )
            .collect())
    }

    /// What the header of a slot says, if it is readable.
    pub(crate) fn content(
        &mut self,
        sealing: &Sealing,
        slot: u32,
    ) -> Result<Option<Content>, CacheError> {
        let sealed = self.slots.headers(slot, 1)?;
        let header = Header::open(sealing, self.slots.class().tag, slot, &sealed);
        Ok(header.map(|header| header.content))
    }

    /// The stamp of a slot, if its header is readable.
    pub(crate) fn stamp(
        &mut self,
        sealing: &Sealing,
        slot: u32,
    ) -> Result<Option<u64>, CacheError> {
        let sealed = self.slots.headers(slot, 1)?;
        let header = Header::open(sealing, self.slots.class().tag, slot, &sealed);
        Ok(header.map(|header| header.stamp))
    }

    /// Makes everything durable.
    pub(crate) fn sync(&mut self) -> Result<(), CacheError> {
        self.slots.sync()
    }

    fn fill_run(
        &mut self,
        sealing: &Sealing,
        stamp: u64,
        first: u32,
        run: &[(u32, Content, &[u8])],
    ) -> Result<(), CacheError> {
        let class = self.slots.class();
        let mut headers = Vec::with_capacity(run.len() * HEADER_LEN);
        self.buffer.resize(run.len() * class.body, 0);
        for ((slot, content, body), sealed) in
            run.iter().zip(self.buffer.chunks_exact_mut(class.body))
        {
            let (given, padding) = sealed
                .split_at_mut_checked(body.len())
                .ok_or(CacheError::Misuse("a body fits into its slot"))?;
            given.copy_from_slice(body);
            padding.fill(0);
            let key = Secret::from_bytes(random()?);
            // the key seals this one body and nothing else, so the nonce is of no use
            let tag = Aead::new(&key).seal_in_place(&[0; 12], &[], sealed);
            let header = Header {
                content: *content,
                stamp,
                key,
                tag,
            };
            headers.extend(header.seal(sealing, class.tag, *slot)?);
        }
        self.slots.write(first, &headers, &self.buffer)
    }

    fn read_run(
        &mut self,
        sealing: &Sealing,
        first: u32,
        count: usize,
        found: &mut Vec<Found>,
    ) -> Result<(), CacheError> {
        let class = self.slots.class();
        let headers = self.slots.headers(first, count)?;
        self.buffer.resize(count * class.body, 0);
        self.slots.bodies(first, &mut self.buffer)?;
        let headers = headers.chunks_exact(HEADER_LEN);
        let bodies = self.buffer.chunks_exact_mut(class.body);
        for (slot, (sealed, body)) in (first..).zip(headers.zip(bodies)) {
            found.push(open_slot(sealing, class.tag, slot, sealed, body));
        }
        Ok(())
    }
}

fn open_slot(sealing: &Sealing, tag: u8, slot: u32, sealed: &[u8], body: &mut [u8]) -> Found {
    if is_empty(sealed) {
        return Found::Empty;
    }
    let Some(header) = Header::open(sealing, tag, slot, sealed) else {
        return Found::Damaged;
    };
    let opened = Aead::new(&header.key).open_in_place(&[0; 12], &[], body, &header.tag);
    let len = match header.content {
        Content::Chunk(_) => body.len(),
        Content::Entry(name) => usize::from(name.len),
    };
    match (opened, body.get(..len)) {
        (Ok(()), Some(body)) => Found::Held(header.content, body.to_vec()),
        _ => Found::Damaged,
    }
}

fn is_empty(sealed: &[u8]) -> bool {
    sealed.iter().all(|&byte| byte == 0)
}

/// How many slots from the first on lie side by side in one group.
fn run_len(slots: impl Iterator<Item = u32>) -> usize {
    let mut expected = None;
    slots
        .take_while(|&slot| {
            let goes_on =
                expected.is_none_or(|expected| slot == expected && slot % GROUP_SLOTS != 0);
            expected = Some(slot.wrapping_add(1));
            goes_on
        })
        .count()
}

#[cfg(test)]
mod tests;
