//! One spelling for what people take for the same text.
//!
//! Promises: idempotent (what is folded stays as it is), and independent of neighbours once characters are composed, so
//! that a part of a text folds to the same part of the folded text.
//! Does not know: where words begin and end.

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, Script};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Passes until nothing changes. One suffices for text that people write; a second shows it. Contrived sequences of
/// combining characters can take a third.
const PASSES_MAX: usize = 4;

/// Digits of other scripts: the code point of each zero; one to nine follow it.
const ZEROS: [char; 8] = ['٠', '۰', '०', '০', '๐', '໐', '០', '၀'];

/// Compatibility, case, width, accents and letter variants removed; kana still as written, because the dictionary needs
/// to see the difference.
pub(super) fn normalise(text: &str) -> String {
    let mut text = pass(text);
    for _ in 1..PASSES_MAX {
        let again = pass(&text);
        if again == text {
            break;
        }
        text = again;
    }
    text
}

/// Katakana to hiragana, character by character.
pub(super) fn unify_kana(text: &str) -> String {
    text.chars().map(hiragana).collect()
}

/// NFKC, case folding (Unicode, full, not Turkic), NFKC again; in between what Unicode leaves apart.
fn pass(text: &str) -> String {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    // Soft hyphens, joiners, direction marks and variation selectors are invisible: nobody types them twice alike.
    let visible: String = text
        .chars()
        .filter(|c| !ignorable.contains(*c))
        .map(combining_voice)
        .collect();
    let composed = nfkc.normalize(&visible);
    let folded = CaseMapper::new().fold_string(&composed);
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize(&folded);
    let mut bare = String::with_capacity(decomposed.len());
    for c in decomposed.chars().filter(|c| !is_dropped(*c)) {
        push_letter(&mut bare, c);
    }
    // A voicing mark that found no kana to join is noise.
    nfkc.normalize(&bare)
        .chars()
        .filter(|c| !is_voice(*c))
        .collect()
}

/// The voicing marks of kana as they come from old encodings, made to combine: か゛ is が.
const fn combining_voice(c: char) -> char {
    match c {
        '゛' => '\u{3099}',
        '゜' => '\u{309a}',
        other => other,
    }
}

const fn is_voice(c: char) -> bool {
    matches!(c, '\u{3099}' | '\u{309a}')
}

/// Marks that are left out in quick or plain writing: accents of Latin, Greek and Cyrillic, Arabic vowel signs and
/// stretching, Hebrew points. Vowel and tone signs of Thai, of India and others belong to the spelling and stay.
fn is_dropped(c: char) -> bool {
    const ARABIC_TATWEEL: char = '\u{640}';
    if c == ARABIC_TATWEEL {
        return true;
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    if !matches!(
        category,
        GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
    ) || is_voice(c)
    {
        return false;
    }
    matches!(
        CodePointMapData::<Script>::new().get(c),
        Script::Inherited
            | Script::Common
            | Script::Latin
            | Script::Greek
            | Script::Cyrillic
            | Script::Arabic
            | Script::Hebrew
    )
}

/// Letters that differ by a stroke, a joint or a country's keyboard, which Unicode doesn't take for marks; and digits.
fn push_letter(out: &mut String, c: char) {
    match c {
        'ø' => out.push('o'),
        'đ' => out.push('d'),
        'ł' => out.push('l'),
        'ħ' => out.push('h'),
        'ŧ' => out.push('t'),
        'ı' => out.push('i'),
        'æ' => out.push_str("ae"),
        'œ' => out.push_str("oe"),
        'ð' => out.push('d'),
        'þ' => out.push_str("th"),
        // Arabic: yeh and kaf of Persian keyboards, final yeh without dots, teh marbuta.
        'ى' | 'ی' => out.push('ي'),
        'ک' => out.push('ك'),
        'ة' => out.push('ه'),
        other => out.push(ascii_digit(other)),
    }
}

fn ascii_digit(c: char) -> char {
    let value = |zero: char| {
        u32::from(c)
            .checked_sub(u32::from(zero))
            .filter(|value| *value < 10)
    };
    ZEROS
        .into_iter()
        .find_map(value)
        .and_then(|value| char::from_digit(value, 10))
        .unwrap_or(c)
}

fn hiragana(c: char) -> char {
    /// From a katakana to the hiragana in the same place of its block.
    const STEP: u32 = 0x60;
    match c {
        // 関ヶ原 and 関ケ原 are one place: the small ones stand for the large ones.
        'ヵ' | 'ゕ' => 'か',
        'ヶ' | 'ゖ' => 'け',
        'ァ'..='ヴ' | 'ヽ' | 'ヾ' => char::from_u32(u32::from(c) - STEP).unwrap_or(c),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fold(text: &str) -> String {
        unify_kana(&normalise(text))
    }

    #[test]
    fn variants_fold_to_one_spelling() {
        let rows = [
            ("ＷｉｎｎｙＦ", "winnyf"),
            ("ﾌｧｲﾙ", "ふぁいる"),
            ("ファイル", "ふぁいる"),
            ("ｶﾞﾝﾀﾞﾑ", "がんだむ"),
            ("か゛", "が"),
            ("関ヶ原", "関け原"),
            ("ﬁle", "file"),
            ("Straße", "strasse"),
            ("İstanbul", "istanbul"),
            ("ISPARTA ısparta", "isparta isparta"),
            ("Björk", "bjork"),
            ("Ærøskøbing", "aeroskobing"),
            ("ΟΔΥΣΣΕΎΣ", "οδυσσευσ"),
            ("Ёлка", "елка"),
            ("Đà Nẵng", "da nang"),
            ("مُحَمَّد", "محمد"),
            ("أحمد إلى", "احمد الي"),
            ("کتاب", "كتاب"),
            ("كـــتاب", "كتاب"),
            ("שָׁלוֹם", "שלום"),
            ("٢٠٢٤ ۲۰۲۴", "2024 2024"),
            ("soft\u{ad}ware", "software"),
            ("한글", "한글"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
        ];
        for (text, folded) in rows {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn marks_that_are_spelling_stay() {
        for text in ["ดาวน์โหลด", "हिन्दी", "ភាសាខ្មែរ"]
        {
            assert_eq!(fold(text), text);
        }
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn folding_ignores_case_of_simple_letters(text in "[a-zA-Z0-9 ]{0,20}") {
            prop_assert_eq!(fold(&text.to_uppercase()), fold(&text.to_lowercase()));
        }
    }
}
