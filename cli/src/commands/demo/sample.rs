//! A file to show things with, and the words to look for it by.

use std::cmp::Reverse;
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

/// The title for a file of this name and the words to search it by: the longest of the name, its ending left out if
/// there are others. A name without words gets some.
#[must_use]
pub fn title_and_words(name: &str) -> (String, Vec<String>) {
    let stem = Path::new(name).file_stem().unwrap_or_default();
    let of_name = [longest(&stem.to_string_lossy()), longest(name)];
    match of_name.into_iter().find(|words| !words.is_empty()) {
        Some(words) => (name.to_owned(), words),
        None => (format!("oboro demo {name}"), longest("oboro demo")),
    }
}

/// The longest words of a text, in their order there. A single character is none.
fn longest(text: &str) -> Vec<String> {
    let length = |word: &str| word.chars().count();
    let words = text.split(|c: char| !c.is_alphanumeric());
    let mut words: Vec<(usize, &str)> = words.filter(|word| length(word) > 1).enumerate().collect();
    words.sort_by_key(|(_, word)| Reverse(length(word)));
    words.truncate(WORDS);
    words.sort_unstable();
    words.into_iter().map(|(_, word)| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_words_are_searched_by() {
        let words = |name| title_and_words(name).1;
        assert_eq!(words("the quick_brown fox.tar.gz"), ["quick", "brown"]);
        assert_eq!(words("東京夜景.jpg"), ["東京夜景"]);
        assert_eq!(words("a-b.txt"), ["txt"]);
    }

    #[test]
    fn a_name_without_words_gets_a_title_with_some() {
        let (title, words) = title_and_words("a-b.c");
        assert_eq!(title, "oboro demo a-b.c");
        assert_eq!(words, ["oboro", "demo"]);
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
