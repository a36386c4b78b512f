//! The database with sealed values, changes held back until a batch, and a tally that shows any loss.
//!
//! Keys are a letter for the kind and a blinded name. Changes wait in memory and go in together with the tally, so what
//! is on disk is always a state the tally describes; [`Index::load`] compares the two.
//!
//! Promises: a reader sees every change at once, durable or not; a database that has lost, kept or changed anything
//! against its tally does not load.
//!
//! Does not know: slot files. Records are bytes here.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

use zeroize::Zeroizing;

use crate::db::{Change, Db, DbError, Pair};
use crate::error::CacheError;
use crate::record::Tally;
use crate::sealing::{Place, Sealing, TAG_LEN};

/// First byte of the key of an extent.
pub(crate) const EXTENT: u8 = b'x';
/// First byte of the key of an entry.
pub(crate) const ENTRY: u8 = b'e';
/// First byte of the key of a descriptor.
pub(crate) const DESCRIPTOR: u8 = b'd';

/// The key of the tally: before all kinds but one, and alone with its letter.
const TALLY: &[u8] = b"t";

/// Bytes of changes held back before they are applied unasked: bounds memory, and how much a single batch can make the
/// database grow.
const PENDING_BYTES_MAX: usize = 128 * 1024;

/// Pairs read at once when everything is walked through: bounds memory.
const PAGE: usize = 256;

/// The index of the cache.
pub(crate) struct Index {
    db: Db,
    tally: Tally,
    /// Sealed values (or removals) not yet in the database.
    pending: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    pending_bytes: usize,
    /// Whether something was applied and not yet flushed.
    unflushed: bool,
    /// Bytes of the database's files when last measured, and whether something was applied since.
    size: u64,
    grown: bool,
}

/// A failure of the index: of the database under it, or another.
#[derive(Debug)]
pub(crate) enum IndexError {
    /// The database. It may be opened again, or rebuilt.
    Db(DbError),
    /// Anything else.
    Cache(CacheError),
}

impl From<DbError> for IndexError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<CacheError> for IndexError {
    fn from(error: CacheError) -> Self {
        Self::Cache(error)
    }
}

type Result<T> = std::result::Result<T, IndexError>;

/// A key and its opened value.
pub(crate) type Record = (Vec<u8>, Zeroizing<Vec<u8>>);

impl Index {
    /// Opens the database and shows every record to `see`, which says whether it makes sense. Fails as broken if one
    /// does not, if the tally disagrees, or if the database is older than generation `at_least`.
    pub(crate) fn load(
        path: &Path,
        cache: u64,
        sealing: &Sealing,
        at_least: u64,
        mut see: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<Self> {
        let mut index = Self::over(Db::open(path, cache)?);
        let Some(sealed) = index.db.get(TALLY)? else {
            return Err(broken("the database has no tally"));
        };
        let plain = sealing.open(Place::Value(TALLY), &sealed);
        let Some(expected) = plain.and_then(|plain| Tally::decode(&plain)) else {
            return Err(broken("the tally is unreadable"));
        };
        let mut found = Tally {
            generation: expected.generation,
            stamp: expected.stamp,
            ..Tally::default()
        };
        for kind in [DESCRIPTOR, ENTRY, EXTENT] {
            let mut start = Bound::Included(vec![kind]);
            loop {
                let page = index
                    .db
                    .scan(&[kind], start.as_ref().map(Vec::as_slice), PAGE)?;
                let Some((last, _)) = page.last() else { break };
                start = Bound::Excluded(last.clone());
                for (key, sealed) in &page {
                    let value = open(sealing, key, sealed)?;
                    if !see(key, &value) {
                        return Err(broken("a record makes no sense"));
                    }
                    found.count(key, None, Some(sealed));
                }
            }
        }
        if found != expected || found.generation < at_least {
            return Err(broken("the database has lost records"));
        }
        index.tally = found;
        Ok(index)
    }

    /// A new database in an empty directory.
    pub(crate) fn create(path: &Path, cache: u64) -> Result<Self> {
        Ok(Self::over(Db::open(path, cache)?))
    }

    fn over(db: Db) -> Self {
        Self {
            db,
            tally: Tally::default(),
            pending: BTreeMap::new(),
            pending_bytes: 0,
            unflushed: false,
            size: 0,
            grown: true,
        }
    }

    /// Counts and stamps.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The next stamp.
    pub(crate) fn stamp(&mut self) -> u64 {
        self.tally.stamp += 1;
        self.tally.stamp
    }

    /// Lets stamps and generations go on from at least these.
    pub(crate) fn advance(&mut self, stamp: u64, generation: u64) {
        self.tally.stamp = self.tally.stamp.max(stamp);
        self.tally.generation = self.tally.generation.max(generation);
    }

    /// The value of a key.
    pub(crate) fn get(&self, sealing: &Sealing, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let sealed = self.sealed(key)?;
        sealed.map(|sealed| open(sealing, key, &sealed)).transpose()
    }

    /// Puts a value.
    pub(crate) fn put(&mut self, sealing: &Sealing, key: &[u8], value: &[u8]) -> Result<()> {
        let sealed = sealing.seal(Place::Value(key), value)?;
        self.change(sealing, key, Some(sealed))
    }

    /// Removes a value, if it is there.
    pub(crate) fn remove(&mut self, sealing: &Sealing, key: &[u8]) -> Result<()> {
        self.change(sealing, key, None)
    }

    /// Up to `max` records whose keys begin with `prefix` and lie in or after `start`, in order.
    pub(crate) fn scan(
        &self,
        sealing: &Sealing,
        prefix: &[u8],
        start: Bound<&[u8]>,
        max: usize,
    ) -> Result<Vec<Record>> {
        let pairs = self.sealed_scan(prefix, start, max)?;
        let opened = pairs.into_iter().map(|(key, sealed)| {
            let value = open(sealing, &key, &sealed)?;
            Ok((key, value))
        });
        opened.collect()
    }

    /// How many keys begin with `prefix`, counting no further than `max`.
    pub(crate) fn count(&self, prefix: &[u8], max: usize) -> Result<usize> {
        let pairs = self.sealed_scan(prefix, Bound::Included(prefix), max)?;
        Ok(pairs.len())
    }

    /// Shows every record of a kind to `see`, page by page. `see` must not rely on an order.
    pub(crate) fn for_each(
        &self,
        sealing: &Sealing,
        kind: u8,
        mut see: impl FnMut(Vec<u8>, Zeroizing<Vec<u8>>),
    ) -> Result<()> {
        let mut start = Bound::Included(vec![kind]);
        loop {
            let from = start.as_ref().map(Vec::as_slice);
            let page = self.scan(sealing, &[kind], from, PAGE)?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            start = Bound::Excluded(last.clone());
            for (key, value) in page {
                see(key, value);
            }
        }
    }

    /// Makes everything durable and says the generation it is.
    pub(crate) fn flush(&mut self, sealing: &Sealing) -> Result<u64> {
        if !self.pending.is_empty() || self.tally.generation == 0 {
            self.apply(sealing)?;
        }
        if self.unflushed {
            self.db.flush()?;
            self.unflushed = false;
        }
        Ok(self.tally.generation)
    }

    /// Whether the database's files are larger than `most` bytes. Measures only if something was written since.
    pub(crate) fn is_beyond(&mut self, most: u64) -> Result<bool> {
        if std::mem::take(&mut self.grown) {
            self.size = self.db.size()?;
        }
        Ok(self.size > most)
    }

    /// Gives a broken database up.
    pub(crate) fn abandon(self) {
        self.db.abandon();
    }

    fn change(&mut self, sealing: &Sealing, key: &[u8], new: Option<Vec<u8>>) -> Result<()> {
        let old = self.sealed(key)?;
        if old.is_none() && new.is_none() {
            return Ok(());
        }
        self.tally.count(key, old.as_deref(), new.as_deref());
        self.pending_bytes += key.len() + new.as_ref().map_or(0, Vec::len);
        self.pending.insert(key.to_vec(), new);
        if self.pending_bytes > PENDING_BYTES_MAX {
            self.apply(sealing)?;
        }
        Ok(())
    }

    fn apply(&mut self, sealing: &Sealing) -> Result<()> {
        let next = Tally {
            generation: self.tally.generation + 1,
            ..self.tally
        };
        let sealed = sealing.seal(Place::Value(TALLY), &next.encode())?;
        let pending = self.pending.iter();
        let mut changes: Vec<Change> = pending.map(|(k, v)| (k.clone(), v.clone())).collect();
        changes.push((TALLY.to_vec(), Some(sealed)));
        self.unflushed = true;
        self.grown = true;
        self.db.apply(&changes)?;
        self.tally = next;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    fn sealed(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.pending.get(key) {
            Some(pending) => Ok(pending.clone()),
            None => Ok(self.db.get(key)?),
        }
    }

    /// The database and the pending changes, merged.
    fn sealed_scan(&self, prefix: &[u8], start: Bound<&[u8]>, max: usize) -> Result<Vec<Pair>> {
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let ahead = self.pending.range::<[u8], _>((start, Bound::Unbounded));
        let ahead: Vec<_> = ahead
            .take_while(|(key, _)| key.starts_with(prefix))
            .collect();
        let removed = ahead.iter().filter(|(_, value)| value.is_none()).count();
        // enough that max are left when every removal has hit
        let stored = self.db.scan(prefix, start, max.saturating_add(removed))?;
        merged.extend(stored);
        for (key, value) in ahead {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().take(max).collect())
    }
}

impl Tally {
    /// Counts the change of one record.
    fn count(&mut self, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
        for sealed in [old, new].into_iter().flatten() {
            let tag = sealed.last_chunk::<TAG_LEN>().copied().unwrap_or_default();
            for (sum, byte) in self.digest.iter_mut().zip(tag) {
                *sum ^= byte;
            }
        }
        let counter = match key.first() {
            Some(&EXTENT) => &mut self.extents,
            Some(&ENTRY) => &mut self.entries,
            _ => &mut self.descriptors,
        };
        match (old, new) {
            (None, Some(_)) => *counter += 1,
            (Some(_), None) => *counter = counter.saturating_sub(1),
            _ => {}
        }
    }
}

fn open(sealing: &Sealing, key: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let value = sealing.open(Place::Value(key), sealed);
    value.ok_or_else(|| broken("a record is unreadable"))
}

fn broken(why: &str) -> IndexError {
    IndexError::Db(DbError::Broken(String::from(why)))
}

#[cfg(test)]
mod tests;
