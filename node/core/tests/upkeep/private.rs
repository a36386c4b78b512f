//! I1 and I2: upkeep is of what others gave to be kept. What a node's own user does changes nothing in it, and none of it
//! goes the ways of users.

#[allow(
    dead_code,
    reason = "of what is overheard, requests are of interest here"
)]
#[path = "../tap/provider.rs"]
mod provider;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oboro_core::Report;
use oboro_core::wire::message::Request;
use oboro_crypto::entry::SealedEntry;
use oboro_crypto::ids::{ExtentId, Location};

use self::provider::What;
use super::{ROUND, TITLE, content, counted, entries, extents};
use crate::world::World;

const USER: usize = 2;

/// How often storers asked each other for, or gave each other, something that was published before: whom, what kind, where.
type Upkept = BTreeMap<(usize, u8, Location), u32>;

fn upkept(world: &World, known: &BTreeSet<Location>) -> Upkept {
    let mut all = Upkept::new();
    for heard in provider::take() {
        let What::Asked { request, .. } = heard.what else {
            continue;
        };
        let network = world.network.id();
        let (kind, places) = match Request::decode(&request).unwrap() {
            Request::Tally(places) => (0, places),
            Request::Names(place) => (1, vec![place]),
            Request::Put(put) => {
                let extent = ExtentId::of(&put.references);
                (
                    2,
                    vec![Location::of_extent(
                        &network,
                        &extent,
                        put.placement.index(),
                    )],
                )
            }
            Request::PutEntry(bytes) => {
                let entry = SealedEntry::decode(&bytes).unwrap();
                (3, vec![entry.location(&network)])
            }
            _ => continue,
        };
        let ours = places.into_iter().filter(|place| known.contains(place));
        for place in ours {
            *all.entry((heard.node, kind, place)).or_default() += 1;
        }
    }
    all
}

/// A file lies in a network; nodes come; the user of one node is busy meanwhile, or not.
fn life(busy: bool) -> (Upkept, [u64; 4]) {
    drop(provider::take());
    let mut world = World::with_hops(0, 121, 3);
    world.provider = provider::ear;
    for index in 0..8 {
        world.add(if index == 0 { &[] } else { &[0] });
    }
    world.settle();
    let file = content(500_000);
    let capability = world.publish(1, TITLE, &file);
    let places = extents(&world, &file).into_iter();
    let known = places.flat_map(|(_, places)| places);
    let known = known.chain(entries(&world, TITLE)).collect();
    for _ in 0..2 {
        world.add(&[0]);
    }
    world.settle();
    drop(provider::take());
    if busy {
        let publishing = world.begin_publish(USER, "the user's own secret", &vec![3; 600_000]);
        world.run_until(Duration::from_secs(300), |world| {
            world.is_over(USER, publishing)
        });
    }
    // Between two rounds some storers leave unanswered whatever they are asked.
    world.run(ROUND + Duration::from_secs(60));
    (3..6).for_each(|storer| world.machines[storer].mute = true);
    if busy {
        let fetching = world.begin_fetch(USER, &capability, None);
        world.run_until(Duration::from_secs(60), |world| {
            world.is_over(USER, fetching)
        });
    }
    (3..6).for_each(|storer| world.machines[storer].mute = false);
    let end = world.now + 3 * ROUND;
    while busy && world.now + Duration::from_secs(700) < end {
        assert_eq!(world.fetch(USER, &capability), Ok(file.clone()));
        assert!(matches!(
            world.search(USER, &["long"]),
            Report::Found { .. }
        ));
        world.run(Duration::from_secs(100));
    }
    world.run(end.since(world.now));
    let stats = world.machines[USER].node.stats().upkeep;
    let all = upkept(&world, &known);
    (
        all,
        [
            stats.rounds,
            stats.handed_over,
            stats.repaired,
            stats.failed,
        ],
    )
}

#[test]
fn upkeep_is_the_same_whether_a_nodes_user_is_busy_or_not() {
    let (quiet, quietly) = life(false);
    let (busy, busily) = life(true);
    assert!(quiet.keys().any(|(_, kind, _)| *kind == 0));
    assert!(
        quiet.keys().any(|(_, kind, _)| *kind == 2),
        "newcomers got something"
    );
    assert_eq!(quiet, busy);
    assert_eq!((quietly[3], busily[3]), (0, 0));
}

#[test]
fn upkeep_goes_straight_and_no_circuit_carries_any_of_it() {
    let mut world = World::with_hops(7, 122, 3);
    world.settle();
    world.publish(1, TITLE, &content(500_000));
    world.add(&[0]);
    world.add(&[0]);
    world.settle();
    let streams = |world: &World| -> u64 {
        let stats = world.machines.iter().map(|machine| machine.node.stats());
        stats.map(|stats| stats.circuits.exit_streams).sum()
    };
    let before = (streams(&world), counted(&world));
    world.run(2 * ROUND);
    let after = counted(&world);
    assert!(after.handed_over + after.repaired > before.1.handed_over + before.1.repaired);
    assert!(after.requests > before.1.requests);
    assert_eq!(streams(&world), before.0, "no exit was asked for any of it");
}
