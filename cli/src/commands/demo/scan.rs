//! Looking for what must not be there: anything of titles, words, URNs and contents in the files of a home.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use oboro_node::eris::Capability;

/// Bytes of content in one mark.
const PIECE: usize = 32;

/// A piece of content with fewer different bytes than this could be anywhere, such as zeros, and is no mark.
const DIFFERENT_MIN: usize = 8;

/// Pieces taken of one file at the most, evenly spread: about one for each 4 KiB of a small file.
const PIECES_MAX: u64 = 4096;

/// A piece is taken each so many bytes, or less often.
const SPACING_MIN: u64 = 4096;

/// Shorter marks would be found in random bytes sooner or later: six bytes once in 256 TiB.
const MARK_MIN: usize = 6;

/// Longest mark in bytes; of longer ones the beginning.
const MARK_MAX: usize = 256;

/// Files are read in parts of this many bytes.
const READ: usize = 1 << 20;

/// What to look for.
#[derive(Default)]
pub struct Marks {
    /// By their first two bytes.
    by_start: HashMap<[u8; 2], Vec<Vec<u8>>>,
}

/// What was found.
#[derive(Default)]
pub struct Scan {
    /// Bytes searched.
    pub bytes: u64,
    /// Marks found, each time they occur.
    pub found: u64,
}

impl Marks {
    /// Adds what belongs to one file: its title, words, URN, the root's name and key, and pieces of its content.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn add(&mut self, file: &Path, title: &str, words: &[String], urn: &str) -> io::Result<()> {
        self.mark(title.as_bytes());
        for word in words {
            self.mark(word.as_bytes());
        }
        self.mark(urn.as_bytes());
        if let Ok(capability) = Capability::from_urn(urn) {
            self.mark(capability.root.as_bytes());
            self.mark(capability.key.expose());
        }
        let mut file = File::open(file)?;
        let length = file.metadata()?.len();
        let spacing = SPACING_MIN.max(length / PIECES_MAX);
        let mut at = 0;
        while at + PIECE as u64 <= length {
            let mut piece = [0; PIECE];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut piece)?;
            if different(&piece) >= DIFFERENT_MIN {
                self.mark(&piece);
            }
            at += spacing;
        }
        Ok(())
    }

    /// Searches every file below `home`.
    ///
    /// # Errors
    /// Something there can't be read.
    pub fn search(&self, home: &Path) -> io::Result<Scan> {
        let mut scan = Scan::default();
        let starts = self.starts();
        let mut folders = vec![home.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    self.search_file(&entry.path(), &starts, &mut scan)?;
                }
            }
        }
        Ok(scan)
    }

    fn mark(&mut self, mark: &[u8]) {
        let mark = mark.get(..MARK_MAX).unwrap_or(mark);
        if let ([a, b, ..], true) = (mark, mark.len() >= MARK_MIN) {
            let alike = self.by_start.entry([*a, *b]).or_default();
            if !alike.iter().any(|other| other == mark) {
                alike.push(mark.to_vec());
            }
        }
    }

    /// For each two bytes whether a mark starts with them: most positions are done with after one look.
    fn starts(&self) -> Vec<bool> {
        let mut starts = vec![false; 1 << 16];
        for start in self.by_start.keys() {
            if let Some(slot) = starts.get_mut(usize::from(u16::from_be_bytes(*start))) {
                *slot = true;
            }
        }
        starts
    }

    fn search_file(&self, path: &Path, starts: &[bool], scan: &mut Scan) -> io::Result<()> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            // The node may have replaced it since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut buffer: Vec<u8> = Vec::with_capacity(READ + MARK_MAX);
        loop {
            let n = (&mut file).take(READ as u64).read_to_end(&mut buffer)?;
            scan.bytes += n as u64;
            // A mark that begins in the last bytes of a part is found with the next part.
            let last = n == 0;
            let until = if last {
                buffer.len()
            } else {
                buffer.len().saturating_sub(MARK_MAX)
            };
            scan.found += self.count(&buffer, until, starts);
            if last {
                return Ok(());
            }
            buffer.drain(..until);
        }
    }

    /// Marks in `bytes` that begin before `until`.
    fn count(&self, bytes: &[u8], until: usize, starts: &[bool]) -> u64 {
        let mut found = 0;
        for (at, pair) in bytes.windows(2).take(until).enumerate() {
            let &[a, b] = pair else { continue };
            if !starts
                .get(usize::from(u16::from_be_bytes([a, b])))
                .is_some_and(|start| *start)
            {
                continue;
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let marks = self.by_start.get(&[a, b]).into_iter().flatten();
            found += marks.filter(|mark| rest.starts_with(mark)).count() as u64;
        }
        found
    }
}

fn different(piece: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in piece {
        if let Some(slot) = seen.get_mut(usize::from(*byte)) {
            *slot = true;
        }
    }
    seen.iter().filter(|seen| **seen).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URN: &str = "urn:eris:no capability, but text all the same";

    fn marks(folder: &Path, content: &[u8]) -> Marks {
        let file = folder.join("content");
        fs::write(&file, content).unwrap();
        let mut marks = Marks::default();
        marks
            .add(
                &file,
                "朧月夜.txt",
                &["moonlight".to_owned(), "ab".to_owned()],
                URN,
            )
            .unwrap();
        marks
    }

    fn found_in(marks: &Marks, bytes: &[u8]) -> u64 {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("below")).unwrap();
        fs::write(home.path().join("below/file"), bytes).unwrap();
        let scan = marks.search(home.path()).unwrap();
        assert_eq!(scan.bytes, bytes.len() as u64);
        scan.found
    }

    #[test]
    fn title_word_urn_and_content_are_found_wherever_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..20_000_u32).flat_map(|i| i.to_be_bytes()).collect();
        let marks = marks(
            folder.path(),
            &[b"a beginning with many letters here".as_slice(), &content].concat(),
        );
        for mark in [
            "朧月夜.txt",
            "moonlight",
            URN,
            "a beginning with many letters he",
        ] {
            for at in [0, 1, READ - 3, READ, READ + 7, 2 * READ - 1] {
                let mut bytes = vec![0xee; 2 * READ + 500];
                bytes[at..at + mark.len()].copy_from_slice(mark.as_bytes());
                assert_eq!(found_in(&marks, &bytes), 1, "{mark} at {at}");
            }
        }
    }

    #[test]
    fn a_mark_at_the_very_end_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let marks = marks(folder.path(), b"");
        assert_eq!(found_in(&marks, b"....moonlight"), 1);
        assert_eq!(found_in(&marks, b"....moonligh"), 0);
    }

    #[test]
    fn short_words_and_zeros_are_no_marks() {
        let folder = tempfile::tempdir().unwrap();
        let marks = marks(folder.path(), &[0; 100_000]);
        assert_eq!(
            found_in(&marks, &[b"ab".as_slice(), &[0; 100_000]].concat()),
            0
        );
    }

    #[test]
    fn a_key_in_the_clear_is_found() {
        let capability = Capability::from_urn(&urn()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, b"").unwrap();
        let mut marks = Marks::default();
        marks.add(&file, "t", &[], &urn()).unwrap();
        assert_eq!(found_in(&marks, capability.key.expose()), 1);
    }

    fn urn() -> String {
        let mut bytes = [0_u8; 66];
        bytes.iter_mut().zip(1..).for_each(|(byte, i)| *byte = i);
        (bytes[0], bytes[1]) = (0x0f, 0);
        format!("urn:eris:{}", data_encoding::BASE32_NOPAD.encode(&bytes))
    }
}
