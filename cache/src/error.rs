//! What can go wrong, whose fault it is, and what the operator can do.
//!
//! Does not know: exit codes and protocol answers; the node maps these.

use std::io;

/// An operation of the cache failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The disk has no room left although the reserve was given up.
    #[error("the disk is full; free some space or lower the cache quota")]
    DiskFull,
    /// The database cannot be used and could not be rebuilt.
    #[error(
        "the cache is damaged ({what}); remove its directory to start with an empty one, nothing of yours is in it"
    )]
    Damaged {
        /// Which part.
        what: String,
    },
    /// Another process, or another store in this one, has the directory open.
    #[error("the cache is in use by another process; stop it first")]
    Locked,
    /// The directory was written by a newer version. It was not touched.
    #[error(
        "the cache has format {found}, this version knows {known}; use the newer version or another directory"
    )]
    NewerVersion {
        /// The format on disk.
        found: u32,
        /// The newest this version knows.
        known: u32,
    },
    /// The directory was sealed under another key. It was not touched.
    #[error(
        "the cache was sealed under another key; restore the key file, or remove the cache directory"
    )]
    WrongKey,
    /// The quota cannot hold even an empty cache.
    #[error("a cache quota of {quota} bytes is too small; give at least {least}")]
    QuotaTooSmall {
        /// What was configured, in bytes.
        quota: u64,
        /// The least that works with this configuration, in bytes.
        least: u64,
    },
    /// The list of refused references is full. Nothing was added.
    #[error("the refusal list is full ({most} references); allow some again first")]
    RefusalsFull {
        /// How many fit.
        most: usize,
    },
    /// The caller broke this crate's contract. A mistake in Oboro.
    #[error("the cache was misused: {0}")]
    Misuse(&'static str),
    /// The operating system refused something else.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl CacheError {
    /// Names what was being done when the operating system failed; a full disk becomes [`CacheError::DiskFull`].
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io { what, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_from_other_failures() {
        let full = CacheError::io("write")(io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(full, CacheError::DiskFull));
        let other = CacheError::io("write")(io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(matches!(other, CacheError::Io { what: "write", .. }));
    }
}
