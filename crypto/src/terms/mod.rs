//! Terms: the words by which something is published, and by which it is asked for.
//!
//! Promises: both sides compute the same terms from text that people would call the same, whatever case, width, kana,
//! accents or keyboard they used; whatever part of a title (of two or more characters in scripts without spaces, of whole
//! words elsewhere) is typed, its terms are among the title's. Tested as a property.
//! Does not know: tokens, entries, networks; meanings, synonyms, inflections, or that simplified and traditional Chinese
//! or "ü" and "ue" belong together.
//!
//! # Kinds of terms
//! - **Words** of scripts with spaces: letters and digits between anything else. `_`, `-`, `.` and apostrophes split, so
//!   `the_file-name.tar.gz` has five words and an extension is a word like any other. Found as a whole only.
//! - **Bigrams** of scripts without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) and of Hangul: every two
//!   characters in a row. A dictionary would cut 東京都庁 into 東京｜都庁 and never find 東京都; bigrams do, and do not
//!   change with the dictionary.
//! - **Single characters** where they stand alone: `C`, `猫`, and ideographs and syllables that the dictionary takes for a
//!   word of their own (the 猫 of 猫の写真). This is a courtesy: a query of one ideograph finds these and not every title
//!   that contains it. A query that has anything longer never asks for single characters.
//!
//! # Why so many
//! A 300-byte Japanese title has 100 characters, 99 bigrams, and every one of them is needed for every part of it to be
//! found. An index term costs the publisher one Argon2id (about 100 ms on public networks) and four entries, once a
//! month; ten seconds for the longest titles, one for the usual ones. So [`TERMS_MAX`] is large enough for the longest
//! title in ordinary characters. Only characters that normalisation unfolds into several (㌔ into キロ) can make more;
//! then single characters go first, and bigrams across word boundaries next.

mod fold;
mod split;

use std::collections::BTreeSet;
use std::fmt;

use fold::{normalise, unify_kana};
use split::{Element, WORD_BYTES_MAX, bigrams, elements, single_words};

/// Most terms a publication is found by. The longest title (400 bytes) has at most 133 words or bigrams of ordinary
/// characters of three bytes; the rest is for keywords. Beyond it are dropped, in this order: single characters, bigrams across word
/// boundaries, bigrams within words, words; in each kind the last first.
pub const TERMS_MAX: usize = 160;

/// Most terms one query asks for: each is an Argon2id and a question to four storers. What is beyond it is not asked,
/// but still checked by [`matches`].
pub const QUERY_TERMS_MAX: usize = 16;

/// Most text that is looked at, in bytes: bounds the work. What follows is ignored.
const TEXT_BYTES_MAX: usize = 8192;

/// A normalised word, bigram or single character. What somebody looks for is nobody's business: it is not printed for
/// debugging.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(String);

impl Term {
    /// Longest term in bytes. Longer words are cut, on both sides alike.
    pub const BYTES_MAX: usize = WORD_BYTES_MAX;

    /// The normalised text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads back a term; `None` if the text is not exactly one in its normal form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::BYTES_MAX || fold(text) != text {
            return None;
        }
        let elements = elements(text);
        let is_term = match elements.as_slice() {
            [Element::Word(word)] => *word == text,
            [Element::Run(run)] => *run == text && run.chars().count() <= 2,
            _ => false,
        };
        is_term.then(|| Self(text.to_owned()))
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Term(..)")
    }
}

/// Terms by which a text shall be found: words, then bigrams, then single characters, without repetition, at most
/// [`TERMS_MAX`].
#[must_use]
pub fn of_text(text: &str) -> Vec<Term> {
    let normal = normalise(limited(text));
    let mut found = Ranked::default();
    for element in elements(&normal) {
        match element {
            Element::Word(word) if is_single(word) => found.singles.push(word.to_owned()),
            Element::Word(word) => found.words.push(word.to_owned()),
            Element::Run(run) if is_single(run) => found.singles.push(unify_kana(run)),
            Element::Run(run) => {
                for bigram in bigrams(run) {
                    let kind = if bigram.crosses {
                        &mut found.crossing
                    } else {
                        &mut found.inner
                    };
                    kind.push(unify_kana(bigram.text));
                }
                found.singles.extend(single_words(run).map(unify_kana));
            }
        }
    }
    let Ranked {
        words,
        inner,
        crossing,
        singles,
    } = found;
    collect(
        words
            .into_iter()
            .chain(inner)
            .chain(crossing)
            .chain(singles),
        TERMS_MAX,
    )
}

/// Terms by which a publication shall be found: of its keywords first, then of its title, at most [`TERMS_MAX`] in all.
#[must_use]
pub fn of_publication(title: &str, keywords: &[String]) -> Vec<Term> {
    // A line break separates words and runs like any other character that is neither.
    let mut text = keywords.join("\n");
    text.truncate(prefix(&text, TEXT_BYTES_MAX.saturating_sub(title.len() + 1)).len());
    text.push('\n');
    text.push_str(title);
    of_text(&text)
}

/// Terms to ask for, all of which an answer must have: words, and of runs in scripts without spaces every second bigram
/// and the last, which together cover it. At most [`QUERY_TERMS_MAX`]; empty if the query has neither letter nor digit.
///
/// Single characters are asked for only if there is nothing else.
#[must_use]
pub fn of_query(query: &str) -> Vec<Term> {
    let folded = fold(query);
    let (mut words, mut covering, mut singles) = (Vec::new(), Vec::new(), Vec::new());
    for element in elements(&folded) {
        if is_single(element.text()) {
            singles.push(element.text());
            continue;
        }
        match element {
            Element::Word(word) => words.push(word),
            Element::Run(run) => {
                let all = split::pairs(run);
                let last = all.len() - 1;
                covering.extend(
                    all.into_iter()
                        .enumerate()
                        .filter(|(i, _)| i % 2 == 0 || *i == last)
                        .map(|(_, pair)| pair),
                );
            }
        }
    }
    let longer = words.into_iter().chain(covering).map(str::to_owned);
    let terms = collect(longer, QUERY_TERMS_MAX);
    if terms.is_empty() {
        collect(singles.into_iter().map(str::to_owned), QUERY_TERMS_MAX)
    } else {
        terms
    }
}

/// Whether something with this title and these further terms is what was asked for: every word of the query is a word of
/// the title or a further term, and every run in a script without spaces stands in the title as it is, or is made of
/// further terms.
///
/// Stricter than the terms of [`of_query`], which an entry may have in another order or by accident. A query without
/// letter or digit matches nothing.
#[must_use]
pub fn matches(query: &str, title: &str, extra: &[Term]) -> bool {
    let (query, title) = (fold(query), fold(title));
    let wanted = elements(&query);
    let titled = elements(&title);
    let is_extra = |text: &str| extra.iter().any(|term| term.as_str() == text);
    let found = |element: &Element<'_>| match *element {
        Element::Word(word) => titled.contains(element) || is_extra(word),
        Element::Run(run) => {
            let in_title =
                |part: &Element<'_>| matches!(part, Element::Run(whole) if whole.contains(run));
            let pairs = split::pairs(run);
            let in_extra = if pairs.is_empty() {
                is_extra(run)
            } else {
                pairs.into_iter().all(is_extra)
            };
            in_extra || titled.iter().any(in_title)
        }
    };
    !wanted.is_empty() && wanted.iter().all(found)
}

/// What was found in a text, by importance.
#[derive(Default)]
struct Ranked {
    words: Vec<String>,
    /// Bigrams within a word of the dictionary.
    inner: Vec<String>,
    /// Bigrams of the end of one word and the beginning of the next.
    crossing: Vec<String>,
    singles: Vec<String>,
}

/// The normal form of a text: what is compared.
fn fold(text: &str) -> String {
    unify_kana(&normalise(limited(text)))
}

fn limited(text: &str) -> &str {
    prefix(text, TEXT_BYTES_MAX)
}

/// The longest beginning of `text` with at most `max` bytes that ends with a whole character.
pub(crate) fn prefix(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn is_single(text: &str) -> bool {
    text.chars().nth(1).is_none()
}

/// The first `max` different ones, in order.
fn collect(texts: impl Iterator<Item = String>, max: usize) -> Vec<Term> {
    let mut seen = BTreeSet::new();
    texts
        .filter(|text| seen.insert(text.clone()))
        .take(max)
        .map(Term)
        .collect()
}
