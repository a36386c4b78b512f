//! Circuits in whole networks: what goes over them, what they survive, what they refuse.

mod world;

#[path = "circuits/creates.rs"]
mod creates;
#[path = "circuits/guards.rs"]
mod guards;
#[path = "circuits/hostile.rs"]
mod hostile;
#[path = "circuits/lives.rs"]
mod lives;
#[path = "circuits/losses.rs"]
mod losses;
#[path = "circuits/paths.rs"]
mod paths;
#[path = "circuits/stranger.rs"]
mod stranger;

use oboro_core::Report;

use world::World;

fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| (i * 7 % 251) as u8 ^ (i >> 12) as u8)
        .collect()
}

#[test]
fn a_file_is_published_found_and_fetched_over_three_hops() {
    let mut world = World::with_hops(8, 1, 3);
    world.settle();
    let content = content(3_000_000);
    let capability = world.publish(1, "veiled moon", &content);
    let Report::Found { hits, route, .. } = world.search(6, &["veiled"]) else {
        panic!("nothing found");
    };
    assert_eq!(hits.len(), 1);
    assert_eq!(route.hops, 3);
    assert_eq!(world.fetch(6, &capability), Ok(content));
    let stats = world.machines[6].node.stats();
    assert!(stats.circuits.built >= 3, "{:?}", stats.circuits);
}
