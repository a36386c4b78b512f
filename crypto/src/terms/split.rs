//! Normal text to words and runs, and runs to bigrams.
//!
//! Promises: the cut between elements depends on the characters beside it and on nothing else; only the rank of bigrams
//! and the choice of single characters depend on a dictionary, and neither is needed to find what was published.
//! Does not know: which side of a search the text is on.

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup, Script};
use icu_segmenter::WordSegmenter;
use icu_segmenter::options::WordBreakInvariantOptions;

use super::prefix;

/// Longest word in bytes: longer ones are cut here, at a character.
pub(super) const WORD_BYTES_MAX: usize = 128;

/// A part of a text that is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Element<'a> {
    /// Letters and digits of scripts with spaces.
    Word(&'a str),
    /// Consecutive characters of scripts without spaces.
    Run(&'a str),
}

impl<'a> Element<'a> {
    pub(super) fn text(self) -> &'a str {
        match self {
            Self::Word(text) | Self::Run(text) => text,
        }
    }
}

/// Two consecutive characters of a run.
pub(super) struct Bigram<'a> {
    pub text: &'a str,
    /// A word of the dictionary ends between the two.
    pub crosses: bool,
}

/// Words and runs of a normalised text, in order.
pub(super) fn elements(normal: &str) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    let mut rest = normal;
    while let Some(first) = rest.chars().next() {
        let class = Class::of(first);
        let end = rest.find(|c| Class::of(c) != class).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        match class {
            Class::Word => found.push(Element::Word(prefix(part, WORD_BYTES_MAX))),
            Class::Dense => found.push(Element::Run(part)),
            Class::Other => {}
        }
        rest = after;
    }
    found
}

/// All bigrams of a run, in order.
pub(super) fn pairs(run: &str) -> Vec<&str> {
    let starts: Vec<usize> = run
        .char_indices()
        .map(|(at, _)| at)
        .chain([run.len()])
        .collect();
    starts
        .windows(3)
        .filter_map(|places| run.get(places[0]..places[2]))
        .collect()
}

/// All bigrams of a run, in order, with what the dictionary says.
pub(super) fn bigrams(run: &str) -> Vec<Bigram<'_>> {
    let ends = word_ends(run);
    let mut start = 0;
    let mut found = Vec::new();
    for text in pairs(run) {
        let middle = start + text.chars().next().map_or(0, char::len_utf8);
        found.push(Bigram {
            text,
            crosses: ends.binary_search(&middle).is_ok(),
        });
        start = middle;
    }
    found
}

/// Ideographs and syllables of a run that are words by themselves, according to the dictionary.
pub(super) fn single_words(run: &str) -> impl Iterator<Item = &str> {
    let ends = word_ends(run);
    let starts: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
    starts
        .into_iter()
        .zip(ends)
        .filter_map(|(start, end)| run.get(start..end))
        .filter(|word| {
            let mut chars = word.chars();
            let first = chars
                .next()
                .map(|c| CodePointMapData::<Script>::new().get(c));
            chars.next().is_none() && matches!(first, Some(Script::Han | Script::Hangul))
        })
}

/// Where words end, in bytes, ascending, the end of the run included.
fn word_ends(run: &str) -> Vec<usize> {
    let segmenter = WordSegmenter::new_auto(WordBreakInvariantOptions::default());
    segmenter.segment_str(run).filter(|end| *end > 0).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    /// Written without spaces between words (and Hangul, which joins particles and compounds without).
    Dense,
    Other,
}

impl Class {
    fn of(c: char) -> Self {
        if c.is_ascii() {
            return if c.is_ascii_alphanumeric() {
                Self::Word
            } else {
                Self::Other
            };
        }
        let category = CodePointMapData::<GeneralCategory>::new().get(c);
        let is_text = GeneralCategoryGroup::Letter.contains(category)
            || GeneralCategoryGroup::Mark.contains(category)
            || GeneralCategoryGroup::Number.contains(category);
        match CodePointMapData::<Script>::new().get(c) {
            _ if !is_text => Self::Other,
            Script::Han
            | Script::Hiragana
            | Script::Katakana
            | Script::Bopomofo
            | Script::Hangul
            | Script::Thai
            | Script::Lao
            | Script::Khmer
            | Script::Myanmar => Self::Dense,
            // The sign of a long vowel belongs to both kana and so to no script.
            _ if c == 'ー' => Self::Dense,
            _ => Self::Word,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Element::Word;
    use super::*;

    #[test]
    fn file_names_fall_into_words() {
        let cut = |text| {
            elements(text)
                .into_iter()
                .map(Element::text)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            cut("the_file-name.tar.gz"),
            ["the", "file", "name", "tar", "gz"]
        );
        assert_eq!(cut("l'ete (1080p) [mp3]"), ["l", "ete", "1080p", "mp3"]);
        assert_eq!(
            cut("第3話ーwinnyの開発"),
            ["第", "3", "話ー", "winny", "の開発"]
        );
        assert_eq!(cut("・、。「」 …"), [""; 0]);
    }

    #[test]
    fn bigrams_cover_a_run_and_know_the_words_of_it() {
        let found = bigrams("東京都庁の匿名");
        let texts: Vec<&str> = found.iter().map(|bigram| bigram.text).collect();
        assert_eq!(texts, ["東京", "京都", "都庁", "庁の", "の匿", "匿名"]);
        let crossing: Vec<&str> = found
            .iter()
            .filter(|bigram| bigram.crosses)
            .map(|bigram| bigram.text)
            .collect();
        assert_eq!(crossing, ["京都", "庁の", "の匿"]);
    }

    #[test]
    fn a_run_of_one_has_no_bigram() {
        assert!(pairs("猫").is_empty());
        assert!(pairs("").is_empty());
        assert_eq!(pairs("猫の"), ["猫の"]);
    }

    #[test]
    fn ideographs_that_are_words_are_named_and_particles_are_not() {
        assert_eq!(single_words("猫の写真").collect::<Vec<_>>(), ["猫"]);
    }

    #[test]
    fn long_words_are_cut_at_a_character() {
        let word = "я".repeat(100);
        let cut = elements(&word);
        assert!(matches!(cut.as_slice(), [Word(part)] if part.len() == WORD_BYTES_MAX));
    }
}
