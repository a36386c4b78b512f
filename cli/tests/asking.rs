//! Commands against a node that only pretends: what is asked of it, what becomes of its answers.

mod common;

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use common::fake::{Fake, TITLE, URN};
use common::{Place, Ran, golden, piped, send, until, wait};
use rustix::process::Signal;
use serde_json::json;

#[test]
fn the_screens_are_the_ones_agreed_on() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    for (name, args) in [
        ("status", &["status"][..]),
        ("peers-none", &["peers"]),
        ("stats", &["stats"]),
        ("search", &["search", "朧月夜"]),
        ("jobs-none", &["jobs"]),
        ("invite", &["invite"]),
    ] {
        golden(
            &format!("screen-{name}.txt"),
            &place.run(args).expect(0).all(),
        );
    }
}

#[test]
fn every_answer_has_its_envelope_and_nothing_else_on_stdout() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    place.write("f", "x");
    for (args, field) in [
        (&["status"][..], "state"),
        (&["peers"], "peers"),
        (&["stats"], "classes"),
        (&["search", "a"], "hits"),
        (&["jobs"], "jobs"),
        (&["invite"], "invite"),
        (&["publish", "f"], "files"),
        (&["fetch", "1", "-o", "out"], "output"),
        (&["join", "x"], "running"),
    ] {
        let ran = place.run(&[args, &["--json"]].concat());
        assert!(!ran.data()[field].is_null(), "{args:?}: {}", ran.all());
        assert_eq!(ran.stderr, "", "{args:?}");
    }
    for args in [&["cancel", "1"][..], &["refuse", URN], &["allow", URN]] {
        assert!(place.run(&[args, &["--json"]].concat()).data().is_object());
    }
}

#[test]
fn a_search_passes_words_and_patience_on() {
    let place = Place::new();
    let node = Fake::default().at(&place.home());
    place
        .run(&["search", "東京", "夜景", "--timeout", "7"])
        .expect(0);
    assert_eq!(node.fake.calls(), ["search 東京 夜景 7000"]);
}

#[test]
fn a_search_without_results_says_whether_that_is_known() {
    for (asked, answered, exit, code) in [
        (4, 4, 4, "nothing_found"),
        (4, 1, 4, "nothing_found"),
        (4, 0, 13, "timed_out"),
        (0, 0, 4, "nothing_found"),
    ] {
        let place = Place::new();
        let _node = Fake::default().empty(asked, answered).at(&place.home());
        let ran = place.run(&["search", "absent", "--json"]).expect(exit);
        assert_eq!(ran.stdout, "");
        assert_eq!(ran.error()["code"], code);
    }
    let place = Place::new();
    let _node = Fake::default().empty(4, 3).at(&place.home());
    let ran = place.run(&["search", "absent"]).expect(4);
    assert!(
        ran.stderr.contains("3 of 4 storers answered"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_publication_prints_its_urn_alone_and_several_with_their_names() {
    let place = Place::new();
    let node = Fake::default().at(&place.home());
    place.write("a.txt", "x");
    assert_eq!(
        place.run(&["publish", "a.txt"]).expect(0).stdout,
        format!("{URN}\n")
    );
    place.write("b.txt", "x");
    let both = place.run(&[
        "publish",
        "a.txt",
        "b.txt",
        "--convergent",
        "--keyword",
        "k",
        "--keyword",
        "l",
    ]);
    assert_eq!(
        both.expect(0).stdout,
        format!("{URN}\ta.txt\n{URN}\tb.txt\n")
    );
    let calls = node.fake.calls();
    assert_eq!(
        calls,
        [
            "publish a.txt [] false",
            "publish a.txt [k l] true",
            "publish b.txt [k l] true"
        ]
    );
}

#[test]
fn a_folder_publishes_its_plain_files_in_order() {
    let place = Place::new();
    let node = Fake::default().at(&place.home());
    std::fs::create_dir_all(place.path("folder/inside")).unwrap();
    for name in ["folder/b", "folder/a", "folder/.hidden", "folder/inside/c"] {
        place.write(name, "x");
    }
    std::os::unix::fs::symlink("a", place.path("folder/link")).unwrap();
    let ran = place.run(&["publish", "folder"]).expect(0);
    assert!(ran.stderr.contains("left out 3"), "{}", ran.stderr);
    assert_eq!(
        node.fake.calls(),
        ["publish a [] false", "publish b [] false"]
    );
}

#[test]
fn a_file_whose_name_is_not_text_is_published() {
    let place = Place::new();
    let node = Fake::default().at(&place.home());
    let name = OsStr::from_bytes(b"caf\xe9.txt");
    std::fs::write(place.path("").join(name), "x").unwrap();
    let output = place
        .command([OsStr::new("publish"), name])
        .output()
        .unwrap();
    Ran::of(output).expect(0);
    assert_eq!(node.fake.calls(), ["publish caf\u{fffd}.txt [] false"]);
}

#[test]
fn a_publication_that_fails_in_part_exits_3_and_says_which() {
    let place = Place::new();
    let _node = Fake::default().unpublishable("b").at(&place.home());
    place.write("a", "x");
    place.write("b", "x");
    let ran = place.run(&["publish", "a", "b"]).expect(3);
    assert_eq!(ran.stdout, format!("{URN}\ta\n"));
    assert!(
        ran.stderr.contains("b: no storer takes it"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("1 of 2 files were not published"),
        "{}",
        ran.stderr
    );
    let ran = place.run(&["publish", "a", "b", "--json"]).expect(3);
    let envelope: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (envelope["ok"].as_bool(), envelope["error"]["exit"].as_i64()),
        (Some(false), Some(3))
    );
    assert_eq!(envelope["data"]["files"][1]["error"]["code"], "refused");
    assert_eq!(
        place.run(&["publish", "b", "--json"]).expect(15).error()["code"],
        "refused"
    );
}

#[test]
fn each_search_fetch_and_publication_ends_with_the_way_it_went() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    place.write("f", "x");
    let line = "3 hops, guard 12 days old, 214 relays known";
    for args in [
        &["search", "a"][..],
        &["publish", "f"],
        &["fetch", "1", "-o", "out"],
        &["fetch", "1", "-o", "-"],
    ] {
        let said = place.run(args).expect(0).stderr;
        assert_eq!(said.matches(line).count(), 1, "{args:?}: {said}");
    }
    let route = json!({"hops": 3, "guard_days": 12, "relays": 214});
    assert_eq!(place.run(&["search", "a", "--json"]).data()["route"], route);
    let published = place.run(&["publish", "f", "--json"]).data();
    assert_eq!(published["files"][0]["route"], route);
    let fetched = place.run(&["fetch", "1", "-o", "out2", "--json"]).data();
    assert_eq!(fetched["route"], route);
}

#[test]
fn a_search_that_finds_nothing_says_by_which_way_it_was_asked() {
    let place = Place::new();
    let _node = Fake::default().empty(4, 4).at(&place.home());
    let said = place.run(&["search", "absent"]).expect(4).stderr;
    assert!(said.contains("3 hops, guard 12 days old"), "{said}");
}

#[test]
fn fewer_hops_are_passed_on_and_warned_of_once() {
    let place = Place::new();
    let node = Fake::default().at(&place.home());
    place.write("f", "x");
    let warning = "a storer or a single relay may learn who asks";
    for args in [
        &["search", "a"][..],
        &["publish", "f"],
        &["fetch", "1", "-o", "out"],
    ] {
        let ran = place.run(&[args, &["--fewer-hops"]].concat()).expect(0);
        assert_eq!(ran.stderr.matches(warning).count(), 1, "{}", ran.stderr);
    }
    let calls = node.fake.calls();
    assert_eq!(
        calls,
        [
            "search a 30000 over fewer hops",
            "publish f [] false over fewer hops",
            "fetch false over fewer hops"
        ]
    );
}

#[test]
fn a_status_names_the_guard_to_its_own_user() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    let status = place.run(&["status", "--json"]).data();
    let guard = json!({"node": "c0ffee00".repeat(8), "days": 12, "linked": true, "standby": false});
    assert_eq!(status["guard"], guard);
    let counts = ["hops", "circuits_ready", "relays", "relays_missing"];
    assert_eq!(
        counts.map(|name| status[name].as_u64().unwrap()),
        [3, 3, 7, 0]
    );
}

#[test]
fn ctrl_c_ends_a_search() {
    let place = Place::new();
    let node = Fake::default().endless().at(&place.home());
    let mut child = piped(&mut place.command(["search", "a"]));
    until("the search runs", || node.fake.calls().len() == 1);
    send(Signal::INT, &child);
    assert_eq!(wait(&mut child).code(), Some(130));
}

#[test]
fn a_closed_stdout_is_no_error() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    place.write("f", "x");
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["stats", "--watch"],
        &["search", "a"],
        &["fetch", "1", "-o", "-"],
        &["publish", "f"],
        &["help"],
    ] {
        let mut child = piped(&mut place.command(args));
        // Nobody reads from the beginning.
        drop(child.stdout.take());
        let mut stderr = child.stderr.take().unwrap();
        assert_eq!(wait(&mut child).code(), Some(0), "{args:?}");
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        assert!(
            !said.contains("panicked") && !said.contains("oboro: "),
            "{args:?}: {said}"
        );
    }
}

#[test]
fn a_full_stdout_is_an_error() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let ran = Ran::of(place.command(["status"]).stdout(full()).output().unwrap()).expect(1);
    assert!(
        ran.stderr.contains("can't write to stdout"),
        "{}",
        ran.stderr
    );
}

#[test]
fn watched_stats_are_one_envelope_a_line() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    let mut child = piped(&mut place.command(["stats", "--watch", "--json"]));
    let mut line = Vec::new();
    let mut stdout = child.stdout.take().unwrap();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    let envelope: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(envelope["ok"], true);
    send(Signal::INT, &child);
    assert_eq!(wait(&mut child).code(), Some(130));
}

#[test]
fn a_strange_title_reaches_programs_as_it_is_and_people_made_safe() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    let data = place.run(&["search", "a", "--json"]).data();
    assert_eq!(data["hits"][0]["title"], TITLE);
    assert!(!place.run(&["search", "a"]).stdout.contains('\u{1b}'));
}

#[test]
fn an_invite_read_from_stdin_is_passed_on_without_its_line_end() {
    let place = Place::new();
    let node = Fake::default().at(&place.home());
    place
        .run_with_stdin(&["join", "-"], b"  oboro-invite:x \n")
        .expect(0);
    assert_eq!(node.fake.calls(), ["join oboro-invite:x"]);
}

#[test]
fn ctrl_c_ends_the_waiting_for_an_invite_on_stdin() {
    let place = Place::new();
    let _node = Fake::default().at(&place.home());
    let mut child = piped(place.command(["join", "-"]).stdin(Stdio::piped()));
    let stdin = child.stdin.take();
    // Pressed again and again: before the command listens it would simply die, which is as good but not meant here.
    until("the command has ended", || {
        send(Signal::INT, &child);
        child.try_wait().unwrap().is_some()
    });
    drop(stdin);
}
