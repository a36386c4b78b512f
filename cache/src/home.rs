//! The cache directory: its lock, the mark of the last flush, the reserve, the database set aside.
//!
//! Promises: one store at a time; a directory of a newer format or of another key is not touched; the reserve is real
//! room on the disk; of damaged databases at most one is kept.
//!
//! Does not know: what slots and database hold.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, statvfs};
use rustix::io::Errno;

use crate::error::CacheError;
use crate::files;
use crate::schema;
use crate::sealing::{Place, SEAL_OVERHEAD, Sealing};

const LOCK: &str = "lock";
const MARK: &str = "mark";
const RESERVE: &str = "reserve";
const DATABASE: &str = "db";
const SET_ASIDE: &str = "damaged-";

/// Free room, in multiples of the reserve, from which on the reserve is taken again: less would take the last bytes
/// from whatever filled the disk.
const RESERVE_SLACK: u64 = 4;

/// What a mark says while the database is being rebuilt: no database is ever so far.
const REBUILDING: u64 = u64::MAX;

/// The directory of one open store.
pub(crate) struct Home {
    dir: PathBuf,
    reserve: u64,
    mark: File,
    _lock: Lock,
}

/// Held for as long as the store is open; the system lets go of it with the process.
struct Lock(File);

impl Drop for Lock {
    /// Lets go explicitly: a child process about to start may share the open file for a moment longer.
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Home {
    /// Locks the directory, made if need be, and checks its format and key.
    pub(crate) fn open(dir: &Path, reserve: u64, sealing: &Sealing) -> Result<Self, CacheError> {
        files::make_dir(dir)?;
        // before the lock, since taking it creates a file
        schema::check(dir, sealing)?;
        let lock = take_lock(dir)?;
        if !schema::check(dir, sealing)? {
            relieved(dir, || schema::write(dir, sealing))?;
        }
        let open_mark = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let mark = options.mode(0o600).open(dir.join(MARK));
            mark.map_err(CacheError::io("open the mark"))
        };
        Ok(Self {
            dir: dir.to_path_buf(),
            reserve,
            mark: relieved(dir, open_mark)?,
            _lock: lock,
        })
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    /// The generation at the last flush: a database that is behind has lost something. Unreadable, or in the middle of a
    /// rebuild, it is further than any database.
    pub(crate) fn last_flush(&self, sealing: &Sealing) -> u64 {
        let mut sealed = [0; MARK_LEN];
        let read = self.mark.read_exact_at(&mut sealed, 0);
        let plain = read
            .ok()
            .and_then(|()| sealing.open(Place::File(MARK), &sealed));
        let generation = plain.and_then(|plain| plain.first_chunk().copied());
        generation.map_or(REBUILDING, u64::from_be_bytes)
    }

    /// Notes a flush. Needs no sync: an older mark only proves less.
    pub(crate) fn note_flush(&self, sealing: &Sealing, generation: u64) -> Result<(), CacheError> {
        let sealed = sealing.seal(Place::File(MARK), &generation.to_be_bytes())?;
        let wrote = self.mark.write_all_at(&sealed, 0);
        wrote.map_err(CacheError::io("write the mark"))
    }

    /// Notes, durably, that the database is not to be trusted until the next flush.
    pub(crate) fn note_rebuild(&self, sealing: &Sealing) -> Result<(), CacheError> {
        self.note_flush(sealing, REBUILDING)?;
        self.mark
            .sync_all()
            .map_err(CacheError::io("sync the mark"))
    }

    /// Keeps the database as damaged, instead of the one kept before. `None` if there is none.
    pub(crate) fn set_aside(&self) -> Result<Option<PathBuf>, CacheError> {
        let before = self.kept_aside()?;
        let number = before
            .iter()
            .map(|(number, _)| number + 1)
            .max()
            .unwrap_or(1);
        self.discard_aside()?;
        let kept = self.dir.join(format!("{SET_ASIDE}{number}"));
        match fs::rename(self.database(), &kept) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CacheError::io("set the damaged database aside")(error)),
        }
        files::sync_dir(&self.dir)?;
        Ok(Some(kept))
    }

    /// Removes what was set aside. Says how many bytes that was.
    pub(crate) fn discard_aside(&self) -> Result<u64, CacheError> {
        let mut freed = 0;
        for (_, path) in self.kept_aside()? {
            freed += files::size(&path).map_err(CacheError::io("measure a damaged database"))?;
            files::remove(&path)?;
        }
        Ok(freed)
    }

    /// Bytes of what was set aside.
    pub(crate) fn aside_len(&self) -> Result<u64, CacheError> {
        let kept = self.kept_aside()?;
        let sizes = kept.iter().map(|(_, path)| files::size(path));
        let sum: io::Result<u64> = sizes.sum();
        sum.map_err(CacheError::io("measure a damaged database"))
    }

    /// Gives the reserve up. Says whether there was one.
    pub(crate) fn give_up_reserve(&self) -> Result<bool, CacheError> {
        give_up_reserve(&self.dir)
    }

    /// Takes the reserve (again), if the disk has ample room. Says whether it is in place.
    pub(crate) fn take_reserve(&self) -> Result<bool, CacheError> {
        let path = self.dir.join(RESERVE);
        let held = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if held == self.reserve {
            return Ok(true);
        }
        files::remove(&path)?;
        if self.reserve == 0 || free_bytes(&self.dir)? < self.reserve * RESERVE_SLACK {
            return Ok(self.reserve == 0);
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let made = options
            .open(&path)
            .and_then(|file| files::preallocate(&file, 0, self.reserve));
        if made.is_err() {
            files::remove(&path)?;
        }
        Ok(made.is_ok())
    }

    /// Whether the disk has room for `len` more bytes: not if the reserve had to be given up, and not the last bytes,
    /// which the database needs to go on.
    pub(crate) fn may_grow(&self, len: u64) -> Result<bool, CacheError> {
        Ok(self.take_reserve()? && free_bytes(&self.dir)? >= self.reserve.saturating_add(len))
    }

    /// Bytes of all files in the directory.
    pub(crate) fn size(&self) -> Result<u64, CacheError> {
        files::size(&self.dir).map_err(CacheError::io("measure the cache directory"))
    }

    fn kept_aside(&self) -> Result<Vec<(u64, PathBuf)>, CacheError> {
        let entries =
            fs::read_dir(&self.dir).map_err(CacheError::io("list the cache directory"))?;
        let numbered = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix(SET_ASIDE)?.parse().ok()?;
            Some((number, entry.path()))
        });
        Ok(numbered.collect())
    }
}

/// Does something that needs a little room; on a full disk once more without the reserve.
pub(crate) fn relieved<T>(
    dir: &Path,
    mut action: impl FnMut() -> Result<T, CacheError>,
) -> Result<T, CacheError> {
    match action() {
        Err(CacheError::DiskFull) if give_up_reserve(dir)? => action(),
        done => done,
    }
}

const MARK_LEN: usize = 8 + SEAL_OVERHEAD;

fn take_lock(dir: &Path) -> Result<Lock, CacheError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let open = || {
        let file = options.open(dir.join(LOCK));
        file.map_err(CacheError::io("open the cache's lock"))
    };
    let lock = relieved(dir, open)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(lock)),
        Err(Errno::WOULDBLOCK) => Err(CacheError::Locked),
        Err(error) => Err(CacheError::io("lock the cache")(error.into())),
    }
}

fn give_up_reserve(dir: &Path) -> Result<bool, CacheError> {
    let path = dir.join(RESERVE);
    let held = path.exists();
    files::remove(&path)?;
    Ok(held)
}

fn free_bytes(dir: &Path) -> Result<u64, CacheError> {
    let stat = statvfs(dir).map_err(|error| CacheError::io("ask for free room")(error.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oboro_crypto::Secret;

    fn sealing(key: u8) -> Sealing {
        Sealing::new(&Secret::from_bytes([key; 32]))
    }

    fn open(dir: &Path) -> Result<Home, CacheError> {
        Home::open(dir, 1 << 16, &sealing(1))
    }

    #[test]
    fn a_second_store_is_locked_out_until_the_first_is_gone() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = open(dir.path()).expect("opens");
        assert!(matches!(open(dir.path()), Err(CacheError::Locked)));
        drop(first);
        open(dir.path()).expect("opens again");
    }

    #[test]
    fn a_mark_is_read_back_and_a_damaged_one_demands_a_rebuild() {
        let dir = tempfile::tempdir().expect("a directory");
        let home = open(dir.path()).expect("opens");
        assert_eq!(home.last_flush(&sealing(1)), REBUILDING);
        home.note_flush(&sealing(1), 7).expect("noted");
        assert_eq!(home.last_flush(&sealing(1)), 7);
        home.note_rebuild(&sealing(1)).expect("noted");
        assert_eq!(home.last_flush(&sealing(1)), REBUILDING);
        home.note_flush(&sealing(1), 8).expect("noted");
        // Whatever it was, it is something else now.
        let mut byte = [0];
        home.mark.read_exact_at(&mut byte, 30).expect("read");
        home.mark.write_all_at(&[!byte[0]], 30).expect("damaged");
        assert_eq!(home.last_flush(&sealing(1)), REBUILDING);
    }

    #[test]
    fn at_most_one_damaged_database_is_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let home = open(dir.path()).expect("opens");
        assert_eq!(home.set_aside().expect("nothing to do"), None);
        for number in 1..4 {
            fs::create_dir(home.database()).expect("made");
            fs::write(home.database().join("db"), [0; 9]).expect("written");
            let kept = dir.path().join(format!("damaged-{number}"));
            assert_eq!(home.set_aside().expect("set aside"), Some(kept));
            assert_eq!(home.kept_aside().expect("listed").len(), 1);
        }
        assert!(home.aside_len().expect("measured") >= 9);
        assert!(home.discard_aside().expect("discarded") >= 9);
        assert_eq!(home.aside_len().expect("measured"), 0);
    }

    #[test]
    fn the_reserve_is_taken_given_up_and_taken_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let home = open(dir.path()).expect("opens");
        let len = || fs::metadata(dir.path().join(RESERVE)).map_or(0, |m| m.len());
        assert!(home.take_reserve().expect("taken"));
        assert_eq!(len(), 1 << 16);
        let mut calls = 0;
        let done = relieved(dir.path(), || {
            calls += 1;
            if calls == 1 {
                Err(CacheError::DiskFull)
            } else {
                Ok(())
            }
        });
        assert!(done.is_ok() && len() == 0);
        assert!(home.take_reserve().expect("taken"));
        assert!(home.give_up_reserve().expect("given up"));
        assert!(!home.give_up_reserve().expect("nothing left"));
    }
}
