//! Text from strangers made safe: for a terminal, and as the name of a file.
//!
//! Titles are whatever a publisher wrote. A terminal must not be steered by them, nor a reader misled about what is
//! written, nor a file system about where.

use unicode_width::UnicodeWidthStr;

/// Longest file name in bytes that the usual file systems take.
const NAME_MAX: usize = 255;

/// Longest ending, with its dot, that is kept when a name is cut.
const ENDING_MAX: usize = 16;

/// Names that Windows gives to devices, with any ending.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// One line that can't do anything to a terminal: control characters, line ends and what changes the direction of
/// writing or hides are replaced by U+FFFD.
#[must_use]
pub fn line(text: &str) -> String {
    text.chars()
        .map(|c| if is_harmless(c) { c } else { '\u{fffd}' })
        .collect()
}

/// [`line()`], cut to `width` columns with an ellipsis.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    let text = line(text);
    if text.width() <= width {
        return text;
    }
    // Measured whole each time: a selector can widen the character before it.
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if kept.width() >= width {
            kept.pop();
            break;
        }
    }
    kept.push('…');
    kept
}

/// A file name made of a title: no separators, no `..`, not hidden, not an option, not a device, at most 255 bytes.
/// `None` if nothing of the title remains.
#[must_use]
pub fn file_name(title: &str) -> Option<String> {
    let cleaned: String = title
        .chars()
        .map(|c| match c {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
            c if is_harmless(c) => c,
            _ => '_',
        })
        .collect();
    let bare = cleaned
        .trim_matches(|c: char| c.is_whitespace() || c == '.')
        .trim_start_matches(['-', '~']);
    let mut name = shorten(bare.trim(), NAME_MAX - 1);
    // Cutting can bring a blank or a dot to the end.
    name.truncate(
        name.trim_end_matches(|c: char| c.is_whitespace() || c == '.')
            .len(),
    );
    if is_device(&name) {
        name.insert(0, '_');
    }
    let says_something = name
        .chars()
        .any(|c| c != '_' && c != '.' && !c.is_whitespace());
    says_something.then_some(name)
}

fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            // Line and paragraph separators.
            '\u{2028}' | '\u{2029}'
            // Direction marks, embeddings, overrides, isolates.
            | '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Invisible: zero-width space, word joiner and invisible operators, byte order mark, soft hyphen,
            // deprecated format characters, fillers, interlinear annotation, tags, Mongolian vowel separator.
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{ad}' | '\u{206a}'..='\u{206f}'
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' | '\u{180e}')
}

/// Cuts a name to `max` bytes between characters, keeping its ending.
fn shorten(name: &str, max: usize) -> String {
    if name.len() <= max {
        return name.to_owned();
    }
    let ending = name
        .rfind('.')
        .and_then(|at| name.get(at..))
        .filter(|ending| ending.len() <= ENDING_MAX)
        .unwrap_or("");
    let mut stem = String::new();
    for c in name.chars() {
        if stem.len() + c.len_utf8() + ending.len() > max {
            break;
        }
        stem.push(c);
    }
    let stem = stem.trim_end();
    format!("{stem}{ending}")
}

fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end()
        .to_lowercase();
    let numbered = ["com", "lpt"].iter().any(|port| {
        stem.strip_prefix(port).is_some_and(|rest| {
            rest.chars().count() == 1 && rest.chars().all(|c| "0123456789¹²³".contains(c))
        })
    });
    numbered || DEVICES.contains(&stem.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_terminal_is_not_steered() {
        assert_eq!(
            line("a\x1b[2Jb\u{9b}c\r\nd\te"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\u{fffd}d\u{fffd}e"
        );
        assert_eq!(
            line("gpj.\u{202e}exe\u{2066}\u{200f}"),
            "gpj.\u{fffd}exe\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn readable_text_stays_as_it_is() {
        for text in [
            "朧月夜 (Live).flac",
            "naïve café",
            "한국어",
            "👩‍🚀.png",
            "نص عربي",
        ] {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn a_cut_counts_columns_and_not_characters() {
        assert_eq!(cut("朧月夜の歌", 10), "朧月夜の歌");
        assert_eq!(cut("朧月夜の歌", 9), "朧月夜の…");
        assert_eq!(cut("朧月夜の歌", 8), "朧月夜…");
        assert_eq!(cut("abc", 0), "…");
    }

    #[test]
    fn a_title_becomes_a_name_in_this_folder() {
        for (title, name) in [
            ("talk.pdf", "talk.pdf"),
            ("朧月夜.txt", "朧月夜.txt"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("/etc/passwd", "_etc_passwd"),
            ("..\\..\\boot.ini", "_.._boot.ini"),
            (".bashrc", "bashrc"),
            ("--force", "force"),
            ("~root", "root"),
            ("CON", "_CON"),
            ("nul.tar.gz", "_nul.tar.gz"),
            ("com1.txt", "_com1.txt"),
            ("LPT¹", "_LPT¹"),
            ("comet.txt", "comet.txt"),
            ("trailing. . ", "trailing"),
            ("a\0b\nc", "a_b_c"),
            ("file:stream", "file_stream"),
        ] {
            assert_eq!(file_name(title).as_deref(), Some(name), "{title:?}");
        }
    }

    #[test]
    fn a_title_that_says_nothing_gives_no_name() {
        for title in ["", ".", "..", "../..", " / ", "\u{202e}", "___", "----"] {
            assert_eq!(file_name(title), None, "{title:?}");
        }
    }

    #[test]
    fn a_long_title_keeps_its_ending() {
        let name = file_name(&format!("{}.flac", "朧".repeat(100))).unwrap();
        assert!(
            name.len() <= 255 && name.starts_with('朧') && name.ends_with("朧.flac"),
            "{name}"
        );
    }

    proptest! {
        #[test]
        fn any_title_becomes_a_safe_name_or_none(title in "(\\PC|\\p{C}|[./\\\\ ~-]){0,200}") {
            if let Some(name) = file_name(&title) {
                prop_assert!(!name.is_empty() && name.len() <= 255);
                prop_assert!(!name.contains(['/', '\\', '\0']));
                prop_assert!(!name.starts_with(['.', '-', '~', ' ']));
                prop_assert!(!name.chars().any(char::is_control));
                prop_assert!(!is_device(&name));
                prop_assert_eq!(file_name(&name), Some(name));
            }
        }

        #[test]
        fn any_text_becomes_one_line_that_fits(text in "(\\PC|\\p{C}){0,80}", width in 1_usize..40) {
            let cut = cut(&text, width);
            prop_assert!(cut.width() <= width);
            prop_assert!(cut.chars().all(is_harmless));
        }
    }
}
