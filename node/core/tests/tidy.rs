//! The core's order, read from its sources: what it may not name, how large its rooms may be, who may know whom.

use std::path::{Path, PathBuf};

/// Lines of a file at the most, tests inside it included.
const FILE_LINES_MAX: usize = 500;
/// What the core does not have: clocks, chance of its own, sockets, files, threads, maps in an order of their own.
const FORBIDDEN: &[&str] = &[
    "HashMap",
    "HashSet",
    "Instant",
    "SystemTime",
    "std::thread",
    "std::fs",
    "std::process",
    "std::env",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "tokio::",
    "sled::",
    "thread_rng",
    "getrandom",
    "OsRng",
    "from_entropy",
];
/// Machines that must not know each other.
const CLIENTS: &[&str] = &["fetch", "publish", "search", "upkeep"];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source of the core: its path below `src`, and its text without comments.
fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 40, "the sources were found");
    found
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            (name, text)
        })
        .collect()
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or(""))
}

#[test]
fn nothing_in_the_core_reaches_outside() {
    for (name, text) in all() {
        for line in code(&text) {
            for word in FORBIDDEN {
                assert!(!line.contains(word), "{name}: {word} in `{}`", line.trim());
            }
        }
    }
}

#[test]
fn no_room_is_too_large() {
    for (name, text) in all() {
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{name} has {lines} lines");
    }
}

#[test]
fn machines_of_clients_do_not_know_each_other_and_none_knows_the_root() {
    for (name, text) in all() {
        let Some(room) = CLIENTS
            .iter()
            .find(|room| name.starts_with(&format!("{room}/")))
        else {
            continue;
        };
        for line in code(&text) {
            for other in CLIENTS.iter().filter(|other| *other != room) {
                assert!(
                    !line.contains(&format!("crate::{other}")),
                    "{name} knows {other}"
                );
            }
            assert!(!line.contains("crate::node"), "{name} knows the root");
            assert!(
                !line.contains("crate::link"),
                "{name} knows how bytes reach a storer"
            );
        }
    }
}

#[test]
fn the_core_depends_on_no_shell_and_no_database() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let text = std::fs::read_to_string(manifest).unwrap();
    let (_, dependencies) = text.split_once("[dependencies]").unwrap();
    let (dependencies, _) = dependencies.split_once("[dev-dependencies]").unwrap();
    let names: Vec<&str> = dependencies
        .lines()
        .filter_map(|line| {
            line.split(['.', ' ', '='])
                .next()
                .filter(|name| !name.is_empty())
        })
        .collect();
    assert!(names.contains(&"oboro-crypto"));
    for shell in [
        "tokio",
        "sled",
        "oboro-cache",
        "oboro-node",
        "axum",
        "getrandom",
        "rand",
    ] {
        assert!(!names.contains(&shell), "the core depends on {shell}");
    }
}
