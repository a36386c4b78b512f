//! The story of a demo.

use std::io::{self, Write};
use std::time::Duration;

use oboro_node::api::HOPS_FULL;

use super::table::{Side, Table};
use super::{Page, safe, units};
use crate::data::{DemoFile, DemoNode, DemoReport};

/// A title in the story is cut to this many columns on a terminal.
const TITLE_WIDTH: usize = 60;

/// Writes it.
///
/// # Errors
/// The writer's.
pub fn write(report: &DemoReport, out: &mut dyn Write, page: Page) -> io::Result<()> {
    let nodes = report.nodes.len();
    writeln!(
        out,
        "{nodes} nodes on this machine knew each other after {}.",
        seconds(report.joined_s)
    )?;
    for file in &report.files {
        story(file, out, page)?;
    }
    writeln!(out)?;
    table(&report.nodes).write(out)?;
    writeln!(
        out,
        "Circuits and cells: relayed for others. Served and held: chunks of 32 KiB. Share: of all chunks of the files."
    )?;
    writeln!(out)?;
    verdict(report, out)
}

fn story(file: &DemoFile, out: &mut dyn Write, page: Page) -> io::Result<()> {
    let title = match page.width {
        Some(_) => safe::cut(&file.title, TITLE_WIDTH),
        None => safe::line(&file.title),
    };
    let words = safe::line(&file.words.join(" "));
    writeln!(out)?;
    writeln!(out, "  {title} ({})", units::bytes(file.bytes))?;
    let publish = rate(file.bytes, file.publish_s);
    writeln!(
        out,
        "    published at node 1 in {}{publish}",
        seconds(file.publish_s)
    )?;
    writeln!(
        out,
        "    found by \"{words}\" in {}",
        seconds(file.search_s)
    )?;
    let fetch = rate(file.bytes, file.fetch_s);
    writeln!(out, "    fetched in {}{fetch}", seconds(file.fetch_s))?;
    let hops = units::of(u64::from(file.hops), "hop", "hops");
    let relays = if file.hops >= HOPS_FULL {
        ": guard, middle and exit between who asks and who stores"
    } else {
        ""
    };
    writeln!(out, "    each over {hops}{relays}")?;
    let same = if file.published_digest == file.fetched_digest {
        "equal, byte for byte"
    } else {
        "DIFFERENT"
    };
    let digest: String = file.fetched_digest.chars().take(16).collect();
    writeln!(out, "    BLAKE2b {digest}…: {same}")
}

fn table(nodes: &[DemoNode]) -> Table {
    let mut table = Table::new(&[
        ("node", Side::Right),
        ("", Side::Left),
        ("in", Side::Right),
        ("out", Side::Right),
        ("circuits", Side::Right),
        ("cells", Side::Right),
        ("streams", Side::Right),
        ("queries", Side::Right),
        ("served", Side::Right),
        ("held", Side::Right),
        ("share", Side::Right),
        ("could read", Side::Right),
    ]);
    for node in nodes {
        let stats = &node.stats;
        let classes = &stats.classes;
        let all = [
            &classes.own,
            &classes.relay,
            &classes.storage,
            &classes.control,
        ];
        table.row([
            node.n.to_string(),
            node.role.to_owned(),
            units::bytes(all.iter().map(|class| class.bytes_in).sum()),
            units::bytes(all.iter().map(|class| class.bytes_out).sum()),
            units::count(stats.circuits.relayed),
            units::count(stats.circuits.cells_relayed),
            units::count(stats.streams.accepted),
            units::count(stats.served.queries),
            units::count(stats.served.chunks),
            units::count(stats.cache.chunks),
            format!("{:.0} %", node.held * 100.0),
            if node.readable == 0 {
                "nothing".to_owned()
            } else {
                units::of(node.readable, "piece", "pieces")
            },
        ]);
    }
    table
}

fn verdict(report: &DemoReport, out: &mut dyn Write) -> io::Result<()> {
    let scanned: u64 = report.nodes.iter().map(|node| node.scanned_bytes).sum();
    let readable: u64 = report.nodes.iter().map(|node| node.readable).sum();
    let scanned = units::bytes(scanned);
    if readable == 0 {
        writeln!(
            out,
            "Searched {scanned} of the nodes' disks: no title, word, URN or piece of content in the clear."
        )?;
    } else {
        writeln!(
            out,
            "Searched {scanned} of the nodes' disks: CONTENT IN THE CLEAR was found."
        )?;
    }
    if let Some(kept) = &report.kept {
        writeln!(
            out,
            "The nodes' homes are kept in {}",
            safe::line(&kept.to_string_lossy())
        )?;
    }
    writeln!(out, "{}", safe::line(&report.anonymity))
}

fn seconds(s: f64) -> String {
    units::short(Duration::try_from_secs_f64(s).unwrap_or_default())
}

/// A speed in brackets, for times that are long enough to mean something.
fn rate(bytes: u64, s: f64) -> String {
    if s < 0.01 {
        return String::new();
    }
    format!(" ({}/s)", units::bytes((bytes as f64 / s) as u64))
}
