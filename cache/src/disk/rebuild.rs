//! Making the index anew from the slots.
//!
//! Promises: everything readable is found again, the newer of two copies; a crash in the middle leads to another rebuild;
//! the new database stays within its share, by leaving out what does not fit.
//!
//! Does not know: why it is needed.

use std::collections::BTreeMap;

use oboro_crypto::Location;

use super::entries::entry_key;
use super::extents::extent_key;
use super::{Parts, Result};
use crate::entry_list;
use crate::evict::Candidate;
use crate::header::{ChunkName, Content, EntryName};
use crate::index::{DESCRIPTOR, Index};
use crate::record::{ChunkRecord, EntryRecord, ExtentRecord};
use crate::shelf::{Found, Scanned};

impl Parts {
    /// A new index of everything the slots say.
    pub(super) fn rebuild(&mut self) -> Result<Index> {
        let mut index = self.start_anew()?;
        for group in self.chunks.groups() {
            self.adopt_chunks(&mut index, group)?;
        }
        for group in self.entries.groups() {
            self.adopt_entries(&mut index, group)?;
        }
        self.remove_refused(&mut index)?;
        self.flush(&mut index)?;
        Ok(index)
    }

    /// Makes the index anew when its files have outgrown their share.
    pub(super) fn keep_small(&mut self, mut index: Index) -> Result<Index> {
        if !index.is_beyond(self.shares.database)? {
            return Ok(index);
        }
        let mut descriptors = Vec::new();
        index.for_each(&self.sealing, DESCRIPTOR, |key, value| {
            descriptors.push((key, value));
        })?;
        let stamp = index.tally().stamp;
        // from here on the slots have to be enough
        self.chunks.sync()?;
        self.entries.sync()?;
        drop(index);
        let mut index = self.rebuild()?;
        index.advance(stamp, 0);
        for (key, value) in descriptors {
            index.put(&self.sealing, &key, &value)?;
        }
        self.flush(&mut index)?;
        Ok(index)
    }

    /// An empty index, which the mark says is not to be trusted until the next flush.
    fn start_anew(&mut self) -> Result<Index> {
        self.chunks.reset();
        self.entries.reset();
        self.home.note_rebuild(&self.sealing)?;
        self.remove_database()?;
        Index::create(&self.home.database(), self.config.sled_cache)
    }

    fn adopt_chunks(&mut self, index: &mut Index, group: u32) -> Result<()> {
        let mut extents: BTreeMap<Location, Vec<(u32, ChunkName)>> = BTreeMap::new();
        for (slot, scanned) in self.chunks.scan(&self.sealing, group)? {
            match scanned {
                Scanned::Header(Content::Chunk(name), stamp) if !self.is_full(index)? => {
                    index.advance(stamp, 0);
                    extents.entry(name.location).or_default().push((slot, name));
                }
                unwanted => {
                    self.count_dropped(&unwanted);
                    self.chunks.erase(&[slot])?;
                }
            }
        }
        for (location, chunks) in extents {
            let key = extent_key(&self.sealing, &location);
            let held = index.get(&self.sealing, &key)?;
            let mut record = held.and_then(|value| ExtentRecord::decode(&value));
            for (slot, name) in chunks {
                let record = record.get_or_insert_with(|| empty_record(&name));
                self.adopt_chunk(record, slot, &name)?;
            }
            if let Some(record) = record {
                index.put(&self.sealing, &key, &record.encode())?;
            }
        }
        Ok(())
    }

    fn adopt_chunk(
        &mut self,
        record: &mut ExtentRecord,
        slot: u32,
        name: &ChunkName,
    ) -> Result<()> {
        let next = (usize::from(name.index) + 1) % usize::from(name.count.max(1));
        let fits = record.chunks.len() == usize::from(name.count);
        let chunk = record.chunks.get(usize::from(name.index)).copied();
        let Some(chunk) = chunk.filter(|chunk| fits && may_be(chunk, name)) else {
            return Ok(self.chunks.erase(&[slot])?);
        };
        if let Some(other) = chunk.slot {
            let theirs = self.chunks.stamp(&self.sealing, other)?;
            if theirs > self.chunks.stamp(&self.sealing, slot)? {
                return Ok(self.chunks.erase(&[slot])?);
            }
            self.chunks.erase(&[other])?;
        }
        self.chunks.occupy(slot);
        if let Some(chunk) = record.chunks.get_mut(usize::from(name.index)) {
            chunk.slot = Some(slot);
            chunk.reference = Some(name.reference);
        }
        if let Some(next) = record.chunks.get_mut(next) {
            next.reference.get_or_insert(name.next);
        }
        Ok(())
    }

    fn adopt_entries(&mut self, index: &mut Index, group: u32) -> Result<()> {
        for (slot, scanned) in self.entries.scan(&self.sealing, group)? {
            match scanned {
                Scanned::Header(Content::Entry(name), stamp) if !self.is_full(index)? => {
                    index.advance(stamp, 0);
                    self.adopt_entry(index, slot, &name)?;
                }
                unwanted => {
                    self.count_dropped(&unwanted);
                    self.entries.erase(&[slot])?;
                }
            }
        }
        Ok(())
    }

    /// The key of an entry comes from its bytes, so these are read, and damage is noticed at once.
    fn adopt_entry(&mut self, index: &mut Index, slot: u32, name: &EntryName) -> Result<()> {
        let found = self.entries.read(&self.sealing, &[slot])?;
        let Some(Found::Held(_, bytes)) = found.first() else {
            self.count_dropped(&Scanned::Damaged);
            return Ok(self.entries.erase(&[slot])?);
        };
        let key = entry_key(&self.sealing, &name.location, bytes);
        if index.count(&key, 1)? > 0 {
            return Ok(self.entries.erase(&[slot])?);
        }
        self.entries.occupy(slot);
        let record = EntryRecord {
            slot,
            expires_day: name.expires_day,
            work: name.work,
            name: entry_list::name(bytes),
        };
        index.put(&self.sealing, &key, &record.encode())
    }

    /// Counts a slot that cannot be read, or that the database has no room for.
    fn count_dropped(&mut self, scanned: &Scanned) {
        match scanned {
            Scanned::Damaged => self.counters.damaged += 1,
            Scanned::Header(..) => self.counters.evictions += 1,
        }
    }

    /// Whether the new database has taken so much of its share that it would soon have to be made anew again.
    fn is_full(&mut self, index: &mut Index) -> Result<bool> {
        index.is_beyond(self.shares.database / 4 * 3)
    }
}

fn empty_record(name: &ChunkName) -> ExtentRecord {
    ExtentRecord {
        placement: name.placement,
        candidate: Candidate {
            distance: name.distance,
            asked: 0,
            day: name.day,
        },
        chunks: vec![ChunkRecord::default(); usize::from(name.count)],
    }
}

fn may_be(chunk: &ChunkRecord, name: &ChunkName) -> bool {
    chunk
        .reference
        .is_none_or(|reference| reference == name.reference)
}

#[cfg(test)]
mod tests;
