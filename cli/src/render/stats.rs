//! Relay statistics as text.

use std::collections::BTreeMap;
use std::io::{self, Write};

use oboro_node::api::Stats;

use super::table::{Side, Table};
use super::{safe, units};

/// Writes them.
///
/// # Errors
/// The writer's.
pub fn write(stats: &Stats, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "In {}", units::seconds(stats.uptime_s))?;
    traffic(stats, out)?;
    writeln!(out)?;
    let s = &stats.streams;
    row(
        out,
        "streams",
        &[
            (s.opened, "opened"),
            (s.accepted, "accepted"),
            (s.active, "active"),
            (s.refused, "refused"),
            (s.failed, "failed"),
        ],
    )?;
    let s = &stats.served;
    let what = [
        (s.queries, "queries"),
        (s.entries, "entries"),
        (s.extents, "extents"),
        (s.chunks, "chunks"),
    ];
    with_bytes(out, "served", &what, s.bytes)?;
    let s = &stats.stored;
    let what = [
        (s.extents, "extents"),
        (s.chunks, "chunks"),
        (s.entries, "entries"),
    ];
    with_bytes(out, "stored", &what, s.bytes)?;
    cache(stats, out)?;
    let h = &stats.handshakes;
    row(
        out,
        "links",
        &[(h.dialed, "dialed"), (h.accepted, "accepted")],
    )?;
    causes(out, "rejected", &h.rejected)?;
    causes(out, "refusals", &stats.refusals)?;
    causes(out, "drops", &stats.drops)?;
    if let (Some(median), Some(p95)) = (stats.latency.median_ms, stats.latency.p95_ms) {
        line(
            out,
            "answers",
            &format!("median {median} ms, 95 of 100 within {p95} ms"),
        )?;
    }
    Ok(())
}

fn traffic(stats: &Stats, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        ("  traffic", Side::Left),
        ("in", Side::Right),
        ("out", Side::Right),
        ("records in", Side::Right),
        ("records out", Side::Right),
    ]);
    let classes = &stats.classes;
    for (name, class) in [
        ("  own", &classes.own),
        ("  relay", &classes.relay),
        ("  storage", &classes.storage),
        ("  control", &classes.control),
    ] {
        table.row([
            name.to_owned(),
            units::bytes(class.bytes_in),
            units::bytes(class.bytes_out),
            units::count(class.records_in),
            units::count(class.records_out),
        ]);
    }
    table.write(out)
}

fn cache(stats: &Stats, out: &mut dyn Write) -> io::Result<()> {
    let c = &stats.cache;
    let (used, quota) = (units::bytes(c.used), units::bytes(c.quota));
    let share = units::percent(c.used, c.quota);
    line(out, "cache", &format!("{used} of {quota} ({share})"))?;
    row(
        out,
        "",
        &[
            (c.chunks, "chunks"),
            (c.entries, "entries"),
            (c.evictions, "evictions"),
            (c.damaged, "damaged"),
        ],
    )?;
    let asked = c.hits.saturating_add(c.misses);
    let (hits, misses) = (units::count(c.hits), units::count(c.misses));
    let rate = units::percent(c.hits, asked);
    line(
        out,
        "",
        &format!("{hits} hits, {misses} misses ({rate} hit)"),
    )
}

fn row(out: &mut dyn Write, name: &str, counts: &[(u64, &str)]) -> io::Result<()> {
    line(out, name, &listed(counts))
}

fn with_bytes(
    out: &mut dyn Write,
    name: &str,
    counts: &[(u64, &str)],
    bytes: u64,
) -> io::Result<()> {
    line(
        out,
        name,
        &format!("{}: {}", listed(counts), units::bytes(bytes)),
    )
}

fn listed(counts: &[(u64, &str)]) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(n, what)| format!("{} {what}", units::count(*n)))
        .collect();
    parts.join(", ")
}

fn causes(out: &mut dyn Write, name: &str, causes: &BTreeMap<String, u64>) -> io::Result<()> {
    if causes.is_empty() {
        return line(out, name, "none");
    }
    for (i, (cause, n)) in causes.iter().enumerate() {
        let text = format!("{} {}", units::count(*n), safe::line(cause));
        line(out, if i == 0 { name } else { "" }, &text)?;
    }
    Ok(())
}

fn line(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {name:<8} {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_line_and_none_is_said() {
        let mut stats = Stats::default();
        stats.drops.insert("queue full".into(), 1200);
        stats.drops.insert("replay".into(), 2);
        let mut out = Vec::new();
        write(&stats, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("  refusals none\n"), "{text}");
        assert!(
            text.contains("  drops    1,200 queue full\n           2 replay\n"),
            "{text}"
        );
    }
}
