//! Slot files: preallocated files of equal slots, written and read in place.
//!
//! Layout: a file is up to 1,024 groups; a group is 32 headers of 256 bytes, then 32 bodies. So the headers of an extent
//! are one read, its bodies are one read, and a scan of all headers skips the bodies.
//!
//! Promises: a file never grows but by whole groups, and only when asked; what lies beyond a shortened file reads as
//! zeros; at most [`OPEN_FILES_MAX`] files are open.
//!
//! Does not know: what is in headers and bodies, or which slots are in use.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::CacheError;
use crate::files;
use crate::free::GROUP_SLOTS;
use crate::header::HEADER_LEN;
use crate::limits::{CHUNK_LEN, ENTRY_LEN_MAX};

/// Slots of one size.
#[derive(Clone, Copy)]
pub(crate) struct Class {
    /// First part of the file names.
    pub(crate) name: &'static str,
    /// Tells classes apart where slots are sealed.
    pub(crate) tag: u8,
    /// Bytes in a body.
    pub(crate) body: usize,
}

/// Slots for chunks.
pub(crate) const CHUNKS: Class = Class {
    name: "chunks",
    tag: 1,
    body: CHUNK_LEN,
};

/// Slots for entries.
pub(crate) const ENTRIES: Class = Class {
    name: "entries",
    tag: 2,
    body: ENTRY_LEN_MAX,
};

/// Bytes of a group's headers.
pub(crate) const HEADERS_LEN: usize = GROUP_SLOTS as usize * HEADER_LEN;

/// Files held open at once: far below any limit on descriptors, enough for 64 GiB without reopening. All are closed
/// when it is reached.
const OPEN_FILES_MAX: usize = 64;

/// Groups in a file: 1 GiB of chunks, 48 MiB of entries.
const FILE_GROUPS: u32 = 1_024;

impl Class {
    /// Bytes a group takes: what the files grow by.
    pub(crate) const fn group_len(&self) -> u64 {
        (HEADERS_LEN + GROUP_SLOTS as usize * self.body) as u64
    }
}

/// The files of one class.
pub(crate) struct SlotFiles {
    dir: PathBuf,
    class: Class,
    files: Vec<SlotFile>,
    /// Files written since the last sync, by number.
    dirty: BTreeSet<usize>,
    open: usize,
}

#[derive(Default)]
struct SlotFile {
    groups: u32,
    handle: Option<File>,
}

impl SlotFiles {
    /// Finds the files of `class` in `dir`. A group cut short is made whole again, with zeros.
    pub(crate) fn open(dir: &Path, class: Class) -> Result<Self, CacheError> {
        let mut slots = Self {
            dir: dir.to_path_buf(),
            class,
            files: Vec::new(),
            dirty: BTreeSet::new(),
            open: 0,
        };
        for entry in fs::read_dir(dir).map_err(CacheError::io("list the cache directory"))? {
            let entry = entry.map_err(CacheError::io("list the cache directory"))?;
            if let Some(number) = slots.number(&entry.file_name().to_string_lossy()) {
                let metadata = entry.metadata();
                let metadata = metadata.map_err(CacheError::io("look at a slot file"))?;
                slots.adopt(number, metadata.len())?;
            }
        }
        Ok(slots)
    }

    /// The class.
    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// Bytes of all files.
    pub(crate) fn len(&self) -> u64 {
        self.group_count() * self.class.group_len()
    }

    /// Every group there is, in order.
    pub(crate) fn groups(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        let files = (0u32..).zip(&self.files).collect::<Vec<_>>().into_iter();
        files.flat_map(|(i, file)| (0..file.groups).map(move |group| i * FILE_GROUPS + group))
    }

    /// Adds a group, on disk, and says which.
    pub(crate) fn grow(&mut self) -> Result<u32, CacheError> {
        let room = |file: &SlotFile| file.groups < FILE_GROUPS;
        let number = self.files.iter().position(room).unwrap_or(self.files.len());
        if number == self.files.len() {
            self.files.push(SlotFile::default());
        }
        let groups = self.files.get(number).map_or(0, |file| file.groups);
        let (from, len) = (
            u64::from(groups) * self.class.group_len(),
            self.class.group_len(),
        );
        let created = groups == 0;
        let handle = self.handle(number)?;
        files::preallocate(handle, from, len).map_err(CacheError::io("enlarge a slot file"))?;
        if created {
            files::sync_dir(&self.dir)?;
        }
        self.set_groups(number, groups + 1);
        self.dirty.insert(number);
        Ok(number as u32 * FILE_GROUPS + groups)
    }

    /// Removes the last group, with whatever is in it, and says which; `None` if there is none.
    pub(crate) fn shrink(&mut self) -> Result<Option<u32>, CacheError> {
        let Some(number) = self.files.iter().rposition(|file| file.groups > 0) else {
            return Ok(None);
        };
        let groups = self.files.get(number).map_or(0, |file| file.groups) - 1;
        let len = u64::from(groups) * self.class.group_len();
        let handle = self.handle(number)?;
        handle
            .set_len(len)
            .map_err(CacheError::io("shorten a slot file"))?;
        self.set_groups(number, groups);
        Ok(Some(number as u32 * FILE_GROUPS + groups))
    }

    /// Writes slots side by side in one group, from `slot` on: first bodies, then headers, so that a slot that was only
    /// half written does not speak of itself.
    pub(crate) fn write(
        &mut self,
        slot: u32,
        headers: &[u8],
        bodies: &[u8],
    ) -> Result<(), CacheError> {
        let (number, header_at, body_at) = self.place(slot);
        let handle = self.handle(number)?;
        let wrote = handle
            .write_all_at(bodies, body_at)
            .and_then(|()| handle.write_all_at(headers, header_at));
        self.dirty.insert(number);
        wrote.map_err(CacheError::io("write a slot"))
    }

    /// Overwrites `count` headers side by side with zeros, from `slot` on: nobody can read their bodies any more.
    pub(crate) fn erase(&mut self, slot: u32, count: usize) -> Result<(), CacheError> {
        let (number, header_at, _) = self.place(slot);
        let handle = self.handle(number)?;
        let wrote = handle.write_all_at(&vec![0; count * HEADER_LEN], header_at);
        self.dirty.insert(number);
        wrote.map_err(CacheError::io("erase a slot"))
    }

    /// Reads `count` headers side by side, from `slot` on.
    pub(crate) fn headers(&mut self, slot: u32, count: usize) -> Result<Vec<u8>, CacheError> {
        let mut headers = vec![0; count * HEADER_LEN];
        let (number, header_at, _) = self.place(slot);
        read(self.handle(number)?, &mut headers, header_at)?;
        Ok(headers)
    }

    /// Reads as many bodies side by side as fit into `bodies`, from `slot` on.
    pub(crate) fn bodies(&mut self, slot: u32, bodies: &mut [u8]) -> Result<(), CacheError> {
        let (number, _, body_at) = self.place(slot);
        read(self.handle(number)?, bodies, body_at)
    }

    /// Makes everything written durable.
    pub(crate) fn sync(&mut self) -> Result<(), CacheError> {
        while let Some(&number) = self.dirty.first() {
            let handle = self.handle(number)?;
            handle
                .sync_data()
                .map_err(CacheError::io("sync a slot file"))?;
            self.dirty.remove(&number);
        }
        Ok(())
    }

    fn adopt(&mut self, number: usize, len: u64) -> Result<(), CacheError> {
        if self.files.len() <= number {
            self.files.resize_with(number + 1, SlotFile::default);
        }
        let group = self.class.group_len();
        let groups = len.div_ceil(group).min(u64::from(FILE_GROUPS));
        if len != groups * group {
            let handle = self.handle(number)?;
            let missing = (groups * group).saturating_sub(len);
            // on a full disk a file with a hole is better than none
            let made = files::preallocate(handle, len, missing)
                .or_else(|_| handle.set_len(groups * group));
            made.map_err(CacheError::io("make a slot file whole"))?;
        }
        self.set_groups(number, groups as u32);
        Ok(())
    }

    fn set_groups(&mut self, number: usize, groups: u32) {
        if let Some(file) = self.files.get_mut(number) {
            file.groups = groups;
        }
    }

    fn group_count(&self) -> u64 {
        self.files.iter().map(|file| u64::from(file.groups)).sum()
    }

    /// The file of a slot, and where in it header and body are.
    fn place(&self, slot: u32) -> (usize, u64, u64) {
        let (group, place) = (slot / GROUP_SLOTS, u64::from(slot % GROUP_SLOTS));
        let start = u64::from(group % FILE_GROUPS) * self.class.group_len();
        let header = start + place * HEADER_LEN as u64;
        let body = start + HEADERS_LEN as u64 + place * self.class.body as u64;
        ((group / FILE_GROUPS) as usize, header, body)
    }

    fn handle(&mut self, number: usize) -> Result<&File, CacheError> {
        if self.open >= OPEN_FILES_MAX {
            self.files.iter_mut().for_each(|file| file.handle = None);
            self.open = 0;
        }
        let path = self.path(number);
        let file = self
            .files
            .get_mut(number)
            .ok_or(CacheError::Misuse("a slot lies in a file that exists"))?;
        match &mut file.handle {
            Some(handle) => Ok(handle),
            empty => {
                let mut options = OpenOptions::new();
                options.read(true).write(true).create(true).mode(0o600);
                let handle = options
                    .open(path)
                    .map_err(CacheError::io("open a slot file"))?;
                self.open += 1;
                Ok(empty.insert(handle))
            }
        }
    }

    fn path(&self, number: usize) -> PathBuf {
        self.dir.join(format!("{}-{number:06}", self.class.name))
    }

    /// The number in a file's name, if it is one of ours.
    fn number(&self, name: &str) -> Option<usize> {
        let digits = name.strip_prefix(self.class.name)?.strip_prefix('-')?;
        let ours = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        ours.then(|| digits.parse().ok())?
    }
}

/// Fills `buf`; what lies beyond the end of the file, or cannot be read off the disk, is zeros, which nothing sealed is.
fn read(file: &File, buf: &mut [u8], mut at: u64) -> Result<(), CacheError> {
    let mut rest = buf;
    while !rest.is_empty() {
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(n) => {
                at += n as u64;
                rest = rest.get_mut(n..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(files::EIO) => break,
            Err(error) => return Err(CacheError::io("read a slot")(error)),
        }
    }
    rest.fill(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(byte: u8, count: usize) -> (Vec<u8>, Vec<u8>) {
        (
            vec![byte; count * HEADER_LEN],
            vec![byte; count * ENTRY_LEN_MAX],
        )
    }

    #[test]
    fn slots_come_back_where_they_were_written_after_reopening() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut slots = SlotFiles::open(dir.path(), ENTRIES).expect("opens");
        assert_eq!(slots.grow().expect("grows"), 0);
        assert_eq!(slots.grow().expect("grows"), 1);
        let (headers, bodies) = filled(7, 3);
        slots.write(40, &headers, &bodies).expect("writes");
        slots.sync().expect("syncs");
        drop(slots);
        let mut slots = SlotFiles::open(dir.path(), ENTRIES).expect("opens");
        assert_eq!(slots.groups().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(slots.headers(40, 3).expect("reads"), headers);
        let mut read = vec![1; 5 * ENTRY_LEN_MAX];
        slots.bodies(39, &mut read).expect("reads");
        let zeros = vec![0; ENTRY_LEN_MAX];
        assert_eq!(read, [zeros.clone(), bodies, zeros].concat());
    }

    #[test]
    fn erasing_a_slot_leaves_its_neighbours() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut slots = SlotFiles::open(dir.path(), ENTRIES).expect("opens");
        slots.grow().expect("grows");
        let (headers, bodies) = filled(7, 3);
        slots.write(0, &headers, &bodies).expect("writes");
        slots.erase(1, 1).expect("erases");
        let got = slots.headers(0, 3).expect("reads");
        let kept: Vec<bool> = got
            .chunks(HEADER_LEN)
            .map(|h| h == [7; HEADER_LEN])
            .collect();
        assert_eq!(kept, [true, false, true]);
    }

    #[test]
    fn files_grow_and_shrink_by_groups_and_a_cut_group_is_made_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("entries-000000");
        let mut slots = SlotFiles::open(dir.path(), ENTRIES).expect("opens");
        slots.grow().expect("grows");
        slots.grow().expect("grows");
        let len = || fs::metadata(&path).expect("there").len();
        assert_eq!((slots.len(), len()), (2 * 49_152, 2 * 49_152));
        assert_eq!(slots.shrink().expect("shrinks"), Some(1));
        assert_eq!((slots.len(), len()), (49_152, 49_152));
        drop(slots);
        fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|f| f.set_len(100))
            .expect("cut");
        let slots = SlotFiles::open(dir.path(), ENTRIES).expect("opens");
        assert_eq!((slots.len(), len()), (49_152, 49_152));
    }

    #[test]
    fn foreign_files_are_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in [
            "entries-1",
            "entries-0000001",
            "entries-00000x",
            "chunks-000000",
            "entries",
        ] {
            fs::write(dir.path().join(name), b"foreign").expect("written");
        }
        let slots = SlotFiles::open(dir.path(), ENTRIES).expect("opens");
        assert_eq!(slots.len(), 0);
    }
}
