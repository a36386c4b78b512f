//! What a node tells its operator while it runs: lines on stderr, or in a file of bounded size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use oboro_node::api::{Code, Failure};
use tracing_subscriber::EnvFilter;

/// What is logged when nothing else is asked for.
const DEFAULT: &str = "info";

/// The variable that asks for something else.
const VARIABLE: &str = "OBORO_LOG";

/// Size in bytes at which a log file becomes the old one. Two of them are all a node ever keeps.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// Where a background node logs.
#[must_use]
pub fn file_of(home: &Path) -> PathBuf {
    home.join("log").join("oboro.log")
}

/// Opens a log file to append to, readable by its owner alone.
///
/// # Errors
/// The system's.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// Logs to stderr from now on.
///
/// # Errors
/// `usage` if `OBORO_LOG` can't be understood.
pub fn to_stderr() -> Result<(), Failure> {
    let filter = filter()?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(false)
        .with_writer(io::stderr)
        .finish();
    install(subscriber)
}

/// Logs to a file from now on; when it is full it becomes the old one, `….old`, and a new one begins.
///
/// # Errors
/// `usage` if `OBORO_LOG` can't be understood; `failed` if the file can't be opened.
pub fn to_file(path: &Path) -> Result<(), Failure> {
    let filter = filter()?;
    let rotating = Rotating::open(path, FILE_MAX).map_err(|error| {
        Failure::new(
            Code::Failed,
            format!("can't log to {}: {error}", path.display()),
        )
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(false)
        .with_writer(Mutex::new(rotating))
        .finish();
    install(subscriber)
}

fn filter() -> Result<EnvFilter, Failure> {
    let asked = std::env::var(VARIABLE).unwrap_or_else(|_| DEFAULT.to_owned());
    EnvFilter::try_new(&asked).map_err(|error| {
        Failure::new(
            Code::Usage,
            format!("{VARIABLE} can't be understood: {error}"),
        )
        .hint("use error, warn, info or debug")
    })
}

fn install(subscriber: impl tracing::Subscriber + Send + Sync) -> Result<(), Failure> {
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| Failure::new(Code::Failed, error.to_string()))
}

/// A file that starts anew when it is full.
struct Rotating {
    path: PathBuf,
    file: File,
    written: u64,
    max: u64,
}

impl Rotating {
    fn open(path: &Path, max: u64) -> io::Result<Self> {
        let file = open(path)?;
        let written = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            written,
            max,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".old");
        fs::rename(&self.path, PathBuf::from(old))?;
        self.file = open(&self.path)?;
        self.written = 0;
        Ok(())
    }
}

impl Write for Rotating {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written.saturating_add(bytes.len() as u64) > self.max && self.written > 0 {
            self.rotate()?;
        }
        let n = self.file.write(bytes)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_never_grows_beyond_two_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("oboro.log");
        let mut log = Rotating::open(&path, 100).unwrap();
        for i in 0..50 {
            writeln!(log, "line {i:04}").unwrap();
        }
        let sizes: Vec<u64> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|size| *size <= 100), "{sizes:?}");
        assert!(fs::read_to_string(&path).unwrap().ends_with("line 0049\n"));
    }

    #[test]
    fn a_log_goes_on_where_the_last_node_left_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("oboro.log");
        fs::write(&path, "before\n").unwrap();
        writeln!(Rotating::open(&path, 100).unwrap(), "after").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\nafter\n");
    }
}
