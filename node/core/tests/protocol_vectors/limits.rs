//! The bounds that `SECURITY.md` lists are those in the code: each stands in the file that is named above its table.

use std::collections::BTreeSet;

use crate::reader::document;

#[test]
fn the_bounds_in_the_threat_model_are_those_in_the_code() {
    let text = document("../SECURITY.md");
    let mut source = None;
    let (mut listed, mut core) = (0, BTreeSet::new());
    for line in text.lines() {
        if let Some(path) = line
            .strip_prefix("File: `")
            .and_then(|rest| rest.strip_suffix('`'))
        {
            source = Some((path, document(&format!("../{path}"))));
        } else if line.starts_with('#') {
            source = None;
        } else if let (Some((path, source)), Some((name, value))) = (&source, row(line)) {
            assert_eq!(
                constant(source, name).as_deref(),
                Some(value),
                "{name} in {path}"
            );
            listed += 1;
            if path.ends_with("node/core/src/limits.rs") {
                core.insert(name.to_owned());
            }
        }
    }
    let limits = document("../node/core/src/limits.rs");
    let names = limits
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    assert_eq!(
        core,
        names.map(str::to_owned).collect(),
        "the core's bounds are listed, all of them"
    );
    assert!(listed > core.len() + 30, "{listed}");
}

#[test]
fn values_are_computed_as_they_are_written() {
    let source = "const A: u32 = 1 << 10;\npub const B: usize = 255 * A + A + 16;\nconst C: Duration = Duration::from_secs(20);\nconst E: (u32, u32) = (120, A);\nconst F: usize = A as usize + 1;\n";
    let shown = ["A", "B", "C", "D", "E", "F"].map(|name| constant(source, name));
    assert_eq!(
        shown,
        [
            Some("1,024".into()),
            Some("262,160".into()),
            Some("20 s".into()),
            None,
            Some("120, 1,024".into()),
            Some("1,025".into())
        ]
    );
}

/// Name and value in a row of a table of constants.
fn row(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix("| `")?.split(" | ");
    Some((cells.next()?.strip_suffix('`')?, cells.next()?))
}

/// The value of a constant in a source, as people write it.
fn constant(source: &str, name: &str) -> Option<String> {
    let value = expression(source, name)?;
    let pair = value
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')')?.split_once(", "));
    if let Some((least, more)) = pair {
        let (least, more) = (number(source, least)?, number(source, more)?);
        return Some(format!("{}, {}", grouped(least), grouped(more)));
    }
    let within = |kind: &str| {
        value
            .strip_prefix(kind)?
            .strip_prefix('(')?
            .strip_suffix(')')
    };
    match (
        within("Duration::from_secs"),
        within("Duration::from_millis"),
    ) {
        (Some(seconds), _) => Some(format!("{} s", number(source, seconds)?)),
        (_, Some(millis)) => Some(format!("{} ms", number(source, millis)?)),
        _ => number(source, value).map(grouped),
    }
}

/// What a constant is said to be.
fn expression<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    let rest = &source[source.find(&format!("const {name}: "))?..];
    Some(rest.split_once(" = ")?.1.split_once(';')?.0)
}

/// The value of sums, products and shifts of numbers and of other constants in the source.
fn number(source: &str, text: &str) -> Option<u64> {
    if let Some((a, b)) = text.split_once(" + ") {
        Some(number(source, a)? + number(source, b)?)
    } else if let Some((a, b)) = text.split_once(" << ") {
        Some(number(source, a)? << number(source, b)?)
    } else if let Some((a, b)) = text.split_once(" * ") {
        Some(number(source, a)? * number(source, b)?)
    } else {
        let text = text.strip_suffix(" as usize").unwrap_or(text);
        let literal = text.replace('_', "").parse().ok();
        literal.or_else(|| number(source, expression(source, text)?))
    }
}

/// A number with a comma before every third digit from the end.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let groups = tail
        .as_bytes()
        .chunks(3)
        .map(|group| String::from_utf8_lossy(group).into_owned());
    let head = (!head.is_empty()).then(|| head.to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}
