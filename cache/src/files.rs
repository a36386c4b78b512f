//! Small dealings with the file system that the standard library does not offer as one call.
//!
//! Promises: preallocated room is really there, or nothing has changed; a file replaced whole is the old or the new one
//! after any crash; sizes are those of the files, not of a belief about them.
//!
//! Does not know: what the files are for.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use crate::error::CacheError;

/// The error number of a disk that cannot read.
pub(crate) const EIO: i32 = Errno::IO.raw_os_error();

/// Makes the directory, and those above it, for this user alone.
pub(crate) fn make_dir(dir: &Path) -> Result<(), CacheError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(CacheError::io("make the cache directory"))
}

/// Extends `file` from its end `from` by `len` bytes of zeros that have their place on the disk.
pub(crate) fn preallocate(file: &File, from: u64, len: u64) -> io::Result<()> {
    let done = match fallocate(file, FallocateFlags::empty(), from, len) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(file, from, len),
        done => done.map_err(io::Error::from),
    };
    if done.is_err() {
        file.set_len(from)?;
    }
    done
}

/// Replaces a file whole and durably.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
    let temporary = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let wrote = options.open(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let replaced = wrote.and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = replaced {
        // the half-written file would only take room; that it cannot be removed changes nothing
        let _ = fs::remove_file(&temporary);
        return Err(CacheError::io("replace a file of the cache")(error));
    }
    path.parent().map_or(Ok(()), sync_dir)
}

/// The bytes of a file, or `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, CacheError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CacheError::io("read a file of the cache")(error)),
    }
}

/// Removes a file or a directory with all in it, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), CacheError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CacheError::io("remove a file of the cache")(error))
        }
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), CacheError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(CacheError::io("sync the cache directory"))
}

/// Bytes of a file, or of all files in a directory and below; what vanishes meanwhile counts nothing. Of length and
/// room on the disk the greater one counts.
pub(crate) fn size(path: &Path) -> io::Result<u64> {
    let gone = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(0),
        _ => Err(error),
    };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return gone(error),
    };
    if !metadata.is_dir() {
        return Ok(metadata.len().max(metadata.blocks() * 512));
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return gone(error),
    };
    entries.map(|entry| size(&entry?.path())).sum()
}

fn write_zeros(file: &File, from: u64, len: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let zeros = [0; 64 * 1024];
    let mut done = 0;
    while done < len {
        let here = (len - done).min(zeros.len() as u64);
        let piece = zeros.get(..here as usize).unwrap_or(&zeros);
        file.write_all_at(piece, from + done)?;
        done += here;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_measured_with_its_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        assert_eq!(read(&path).expect("no error"), None);
        replace(&path, b"one").expect("written");
        replace(&path, b"three").expect("written");
        assert_eq!(read(&path).expect("no error"), Some(b"three".to_vec()));
        let names: Vec<_> = fs::read_dir(dir.path()).expect("listed").collect();
        assert_eq!(names.len(), 1);
        assert!(size(dir.path()).expect("measured") >= 5);
        remove(dir.path()).expect("removed");
        remove(dir.path()).expect("nothing to remove");
        assert_eq!(size(dir.path()).expect("measured"), 0);
    }

    #[test]
    fn preallocation_and_its_substitute_give_zeros() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = File::create_new(dir.path().join("file")).expect("created");
        preallocate(&file, 0, 5_000).expect("room");
        write_zeros(&file, 5_000, 70_000).expect("room");
        let bytes = fs::read(dir.path().join("file")).expect("read");
        assert!(bytes.len() == 75_000 && bytes.iter().all(|&byte| byte == 0));
    }
}
