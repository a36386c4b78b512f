//! The store on disk: slot files that speak for themselves, and a database that finds things in them.
//!
//! The slots are the truth. The database is an index that can be made anew from them at any time, and is: when it is
//! damaged, when it has outgrown its share, when the disk was full under it. What counts as written is in the slots; what
//! only the database has (descriptors) may get lost with it.
//!
//! Promises: see the crate. Erasing: once [`flush`](Store::flush) has returned, the sealed header of every evicted,
//! expired or refused slot is overwritten in place, and with it the only copy of its body's key; a file system or drive
//! that writes elsewhere may keep the old block. The names of what was held may stay in old parts of the database, sealed
//! under the store key, until sled reuses them.
//!
//! Does not know: sled (`db`), file formats (`header`, `record`, `slots`), what to evict (`evict`, `entry_list`).

mod entries;
mod extents;
mod open;
mod rebuild;
mod room;
mod upkeep;
mod walk;

use std::path::{Path, PathBuf};

use oboro_crypto::{Location, NodeId, Reference, Secret};

use crate::db::DbError;
use crate::error::CacheError;
use crate::heat::Heat;
use crate::home::Home;
use crate::index::{Index, IndexError};
use crate::refusals::Refusals;
use crate::sealing::Sealing;
use crate::shares::Shares;
use crate::shelf::Shelf;
use crate::store::{CacheStats, EntryPage, ExtentInfo, HeldPage, Put, PutEntry, PutExtent, Store};
use crate::validate;

/// Bounds of a store on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CacheConfig {
    /// Bytes the whole directory may take.
    pub quota: u64,
    /// Bytes of records sled keeps in memory.
    pub sled_cache: u64,
    /// Bytes put by for the time the disk is full; part of the quota. 0 for none.
    pub reserve: u64,
}

impl CacheConfig {
    /// Sensible bounds for a quota: 8 MiB of sled's cache, and a 64th of the quota, between 1 and 16 MiB, as reserve.
    #[must_use]
    pub fn for_quota(quota: u64) -> Self {
        Self {
            quota,
            sled_cache: 8 << 20,
            reserve: (quota / 64).clamp(1 << 20, 16 << 20),
        }
    }
}

/// What was found when a store was opened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OpenReport {
    /// Whether the database had to be made anew from the slots.
    pub rebuilt: bool,
    /// Where the damaged database was put, if there was room to keep it.
    pub set_aside: Option<PathBuf>,
    /// Chunks held.
    pub chunks: u64,
    /// Entries held.
    pub entries: u64,
    /// Slots, refusals and records found unreadable, and dropped.
    pub damaged: u64,
    /// Whether the reserve is in place.
    pub reserve: bool,
}

/// The store on disk.
pub struct SledStore {
    /// `None` after a failure that a rebuild could not mend yet; the next call tries again. Dropped before the rest, of
    /// which the lock is a part.
    index: Option<Index>,
    parts: Parts,
}

/// Everything but the index.
struct Parts {
    config: CacheConfig,
    shares: Shares,
    sealing: Sealing,
    home: Home,
    chunks: Shelf,
    entries: Shelf,
    refusals: Refusals,
    heat: Heat,
    counters: Counters,
    /// Bytes of a database set aside.
    aside: u64,
}

#[derive(Default)]
struct Counters {
    hits: u64,
    misses: u64,
    evictions: u64,
    damaged: u64,
    refused: u64,
}

type Result<T> = std::result::Result<T, IndexError>;

impl SledStore {
    /// Opens the store in `dir`, made if need be, under the node's store key. A damaged database is set aside and made
    /// anew; a full disk is met with the reserve.
    ///
    /// # Errors
    /// [`CacheError::Locked`], [`CacheError::NewerVersion`] and [`CacheError::WrongKey`] leave the directory untouched.
    pub fn open(
        dir: &Path,
        store_key: &Secret<32>,
        config: CacheConfig,
    ) -> std::result::Result<(Self, OpenReport), CacheError> {
        let (parts, index, report) = Parts::open(dir, store_key, config)?;
        let index = Some(index);
        Ok((Self { parts, index }, report))
    }

    /// Does `action`; if the database fails under it, once more with one made anew.
    fn with_index<T>(
        &mut self,
        mut action: impl FnMut(&mut Parts, &mut Index) -> Result<T>,
    ) -> std::result::Result<T, CacheError> {
        let parts = &mut self.parts;
        let mut index = match self.index.take() {
            Some(index) => index,
            None => parts.rebuild().map_err(final_error)?,
        };
        let mut done = action(parts, &mut index);
        if let Err(IndexError::Db(error)) = done {
            index = parts.recover(index, error).map_err(final_error)?;
            done = action(parts, &mut index);
        }
        if let Err(IndexError::Db(error)) = done {
            index.abandon();
            return Err(final_error(IndexError::Db(error)));
        }
        self.index = Some(parts.keep_small(index).map_err(final_error)?);
        done.map_err(final_error)
    }
}

impl Store for SledStore {
    fn put_extent(&mut self, put: PutExtent) -> std::result::Result<Put, CacheError> {
        validate::extent(&put)?;
        if self.parts.refuses(&put.references) {
            self.parts.counters.refused += 1;
            return Ok(Put::Refused);
        }
        self.with_index(|parts, index| parts.put_extent(index, &put))
    }

    fn extent(
        &mut self,
        location: &Location,
    ) -> std::result::Result<Option<ExtentInfo>, CacheError> {
        self.with_index(|parts, index| parts.extent(index, location))
    }

    fn read(
        &mut self,
        location: &Location,
        indexes: &[u8],
    ) -> std::result::Result<Vec<Option<Vec<u8>>>, CacheError> {
        validate::indexes(indexes)?;
        let chunks = self.with_index(|parts, index| parts.read(index, location, indexes, true))?;
        let hits = chunks.iter().flatten().count() as u64;
        self.parts.counters.hits += hits;
        self.parts.counters.misses += chunks.len() as u64 - hits;
        Ok(chunks)
    }

    fn copy(
        &mut self,
        location: &Location,
        indexes: &[u8],
    ) -> std::result::Result<Vec<Option<Vec<u8>>>, CacheError> {
        validate::indexes(indexes)?;
        self.with_index(|parts, index| parts.read(index, location, indexes, false))
    }

    fn put_entry(&mut self, put: PutEntry) -> std::result::Result<Put, CacheError> {
        validate::entry(&put)?;
        if put.expires_day < put.today {
            return Ok(Put::NoRoom);
        }
        self.with_index(|parts, index| parts.put_entry(index, &put))
    }

    fn entries(
        &mut self,
        location: &Location,
        after: Option<[u8; 16]>,
        max: usize,
    ) -> std::result::Result<EntryPage, CacheError> {
        self.with_index(|parts, index| parts.entries_at(index, location, after, max))
    }

    fn held(
        &mut self,
        after: Option<&[u8]>,
        max: usize,
    ) -> std::result::Result<HeldPage, CacheError> {
        self.with_index(|parts, index| parts.held(index, after, max))
    }

    fn names(&mut self, location: &Location) -> std::result::Result<Vec<u64>, CacheError> {
        self.with_index(|parts, index| parts.names(index, location))
    }

    fn put_descriptors(
        &mut self,
        descriptors: &[(NodeId, Vec<u8>)],
    ) -> std::result::Result<usize, CacheError> {
        for (_, bytes) in descriptors {
            validate::descriptor(bytes)?;
        }
        self.with_index(|parts, index| parts.put_descriptors(index, descriptors))
    }

    fn descriptors(&mut self) -> std::result::Result<Vec<Vec<u8>>, CacheError> {
        self.with_index(|parts, index| parts.descriptors(index))
    }

    fn forget_descriptors(&mut self, nodes: &[NodeId]) -> std::result::Result<(), CacheError> {
        self.with_index(|parts, index| parts.forget_descriptors(index, nodes))
    }

    fn refuse(&mut self, references: &[Reference]) -> std::result::Result<(), CacheError> {
        let parts = &mut self.parts;
        parts.refusals.add(references, &parts.sealing)?;
        self.with_index(|parts, index| {
            parts.remove_refused(index)?;
            parts.flush(index)
        })
    }

    fn allow(&mut self, references: &[Reference]) -> std::result::Result<(), CacheError> {
        let parts = &mut self.parts;
        parts.refusals.remove(references, &parts.sealing)
    }

    fn refused(&self) -> Vec<Reference> {
        self.parts.refusals.list()
    }

    fn is_refused(&self, reference: &Reference) -> bool {
        self.parts.refusals.contains(reference)
    }

    fn expire(&mut self, today: u32) -> std::result::Result<u64, CacheError> {
        self.with_index(|parts, index| parts.expire(index, today))
    }

    fn flush(&mut self) -> std::result::Result<(), CacheError> {
        self.with_index(Parts::flush)
    }

    fn stats(&self) -> CacheStats {
        let parts = &self.parts;
        let tally = self.index.as_ref().map(|index| *index.tally());
        let tally = tally.unwrap_or_default();
        CacheStats {
            // a directory that cannot be measured for a moment is full: nobody should count on room in it
            used: parts.home.size().unwrap_or(parts.config.quota),
            quota: parts.config.quota,
            chunks: parts.chunks.used(),
            extents: tally.extents,
            entries: tally.entries,
            descriptors: tally.descriptors,
            hits: parts.counters.hits,
            misses: parts.counters.misses,
            evictions: parts.counters.evictions,
            damaged: parts.counters.damaged,
            refused: parts.counters.refused,
        }
    }

    fn close(mut self: Box<Self>) -> std::result::Result<(), CacheError> {
        self.flush()
    }
}

/// What a failure means to the caller once nothing more can be tried.
fn final_error(error: IndexError) -> CacheError {
    match error {
        IndexError::Cache(error) => error,
        IndexError::Db(DbError::Full) => CacheError::DiskFull,
        IndexError::Db(DbError::Broken(what)) => CacheError::Damaged { what },
    }
}
