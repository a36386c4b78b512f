//! A file to show things with, and the words to look for it by.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use oboro_node::api::{Code, Failure};
use rand_core::RngCore;

use crate::commands::setup::generator;

/// The file's name, which becomes its title.
const NAME: &str = "朧月夜に似るものぞなき oboro demo.txt";

/// Its size in bytes.
const SIZE: u64 = 8 << 20;

/// Words to search by, at the most.
const WORDS: usize = 2;

/// Writes the file into a folder of its own below `folder`: lines that anyone could read, no two alike.
///
/// # Errors
/// The disk's.
pub fn write(folder: &Path) -> Result<PathBuf, Failure> {
    let below = folder.join("published");
    let path = below.join(NAME);
    let mut rng = generator()?;
    fs::create_dir_all(&below)
        .and_then(|()| fill(&path, &mut rng))
        .map_err(|error| Failure::new(Code::Failed, format!("{}: {error}", path.display())))?;
    Ok(path)
}

fn fill(path: &Path, rng: &mut impl RngCore) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut written = 0;
    let mut n = 0_u64;
    while written < SIZE {
        n += 1;
        let line = format!(
            "{n:08} 照りもせず曇りもはてぬ春の夜の朧月夜 {:016x}\n",
            rng.next_u64()
        );
        let room = usize::try_from(SIZE - written).unwrap_or(usize::MAX);
        let part = line.as_bytes().get(..room).unwrap_or(line.as_bytes());
        out.write_all(part)?;
        written += part.len() as u64;
    }
    out.flush()
}

/// The longest words of a title without its ending, in their order there; the whole of it if there are none.
#[must_use]
pub fn words(title: &str) -> Vec<String> {
    let stem = Path::new(title)
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    let all: Vec<&str> = stem
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 1)
        .collect();
    let mut by_length: Vec<usize> = (0..all.len()).collect();
    by_length
        .sort_by_key(|i| std::cmp::Reverse(all.get(*i).map_or(0, |word| word.chars().count())));
    by_length.truncate(WORDS);
    by_length.sort_unstable();
    let chosen: Vec<String> = by_length
        .iter()
        .filter_map(|i| all.get(*i))
        .map(|word| (*word).to_owned())
        .collect();
    if chosen.is_empty() {
        vec![stem.into_owned()]
    } else {
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_words_are_searched_by() {
        assert_eq!(words("the quick_brown fox.tar.gz"), ["quick", "brown"]);
        assert_eq!(words("東京夜景.jpg"), ["東京夜景"]);
        assert_eq!(words("a-b.c"), ["a-b"]);
    }

    #[test]
    fn the_file_has_its_size_and_readable_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path()).unwrap();
        let content = fs::read(path).unwrap();
        assert_eq!(content.len() as u64, SIZE);
        assert!(content.starts_with("00000001 照り".as_bytes()));
    }
}
