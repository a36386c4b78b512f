//! One process at a time: an exclusive lock on a file that stays.
//!
//! The system drops the lock when the process dies, however it dies; there is no stale lock to find.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::api::{Code, Failure};
use crate::fault;

const FILE: &str = "lock";

/// The lock of a home, held until dropped.
pub(super) struct Lock(#[allow(dead_code, reason = "holds the lock by being open")] File);

impl Lock {
    /// Takes it at once or not at all.
    pub(super) fn take(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join(FILE);
        let options = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let file = options.map_err(|error| fault::io("open", &path, &error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(Errno::WOULDBLOCK) => {
                let message = format!("a node already runs at {}", dir.display());
                Err(Failure::new(Code::AlreadyRunning, message).hint("oboro status, or oboro stop"))
            }
            Err(error) => Err(fault::io("lock", &path, &error.into())),
        }
    }
}
