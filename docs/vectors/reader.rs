//! Reads the vectors beside this file, for the tests of every package that has some.
//!
//! A vector is a name in brackets and `field = value` lines; a field may occur several times; bytes are lower-case
//! hexadecimal; `#` begins a line that is for people.
//!
//! Promises: a vector counts as checked only when every line of it was looked at; what `protocol.md` prints stands in
//! the files, line by line.
//!
//! Does not know: what any vector means.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use data_encoding::HEXLOWER;

/// One vector.
pub struct Vector {
    /// Family, dot, case.
    pub name: String,
    lines: Vec<(String, String)>,
    seen: RefCell<BTreeSet<String>>,
}

/// Checks each vector of a family in a file; there must be one.
pub fn each(file: &str, family: &str, check: impl Fn(&Vector)) {
    let mut vectors = vectors(file);
    vectors.retain(|vector| vector.family() == family);
    assert!(!vectors.is_empty(), "{file} has no vector of {family}");
    for vector in &vectors {
        check(vector);
        for (field, _) in &vector.lines {
            let seen = vector.seen.borrow().contains(field);
            assert!(seen, "[{}] {field}: nobody checks this", vector.name);
        }
    }
}

/// The vectors of a file.
pub fn vectors(file: &str) -> Vec<Vector> {
    parse(&document(&format!("vectors/{file}")))
}

/// Compares the vectors that `protocol.md` prints with those of a file that have their names; says how many there are.
pub fn printed_from(file: &str) -> usize {
    let known = vectors(file);
    let mut found = 0;
    for vector in parse(&fenced(&document("protocol.md"))) {
        if let Some(original) = known.iter().find(|known| known.name == vector.name) {
            found += 1;
            for line in &vector.lines {
                assert!(original.lines.contains(line), "[{}] {line:?}", vector.name);
            }
        }
    }
    found
}

/// How many vectors `protocol.md` prints.
pub fn printed() -> usize {
    parse(&fenced(&document("protocol.md"))).len()
}

/// The numbers that `protocol.md` says both sides must agree on are these, as far as it names them; it must name each.
pub fn agree(numbers: &[(&str, u64)]) {
    let document = document("protocol.md");
    for (name, number) in numbers {
        let row = format!("| `{name}` | `{number}` |");
        let found = document
            .lines()
            .filter(|line| line.starts_with(&format!("| `{name}` |")));
        let found: Vec<&str> = found.collect();
        assert!(
            matches!(found.as_slice(), [line] if line.starts_with(&row)),
            "{row} {found:?}"
        );
    }
}

/// A text in the folder `docs` of the workspace.
pub fn document(name: &str) -> String {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut docs = package.ancestors().map(|folder| folder.join("docs"));
    let docs = docs.find(|docs| docs.join("vectors").is_dir());
    let path = docs.expect("the workspace has docs/vectors").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

impl Vector {
    /// The part of the name before the dot.
    pub fn family(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// All values of a field, in order.
    pub fn all(&self, field: &str) -> Vec<&str> {
        self.seen.borrow_mut().insert(field.to_owned());
        let of_field = self.lines.iter().filter(|(name, _)| name == field);
        of_field.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a field that occurs once.
    pub fn text(&self, field: &str) -> &str {
        match self.all(field).as_slice() {
            [value] => value,
            values => panic!("[{}] {field}: {} values", self.name, values.len()),
        }
    }

    /// The value as bytes.
    pub fn bytes(&self, field: &str) -> Vec<u8> {
        decode(self.text(field))
    }

    /// The value as exactly so many bytes.
    pub fn array<const N: usize>(&self, field: &str) -> [u8; N] {
        self.bytes(field).try_into().expect(field)
    }

    /// The value as a number or whatever else is written as text.
    pub fn value<T: FromStr>(&self, field: &str) -> T {
        let value = self.text(field).parse();
        value.unwrap_or_else(|_| panic!("[{}] {field} cannot be read", self.name))
    }

    /// The documented values are the computed ones.
    pub fn are(&self, field: &str, computed: &[String]) {
        assert_eq!(self.all(field), computed, "[{}] {field}", self.name);
    }

    /// The documented value is the computed one.
    pub fn is(&self, field: &str, computed: impl ToString) {
        self.are(field, &[computed.to_string()]);
    }

    /// The documented bytes are the computed ones.
    pub fn is_bytes(&self, field: &str, computed: impl AsRef<[u8]>) {
        self.is(field, hex(computed));
    }
}

/// Bytes as they are written in the files.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

/// Bytes out of how they are written in the files.
pub fn decode(text: &str) -> Vec<u8> {
    let bytes = HEXLOWER.decode(text.as_bytes());
    bytes.unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn parse(text: &str) -> Vec<Vector> {
    let mut vectors: Vec<Vector> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let (name, lines, seen) = (name.to_owned(), Vec::new(), RefCell::default());
            vectors.push(Vector { name, lines, seen });
            continue;
        }
        let (field, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
        let line = (field.trim().to_owned(), value.trim().to_owned());
        vectors
            .last_mut()
            .expect("a name comes first")
            .lines
            .push(line);
    }
    vectors
}

/// What stands in blocks that say they are vectors.
fn fenced(markdown: &str) -> String {
    let mut inside = false;
    let mut text = String::new();
    for line in markdown.lines() {
        match (inside, line.trim()) {
            (false, "```vectors") => inside = true,
            (true, "```") => inside = false,
            (true, line) => text.extend([line, "\n"]),
            (false, _) => {}
        }
    }
    text
}
