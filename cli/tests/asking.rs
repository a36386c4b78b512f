//! Commands against a node that only pretends: what is asked of it, what becomes of its answers.

mod common;

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use common::fake::{CONTENT, Fake, TITLE, URN};
use common::{Place, Ran, golden, piped, send, until, wait};
use oboro_node::api::{Code, Failure};
use rustix::process::Signal;

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
    // The command must be watching by then, not still on its way; it has asked for signals before it asks for the job.
    send(Signal::INT, &child);
    assert_eq!(wait(&mut child).code(), Some(130));
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!(ran.stderr.contains("interrupted"), "{}", ran.stderr);
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
        send(Signal::INT, &child);
        wait(&mut child);
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
    std::thread::sleep(std::time::Duration::from_millis(200));
    send(Signal::INT, &child);
    assert_eq!(wait(&mut child).code(), Some(130));
    assert_eq!(node.fake.calls(), ["fetch false", "cancel 1"]);
    assert_eq!(entries(&place), before);
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
