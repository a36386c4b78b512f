//! Opening: loading the index, or making it anew, and fitting everything into the quota.
//!
//! Does not know: how an index is made from slots (`rebuild`).

use std::path::{Path, PathBuf};

use oboro_crypto::Secret;

use super::{CacheConfig, Counters, OpenReport, Parts, Result, final_error};
use crate::db::DbError;
use crate::error::CacheError;
use crate::files;
use crate::heat::Heat;
use crate::home::{Home, relieved};
use crate::index::{DESCRIPTOR, ENTRY, EXTENT, Index, IndexError};
use crate::record::{EntryRecord, ExtentRecord};
use crate::refusals::Refusals;
use crate::sealing::Sealing;
use crate::shares::Shares;
use crate::shelf::Shelf;
use crate::slots::{CHUNKS, ENTRIES};

/// Stamps skipped at every start: more than a run can have given out and not flushed, so that what is written from now on
/// is newer than whatever a crash has left behind.
const STAMP_LEAP: u64 = 1 << 32;

impl Parts {
    /// Opens everything in `dir`.
    pub(super) fn open(
        dir: &Path,
        store_key: &Secret<32>,
        config: CacheConfig,
    ) -> std::result::Result<(Self, Index, OpenReport), CacheError> {
        let shares = Shares::of(config.quota, config.reserve)?;
        let sealing = Sealing::new(store_key);
        let home = Home::open(dir, config.reserve, &sealing)?;
        let chunks = relieved(dir, || Shelf::open(dir, CHUNKS, shares.chunks))?;
        let entries = relieved(dir, || Shelf::open(dir, ENTRIES, shares.entries))?;
        let (refusals, damaged) = Refusals::open(dir, shares.refusals, &sealing)?;
        let mut parts = Self {
            aside: home.aside_len()?,
            config,
            shares,
            sealing,
            home,
            chunks,
            entries,
            refusals,
            heat: Heat::default(),
            counters: Counters {
                damaged,
                ..Counters::default()
            },
        };
        let mut report = OpenReport::default();
        let mut index = parts.load_or_rebuild(&mut report).map_err(final_error)?;
        parts.fit(&mut index).map_err(final_error)?;
        let index = parts.keep_small(index).map_err(final_error)?;
        report.chunks = parts.chunks.used();
        report.entries = index.tally().entries;
        report.damaged = parts.counters.damaged;
        report.reserve = parts.home.take_reserve()?;
        Ok((parts, index, report))
    }

    /// Makes the index anew after the database has failed under `index`.
    pub(super) fn recover(&mut self, index: Index, error: DbError) -> Result<Index> {
        match error {
            DbError::Full => {
                drop(index);
                self.home.give_up_reserve()?;
            }
            DbError::Broken(_) => {
                self.counters.damaged += 1;
                index.abandon();
                self.keep_aside()?;
            }
        }
        self.rebuild()
    }

    fn load_or_rebuild(&mut self, report: &mut OpenReport) -> Result<Index> {
        if !self.home.database().exists() {
            report.rebuilt = self.chunks.len() + self.entries.len() > 0;
            return self.rebuild();
        }
        let mut loaded = self.load();
        if matches!(loaded, Err(IndexError::Db(DbError::Full))) && self.home.give_up_reserve()? {
            loaded = self.load();
        }
        match loaded {
            Err(IndexError::Db(error)) => {
                report.rebuilt = true;
                if let DbError::Broken(_) = error {
                    report.set_aside = self.keep_aside()?;
                }
                self.rebuild()
            }
            done => done,
        }
    }

    /// Loads the index and marks the slots it knows as used.
    fn load(&mut self) -> Result<Index> {
        self.chunks.reset();
        self.entries.reset();
        let at_least = self.home.last_flush(&self.sealing);
        let (chunks, entries) = (&mut self.chunks, &mut self.entries);
        let see = |key: &[u8], value: &[u8]| match key.first() {
            Some(&EXTENT) => ExtentRecord::decode(value)
                .is_some_and(|record| record.slots().all(|slot| chunks.occupy(slot))),
            Some(&ENTRY) => {
                EntryRecord::decode(value).is_some_and(|record| entries.occupy(record.slot))
            }
            Some(&DESCRIPTOR) => true,
            _ => false,
        };
        let (path, cache) = (self.home.database(), self.config.sled_cache);
        let mut index = Index::load(&path, cache, &self.sealing, at_least, see)?;
        let stamp = index.tally().stamp;
        index.advance(stamp.saturating_add(STAMP_LEAP), 0);
        Ok(index)
    }

    /// Keeps the damaged database for whoever wants to look into it, if there is room.
    fn keep_aside(&mut self) -> Result<Option<PathBuf>> {
        let kept = self.home.set_aside()?;
        self.aside = self.home.aside_len()?;
        if self.chunks.len() + self.aside > self.shares.chunks {
            self.home.discard_aside()?;
            self.aside = 0;
            return Ok(None);
        }
        Ok(kept)
    }

    /// Removes the database without a trace.
    pub(super) fn remove_database(&mut self) -> Result<()> {
        files::remove(&self.home.database())?;
        Ok(files::sync_dir(self.home.dir())?)
    }
}
