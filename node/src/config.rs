//! What a node is told by its operator, and the file `config.toml` in its home that says it permanently.
//!
//! No file is needed. What the file does not name keeps its default; a name it should not hold is an error. The node
//! never writes the file; [`NodeConfig::save`] is for `oboro init`.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use oboro_crypto::network::Network;
use oboro_crypto::secret::SecretBytes;
use serde::{Deserialize, Serialize};

use crate::api::{Code, Failure};
use crate::fault;
use crate::home::atomic;

/// The file's name in the home.
pub const FILE: &str = "config.toml";

/// Largest file read in bytes: a page of settings and a generous amount of comments.
const FILE_MAX: u64 = 64 * 1024;

/// Disk for the cache when nothing is said, in bytes: room for some thousand files of others.
pub const QUOTA_DEFAULT: u64 = 10 << 30;

/// Addresses listened on at the most: more than the descriptor can name is a mistake.
const LISTEN_MAX: usize = 8;

/// Everything an operator decides about one node.
pub struct NodeConfig {
    /// The state directory; made if it is absent.
    pub home: PathBuf,
    /// The network to belong to; `None`: the home's, else the public one. A home never changes its network.
    pub network: Option<Network>,
    /// Where to listen. Empty: on all addresses, unless unlisted. Port 0: one chosen at the first start and kept.
    pub listen: Vec<SocketAddr>,
    /// Use the network without being in its list.
    pub unlisted: bool,
    /// Keep extents and entries for others.
    pub storage: bool,
    /// Bytes the cache directory may grow to.
    pub quota: u64,
    /// Opens or first seals the key file.
    pub passphrase: Option<SecretBytes>,
}

impl NodeConfig {
    /// The defaults for a home, without looking at its file.
    #[must_use]
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            network: None,
            listen: Vec::new(),
            unlisted: false,
            storage: true,
            quota: QUOTA_DEFAULT,
            passphrase: None,
        }
    }

    /// The defaults, overridden by the home's `config.toml` if there is one.
    ///
    /// # Errors
    /// [`Code::BadInput`] if the file can't be understood, [`Code::Failed`] if it can't be read.
    pub fn load(home: impl Into<PathBuf>) -> Result<Self, Failure> {
        let mut config = Self::new(home);
        let path = config.home.join(FILE);
        if let Some(text) = read(&path)? {
            let file: File =
                toml::from_str(&text).map_err(|error| not_understood(&path, &error))?;
            file.apply(&mut config);
            config.check()?;
        }
        Ok(config)
    }

    /// Writes what the operator decided into the home's `config.toml`. The home must exist.
    ///
    /// # Errors
    /// [`Code::Exists`] if there is such a file: it may hold comments. [`Code::Failed`] if it can't be written.
    pub fn save(&self) -> Result<(), Failure> {
        self.check()?;
        let path = self.home.join(FILE);
        if path.exists() {
            let message = format!("{} exists already", path.display());
            return Err(Failure::new(Code::Exists, message).hint("edit it, or remove it first"));
        }
        let text = toml::to_string(&File::of(self))
            .map_err(|error| Failure::new(Code::Failed, error.to_string()))?;
        atomic::write(&path, text.as_bytes()).map_err(|error| fault::io("write", &path, &error))
    }

    /// What no file and no option may ask for.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.listen.len() > LISTEN_MAX {
            let message = format!("a node listens on at most {LISTEN_MAX} addresses");
            return Err(Failure::new(Code::Usage, message));
        }
        Ok(())
    }
}

impl fmt::Debug for NodeConfig {
    /// Addresses and the passphrase stay out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeConfig(..)")
    }
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<Vec<SocketAddr>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unlisted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<Size>,
}

impl File {
    fn of(config: &NodeConfig) -> Self {
        let default = NodeConfig::new(PathBuf::new());
        Self {
            listen: (!config.listen.is_empty()).then(|| config.listen.clone()),
            unlisted: (config.unlisted != default.unlisted).then_some(config.unlisted),
            storage: (config.storage != default.storage).then_some(config.storage),
            quota: (config.quota != default.quota).then_some(Size(config.quota)),
        }
    }

    fn apply(self, config: &mut NodeConfig) {
        let Self {
            listen,
            unlisted,
            storage,
            quota,
        } = self;
        config.listen = listen.unwrap_or_default();
        config.unlisted = unlisted.unwrap_or(config.unlisted);
        config.storage = storage.unwrap_or(config.storage);
        config.quota = quota.map_or(config.quota, |size| size.0);
    }
}

/// Bytes, as a number or as text with a binary unit: `"20 GiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SizeText", into = "String")]
struct Size(u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum SizeText {
    Bytes(u64),
    Text(String),
}

impl TryFrom<SizeText> for Size {
    type Error = String;

    fn try_from(text: SizeText) -> Result<Self, String> {
        match text {
            SizeText::Bytes(bytes) => Ok(Self(bytes)),
            SizeText::Text(text) => parse_size(&text)
                .map(Self)
                .ok_or_else(|| format!("{text:?} is no size: write for example \"20 GiB\"")),
        }
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        let unit = UNITS
            .iter()
            .rev()
            .find(|(_, bytes)| size.0.is_multiple_of(*bytes) && size.0 > 0);
        unit.map_or_else(
            || format!("{} B", size.0),
            |(name, bytes)| format!("{} {name}", size.0 / bytes),
        )
    }
}

const UNITS: [(&str, u64); 5] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads a size such as `512 MiB`, `10GiB` or `4096`, in bytes.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = if unit.is_empty() { "B" } else { unit.trim() };
    let (_, bytes) = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.parse::<u64>().ok()?.checked_mul(*bytes)
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    let bytes = match atomic::read(path, FILE_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault::io("read", path, &error)),
    };
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|error| not_understood(path, &error))
}

fn not_understood(path: &Path, error: &dyn fmt::Display) -> Failure {
    let error = error.to_string();
    Failure::new(
        Code::BadInput,
        format!("{}: {}", path.display(), error.trim_end()),
    )
    .hint("correct the file, or remove it to run with the defaults")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn home_with(text: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(FILE), text).unwrap();
        home
    }

    #[test]
    fn no_file_means_the_defaults() {
        let home = tempfile::tempdir().unwrap();
        let config = NodeConfig::load(home.path()).unwrap();
        assert!(config.listen.is_empty() && !config.unlisted && config.storage);
        assert_eq!(config.quota, QUOTA_DEFAULT);
    }

    #[test]
    fn a_file_overrides_what_it_names_and_nothing_else() {
        let home =
            home_with("quota = \"512 MiB\"\nlisten = [\"127.0.0.1:4000\", \"[::1]:4000\"]\n");
        let config = NodeConfig::load(home.path()).unwrap();
        assert_eq!((config.quota, config.listen.len()), (512 << 20, 2));
        assert!(!config.unlisted && config.storage);
    }

    #[test]
    fn a_misspelt_name_is_an_error_that_names_the_line() {
        let failure = NodeConfig::load(home_with("unlsted = true\n").path()).unwrap_err();
        assert_eq!(failure.code, Code::BadInput);
        assert!(failure.message.contains("unlsted"), "{}", failure.message);
    }

    #[test]
    fn a_file_that_is_not_text_is_an_error() {
        let home = home_with("");
        std::fs::write(home.path().join(FILE), [0xff, 0xfe]).unwrap();
        assert_eq!(
            NodeConfig::load(home.path()).unwrap_err().code,
            Code::BadInput
        );
    }

    #[test]
    fn what_is_saved_is_loaded_and_never_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let mut config = NodeConfig::new(home.path());
        config.listen = vec!["0.0.0.0:9000".parse().unwrap()];
        config.unlisted = true;
        config.quota = 3 << 30;
        config.save().unwrap();
        let loaded = NodeConfig::load(home.path()).unwrap();
        assert_eq!(
            (loaded.listen, loaded.unlisted, loaded.quota),
            (config.listen.clone(), true, 3 << 30)
        );
        assert_eq!(config.save().unwrap_err().code, Code::Exists);
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("10GiB"), Some(10 << 30));
        assert_eq!(parse_size(" 7 kib "), Some(7 << 10));
        assert_eq!(parse_size("4096"), Some(4096));
        for wrong in ["", "GiB", "1 GB", "-1", "1.5 GiB", "99999999999 TiB"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_size_reads_back(bytes: u64) {
            prop_assert_eq!(parse_size(&String::from(Size(bytes))), Some(bytes));
        }

        #[test]
        fn no_text_panics_the_size_reader(text in "\\PC{0,20}") {
            let _ = parse_size(&text);
        }
    }
}
