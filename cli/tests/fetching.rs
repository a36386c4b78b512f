//! `oboro fetch` against a node that only pretends.

mod common;

use std::io::Read;

use common::fake::{CONTENT, Fake, URN};
use common::{Place, Ran, interrupt, piped, send, until, wait};
use oboro_node::api::{Code, Failure};
use rustix::process::Signal;

#[test]
fn a_fetch_is_named_by_its_title_made_safe() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    let ran = place.run(&["fetch", "1"]).expect(0);
    let path = place.path("朧月夜_[2J.txt");
    assert_eq!(
        ran.stdout,
        format!("{}\n", path.canonicalize().unwrap().display())
    );
    assert_eq!(std::fs::read(path).unwrap(), CONTENT);
}

#[test]
fn a_fetch_by_urn_needs_no_search() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    place.run(&["fetch", URN, "-o", "out"]).expect(0);
    assert_eq!(std::fs::read(place.path("out")).unwrap(), CONTENT);
    place
        .run_with_stdin(&["fetch", "-", "-o", "out2"], format!("{URN}\n").as_bytes())
        .expect(0);
    assert_eq!(std::fs::read(place.path("out2")).unwrap(), CONTENT);
}

#[test]
fn a_fetch_to_stdout_prints_the_content_alone_and_leaves_nothing() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    let before = entries(&place);
    let ran = place.run(&["fetch", "1", "-o", "-"]).expect(0);
    assert_eq!(ran.stdout.as_bytes(), CONTENT);
    assert_eq!(entries(&place), before);
    place.run(&["fetch", "1", "-o", "-", "--json"]).expect(2);
}

fn entries(place: &Place) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = std::fs::read_dir(place.home())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    names
}

#[test]
fn a_fetch_never_replaces_a_file_unasked() {
    let place = Place::new();
    let node = Fake::default().at(&place.home());
    place.write("out", "precious");
    let ran = place.run(&["fetch", "1", "-o", "out"]).expect(1);
    assert!(
        ran.stderr.contains("exists already") && ran.stderr.contains("--force"),
        "{}",
        ran.stderr
    );
    assert_eq!(std::fs::read(place.path("out")).unwrap(), b"precious");
    assert_eq!(node.fake.calls(), Vec::<String>::new());
    place.run(&["fetch", "1", "-o", "out", "--force"]).expect(0);
    assert_eq!(std::fs::read(place.path("out")).unwrap(), CONTENT);
    assert_eq!(node.fake.calls(), ["fetch true"]);
}

#[test]
fn what_names_no_file_is_refused_before_anything_is_fetched() {
    let place = Place::new();
    let node = Fake::default().at(&place.home());
    let level_255 = format!("urn:eris:B77{}", &URN["urn:eris:B4A".len()..]);
    for (what, exit, code) in [
        ("2", 1, "no_such"),
        ("0", 1, "no_such"),
        ("-", 1, "bad_input"),
        ("one", 2, "usage"),
        ("urn:eris:short", 1, "bad_input"),
        ("URN:ERIS:", 1, "bad_input"),
        (level_255.as_str(), 1, "bad_input"),
    ] {
        let error = place.run(&["fetch", what, "--json"]).expect(exit).error();
        assert_eq!(error["code"], code, "{what}");
    }
    assert_eq!(node.fake.calls(), Vec::<String>::new());
}

#[test]
fn a_failure_of_the_node_keeps_its_exit_code_and_hint() {
    for code in [
        Code::NotJoined,
        Code::NoRoute,
        Code::TooFewRelays,
        Code::GuardAway,
        Code::NoCircuit,
        Code::Refused,
        Code::NotRetrievable,
        Code::DiskFull,
    ] {
        let place = Place::new();
        let failure = Failure::new(code, "the message").hint("the hint");
        let _node = Fake::default().refusing(failure).at(&place.home());
        let ran = place.run(&["fetch", "1"]).expect(i32::from(code.exit()));
        assert!(
            ran.stderr.ends_with("oboro: the message\n  the hint\n"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn ctrl_c_ends_the_watching_and_not_the_job() {
    let place = Place::new();
    let node = Fake::default().endless().at(&place.home());
    let mut child = piped(&mut place.command(["fetch", "1", "-o", "out"]));
    until("the job runs", || node.fake.calls() == ["fetch false"]);
    send(Signal::INT, &child);
    assert_eq!(wait(&mut child).code(), Some(130));
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!(
        ran.stderr.contains("the node goes on with job 1"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        node.fake.calls(),
        ["fetch false"],
        "the job must not be cancelled"
    );
}

#[test]
fn a_fetch_that_runs_already_is_watched_and_not_started_again() {
    let place = Place::new();
    let node = Fake::default().endless().at(&place.home());
    for _ in 0..2 {
        let mut child = piped(&mut place.command(["fetch", "1", "-o", "out"]));
        until("the job is there", || node.fake.calls() == ["fetch false"]);
        let mut stderr = child.stderr.take().unwrap();
        interrupt(&mut child);
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
    }
    assert_eq!(node.fake.calls(), ["fetch false"]);
}

#[test]
fn ctrl_c_ends_a_fetch_to_stdout_and_its_job() {
    let place = Place::new();
    let node = Fake::default().endless().at(&place.home());
    let before = entries(&place);
    let mut child = piped(&mut place.command(["fetch", "1", "-o", "-"]));
    until("the job runs", || node.fake.calls() == ["fetch false"]);
    send(Signal::INT, &child);
    assert_eq!(wait(&mut child).code(), Some(130));
    assert_eq!(node.fake.calls(), ["fetch false", "cancel 1"]);
    assert_eq!(entries(&place), before);
}
