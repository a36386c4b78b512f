//! Attackers as they are used: what must fail fails, and what must succeed does, so that the measures can tell.

use oboro_sim::{Report, Scenario, World, attacks};

fn run(text: &str) -> Report {
    World::run(Scenario::parse(text).unwrap())
}

fn value(report: &Report, name: &str) -> f64 {
    let measured = report.measured.get(name);
    measured.unwrap_or_else(|| panic!("{name}: {report}")).value
}

#[test]
fn ids_made_for_a_file_take_it_away_and_nothing_else() {
    let report = run(
        "nodes = 20\nminutes = 40\nwork = { files = 1, kib = 60, fetches_per_minute = 4, searches_per_minute = 2 }\nat = [{ minute = 8, what = { sybil = { ids = 20000, listed = 60, networks = 12, target = \"file\" } } }]",
    );
    assert_eq!(
        value(&report, "eclipse: locations of which all are his"),
        8.0
    );
    assert_eq!(value(&report, "eclipse: fetched before"), 1.0);
    assert_eq!(value(&report, "eclipse: fetched after"), 0.0);
    assert_eq!(value(&report, "eclipse: found after"), 1.0);
}

#[test]
fn ids_of_one_range_of_addresses_are_not_believed_beyond_its_share() {
    let report = run(
        "nodes = 20\nminutes = 20\nwork = { files = 1, kib = 60 }\nat = [{ minute = 5, what = { sybil = { ids = 5000, listed = 40, networks = 1, target = \"file\" } } }]",
    );
    let listed = value(&report, "eclipse: ids listed");
    let believed = value(&report, "eclipse: ids in views, in the mean");
    assert!(listed > 8.0, "{report}");
    assert!(believed < listed, "{report}");
}

#[test]
fn who_watches_all_lines_names_most_clients() {
    let report = run(
        "nodes = 30\nminutes = 12\nwatched = 1.0\nwork = { files = 8, fetches_per_minute = 10 }",
    );
    assert!(value(&report, "watch: AUC") > 0.9, "{report}");
    // Fetches that overlap hide each other.
    let named = "watch: clients named of those seen at both ends";
    assert!(value(&report, named) > 0.7, "{report}");
}

#[test]
fn a_crawler_finds_holders_where_any_view_puts_them_and_no_publisher() {
    let report = run(
        "nodes = 30\nminutes = 12\nhostile = [{ kind = \"crawler\", share = 0.1 }]\nwork = { files = 15, publish_every_secs = 10, kib = 60, fetches_per_minute = 10 }",
    );
    assert_eq!(value(&report, "crawl: holders that any view tells"), 1.0);
    assert!(value(&report, "crawl: publishers named by extents") < 0.1);
}

#[test]
fn every_published_attack_fails_here_and_succeeds_against_its_ancestor() {
    let (table, right) = attacks::table(1, None).unwrap();
    assert!(right, "{table}");
}
