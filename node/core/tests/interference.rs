//! I1: what a node keeps for others does not depend on what its own user does.

mod world;

use oboro_cache::Store;
use oboro_core::Report;
use oboro_crypto::ids::{ExtentId, Location};
use world::World;

const USER: usize = 5;

/// Two files are published; then the user of one node is busy, or not. What its store holds of both, placement by
/// placement, and how full it is.
fn kept(busy: bool) -> (Vec<Option<u32>>, u64, u64) {
    let mut world = World::new(6, 77);
    world.settle();
    let (wanted, other) = (vec![7u8; 300_000], vec![9u8; 200_000]);
    let capability = world.publish(0, "wanted by the user", &wanted);
    let unwanted = world.publish(1, "of no interest", &other);
    if busy {
        assert!(matches!(
            world.search(USER, &["wanted"]),
            Report::Found { .. }
        ));
        assert_eq!(world.fetch(USER, &capability), Ok(wanted));
        world.publish(USER, "the user's own secret", &vec![3u8; 150_000]);
    } else {
        world.run(std::time::Duration::from_secs(20));
    }
    let network = world.network.id();
    let store = &mut world.machines[USER].store;
    let mut held = Vec::new();
    for root in [capability.root, unwanted.root] {
        for index in 0..4 {
            let location = Location::of_extent(&network, &ExtentId::of(&[root]), index);
            held.push(
                store
                    .extent(&location)
                    .unwrap()
                    .map(|extent| extent.present),
            );
        }
    }
    let stats = store.stats();
    (held, stats.chunks, stats.entries)
}

#[test]
fn a_store_is_the_same_whether_its_owner_fetches_and_publishes_or_not() {
    let (idle, busy) = (kept(false), kept(true));
    assert!(
        idle.1 > 0,
        "it keeps something for others, or this would show nothing"
    );
    assert_eq!(idle, busy);
}
