//! The same seed gives the same actions, byte for byte, in two processes: nothing in the core depends on an address, a
//! clock, a hash seed or the order of a map.

#![allow(
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test stands outside the core"
)]

mod world;

use std::process::Command;

use world::World;

const CHILD: &str = "OBORO_DETERMINISM_CHILD";

/// A small network's life, over so many hops: a digest of every action of every node in order, and what came of it.
fn life(hops: u8) -> String {
    let mut world = World::with_hops(6, 42, hops);
    world.settle();
    let file: Vec<u8> = (0..400_000u32).map(|i| (i % 251) as u8).collect();
    let capability = world.publish(1, "the same 朧 again", &file);
    world.search(4, &["again"]);
    assert_eq!(world.fetch(5, &capability), Ok(file));
    let hex: String = world
        .chain
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("life {hex} {}", capability.to_urn())
}

#[test]
fn two_processes_with_one_seed_do_the_same() {
    if std::env::var_os(CHILD).is_some() {
        println!("{} {}", life(0), life(3));
        return;
    }
    let run = || {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "two_processes_with_one_seed_do_the_same",
                "--nocapture",
            ])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines()
            .find_map(|line| line.find("life ").map(|at| line[at..].to_owned()))
            .unwrap_or_else(|| panic!("the child said: {text}"))
    };
    let (one, other) = (run(), run());
    assert_eq!(one.matches("life ").count(), 2, "{one}");
    assert_eq!(one, other);
}

#[test]
fn another_seed_gives_other_actions() {
    let actions = |seed| {
        let mut world = World::with_hops(5, seed, 3);
        world.settle();
        world.chain
    };
    assert_ne!(actions(1), actions(2));
}
