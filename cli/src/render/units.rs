//! Numbers as people read them.

use std::time::Duration;

/// Bytes with a binary unit and three digits at most before it: `8.0 MiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64;
    let mut name = "B";
    for unit in UNITS {
        value /= 1024.0;
        name = unit;
        // What would be shown as 1024 belongs to the next unit.
        if value < 1023.5 {
            break;
        }
    }
    if value < 99.95 {
        format!("{value:.1} {name}")
    } else {
        format!("{value:.0} {name}")
    }
}

/// A count with its thousands apart: `40,000`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// [`count()`] of things: `1 chunk`, `2 chunks`, `3 entries`.
#[must_use]
pub fn of(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A time in its two largest units: `3 h 12 min`.
#[must_use]
pub fn seconds(s: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match s {
        0..MINUTE => format!("{s} s"),
        MINUTE..HOUR => format!("{} min {} s", s / MINUTE, s % MINUTE),
        HOUR..DAY => format!("{} h {} min", s / HOUR, s % HOUR / MINUTE),
        _ => format!("{} d {} h", s / DAY, s % DAY / HOUR),
    }
}

/// A short time with one decimal: `0.4 s`.
#[must_use]
pub fn short(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// An age in days: `today`, `1 day`, `12 days`.
#[must_use]
pub fn age(days: u32) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "1 day".to_owned(),
        _ => format!("{days} days"),
    }
}

/// A share as a percentage without decimals; nothing of nothing is 0.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    format!("{:.0} %", part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_largest_unit_that_fits() {
        for (n, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (8 << 20, "8.0 MiB"),
            ((100 << 20) - 1, "100 MiB"),
            ((1 << 30) - 1, "1.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn counts_and_times_read_well() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(of(1, "entry", "entries"), "1 entry");
        assert_eq!(of(0, "entry", "entries"), "0 entries");
        assert_eq!(seconds(59), "59 s");
        assert_eq!(seconds(11_520), "3 h 12 min");
        assert_eq!(seconds(90_000), "1 d 1 h");
        assert_eq!((age(0), age(1)), ("today".to_owned(), "1 day".to_owned()));
        assert_eq!(
            (percent(1, 8), percent(1, 0)),
            ("12 %".to_owned(), "0 %".to_owned())
        );
    }
}
