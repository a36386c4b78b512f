//! Real nodes in processes of their own: starting, ending, dying, and one file through five of them.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Place, Ran, piped, send, until, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A home on loopback in a network of the test's own. Its node, if one runs, ends with it.
struct Node<'a> {
    place: &'a Place,
    home: PathBuf,
}

impl<'a> Node<'a> {
    /// Prepares a home; the first one makes the network.
    fn init(place: &'a Place, name: &str) -> Self {
        if !place.path("network").exists() {
            place
                .run(&["network", "new", "test", "--local", "-o", "network"])
                .expect(0);
        }
        let node = Self::bare(place, name);
        node.run(&["init", "--network", "network", "--listen", "127.0.0.1:0"])
            .expect(0);
        node
    }

    fn bare(place: &'a Place, name: &str) -> Self {
        Self {
            place,
            home: place.path(name),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(args);
        command.env("OBORO_HOME", &self.home);
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    fn status(&self) -> Value {
        self.run(&["status", "--json"]).data()
    }

    fn runs(&self) -> bool {
        self.run(&["status"]).exit == Some(0)
    }

    /// Ends the node as a power cut would.
    fn kill(&self) {
        let pid = i32::try_from(self.status()["pid"].as_i64().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        until("the node is dead", || !self.runs());
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        self.run(&["stop"]);
    }
}

#[test]
fn a_node_starts_answers_and_stops() {
    let place = Place::new();
    let node = Node::init(&place, "a");
    let started = node.run(&["start", "--json"]).data();
    assert_eq!(
        (&started["network"], &started["hops"]),
        (&"test".into(), &3.into())
    );
    let anonymity = started["anonymity"].as_str().unwrap();
    assert!(anonymity.contains("needed for 3 hops"), "{anonymity}");
    assert!(started["guard"].is_null() && started["circuits_ready"] == 0);
    let status = node.status();
    assert_eq!(status["node_id_short"], started["node_id_short"]);
    assert_eq!(status["state"], "alone");
    node.run(&["stop"]).expect(0);
    node.run(&["stop"]).expect(10);
    assert!(!node.home.join("control.sock").exists());
}

#[test]
fn everything_in_a_home_is_its_owners_alone() {
    let place = Place::new();
    let node = Node::init(&place, "a");
    node.run(&["start"]).expect(0);
    let mut folders = vec![node.home.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let found = entry.metadata().unwrap();
            let others = found.permissions().mode() & 0o077;
            assert_eq!(others, 0, "{}", entry.path().display());
            if found.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    assert_eq!(
        fs::metadata(&node.home).unwrap().permissions().mode() & 0o777,
        0o700
    );
}

#[test]
fn a_second_node_at_one_home_is_refused_and_the_first_goes_on() {
    let place = Place::new();
    let node = Node::init(&place, "a");
    let first = node.run(&["start", "--json"]).data();
    assert_eq!(
        node.run(&["start", "--json"]).expect(11).error()["code"],
        "already_running"
    );
    assert_eq!(
        node.run(&["run", "--json"]).expect(11).error()["code"],
        "already_running"
    );
    assert_eq!(node.status()["pid"], first["pid"]);
}

#[test]
fn of_two_nodes_started_at_once_at_one_home_one_runs() {
    let place = Place::new();
    let node = Node::init(&place, "a");
    let starts = [(); 2].map(|()| piped(&mut node.command(&["start"])));
    let mut exits = starts.map(|start| Ran::of(start.wait_with_output().unwrap()).exit);
    exits.sort();
    assert_eq!(exits, [Some(0), Some(11)]);
    assert!(node.runs());
}

#[test]
fn a_killed_node_leaves_nothing_that_hinders_the_next() {
    let place = Place::new();
    let node = Node::init(&place, "a");
    let first = node.run(&["start", "--json"]).data();
    node.kill();
    assert!(
        node.home.join("control.sock").exists(),
        "a killed node leaves its socket"
    );
    assert!(
        node.run(&["status"])
            .expect(10)
            .stderr
            .contains("not running")
    );
    let second = node.run(&["start", "--json"]).data();
    assert_eq!(second["node_id_short"], first["node_id_short"]);
    assert_ne!(second["pid"], first["pid"]);
}

#[test]
fn a_restart_keeps_the_node_and_its_port() {
    let place = Place::new();
    let node = Node::init(&place, "a");
    let first = node.run(&["restart", "--json"]).data();
    let second = node.run(&["restart", "--json"]).data();
    assert_eq!(second["node_id_short"], first["node_id_short"]);
    assert_eq!(second["listen"], first["listen"]);
    assert_ne!(second["pid"], first["pid"]);
}

#[test]
fn signals_end_a_node_in_the_foreground_and_a_hangup_does_not() {
    let place = Place::new();
    let node = Node::init(&place, "a");
    for signal in [Signal::TERM, Signal::INT] {
        let mut child = piped(&mut node.command(&["run"]));
        until("the node answers", || node.runs());
        send(Signal::HUP, &child);
        assert!(node.runs(), "a hangup must not end it");
        send(signal, &child);
        assert_eq!(wait(&mut child).code(), Some(0));
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.stdout, "");
        assert!(!node.runs());
    }
}

#[test]
fn a_node_in_the_foreground_can_be_stopped_from_elsewhere() {
    let place = Place::new();
    let node = Node::init(&place, "a");
    let mut child = piped(&mut node.command(&["run"]));
    until("the node answers", || node.runs());
    node.run(&["stop"]).expect(0);
    assert_eq!(wait(&mut child).code(), Some(0));
}

#[test]
fn a_passphrase_opens_a_sealed_home_in_the_background() {
    let place = Place::new();
    let node = Node::init(&place, "network-maker");
    drop(node);
    let node = Node::bare(&place, "sealed");
    let right = place.write("right", "open sesame\n");
    let right = right.to_str().unwrap();
    node.run(&[
        "init",
        "--network",
        "network",
        "--listen",
        "127.0.0.1:0",
        "--passphrase-file",
        right,
    ])
    .expect(0);
    node.run(&["start"]).expect(12);
    node.run(&["start", "--passphrase-file", right]).expect(0);
    node.run(&["stop"]).expect(0);
    let by_variable = node
        .command(&["start"])
        .env("OBORO_PASSPHRASE_FILE", right)
        .output()
        .unwrap();
    Ran::of(by_variable).expect(0);
}

#[test]
fn why_a_node_does_not_start_is_said_by_the_command_that_started_it() {
    let place = Place::new();
    let node = Node::init(&place, "a");
    fs::write(node.home.join("version"), "99\n").unwrap();
    let error = node.run(&["start", "--json"]).expect(1).error();
    assert_eq!(error["code"], "newer_version");
    fs::write(node.home.join("version"), "1\n").unwrap();
    fs::write(node.home.join("config.toml"), "nonsense").unwrap();
    assert_eq!(
        node.run(&["start", "--json"]).expect(1).error()["code"],
        "bad_input"
    );
}

#[test]
fn a_home_with_a_long_path_works() {
    let place = Place::new();
    let long = format!("a-{}", "long/".repeat(30));
    fs::create_dir_all(place.path(&long)).unwrap();
    let node = Node::init(&place, &format!("{long}home"));
    node.run(&["start"]).expect(0);
    assert!(node.home.join("control.path").exists());
    node.run(&["stop"]).expect(0);
}

#[test]
fn an_invite_for_another_network_is_refused() {
    let place = Place::new();
    let node = Node::init(&place, "a");
    node.run(&["start"]).expect(0);
    let invite = node.run(&["invite"]).expect(0).stdout;
    let elsewhere = Place::new();
    let other = Node::init(&elsewhere, "b");
    let error = other
        .run(&["join", invite.trim(), "--json"])
        .expect(1)
        .error();
    assert_eq!(error["code"], "network_mismatch");
    other.run(&["start"]).expect(0);
    let error = other
        .run(&["join", invite.trim(), "--json"])
        .expect(1)
        .error();
    assert_eq!(error["code"], "network_mismatch");
}

/// What must appear in no log and in no file of a node that only holds.
fn assert_silent(home: &Path, secrets: &[&str]) {
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = fs::read(&path).unwrap();
                for secret in secrets {
                    let found = bytes
                        .windows(secret.len())
                        .any(|window| window == secret.as_bytes());
                    assert!(!found, "{secret} in {}", path.display());
                }
            }
        }
    }
}

/// Five nodes that know each other, so many as three relays between two ends take. One joined before it ran, the others
/// while they ran.
fn quintet(place: &Place) -> [Node<'_>; 5] {
    let nodes = ["a", "b", "c", "d", "e"].map(|name| Node::init(place, name));
    let [first, second, others @ ..] = &nodes;
    first.run(&["start"]).expect(0);
    let invite = first.run(&["invite"]).expect(0).stdout;
    second.run(&["join", invite.trim()]).expect(0);
    second.run(&["start"]).expect(0);
    for node in others {
        node.run(&["start"]).expect(0);
        node.run(&["join", invite.trim()]).expect(0);
    }
    until("all know each other", || {
        nodes.iter().all(|node| {
            let status = node.status();
            status["view"] == 4 && status["relays_missing"] == 0
        })
    });
    nodes
}

#[test]
fn a_file_is_published_found_and_fetched_by_real_processes() {
    let place = Place::new();
    let [a, b, c, d, e] = quintet(&place);
    assert!(c.run(&["peers"]).expect(0).stdout.contains("linked"));

    // 300 bytes of Japanese, as an old client would name a song.
    let title: String = "朧月夜に似るものぞなき春の夜の"
        .repeat(7)
        .chars()
        .take(100)
        .collect();
    assert_eq!(title.len(), 300);
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    place.write("song.bin", &content);
    let published = a.run(&["publish", "song.bin", "--title", &title]).expect(0);
    let way = "3 hops, guard new today, 4 relays known\n";
    assert!(published.stderr.ends_with(way), "{}", published.stderr);
    let urn = published.stdout.trim();

    let found = c.run(&["search", "朧月夜", "--json"]).data();
    let hits = &found["hits"];
    assert_eq!(found["route"]["hops"], 3);
    let expected = (&urn.into(), &content.len().into());
    assert_eq!((&hits[0]["urn"], &hits[0]["size"]), expected);
    let fetched = c.run(&["fetch", "1", "-o", "out", "--json"]).data();
    assert_eq!(fetched["bytes"], content.len());
    assert_eq!(fetched["route"]["hops"], 3);
    assert!(fs::read(place.path("out")).unwrap() == content);
    c.run(&["fetch", urn, "-o", "again"]).expect(0);
    assert!(fs::read(place.path("again")).unwrap() == content);
    let piped = c.command(&["fetch", urn, "-o", "-"]).output().unwrap();
    assert!(piped.stdout == content);

    c.run(&["search", "unpublished"]).expect(4);
    let guard = c.status()["guard"]["node"].as_str().unwrap().to_owned();
    let ids = [&a, &b, &d, &e].map(|node| node.status()["node_id"].as_str().unwrap().to_owned());
    assert!(ids.contains(&guard), "a guard is one of the others");
    for holder in [&b, &d, &e] {
        assert_silent(&holder.home, &["朧月夜", urn, "song.bin"]);
    }
    for node in [a, b, c, d, e] {
        let secrets = [
            "朧月夜",
            "unpublished",
            "urn:eris:",
            "song.bin",
            "127.0.0.1",
            &guard,
            &guard[..10],
        ];
        assert_silent(&node.home.join("log"), &secrets);
    }
}

#[test]
fn an_empty_file_goes_through_the_network_too() {
    let place = Place::new();
    let [a, b, c, _d, _e] = quintet(&place);
    place.write("empty", "");
    a.run(&["publish", "empty", "--title", "nothing inside"])
        .expect(0);
    b.run(&["search", "inside"]).expect(0);
    b.run(&["fetch", "1", "-o", "out"]).expect(0);
    assert_eq!(fs::read(place.path("out")).unwrap(), b"");
    assert!(c.run(&["stats"]).expect(0).stdout.contains("served"));
}
