//! The one door to the database: the only file that names sled.
//!
//! sled 0.34 panics on damaged files, keeps its own threads and may lag behind its own writes. So every call runs under
//! `catch_unwind`, nothing is flushed in the background, its cache is bounded, and after a failure the handle is good
//! for nothing but dropping.
//!
//! Promises: a batch is in the database in whole or not at all, after any crash; a panic inside comes out as an error.
//!
//! Does not know: what keys and values mean.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::CacheError;
use crate::files;

/// Why the database did not do what was asked.
#[derive(Debug)]
pub(crate) enum DbError {
    /// The disk is full. Opened again with more room, it goes on.
    Full,
    /// It is damaged, or has lost its mind.
    Broken(String),
}

/// A key, and the value to put there or `None` to remove it.
pub(crate) type Change = (Vec<u8>, Option<Vec<u8>>);

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// An open database.
pub(crate) struct Db {
    /// `None` once given up.
    tree: Option<sled::Db>,
    /// sled's own file, for the sync that sled leaves out on Linux.
    file: File,
    path: PathBuf,
}

/// Bytes in sled's log segments: a quarter of it is the largest page kept in the log, which must be more than the 17
/// largest values of one page (sled puts larger pages into files of their own); small, since a cache of some MiB has
/// few records and sled needs several segments anyway.
const SEGMENT_LEN: usize = 128 * 1024;

/// sled's lock may outlive a dropped handle for as long as its threads finish: wait this often for this long.
const LOCK_TRIES: u32 = 100;
const LOCK_WAIT: Duration = Duration::from_millis(20);

impl Db {
    /// Opens or creates the database in the directory `path`; `cache` bounds the bytes sled keeps in memory.
    pub(crate) fn open(path: &Path, cache: u64) -> Result<Self, DbError> {
        let config = || {
            sled::Config::new()
                .path(path)
                .cache_capacity(cache)
                .segment_size(SEGMENT_LEN)
                .flush_every_ms(None)
        };
        let mut tree = guard(|| config().open());
        for _ in 0..LOCK_TRIES {
            match &tree {
                Err(DbError::Broken(why)) if why.contains("could not acquire lock") => {
                    std::thread::sleep(LOCK_WAIT);
                    tree = guard(|| config().open());
                }
                _ => break,
            }
        }
        let tree = tree?;
        let file = File::open(path.join("db")).map_err(|error| from_io(&error))?;
        Ok(Self {
            tree: Some(tree),
            file,
            path: path.to_path_buf(),
        })
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        let tree = self.tree()?;
        let value = guard(|| tree.get(key))?;
        Ok(value.map(|value| value.to_vec()))
    }

    /// Up to `max` pairs whose keys lie after `after` (or from `from` on) and begin with `prefix`, in order.
    pub(crate) fn scan(
        &self,
        prefix: &[u8],
        start: Bound<&[u8]>,
        max: usize,
    ) -> Result<Vec<Pair>, DbError> {
        let tree = self.tree()?;
        guard(|| {
            let range = tree.range::<&[u8], _>((start, Bound::Unbounded));
            let pairs = range.take(max).take_while(|pair| match pair {
                Ok((key, _)) => key.starts_with(prefix),
                Err(_) => true,
            });
            pairs
                .map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec())))
                .collect()
        })
    }

    /// Applies all changes or none. Durable after [`Self::flush`].
    pub(crate) fn apply(&mut self, changes: &[Change]) -> Result<(), DbError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        let tree = self.tree()?;
        guard(|| tree.apply_batch(batch))
    }

    /// Makes everything applied durable.
    pub(crate) fn flush(&mut self) -> Result<(), DbError> {
        let tree = self.tree()?;
        guard(|| tree.flush())?;
        self.file.sync_data().map_err(|error| from_io(&error))
    }

    /// Bytes of all its files.
    pub(crate) fn size(&self) -> Result<u64, CacheError> {
        files::size(&self.path).map_err(CacheError::io("measure the database"))
    }

    /// Gives a broken handle up without letting sled touch anything again. Its memory is lost until the process ends.
    pub(crate) fn abandon(mut self) {
        std::mem::forget(self.tree.take());
    }

    fn tree(&self) -> Result<&sled::Db, DbError> {
        let closed = || DbError::Broken(String::from("the database is closed"));
        self.tree.as_ref().ok_or_else(closed)
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        if let Some(tree) = self.tree.take() {
            // sled flushes when dropped, and may panic: what counts was flushed before
            let _ = guard(|| {
                drop(tree);
                Ok(())
            });
        }
    }
}

/// Runs a call of sled; a panic becomes an error.
fn guard<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, DbError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) => Err(from_io(&error)),
        Ok(Err(error)) => Err(DbError::Broken(error.to_string())),
        Err(_) => Err(DbError::Broken(String::from("sled panicked"))),
    }
}

fn from_io(error: &io::Error) -> DbError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DbError::Full,
        _ => DbError::Broken(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CACHE: u64 = 1 << 20;

    fn put(key: &[u8], value: &[u8]) -> Change {
        (key.to_vec(), Some(value.to_vec()))
    }

    #[test]
    fn flushed_batches_survive_an_abandoned_handle() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut db = Db::open(dir.path(), CACHE).expect("opens");
        db.apply(&[put(b"a1", b"one"), put(b"a2", b"two")])
            .expect("applied");
        db.apply(&[put(b"b1", b"three"), (b"a1".to_vec(), None)])
            .expect("applied");
        db.flush().expect("flushed");
        drop(db);
        let db = Db::open(dir.path(), CACHE).expect("opens");
        assert_eq!(db.get(b"a1").expect("read"), None);
        assert_eq!(db.get(b"a2").expect("read"), Some(b"two".to_vec()));
        let all = |start| db.scan(b"a", start, 9).expect("scanned");
        assert_eq!(all(Bound::Unbounded), [(b"a2".to_vec(), b"two".to_vec())]);
        assert_eq!(all(Bound::Excluded(b"a2".as_slice())), []);
        assert!(db.size().expect("measured") > 0);
    }

    #[test]
    fn a_panic_inside_becomes_an_error() {
        let caught = guard::<()>(|| panic!("as sled does on a flipped bit"));
        assert!(matches!(caught, Err(DbError::Broken(_))));
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let full = || sled::Error::Io(io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(guard::<()>(|| Err(full())), Err(DbError::Full)));
    }
}
