//! What a user gets who asks wrongly, or asks a node that isn't there.

mod common;

use common::{Place, Ran};
use serde_json::json;

fn urn() -> &'static str {
    common::fake::URN
}

#[test]
fn wrong_arguments_exit_2_and_say_what_is_wrong() {
    let place = Place::new();
    for args in [
        &["frobnicate"][..],
        &[],
        &["search"],
        &["publish"],
        &["fetch"],
        &["search", "a", "--timeout", "0"],
        &["search", "a", "--timeout", "601"],
        &["demo", "--nodes", "4"],
        &["demo", "--nodes", "65"],
        &["demo", "--nodes", "many"],
        &["network", "new", "n", "--hops", "0", "-o", "n"],
        &["network", "new", "n", "--local", "--hops", "4", "-o", "n"],
        &["init", "--listen", "nowhere"],
        &["network", "new", "n"],
        &[
            "eris",
            "encode",
            "f",
            "--block-size",
            "4096",
            "--blocks",
            "b",
        ],
        &["status", "--surplus"],
        &["status", "surplus"],
        &["--home", "", "status"],
        &["init", "--quota", "much"],
    ] {
        let ran = place.run(args).expect(2);
        assert_eq!(ran.stdout, "", "{args:?}");
        assert!(!ran.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn a_demo_of_too_few_nodes_says_who_five_are() {
    let ran = Place::new().run(&["demo", "--nodes", "4"]).expect(2);
    for part in ["5 is the least", "client, guard, middle, exit and storer"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
}

#[test]
fn an_empty_variable_names_no_home() {
    let place = Place::new();
    let with_empty = |args: &[&str]| {
        let output = place.command(args).env("OBORO_HOME", "").output();
        Ran::of(output.unwrap())
    };
    with_empty(&["--help"]).expect(0);
    with_empty(&["status"]).expect(10);
    with_empty(&["init", "--home", "elsewhere"]).expect(0);
    assert!(place.path("elsewhere").join("keys").exists());
}

#[test]
fn wrong_arguments_are_an_envelope_for_programs() {
    let error = Place::new().run(&["search", "--json"]).expect(2).error();
    assert_eq!(
        (&error["code"], &error["exit"]),
        (&json!("usage"), &json!(2))
    );
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("required arguments") && !message.contains('\n'),
        "{message}"
    );
}

#[test]
fn every_command_that_needs_a_node_exits_10_without_one() {
    let place = Place::new();
    place.write("file", "content");
    for args in [
        &["status"][..],
        &["stop"],
        &["peers"],
        &["invite"],
        &["search", "word"],
        &["publish", "file"],
        &["fetch", "1"],
        &["fetch", urn()],
        &["jobs"],
        &["cancel", "1"],
        &["stats"],
        &["stats", "--watch"],
        &["refuse", urn()],
        &["allow", urn()],
    ] {
        let ran = place.run(args).expect(10);
        assert_eq!(ran.stdout, "");
        assert_eq!(
            ran.stderr, "oboro: the node is not running\n  start it: oboro start\n",
            "{args:?}"
        );
        let error = place.run(&[args, &["--json"]].concat()).expect(10).error();
        assert_eq!(error["code"], "not_running", "{args:?}");
    }
    assert!(!place.home().exists(), "asking must not make a home");
}

#[test]
fn files_are_looked_at_before_the_node_is() {
    let place = Place::new();
    let ran = place.run(&["publish", "absent"]).expect(1);
    assert!(
        ran.stderr.contains("absent: No such file"),
        "{}",
        ran.stderr
    );
    std::fs::create_dir(place.path("empty")).unwrap();
    assert!(
        place
            .run(&["publish", "empty"])
            .expect(1)
            .stderr
            .contains("holds no files")
    );
    place.run(&["publish", "/dev/null"]).expect(1);
    place.write("a", "");
    place.write("b", "");
    let ran = place
        .run(&["publish", "a", "b", "--title", "one"])
        .expect(2);
    assert!(
        ran.stderr.contains("--title is for one file"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_private_network_is_made_once() {
    let place = Place::new();
    let made = place
        .run(&["network", "new", "friends", "--local", "-o", "n"])
        .expect(0);
    assert_eq!(made.stdout, "n\n");
    let text = std::fs::read_to_string(place.path("n")).unwrap();
    assert!(text.contains("\nhops = 3\n"), "the default");
    let bench = ["network", "new", "bench", "--local", "--hops", "0", "-o"];
    let made = place.run(&[&bench[..], &["b", "--json"]].concat()).data();
    assert_eq!(made["hops"], 0);
    let text = std::fs::read_to_string(place.path("b")).unwrap();
    assert!(text.contains("\nhops = 0\n"));
    let again = place
        .run(&["network", "new", "friends", "--local", "-o", "n", "--json"])
        .expect(1);
    assert_eq!(again.error()["code"], "exists");
}

#[test]
fn a_home_is_prepared_once_for_one_network() {
    let place = Place::new();
    place
        .run(&["network", "new", "one", "--local", "-o", "one"])
        .expect(0);
    place
        .run(&["network", "new", "two", "--local", "-o", "two"])
        .expect(0);
    let init = |args: &[&str]| place.run(&[&["init", "--json"], args].concat());
    let made = init(&["--network", "one", "--listen", "127.0.0.1:0", "--unlisted"]);
    assert_eq!(made.data()["network"], "one");
    init(&["--network", "one"]).expect(0);
    assert_eq!(
        init(&["--network", "two"]).expect(1).error()["code"],
        "network_mismatch"
    );
    assert_eq!(init(&["--unlisted"]).expect(1).error()["code"], "exists");
    let file = place.write("wrong", "no network");
    assert_eq!(
        init(&["--network", file.to_str().unwrap()])
            .expect(1)
            .error()["code"],
        "bad_input"
    );
    assert_eq!(
        init(&["--network", "absent"]).expect(1).error()["code"],
        "failed"
    );
}

#[test]
fn a_sealed_home_wants_its_passphrase_and_no_other() {
    let place = Place::new();
    place
        .run(&["network", "new", "n", "--local", "-o", "n"])
        .expect(0);
    place.write("right", "open sesame\n");
    place.write("wrong", "open barley\n");
    place.write("empty", "\n");
    place
        .run(&["init", "--network", "n", "--passphrase-file", "right"])
        .expect(0);
    let run = |file: &str| place.run(&["run", "--passphrase-file", file, "--json"]);
    assert_eq!(run("wrong").expect(12).error()["code"], "wrong_passphrase");
    assert_eq!(run("empty").expect(2).error()["code"], "usage");
    assert_eq!(
        place.run(&["run", "--json"]).expect(12).error()["code"],
        "passphrase_needed"
    );
    assert_eq!(
        place.run(&["start", "--json"]).expect(12).error()["code"],
        "passphrase_needed"
    );
}

#[test]
fn what_is_no_invite_is_bad_input_whether_or_not_the_node_runs() {
    let place = Place::new();
    assert_eq!(
        place.run(&["join", "hello", "--json"]).expect(1).error()["code"],
        "bad_input"
    );
    let ran = place
        .run_with_stdin(&["join", "-", "--json"], b"\n\nhello\n")
        .expect(1);
    assert_eq!(ran.error()["code"], "bad_input");
    let ran = place
        .run_with_stdin(&["join", "-", "--json"], b"")
        .expect(1);
    assert_eq!(ran.error()["code"], "bad_input");
    assert!(
        !place.home().exists(),
        "a wrong invite must not make a home"
    );
}

#[test]
fn a_configuration_that_can_not_be_understood_is_said_with_its_line() {
    let place = Place::new();
    std::fs::create_dir(place.home()).unwrap();
    std::fs::write(
        place.home().join("config.toml"),
        "quota = 1\nunlsted = true\n",
    )
    .unwrap();
    let ran = place.run(&["run"]).expect(1);
    assert!(
        ran.stderr.contains("config.toml") && ran.stderr.contains("unlsted"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_log_level_that_is_none_is_a_usage_error() {
    let place = Place::new();
    let output = place
        .command(["run"])
        .env("OBORO_LOG", "oboro=shout")
        .output()
        .unwrap();
    let ran = Ran::of(output).expect(2);
    assert!(ran.stderr.contains("OBORO_LOG"), "{}", ran.stderr);
}

#[test]
fn a_user_without_a_home_directory_is_told_what_to_give() {
    let place = Place::new();
    let output = place
        .command(["status"])
        .env_remove("OBORO_HOME")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    Ran::of(output).expect(10);
}
