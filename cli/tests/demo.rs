//! The first thing a new user runs.

mod common;

use common::{Place, piped, send, until, wait};
use rustix::process::Signal;

#[test]
fn a_demo_with_a_file_of_ones_own_is_equal_and_unreadable() {
    let place = Place::new();
    let content: String = (0..60_000).map(|i| format!("line {i}\n")).collect();
    place.write("moonlight over 東京.txt", &content);
    let data = place
        .run(&["demo", "moonlight over 東京.txt", "--nodes", "5", "--json"])
        .data();
    assert_eq!(data["equal"], true);
    let file = &data["files"][0];
    assert_eq!(
        (&file["bytes"], &file["published_digest"]),
        (&content.len().into(), &file["fetched_digest"])
    );
    assert_eq!(file["hops"], 3);
    assert_eq!(data["nodes"].as_array().unwrap().len(), 5);
    let held: f64 = data["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["held"].as_f64().unwrap())
        .sum();
    assert!(
        held >= 1.0,
        "all of the file must be held somewhere: {held}"
    );
    for node in data["nodes"].as_array().unwrap() {
        let circuits = &node["stats"]["circuits"];
        assert!(circuits["cells_relayed"].is_u64() && circuits["relayed"].is_u64());
    }
}

#[test]
fn a_demo_tells_its_story_and_cleans_up() {
    let place = Place::new();
    let temporary = place.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut command = place.command(["demo", "--nodes", "5"]);
    let output = command.env("TMPDIR", &temporary).output().unwrap();
    let ran = common::Ran::of(output).expect(0);
    for part in [
        "5 nodes",
        "朧月夜",
        "equal, byte for byte",
        "nothing",
        "each over 3 hops: guard, middle and exit",
        "3 hops · guard new today",
        "Circuits and cells: relayed for others",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn an_interrupted_demo_cleans_up_too() {
    let place = Place::new();
    let temporary = place.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut child = piped(place.command(["demo"]).env("TMPDIR", &temporary));
    until("the nodes start", || {
        std::fs::read_dir(&temporary).unwrap().count() > 0
    });
    send(Signal::INT, &child);
    assert_eq!(wait(&mut child).code(), Some(130));
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn a_demo_keeps_the_homes_when_asked() {
    let place = Place::new();
    place.write("f.txt", "a small file");
    let data = place
        .run(&["demo", "f.txt", "--nodes", "5", "--keep", "--json"])
        .data();
    let kept = std::path::PathBuf::from(data["kept"].as_str().unwrap());
    assert!(kept.join("node-1").is_dir());
    std::fs::remove_dir_all(kept).unwrap();
}

#[test]
fn a_demo_of_a_file_that_is_not_there_starts_nothing() {
    let ran = Place::new().run(&["demo", "absent"]).expect(1);
    assert!(
        ran.stderr.contains("absent") && !ran.stderr.contains("Starting"),
        "{}",
        ran.stderr
    );
}
