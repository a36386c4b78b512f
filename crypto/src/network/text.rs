//! A network as text, for people to read, keep and hand on: `key = value` lines, a subset of TOML.
//!
//! Promises: every entry exactly once, none unknown, none missing; an error names the line.
//!
//! Does not know: files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use data_encoding::HEXLOWER;

use super::{Cost, Network, NetworkError, Params};
use crate::secret::Secret;

/// Most bytes of text taken: five times what a network needs, comments included.
const TEXT_MAX: usize = 8 * 1024;
const VERSION: u16 = 1;

const KEYS: [&str; 16] = [
    "version",
    "name",
    "hops",
    "replicas",
    "chunk_bytes",
    "id_memory_kib",
    "id_passes",
    "id_lanes",
    "keyword_memory_kib",
    "keyword_passes",
    "keyword_lanes",
    "put_work_bits",
    "entry_work_bits",
    "entry_days",
    "local",
    "secret",
];

impl Network {
    /// The text form, secret included.
    #[must_use]
    pub fn to_text(&self) -> String {
        let p = &self.params;
        let mut out =
            String::from("# An Oboro network. All its nodes need exactly these values.\n");
        let mut line = |key: &str, value: &dyn core::fmt::Display| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{key} = {value}");
        };
        line("version", &VERSION);
        line("name", &format_args!("\"{}\"", self.name));
        line("hops", &p.hops);
        line("replicas", &p.replicas);
        line("chunk_bytes", &p.chunk);
        for (prefix, cost) in [("id", p.id_cost), ("keyword", p.keyword_cost)] {
            line(&format!("{prefix}_memory_kib"), &cost.memory_kib);
            line(&format!("{prefix}_passes"), &cost.passes);
            line(&format!("{prefix}_lanes"), &cost.lanes);
        }
        line("put_work_bits", &p.put_work);
        line("entry_work_bits", &p.entry_work);
        line("entry_days", &p.entry_days);
        line("local", &p.local);
        if let Some(secret) = &self.secret {
            out.push_str("# Whoever knows this secret can take part in the network.\n");
            let _ = writeln!(out, "secret = \"{}\"", HEXLOWER.encode(secret.expose()));
        }
        out
    }

    /// The network a text describes.
    pub fn from_text(text: &str) -> Result<Self, NetworkError> {
        let entries = Entries::parse(text)?;
        let version = entries.number("version")?;
        if version != VERSION {
            return Err(NetworkError::NewerVersion(version));
        }
        let params = Params {
            hops: entries.number("hops")?,
            replicas: entries.number("replicas")?,
            chunk: entries.number("chunk_bytes")?,
            id_cost: Cost {
                memory_kib: entries.number("id_memory_kib")?,
                passes: entries.number("id_passes")?,
                lanes: entries.number("id_lanes")?,
            },
            keyword_cost: Cost {
                memory_kib: entries.number("keyword_memory_kib")?,
                passes: entries.number("keyword_passes")?,
                lanes: entries.number("keyword_lanes")?,
            },
            put_work: entries.number("put_work_bits")?,
            entry_work: entries.number("entry_work_bits")?,
            entry_days: entries.number("entry_days")?,
            local: entries.parse_as("local", "expected true or false", |value| {
                value.parse().ok()
            })?,
        };
        let secret = match entries.0.contains_key("secret") {
            true => Some(entries.parse_as(
                "secret",
                "a secret is 64 lower-case hexadecimal digits in quotes",
                secret,
            )?),
            false => None,
        };
        Self::new(
            entries.parse_as("name", "expected text in quotes", unquote)?,
            params,
            secret,
        )
    }
}

/// Line number and raw value of each entry.
struct Entries<'a>(BTreeMap<&'static str, (usize, &'a str)>);

impl<'a> Entries<'a> {
    fn parse(text: &'a str) -> Result<Self, NetworkError> {
        if text.len() > TEXT_MAX {
            return Err(NetworkError::Line {
                line: 1,
                problem: "the text is too long for a network",
            });
        }
        let mut entries = BTreeMap::new();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let problem = |problem| NetworkError::Line { line, problem };
            let (key, value) = content
                .split_once('=')
                .ok_or(problem("expected `key = value`"))?;
            let known = KEYS.into_iter().find(|known| *known == key.trim());
            let key = known.ok_or(problem("this Oboro does not know that entry"))?;
            if entries.insert(key, (line, value.trim())).is_some() {
                return Err(problem("this entry occurs twice"));
            }
        }
        Ok(Self(entries))
    }

    fn parse_as<T>(
        &self,
        key: &'static str,
        problem: &'static str,
        parse: impl Fn(&'a str) -> Option<T>,
    ) -> Result<T, NetworkError> {
        let (line, value) = *self.0.get(key).ok_or(NetworkError::Missing(key))?;
        parse(value).ok_or(NetworkError::Line { line, problem })
    }

    fn number<T: TryFrom<u64>>(&self, key: &'static str) -> Result<T, NetworkError> {
        self.parse_as(
            key,
            "expected a number in decimal digits, within its bounds",
            |value| {
                // `u64::from_str` also takes a leading plus sign, TOML but no network has one.
                let digits = value.bytes().all(|b| b.is_ascii_digit());
                digits
                    .then(|| value.parse().ok())
                    .flatten()
                    .and_then(|number: u64| T::try_from(number).ok())
            },
        )
    }
}

fn unquote(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

fn secret(value: &str) -> Option<Secret<32>> {
    let bytes = HEXLOWER.decode(unquote(value)?.as_bytes()).ok()?;
    Some(Secret::from_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::bytes::tests::any_network;
    use super::*;
    use proptest::prelude::*;

    const PUBLIC: &str = "\
# An Oboro network. All its nodes need exactly these values.
version = 1
name = \"oboro\"
hops = 3
replicas = 4
chunk_bytes = 32768
id_memory_kib = 65536
id_passes = 3
id_lanes = 1
keyword_memory_kib = 65536
keyword_passes = 1
keyword_lanes = 1
put_work_bits = 10
entry_work_bits = 16
entry_days = 30
local = false
";

    fn error(text: &str) -> String {
        Network::from_text(text)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn the_public_network_has_a_fixed_text() {
        assert_eq!(Network::public().to_text(), PUBLIC);
        assert_eq!(
            Network::from_text(PUBLIC).unwrap().id(),
            Network::public().id()
        );
    }

    #[test]
    fn spaces_blank_lines_and_comments_do_not_matter() {
        let loose = PUBLIC.replace(" = ", "=").replace('\n', "\r\n\n  # c\n   ");
        assert_eq!(
            Network::from_text(&loose).unwrap().id(),
            Network::public().id()
        );
    }

    #[test]
    fn errors_name_the_line_or_the_entry() {
        assert_eq!(
            error(&PUBLIC.replace("hops = 3", "hops 3")),
            "line 4: expected `key = value`"
        );
        assert_eq!(
            error(&PUBLIC.replace("hops", "hop")),
            "line 4: this Oboro does not know that entry"
        );
        assert_eq!(
            error(&PUBLIC.replace("replicas = 4", "hops = 3")),
            "line 5: this entry occurs twice"
        );
        assert_eq!(
            error(&PUBLIC.replace("hops = 3\n", "")),
            "the entry `hops` is missing"
        );
        assert_eq!(
            error(&PUBLIC.replace("hops = 3", "hops = 2")),
            "hops must be 3, or 0 to 3 on a local network"
        );
        assert!(error(&PUBLIC.replace("version = 1", "version = 2")).contains("version 2"));
        assert!(error(&"#\n".repeat(5000)).contains("too long"));
    }

    #[test]
    fn values_have_one_spelling() {
        for (from, to) in [
            ("hops = 3", "hops = +3"),
            ("hops = 3", "hops = 0x3"),
            ("hops = 3", "hops ="),
            ("hops = 3", "hops = 300"),
            ("local = false", "local = no"),
            ("\"oboro\"", "oboro"),
            ("\"oboro\"", "\""),
            ("local = false", "local = false\nsecret = \"00\""),
        ] {
            assert!(
                error(&PUBLIC.replace(from, to)).starts_with("line "),
                "{to}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_was_written_reads_as_the_same(network in any_network()) {
            prop_assert_eq!(Network::from_text(&network.to_text()).unwrap().id(), network.id());
        }

        #[test]
        fn damaged_text_never_panics_and_what_it_still_says_is_a_network(network in any_network(), at: prop::sample::Index, byte in 0x20u8..0x7f) {
            let mut bytes = network.to_text().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(text) = String::from_utf8(bytes)
                && let Ok(read) = Network::from_text(&text)
            {
                prop_assert_eq!(Network::decode(&read.encode()).unwrap().id(), read.id());
            }
        }

        #[test]
        fn arbitrary_text_is_refused(text in "\\PC{0,80}") {
            prop_assert!(Network::from_text(&text).is_err());
        }
    }
}
