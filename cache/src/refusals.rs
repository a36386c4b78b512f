//! The references an operator refuses: in memory for looking up, sealed in two equal files.
//!
//! Each reference is sealed alone, and both files are read: damage to one loses nothing, damage to both at the same
//! reference loses that one.
//!
//! Promises: what was refused stays refused over crashes and damage to either file.
//!
//! Does not know: who refuses and why, or what is held.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use oboro_crypto::Reference;

use crate::error::CacheError;
use crate::files;
use crate::home::relieved;
use crate::sealing::{Place, SEAL_OVERHEAD, Sealing};

const NAMES: [&str; 2] = ["refusals-a", "refusals-b"];

/// Bytes of a sealed reference.
const RECORD_LEN: usize = 32 + SEAL_OVERHEAD;

/// Both files, and the new one of the two while it replaces the old.
const COPIES: u64 = NAMES.len() as u64 + 1;

/// Bytes the files need, at worst, for `count` references.
pub(crate) const fn room_for(count: usize) -> u64 {
    (count * RECORD_LEN) as u64 * COPIES
}

/// How many references fit into `bytes` of files.
pub(crate) const fn fit_into(bytes: u64) -> usize {
    (bytes / COPIES) as usize / RECORD_LEN
}

/// The refusal list.
pub(crate) struct Refusals {
    dir: PathBuf,
    references: BTreeSet<Reference>,
    most: usize,
}

impl Refusals {
    /// Reads the list. Says how many records were unreadable, in either file.
    pub(crate) fn open(
        dir: &Path,
        most: usize,
        sealing: &Sealing,
    ) -> Result<(Self, u64), CacheError> {
        let [(first, damaged_first), (second, damaged_second)] = [
            read(&dir.join(NAMES[0]), sealing)?,
            read(&dir.join(NAMES[1]), sealing)?,
        ];
        let damaged = damaged_first + damaged_second;
        let refusals = Self {
            dir: dir.to_path_buf(),
            references: first.union(&second).copied().collect(),
            most,
        };
        if damaged > 0 || first != second {
            refusals.write(&refusals.references, sealing)?;
        }
        Ok((refusals, damaged))
    }

    /// Adds references, durably.
    pub(crate) fn add(&mut self, new: &[Reference], sealing: &Sealing) -> Result<(), CacheError> {
        let mut references = self.references.clone();
        references.extend(new);
        if references.len() > self.most && references.len() > self.references.len() {
            return Err(CacheError::RefusalsFull { most: self.most });
        }
        self.set(references, sealing)
    }

    /// Takes references off, durably.
    pub(crate) fn remove(
        &mut self,
        old: &[Reference],
        sealing: &Sealing,
    ) -> Result<(), CacheError> {
        let mut references = self.references.clone();
        for reference in old {
            references.remove(reference);
        }
        self.set(references, sealing)
    }

    /// Whether a reference is on the list.
    pub(crate) fn contains(&self, reference: &Reference) -> bool {
        self.references.contains(reference)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.references.is_empty()
    }

    /// The list, sorted.
    pub(crate) fn list(&self) -> Vec<Reference> {
        self.references.iter().copied().collect()
    }

    fn set(
        &mut self,
        references: BTreeSet<Reference>,
        sealing: &Sealing,
    ) -> Result<(), CacheError> {
        if references != self.references {
            self.write(&references, sealing)?;
            self.references = references;
        }
        Ok(())
    }

    fn write(&self, references: &BTreeSet<Reference>, sealing: &Sealing) -> Result<(), CacheError> {
        for name in NAMES {
            let mut bytes = Vec::with_capacity(references.len() * RECORD_LEN);
            for reference in references {
                bytes.extend(sealing.seal(Place::File(NAMES[0]), &reference.0)?);
            }
            relieved(&self.dir, || files::replace(&self.dir.join(name), &bytes))?;
        }
        Ok(())
    }
}

/// The readable references of one file, and how many records are not.
fn read(path: &Path, sealing: &Sealing) -> Result<(BTreeSet<Reference>, u64), CacheError> {
    let bytes = files::read(path)?.unwrap_or_default();
    let mut references = BTreeSet::new();
    let mut damaged = 0;
    for sealed in bytes.chunks(RECORD_LEN) {
        let plain = sealing.open(Place::File(NAMES[0]), sealed);
        match plain.and_then(|plain| plain.first_chunk().copied()) {
            Some(reference) => {
                references.insert(Reference(reference));
            }
            None => damaged += 1,
        }
    }
    Ok((references, damaged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oboro_crypto::Secret;
    use std::fs;

    fn sealing() -> Sealing {
        Sealing::new(&Secret::from_bytes([1; 32]))
    }

    fn open(dir: &Path) -> (Refusals, u64) {
        Refusals::open(dir, 4, &sealing()).expect("opens")
    }

    const ONE: Reference = Reference([1; 32]);
    const TWO: Reference = Reference([2; 32]);

    #[test]
    fn the_list_survives_reopening_and_the_loss_or_damage_of_one_file() {
        let dir = tempfile::tempdir().expect("a directory");
        open(dir.path())
            .0
            .add(&[TWO, ONE], &sealing())
            .expect("added");
        for (name, len) in [("refusals-a", 0), ("refusals-b", 100)] {
            let path = dir.path().join(name);
            let mut bytes = fs::read(&path).expect("read");
            bytes.truncate(len);
            fs::write(&path, &bytes).expect("damaged");
            let (refusals, damaged) = open(dir.path());
            assert_eq!(refusals.list(), [ONE, TWO]);
            assert_eq!(damaged, u64::from(len == 100), "of {name}");
        }
        assert!(open(dir.path()).0.contains(&ONE));
    }

    #[test]
    fn what_is_allowed_again_stays_allowed() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut refusals = open(dir.path()).0;
        refusals.add(&[ONE, TWO], &sealing()).expect("added");
        refusals.remove(&[ONE], &sealing()).expect("removed");
        assert_eq!(open(dir.path()).0.list(), [TWO]);
        refusals.remove(&[TWO], &sealing()).expect("removed");
        assert!(open(dir.path()).0.is_empty());
    }

    #[test]
    fn a_full_list_takes_nothing_and_loses_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut refusals = open(dir.path()).0;
        let many: Vec<_> = (0..5).map(|i| Reference([i; 32])).collect();
        let added = refusals.add(&many, &sealing());
        assert!(matches!(added, Err(CacheError::RefusalsFull { most: 4 })));
        assert!(refusals.is_empty());
        refusals.add(&many[..4], &sealing()).expect("added");
        assert_eq!(refusals.list().len(), 4);
    }

    #[test]
    fn no_reference_can_be_read_from_the_files() {
        let dir = tempfile::tempdir().expect("a directory");
        open(dir.path()).0.add(&[ONE], &sealing()).expect("added");
        for name in NAMES {
            let bytes = fs::read(dir.path().join(name)).expect("read");
            assert_eq!(bytes.len(), RECORD_LEN);
            assert!(!bytes.windows(8).any(|window| window == [1; 8]));
        }
    }
}
