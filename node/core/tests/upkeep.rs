//! What is kept gets to where it belongs as nodes come and go, and what was lost with a node is put back; without asking
//! much in a quiet network, without waiting for those who do not answer, without anything of a node's own user in it.

mod world;

#[path = "upkeep/hostile.rs"]
mod hostile;
#[path = "upkeep/private.rs"]
mod private;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::time::Duration;

use oboro_cache::{PutExtent, Store};
use oboro_core::limits::{
    UPKEEP_ASKS, UPKEEP_BYTES_PER_SECOND, UPKEEP_PUTS, UPKEEP_ROUND, UPKEEP_WANTS_MAX,
};
use oboro_core::stats::UpkeepStats;
use oboro_core::wire::message::{Reply, Request};
use oboro_crypto::eris::{BlockSize, ConvergenceSecret, Encoder};
use oboro_crypto::ids::{ExtentId, Location, distance};
use oboro_crypto::network::Class;
use oboro_crypto::terms;
use oboro_crypto::token::KeywordToken;
use world::World;
use world::puppet::paid_put;

/// A round, and the time to try again those that do not answer.
const ROUND: Duration = Duration::from_secs(UPKEEP_ROUND.as_secs() + 120);

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

/// Of each extent how many chunks it has and where its placements are.
type Places = Vec<(usize, Vec<Location>)>;

/// The extents of a content.
fn extents(world: &World, content: &[u8]) -> Places {
    let secret = ConvergenceSecret::from_bytes([7; 32]);
    let mut encoder = Encoder::new(Cursor::new(content.to_vec()), BlockSize::Large, secret);
    let network = world.network.id();
    let copies = world.network.params.copies(Class::Alone);
    let mut all = Vec::new();
    while let Some(run) = encoder.next_run().unwrap() {
        let extent = ExtentId::of(&run.references);
        let places = (0..copies).map(|index| Location::of_extent(&network, &extent, index));
        all.push((run.references.len(), places.collect()));
    }
    all
}

/// Where the entries of a title are.
fn entries(world: &World, title: &str) -> Vec<Location> {
    let (network, replicas) = (world.network.id(), world.network.params.replicas);
    let keys = terms::of_text(title).into_iter().map(|term| {
        let token = KeywordToken::derive(&world.network, &term);
        token.location_key()
    });
    keys.flat_map(|key| (0..replicas).map(move |index| Location::of_entry(&network, &key, index)))
        .collect()
}

/// Living machines, those nearest to a location first.
fn nearest(world: &World, location: &Location) -> Vec<usize> {
    let mut all: Vec<usize> = (0..world.machines.len())
        .filter(|&machine| world.machines[machine].alive)
        .collect();
    all.sort_by_key(|&machine| distance(world.machines[machine].id.as_bytes(), &location.0));
    all
}

/// Which living machine should have each placement.
fn holders(world: &World, places: &[Location]) -> Vec<usize> {
    let mut chosen = Vec::new();
    for place in places {
        let all = nearest(world, place);
        chosen.extend(all.into_iter().find(|machine| !chosen.contains(machine)));
    }
    chosen
}

fn tally(world: &mut World, machine: usize, at: &Location) -> u64 {
    world.machines[machine].store.tally(at).unwrap()
}

/// Placements that are not whole where they should be.
fn misplaced(world: &mut World, extents: &[(usize, Vec<Location>)]) -> usize {
    let mut missing = 0;
    for (count, places) in extents {
        for (holder, place) in holders(world, places).into_iter().zip(places) {
            let whole = u64::from(u32::MAX >> (32 - count));
            missing += usize::from(tally(world, holder, place) != whole);
        }
    }
    missing
}

/// Locations whose two nearest nodes do not both have the same entries.
fn unshared(world: &mut World, entries: &[Location]) -> usize {
    let mut missing = 0;
    for place in entries {
        let all = nearest(world, place);
        let [one, other] = [all[0], all[1]].map(|machine| tally(world, machine, place));
        missing += usize::from(one == 0 || one != other);
    }
    missing
}

/// What all living machines have counted together.
fn counted(world: &World) -> UpkeepStats {
    let mut all = UpkeepStats::default();
    for machine in world.machines.iter().filter(|machine| machine.alive) {
        let one = machine.node.stats().upkeep;
        all.rounds += one.rounds;
        all.requests += one.requests;
        all.asked += one.asked;
        all.handed_over += one.handed_over;
        all.repaired += one.repaired;
        all.entries += one.entries;
        all.refused += one.refused;
        all.failed += one.failed;
        all.bytes += one.bytes;
    }
    all
}

/// Bytes given to links by all machines for what is stored.
fn storage_bytes(world: &World) -> u64 {
    let all = world.machines.iter();
    all.map(|machine| machine.node.stats().classes[2].bytes_out)
        .sum()
}

const TITLE: &str = "kept for long";

/// A network in which a file was published and everything has found its place.
fn settled(count: usize, seed: u8, length: usize) -> (World, Places, Vec<Location>) {
    let mut world = World::new(count, seed);
    world.settle();
    let file = content(length);
    world.publish(0, TITLE, &file);
    let (extents, entries) = (extents(&world, &file), entries(&world, TITLE));
    world.run(2 * ROUND);
    assert_eq!(misplaced(&mut world, &extents), 0);
    assert_eq!(unshared(&mut world, &entries), 0);
    (world, extents, entries)
}

#[test]
fn what_a_dead_storer_had_reappears_at_the_next_nearest_within_one_round() {
    let (mut world, extents, entries) = settled(9, 101, 1_500_000);
    let dead = holders(&world, &extents[0].1)[2];
    world.kill(dead);
    let before = counted(&world);
    let lost = misplaced(&mut world, &extents);
    assert!(lost > 0);
    let start = world.now;
    let whole = world.run_until(ROUND, |world| {
        // The same question, but without changing the world.
        extents.iter().all(|(count, places)| {
            let holders = holders(world, places);
            holders.into_iter().zip(places).all(|(holder, place)| {
                let kept = &world.machines[holder].kept;
                kept.iter()
                    .any(|(at, chunks)| at == place && chunks == count)
            })
        })
    });
    assert!(whole, "within a round");
    world.run(ROUND.saturating_sub(world.now.since(start)));
    let after = counted(&world);
    assert!(after.repaired > before.repaired, "{before:?} {after:?}");
    let moved = (after.repaired + after.handed_over) - (before.repaired + before.handed_over);
    assert!(moved <= 4 * lost as u64, "no more was sent than was lost");
    assert_eq!(misplaced(&mut world, &extents), 0);
    assert_eq!(unshared(&mut world, &entries), 0);
}

#[test]
fn what_was_placed_past_the_node_it_belongs_to_is_there_long_before_the_next_round() {
    // A publisher never asks himself: what he alone lacks would name him to whoever asks around.
    let mut world = World::new(9, 107);
    world.settle();
    let file = content(1_500_000);
    world.publish(0, TITLE, &file);
    let (extents, entries) = (extents(&world, &file), entries(&world, TITLE));
    let his: Vec<Location> = entries
        .iter()
        .filter(|place| nearest(&world, place)[0] == 0)
        .copied()
        .collect();
    let nearest_of_some = extents
        .iter()
        .any(|(_, places)| holders(&world, places).contains(&0));
    assert!(nearest_of_some && !his.is_empty());
    world.run(Duration::from_secs(30));
    assert_eq!(misplaced(&mut world, &extents), 0);
    for place in &his {
        assert!(tally(&mut world, 0, place) > 0);
    }
    assert_eq!(counted(&world).rounds, 0, "no round has begun");
}

#[test]
fn a_newcomer_that_is_nearer_gets_what_it_should_hold_and_serves_it() {
    let (mut world, extents, entries) = settled(6, 102, 700_000);
    let mut late = Vec::new();
    for _ in 0..3 {
        late.push(world.add(&[1]));
    }
    world.settle();
    let lacks = misplaced(&mut world, &extents);
    assert!(lacks > 0, "somebody is nearer");
    world.run(2 * ROUND);
    assert_eq!(misplaced(&mut world, &extents), 0);
    assert_eq!(unshared(&mut world, &entries), 0);
    let mut served = 0;
    for (count, places) in &extents {
        for (holder, location) in holders(&world, places).into_iter().zip(places.clone()) {
            if late.contains(&holder) {
                let wanted = u32::MAX >> (32 - count);
                let said = world.probe(holder, &Request::Get { location, wanted });
                assert_eq!(Reply::decode(&said[0]), Ok(Reply::Have(wanted)));
                assert_eq!(said.len(), 1 + count);
                served += 1;
            }
        }
    }
    assert!(served > 0);
    assert!(counted(&world).handed_over > 0);
}

#[test]
fn a_quiet_network_sends_no_put_and_asks_each_thing_every_half_hour() {
    let (mut world, ..) = settled(9, 103, 1_500_000);
    world.run(ROUND);
    let before = counted(&world);
    world.run(4 * UPKEEP_ROUND);
    let after = counted(&world);
    assert!(after.rounds >= before.rounds + 4 * 9);
    let puts = |stats: &UpkeepStats| {
        (
            stats.handed_over,
            stats.repaired,
            stats.entries,
            stats.bytes,
        )
    };
    assert_eq!(puts(&after), puts(&before), "nothing was missing");
    let asked = after.asked - before.asked;
    // An hour, and an answer is trusted for half an hour, a quarter more or less.
    assert!(asked <= before.asked * 3, "{asked} of {}", before.asked);
    for machine in &world.machines {
        let held = machine.node.held();
        assert_eq!((held.upkeep, held.tickets), (0, 0));
        assert!(held.known > 0);
    }
    assert_eq!(after.failed, 0);
    // A day: what is trusted for half an hour is asked again every other round.
    let (rounds, bytes) = (after.rounds, storage_bytes(&world));
    world.run(Duration::from_secs(24 * 3600));
    let day = counted(&world);
    assert_eq!(puts(&day), puts(&before), "nothing was missing");
    let a_round = (storage_bytes(&world) - bytes) * 9 / (day.rounds - rounds);
    assert!(a_round < 8_000, "{a_round} bytes of all nodes in a round");
}

#[test]
fn entries_that_only_one_node_has_come_to_those_nearest_to_their_location() {
    let (mut world, _, entries) = settled(8, 104, 1_000);
    // The nearest of each location loses everything.
    let poor = nearest(&world, &entries[0])[0];
    let had: BTreeMap<Location, u64> = entries
        .iter()
        .map(|at| (*at, tally(&mut world, poor, at)))
        .collect();
    world.machines[poor].store = oboro_cache::MemoryStore::new(1 << 30);
    // It is known to have had it: that is trusted for a while.
    world.run(Duration::from_secs(6 * 3600));
    for (at, had) in had {
        if nearest(&world, &at)[..2].contains(&poor) {
            assert_eq!(tally(&mut world, poor, &at), had);
        }
    }
    assert_eq!(unshared(&mut world, &entries), 0);
}

#[test]
fn new_entries_at_a_location_are_shared_though_the_old_ones_were() {
    let (mut world, _, entries) = settled(8, 105, 1_000);
    let before = nearest(&world, &entries[0])[0];
    let before = tally(&mut world, before, &entries[0]);
    world.publish(3, TITLE, &content(2_000));
    world.run(2 * ROUND);
    assert_eq!(unshared(&mut world, &entries), 0);
    let nearest = nearest(&world, &entries[0])[0];
    assert_eq!(
        tally(&mut world, nearest, &entries[0]) >> 48,
        2 * (before >> 48)
    );
}

#[test]
fn a_large_store_is_passed_on_in_pieces_and_not_faster_than_the_budget() {
    let mut world = World::new(5, 107);
    world.settle();
    let (network, today) = (world.network.id(), world.now.day());
    let mut all = Vec::new();
    for seed in 0..230 {
        let count = if seed < 200 { 1 } else { 16 };
        let (put, chunks) = paid_put(&world, 0, count, seed);
        let extent = ExtentId::of(&put.references);
        let replicas = world.network.params.replicas;
        let places: Vec<Location> = (0..replicas)
            .map(|index| Location::of_extent(&network, &extent, index))
            .collect();
        // Of each there is one copy left, wherever it may be.
        let machine = usize::from(seed) % 2;
        let id = world.machines[machine].id;
        let index = seed % replicas;
        let location = places[usize::from(index)];
        let put = PutExtent {
            location,
            index,
            references: put.references,
            chunks,
            distance: distance(id.as_bytes(), &location.0),
            today,
        };
        world.machines[machine].store.put_extent(put).unwrap();
        all.push((count, places));
    }
    let sent = |world: &World| world.machines[0].node.stats().upkeep.bytes;
    let (mut began, mut most) = (None, 0);
    let end = world.now + 3 * ROUND;
    while world.now < end {
        world.run(Duration::from_secs(1));
        let bytes = sent(&world);
        if bytes > 0 {
            let began = *began.get_or_insert(world.now);
            let budget = UPKEEP_BYTES_PER_SECOND * (world.now.since(began).as_secs() + 3);
            assert!(bytes <= budget, "{bytes} of {budget}");
        }
        for machine in &world.machines {
            let held = machine.node.held();
            most = most.max(held.upkeep);
            assert!(held.puts <= 4 * UPKEEP_PUTS && held.known <= 10_000);
        }
    }
    assert!(
        most > 64 && most <= UPKEEP_WANTS_MAX + UPKEEP_ASKS + UPKEEP_PUTS,
        "{most}"
    );
    assert_eq!(misplaced(&mut world, &all), 0);
}

#[test]
fn a_walk_costs_few_wakings() {
    let mut world = World::new(5, 106);
    world.settle();
    world.publish(0, TITLE, &content(50_000));
    world.run(2 * ROUND);
    for machine in &world.machines {
        assert!(machine.node.stats().upkeep.rounds >= 2);
        assert!(machine.wakes < 4_000, "{} wakes", machine.wakes);
    }
}
