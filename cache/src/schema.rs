//! The schema file: which format a cache directory has, and under which key it was sealed.
//!
//! One line: a word, the format, a name of the key, and a checksum of all before it, which every later format keeps. So a
//! newer format is told from a damaged line.
//!
//! Promises: reading changes nothing.
//!
//! Does not know: what the format is of.

use std::path::Path;

use crate::error::CacheError;
use crate::files;
use crate::sealing::{Sealing, checksum};

/// The format this version reads and writes.
const FORMAT: u32 = 1;

const NAME: &str = "schema";

/// Whether the line is there and fits; an error if it is of a newer format or another key. A line that does not match its
/// checksum counts as absent: slots and database speak for themselves.
pub(crate) fn check(dir: &Path, sealing: &Sealing) -> Result<bool, CacheError> {
    let bytes = files::read(&dir.join(NAME))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let Some((line, sum)) = text.trim_end().rsplit_once(' ') else {
        return Ok(false);
    };
    let mut fields = line.split(' ').skip(1);
    let found = fields.next().and_then(|format| format.parse().ok());
    let (Some(found), true) = (found, sum == hex(&checksum(line.as_bytes()))) else {
        return Ok(false);
    };
    if found > FORMAT {
        return Err(CacheError::NewerVersion {
            found,
            known: FORMAT,
        });
    }
    if fields.next() != Some(&hex(&sealing.check())) {
        return Err(CacheError::WrongKey);
    }
    Ok(true)
}

/// Writes the line, durably.
pub(crate) fn write(dir: &Path, sealing: &Sealing) -> Result<(), CacheError> {
    let line = format!("oboro-cache {FORMAT} {}", hex(&sealing.check()));
    let text = format!("{line} {}\n", hex(&checksum(line.as_bytes())));
    files::replace(&dir.join(NAME), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oboro_crypto::Secret;
    use std::fs;

    fn sealing(key: u8) -> Sealing {
        Sealing::new(&Secret::from_bytes([key; 32]))
    }

    #[test]
    fn a_directory_without_a_line_fits_nothing_until_it_is_written() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(!check(dir.path(), &sealing(1)).expect("no error"));
        write(dir.path(), &sealing(1)).expect("written");
        assert!(check(dir.path(), &sealing(1)).expect("no error"));
    }

    #[test]
    fn a_newer_format_and_another_key_are_errors() {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), &sealing(1)).expect("written");
        let other = check(dir.path(), &sealing(2));
        assert!(matches!(other, Err(CacheError::WrongKey)));
        let line = "oboro-cache 2 whatever comes then";
        let text = format!("{line} {}\n", hex(&checksum(line.as_bytes())));
        fs::write(dir.path().join(NAME), text).expect("written");
        let newer = check(dir.path(), &sealing(1));
        assert!(matches!(
            newer,
            Err(CacheError::NewerVersion { found: 2, known: 1 })
        ));
    }

    #[test]
    fn a_line_with_any_byte_changed_is_as_good_as_none() {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), &sealing(1)).expect("written");
        let path = dir.path().join(NAME);
        let good = fs::read(&path).expect("read");
        for at in 0..good.len() - 1 {
            let mut bad = good.clone();
            bad[at] ^= 2;
            fs::write(&path, &bad).expect("written");
            assert!(
                !check(dir.path(), &sealing(1)).expect("no error"),
                "byte {at}"
            );
        }
    }
}
