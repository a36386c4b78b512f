//! What sort of thing a publication is, as far as its name says.
//!
//! Promises: a closed list with fixed numbers.
//! Does not know: what is really in a file. A publisher can claim anything.

/// Sort of a publication. The numbers are those of the encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A file of no known sort.
    File = 0,
    /// Something to read.
    Text = 1,
    /// A picture.
    Image = 2,
    /// Something to listen to.
    Audio = 3,
    /// Something to watch.
    Video = 4,
    /// A bundle of files.
    Archive = 5,
    /// A program or the image of a disk.
    Software = 6,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::File,
        Self::Text,
        Self::Image,
        Self::Audio,
        Self::Video,
        Self::Archive,
        Self::Software,
    ];

    /// The sort that a file name's extension suggests.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let Some((_, extension)) = name.rsplit_once('.') else {
            return Self::File;
        };
        match extension.to_ascii_lowercase().as_str() {
            "txt" | "md" | "pdf" | "epub" | "mobi" | "html" | "htm" | "doc" | "docx" | "odt"
            | "rtf" | "tex" | "djvu" | "csv" | "srt" => Self::Text,
            "jpg" | "jpeg" | "png" | "gif" | "webp" | "avif" | "heic" | "svg" | "tif" | "tiff"
            | "bmp" | "jxl" => Self::Image,
            "mp3" | "flac" | "ogg" | "opus" | "wav" | "m4a" | "aac" | "mid" => Self::Audio,
            "mp4" | "mkv" | "webm" | "avi" | "mov" | "mpg" | "mpeg" | "wmv" | "ogv" | "m4v" => {
                Self::Video
            }
            "zip" | "7z" | "tar" | "gz" | "tgz" | "bz2" | "xz" | "zst" | "rar" | "lzh" | "cbz" => {
                Self::Archive
            }
            "exe" | "msi" | "deb" | "rpm" | "apk" | "dmg" | "iso" | "img" | "appimage" | "jar"
            | "wasm" => Self::Software,
            _ => Self::File,
        }
    }

    /// One lower-case word, for people and for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Text => "text",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Archive => "archive",
            Self::Software => "software",
        }
    }

    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_number_and_word() {
        for (i, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(Kind::from_code(kind.code()), Some(kind));
            assert!(
                Kind::ALL[..i]
                    .iter()
                    .all(|other| other.as_str() != kind.as_str())
            );
        }
        assert_eq!(Kind::from_code(Kind::ALL.len() as u8), None);
    }

    #[test]
    fn extensions_suggest_kinds_in_any_case() {
        let rows = [
            ("東京.PDF", Kind::Text),
            ("a.tar.gz", Kind::Archive),
            ("movie.MKV", Kind::Video),
            ("mp3", Kind::File),
            ("", Kind::File),
            ("dot.", Kind::File),
        ];
        for (name, kind) in rows {
            assert_eq!(Kind::of_name(name), kind, "{name}");
        }
    }
}
