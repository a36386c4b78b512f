//! The file a fetch writes before it is complete, and putting it in its place.
//!
//! Promises: it lies beside the output under a name nobody guesses, belongs to its owner alone, is never reached
//! through a symbolic link; the output appears whole, and replaces another file only if that was allowed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::api::{Code, Failure};
use crate::fault;
use crate::home::atomic;

/// How names of incomplete files end.
const ENDING: &str = ".oboro-part";

/// Where a fetch shall lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The file to write.
    pub(crate) output: PathBuf,
    /// Whether an existing one may be replaced.
    pub(crate) overwrite: bool,
}

impl Target {
    /// Whether a file can be put there, as far as can be known beforehand.
    ///
    /// # Errors
    /// [`Code::Exists`], [`Code::NoSuch`] for a missing folder, [`Code::Usage`] for what can't be a file.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let shown = self.output.display();
        if !self.output.is_absolute() || self.output.file_name().is_none() {
            return Err(Failure::new(
                Code::Usage,
                format!("{shown} is not an absolute path of a file"),
            ));
        }
        let folder = atomic::directory(&self.output);
        if !folder.is_dir() {
            let message = format!("there is no folder {}", folder.display());
            return Err(Failure::new(Code::NoSuch, message)
                .hint("make it first, or choose another with -o"));
        }
        match fs::symlink_metadata(&self.output) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(fault::io("look at", &self.output, &error)),
            Ok(meta) if !meta.is_file() => {
                let message = format!("{shown} exists and is not a regular file");
                Err(Failure::new(Code::Exists, message).hint("choose another name with -o"))
            }
            Ok(_) if !self.overwrite => Err(self.exists()),
            Ok(_) => Ok(()),
        }
    }

    fn exists(&self) -> Failure {
        let message = format!("{} exists already", self.output.display());
        Failure::new(Code::Exists, message)
            .hint("choose another name with -o, or allow overwriting")
    }
}

/// An incomplete file.
pub(crate) struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    /// A new, empty one beside the output.
    ///
    /// # Errors
    /// Whatever the system says, as a failure.
    pub(crate) fn create(target: &Target) -> Result<Self, Failure> {
        let folder = atomic::directory(&target.output);
        let failed = |error: io::Error| fault::io("write in", folder, &error);
        let path = folder.join(format!(
            ".{}{ENDING}",
            atomic::random_name().map_err(failed)?
        ));
        // `create_new` does not follow symbolic links.
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        Ok(Self {
            file: options.map_err(failed)?,
            path,
        })
    }

    /// One that an earlier run left, if it is still what it was: a regular file of at least `least` bytes.
    pub(crate) fn reopen(path: &Path, least: u64) -> Option<Self> {
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).ok()?;
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path);
        let file = options.ok()?;
        let meta = file.metadata().ok()?;
        (meta.is_file() && meta.len() >= least).then(|| Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        self.file.metadata().map(|meta| meta.len())
    }

    /// Writes at an offset.
    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    /// Reads what was written at an offset.
    pub(crate) fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    /// Sets its final length.
    pub(crate) fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    /// Makes everything written durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Makes it durable in whole and puts it in its place.
    ///
    /// # Errors
    /// [`Code::Exists`] if another file has come to be there and must not be replaced.
    pub(crate) fn finish(&self, target: &Target) -> Result<(), Failure> {
        let failed = |error: io::Error| fault::io("write", &target.output, &error);
        self.file.sync_all().map_err(failed)?;
        let placed = if target.overwrite {
            fs::rename(&self.path, &target.output)
        } else {
            rename_new(&self.path, &target.output)
        };
        match placed {
            Ok(()) => atomic::sync_dir(atomic::directory(&target.output)).map_err(failed),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(target.exists()),
            Err(error) => Err(failed(error)),
        }
    }

    /// One on a disk that is full; nothing lies at its path.
    #[cfg(test)]
    pub(super) fn full_disk(path: PathBuf) -> Self {
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        Self { path, file }
    }

    /// Gives it up.
    pub(crate) fn discard(self) {
        // What can't be removed stays behind, incomplete and private.
        let _ = fs::remove_file(&self.path);
    }
}

/// Renames without replacing; where the file system can't, a hard link does it.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        other => other.map_err(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn target(dir: &Path, overwrite: bool) -> Target {
        Target {
            output: dir.join("out"),
            overwrite,
        }
    }

    #[test]
    fn a_finished_part_is_the_output_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let target = target(dir.path(), false);
        let part = Part::create(&target).unwrap();
        part.write(b"content", 0).unwrap();
        assert!(!target.output.exists());
        part.finish(&target).unwrap();
        assert_eq!(fs::read(&target.output).unwrap(), b"content");
        assert_eq!(
            fs::metadata(&target.output).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(!part.path().exists());
    }

    #[test]
    fn an_output_that_came_to_be_meanwhile_is_not_replaced_unless_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let careful = target(dir.path(), false);
        let part = Part::create(&careful).unwrap();
        part.write(b"new", 0).unwrap();
        fs::write(&careful.output, b"old").unwrap();
        assert_eq!(part.finish(&careful).unwrap_err().code, Code::Exists);
        assert_eq!(fs::read(&careful.output).unwrap(), b"old");
        part.finish(&target(dir.path(), true)).unwrap();
        assert_eq!(fs::read(&careful.output).unwrap(), b"new");
    }

    #[test]
    fn targets_that_cannot_be_written_are_refused_beforehand() {
        let dir = tempfile::tempdir().unwrap();
        let code = |output: PathBuf, overwrite| {
            Target { output, overwrite }
                .check()
                .err()
                .map(|failure| failure.code)
        };
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, b"").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(code(dir.path().join("new"), false), None);
        assert_eq!(code(file.clone(), false), Some(Code::Exists));
        assert_eq!(code(file, true), None);
        assert_eq!(code(link, true), Some(Code::Exists));
        assert_eq!(code(dir.path().to_owned(), true), Some(Code::Exists));
        assert_eq!(code("/dev/null".into(), true), Some(Code::Exists));
        assert_eq!(
            code(dir.path().join("absent/out"), false),
            Some(Code::NoSuch)
        );
        assert_eq!(code("relative".into(), false), Some(Code::Usage));
    }

    #[test]
    fn a_part_is_not_reopened_through_a_link_or_when_it_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let part = Part::create(&target(dir.path(), false)).unwrap();
        part.write(&[1; 100], 0).unwrap();
        assert!(Part::reopen(part.path(), 100).is_some());
        assert!(Part::reopen(part.path(), 101).is_none());
        let link = dir.path().join("link");
        symlink(part.path(), &link).unwrap();
        assert!(Part::reopen(&link, 0).is_none());
        assert!(Part::reopen(dir.path(), 0).is_none());
        let path = part.path().to_owned();
        part.discard();
        assert!(Part::reopen(&path, 0).is_none());
    }
}
