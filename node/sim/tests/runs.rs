//! The simulator as it is used: scenarios run, reports compared.

use std::process::{Command, Output};

use oboro_sim::{Report, Scenario, World};

fn scenario(text: &str) -> Scenario {
    Scenario::parse(text).unwrap()
}

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_oboro-sim"))
        .args(arguments)
        .output()
        .unwrap()
}

fn path(name: &str) -> String {
    format!("{}/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn one_seed_gives_the_same_report_byte_for_byte_in_two_processes_and_another_seed_another() {
    let churn = path("churn");
    let run = |seed: &str| {
        let arguments = [
            "run",
            &churn,
            "--json",
            "--nodes",
            "30",
            "--minutes",
            "40",
            "--seed",
            seed,
        ];
        sim(&arguments).stdout
    };
    let (one, two, other) = (run("7"), run("7"), run("8"));
    assert!(!one.is_empty());
    assert_eq!(one, two);
    assert_ne!(one, other);
    let report: Report = serde_json::from_slice(&one).unwrap();
    assert_eq!((report.seed, report.nodes, report.minutes), (7, 30, 40));
}

#[test]
fn both_fidelities_tell_the_same_story() {
    let run = |fidelity: &str| {
        let text = format!(
            "fidelity = \"{fidelity}\"\nnodes = 12\nminutes = 10\nwork = {{ files = 4, fetches_per_minute = 3 }}"
        );
        World::run(scenario(&text))
    };
    let (exact, protocol) = (run("exact"), run("protocol"));
    for report in [&exact, &protocol] {
        assert_eq!(report.fetch.share, Some(1.0), "{report}");
        assert_eq!(report.publish.share, Some(1.0), "{report}");
        assert_eq!(report.storage.replicas, 1.0, "{report}");
        assert_eq!(report.corrupt, 0);
    }
    let (exact, protocol) = (exact.traffic.records, protocol.traffic.records);
    let ratio = exact as f64 / protocol as f64;
    assert!(
        (0.8..1.25).contains(&ratio),
        "{exact} and {protocol} records"
    );
}

#[test]
fn halves_that_have_forgotten_each_other_find_each_other_again() {
    let report = World::run(scenario(
        "nodes = 20\nminutes = 460\nwork = { files = 5, fetches_per_minute = 0.2 }\nat = [{ minute = 10, what = { split = { minutes = 400 } } }]",
    ));
    assert_eq!(report.view_mean, 20.0, "{report}");
    assert_eq!(report.storage.replicas, 1.0, "{report}");
}

#[test]
fn what_poisoners_serve_reaches_nobody() {
    let report = World::run(scenario(
        "nodes = 30\nminutes = 15\nwork = { files = 8, fetches_per_minute = 10 }\nhostile = [{ kind = \"poisoner\", share = 0.3 }]",
    ));
    assert_eq!(report.corrupt, 0, "{report}");
    assert!(
        report.causes.contains_key("violated chunk_wrong"),
        "they did serve it: {report}"
    );
    assert!(report.fetch.share > Some(0.9), "{report}");
}

#[test]
fn a_miss_ends_with_one_and_what_is_no_scenario_with_two() {
    let directory = std::env::temp_dir().join(format!("oboro-sim-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let missed = file(
        "missed.toml",
        "nodes = 5\nminutes = 5\nexpect = { replicas = 1.1 }",
    );
    let output = sim(&["run", &missed]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("MISSED   replicas"));
    let wrong = file("wrong.toml", "nodes = 0");
    let output = sim(&["run", &wrong]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nodes: 1 to"));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn more_failures_or_more_records_are_worse_and_no_change_is_not() {
    let base = World::run(scenario(
        "nodes = 8\nminutes = 6\nwork = { files = 2, rest_minutes = 1 }",
    ));
    assert_eq!(base.worse_than(&base, 0.05), Vec::<String>::new());
    let mut more = base.clone();
    more.traffic.records = base.traffic.records * 106 / 100;
    assert_eq!(more.worse_than(&base, 0.05).len(), 1);
    let mut failed = base.clone();
    failed.fetch.share = Some(0.05);
    let worse = failed.worse_than(&base, 0.05);
    assert!(worse[0].starts_with("fetches done"), "{worse:?}");
}
