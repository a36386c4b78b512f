//! Relay statistics as text.

use std::collections::BTreeMap;
use std::io::{self, Write};

use oboro_node::api::{Latency, Stats};

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
    circuits(stats, out)?;
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
    let u = &stats.upkept;
    let what = [
        (u.handed_over, "handed over"),
        (u.repaired, "repaired"),
        (u.entries, "entries"),
        (u.failed, "failed"),
    ];
    with_bytes(out, "upkeep", &what, u.bytes)?;
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
    if let Some(times) = times(&stats.latency) {
        line(out, "answers", &times)?;
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

/// Own circuits and what was done for others'. Nothing here says who they are.
fn circuits(stats: &Stats, out: &mut dyn Write) -> io::Result<()> {
    let c = &stats.circuits;
    let failed = c
        .failures
        .values()
        .fold(0, |sum: u64, n| sum.saturating_add(*n));
    let own = [
        (c.built, "built"),
        (failed, "failed"),
        (c.cells_in, "cells in"),
        (c.cells_out, "cells out"),
    ];
    row(out, "circuits", &own)?;
    for (cause, n) in &c.failures {
        let text = format!("{} {}", units::count(*n), safe::line(cause));
        line(out, "", &text)?;
    }
    if let Some(times) = times(&c.build_time) {
        line(out, "", &format!("built in {times}"))?;
    }
    let relayed = [
        (c.relayed_now, "circuits now"),
        (c.relayed, "in all"),
        (c.refused, "refused"),
        (c.cells_relayed, "cells"),
        (c.exit_streams, "exit streams"),
    ];
    row(out, "relayed", &relayed)
}

fn times(latency: &Latency) -> Option<String> {
    let (median, p95) = (latency.median_ms?, latency.p95_ms?);
    Some(format!("median {median} ms, 95 of 100 within {p95} ms"))
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
    fn circuits_are_counted_by_cause_and_timed() {
        let mut stats = Stats::default();
        let circuits = &mut stats.circuits;
        (circuits.built, circuits.relayed_now, circuits.relayed) = (12, 3, 40);
        circuits.cells_relayed = 12_000;
        circuits.failures.insert("guard: no answer".into(), 2);
        circuits.failures.insert("torn down".into(), 1);
        circuits.build_time.median_ms = Some(8);
        circuits.build_time.p95_ms = Some(64);
        let mut out = Vec::new();
        write(&stats, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = "  circuits 12 built, 3 failed, 0 cells in, 0 cells out
           2 guard: no answer
           1 torn down
           built in median 8 ms, 95 of 100 within 64 ms
  relayed  3 circuits now, 40 in all, 0 refused, 12,000 cells, 0 exit streams
";
        assert!(text.contains(expected), "{text}");
    }

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
