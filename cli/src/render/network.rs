//! What the network says: search results and neighbours.

use std::io::{self, Write};

use oboro_node::api::{Direction, Peer, PeerState, SearchResults};

use super::table::{Side, Table};
use super::{Page, safe, units};

/// A title is cut to no fewer columns, however narrow the terminal.
const TITLE_MIN: usize = 16;

/// The column of the title in the table of results.
const TITLE: usize = 1;

/// Writes search results, numbered as `fetch` counts them.
///
/// # Errors
/// The writer's.
pub fn found(results: &SearchResults, out: &mut dyn Write, page: Page) -> io::Result<()> {
    let mut table = results_table(results, |_| String::new());
    let room = page.width.map(|width| {
        width
            .saturating_sub(table.width_without(TITLE))
            .max(TITLE_MIN)
    });
    table = results_table(results, |title| match room {
        Some(room) => safe::cut(title, room),
        None => safe::line(title),
    });
    table.write(out)
}

fn results_table(results: &SearchResults, title: impl Fn(&str) -> String) -> Table {
    let mut table = Table::new(&[
        ("#", Side::Right),
        ("title", Side::Left),
        ("size", Side::Right),
        ("type", Side::Left),
        ("age", Side::Right),
        ("publishers", Side::Right),
    ]);
    for hit in &results.hits {
        table.row([
            hit.n.to_string(),
            title(&hit.title),
            units::bytes(hit.size),
            safe::line(&hit.kind),
            units::age(hit.age_days),
            units::count(u64::from(hit.publishers)),
        ]);
    }
    table
}

/// Writes the neighbours.
///
/// # Errors
/// The writer's.
pub fn peers(peers: &[Peer], out: &mut dyn Write) -> io::Result<()> {
    if peers.is_empty() {
        return writeln!(out, "No links, and nobody to dial: oboro join INVITE");
    }
    let mut table = Table::new(&[
        ("node", Side::Left),
        ("state", Side::Left),
        ("opened", Side::Left),
        ("address", Side::Left),
        ("rtt", Side::Right),
        ("in", Side::Right),
        ("out", Side::Right),
        ("for", Side::Right),
        ("roles", Side::Left),
    ]);
    for peer in peers {
        table.row([
            safe::line(&peer.id_short),
            state(peer.state).to_owned(),
            opened(peer.direction).to_owned(),
            safe::line(peer.address.as_deref().unwrap_or("-")),
            peer.rtt_ms
                .map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
            units::bytes(peer.bytes_in),
            units::bytes(peer.bytes_out),
            units::seconds(peer.age_s),
            safe::line(&peer.roles.join(", ")),
        ]);
    }
    table.write(out)
}

fn state(state: PeerState) -> &'static str {
    match state {
        PeerState::Dialing => "dialing",
        PeerState::Linked => "linked",
        PeerState::Waiting => "waiting to dial again",
    }
}

fn opened(direction: Direction) -> &'static str {
    match direction {
        Direction::Incoming => "by them",
        Direction::Outgoing => "by us",
    }
}

#[cfg(test)]
mod tests {
    use oboro_node::api::SearchHit;

    use super::*;

    fn results(title: &str) -> SearchResults {
        SearchResults {
            hits: vec![SearchHit {
                n: 1,
                title: title.to_owned(),
                size: 8 << 20,
                kind: "file".to_owned(),
                age_days: 0,
                publishers: 1,
                replicas: 4,
                urn: String::new(),
                terms_matched: 1,
            }],
            complete: true,
            asked: 4,
            answered: 4,
            note: None,
            route: None,
        }
    }

    fn written(title: &str, width: Option<usize>) -> String {
        let mut out = Vec::new();
        found(&results(title), &mut out, Page { width }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn results_line_up_under_their_head() {
        let expected = "\
#  title      size  type    age  publishers
1  朧月夜  8.0 MiB  file  today           1
";
        assert_eq!(written("朧月夜", None), expected);
    }

    #[test]
    fn a_long_title_is_cut_to_the_terminal_and_not_for_a_pipe() {
        let long = "朧".repeat(100);
        assert!(written(&long, None).contains(&long));
        let cut = written(&long, Some(80));
        assert!(cut.contains('…'));
        assert!(
            cut.lines()
                .all(|line| unicode_width::UnicodeWidthStr::width(line) <= 80),
            "{cut}"
        );
    }

    #[test]
    fn a_title_can_not_forge_a_line() {
        let text = written("a\n2  b  1 B\x1b[1A", None);
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains('\x1b'));
    }
}
