//! Which guards and middles the core uses, over a restart: whoever could make a node forget them could have it choose
//! others, until it chooses his. Sealed, since they tell where to watch this node.
//!
//! Promises: what was handed over last is what is on disk once everything handed over is written, however many threads
//! write; handing over never waits for a disk. Does not know what the bytes mean.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oboro_crypto::secret::Secret;
use tracing::warn;

use super::{Home, atomic, sealed};
use crate::api::Failure;
use crate::fault;

const FILE: &str = "guards";
/// What a file that can't be read is renamed to: it may still tell somebody what happened to it.
const DAMAGED: &str = "guards.damaged";

/// Largest file in bytes: a few dozen nodes with keys and times take a hundredth of it.
const FILE_MAX: u64 = 1 << 20;

/// The file `guards` of a home.
pub(crate) struct Guards {
    path: PathBuf,
    key: Secret<32>,
    /// Handed over and not written yet.
    waiting: Mutex<Option<Vec<u8>>>,
    /// Held while writing, so that an older state never replaces a newer one.
    writing: Mutex<()>,
}

impl Home {
    /// The guards of this home and the place to keep them, sealed under `key`. A file that is damaged is set aside.
    ///
    /// # Errors
    /// If the system refuses. A file that is there and can't be looked at must not cost the guards in it.
    pub(crate) fn guards(&self, key: Secret<32>) -> Result<(Guards, Option<Vec<u8>>), Failure> {
        let guards = Guards {
            path: self.dir.join(FILE),
            key,
            waiting: Mutex::default(),
            writing: Mutex::default(),
        };
        let kept = guards.load()?;
        Ok((guards, kept))
    }
}

impl Guards {
    fn load(&self) -> Result<Option<Vec<u8>>, Failure> {
        match sealed::read(&self.path, &self.key, FILE_MAX) {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if is_damage(&error) => {
                warn!(
                    "the file of this node's guards is damaged: it was set aside as {DAMAGED}, new ones will be chosen"
                );
                self.set_aside()
                    .map_err(|error| fault::io("set aside", &self.path, &error))?;
                Ok(None)
            }
            Err(error) => Err(fault::io("read", &self.path, &error)),
        }
    }

    fn set_aside(&self) -> io::Result<()> {
        let dir = atomic::directory(&self.path);
        fs::rename(&self.path, dir.join(DAMAGED))?;
        atomic::sync_dir(dir)
    }

    /// Takes what shall be kept in place of everything before. [`Guards::write`] must follow, on a thread that may wait.
    pub(crate) fn hand_over(&self, bytes: Vec<u8>) {
        *lock(&self.waiting) = Some(bytes);
    }

    /// Writes what was handed over last, if it isn't on disk yet. What could not be written is kept for the next time.
    pub(crate) fn write(&self) {
        let _writing = lock(&self.writing);
        let Some(bytes) = lock(&self.waiting).take() else {
            return;
        };
        if let Err(error) = sealed::write(&self.path, &self.key, &bytes) {
            warn!(%error, "the guards of this node can't be kept");
            // Unless something newer has come meanwhile.
            lock(&self.waiting).get_or_insert(bytes);
        }
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge
    )
}

/// What is replaced whole stays whole, whatever a thread that held it did.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    fn open(dir: &Path) -> (Guards, Option<Vec<u8>>) {
        let home = Home::open(dir).unwrap();
        home.guards(Secret::from_bytes([5; 32])).unwrap()
    }

    fn keep(guards: &Guards, bytes: &[u8]) {
        guards.hand_over(bytes.to_vec());
        guards.write();
    }

    #[test]
    fn guards_survive_reopening_and_the_last_ones_count() {
        let dir = tempfile::tempdir().unwrap();
        let (guards, kept) = open(dir.path());
        assert_eq!(kept, None);
        keep(&guards, b"first");
        assert_eq!(open(dir.path()).1.as_deref(), Some(&b"first"[..]));
        keep(&guards, b"second");
        keep(&guards, b"");
        assert_eq!(open(dir.path()).1.as_deref(), Some(&b""[..]));
    }

    #[test]
    fn guards_are_sealed_and_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        keep(&open(dir.path()).0, b"watch here");
        let path = dir.path().join(FILE);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(5).any(|window| window == b"watch"));
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_the_node_starts_without() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for damage in [&b""[..], b"short", &[1; 200], &[1; (1 << 20) + 1]] {
            fs::write(&path, damage).unwrap();
            let (guards, kept) = open(dir.path());
            assert_eq!(kept, None);
            assert!(!path.exists());
            assert_eq!(fs::read(dir.path().join(DAMAGED)).unwrap(), damage);
            keep(&guards, b"new");
            assert_eq!(open(dir.path()).1.as_deref(), Some(&b"new"[..]));
        }
    }

    #[test]
    fn a_file_that_cannot_be_looked_at_is_an_error_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::create_dir(&path).unwrap();
        let home = Home::open(dir.path()).unwrap();
        assert!(home.guards(Secret::from_bytes([5; 32])).is_err());
        assert!(path.is_dir());
    }

    #[test]
    fn writers_that_overtake_each_other_leave_the_last_state() {
        let dir = tempfile::tempdir().unwrap();
        let (guards, _) = open(dir.path());
        std::thread::scope(|scope| {
            for i in 0..32u8 {
                guards.hand_over(vec![i]);
                scope.spawn(|| guards.write());
            }
        });
        assert_eq!(open(dir.path()).1, Some(vec![31]));
    }

    #[test]
    fn what_could_not_be_written_is_written_the_next_time() {
        let dir = tempfile::tempdir().unwrap();
        let (guards, _) = open(dir.path());
        let path = dir.path().join(FILE);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("in the way"), b"").unwrap();
        keep(&guards, b"late");
        fs::remove_dir_all(&path).unwrap();
        guards.write();
        assert_eq!(open(dir.path()).1.as_deref(), Some(&b"late"[..]));
    }
}
