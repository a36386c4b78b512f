//! Storers that say nothing, lie, take and don't keep, or ask without end.

use std::time::Duration;

use oboro_core::limits::{TELLING_MAX, TELLING_PER_LINK_MAX, UPKEEP_WANTS_MAX};
use oboro_core::wire::message::{Refusal, Reply, Request, TALLIES_MAX};
use oboro_crypto::ids::{Location, NodeId, distance};

use super::{ROUND, TITLE, content, entries, extents, tally};
use crate::world::World;
use crate::world::puppet::{Client, Mood};

/// Who should have each placement: a machine, or no machine but a puppet.
fn assigned(world: &World, places: &[Location]) -> Vec<Option<usize>> {
    let machines = (0..world.machines.len()).filter(|&machine| world.machines[machine].alive);
    let machines = machines.map(|machine| (world.machines[machine].id, Some(machine)));
    let puppets = world.puppets.iter().map(|puppet| (puppet.id, None));
    let nodes: Vec<(NodeId, Option<usize>)> = machines.chain(puppets).collect();
    let mut chosen: Vec<(NodeId, Option<usize>)> = Vec::new();
    for place in places {
        let free = nodes.iter().filter(|node| !chosen.contains(node));
        let nearest = free.min_by_key(|(id, _)| distance(id.as_bytes(), &place.0));
        chosen.extend(nearest.copied());
    }
    chosen.into_iter().map(|(_, machine)| machine).collect()
}

/// A network with one storer of this mood, of which another node dies. What that one had must come back, whatever the
/// first one does.
fn with_a(mood: Mood, boasts: bool) {
    let mut world = World::new(8, 111);
    world.add_puppet(mood);
    world.settle_with_puppets();
    let file = content(800_000);
    world.publish(0, TITLE, &file);
    let all = extents(&world, &file);
    if boasts {
        for (count, places) in &all {
            let whole = u64::from(u32::MAX >> (32 - count));
            let said = places.iter().map(|place| (*place, whole));
            world.puppets[0].boasts.extend(said);
        }
        for place in entries(&world, TITLE) {
            world.puppets[0].boasts.insert(place, 1 << 48 | 7);
        }
    }
    world.run(ROUND);
    let dead = assigned(&world, &all[0].1).into_iter().flatten().next();
    world.kill(dead.unwrap());
    world.run(2 * ROUND);
    for (count, places) in &all {
        let whole = u64::from(u32::MAX >> (32 - count));
        for (holder, place) in assigned(&world, places).into_iter().zip(places) {
            match holder {
                Some(holder) => assert_eq!(tally(&mut world, holder, place), whole, "{mood:?}"),
                None => {
                    let has = |machine| tally(&mut world, machine, place) == whole;
                    assert!((0..8).any(has), "{mood:?}: others have it too");
                }
            }
        }
    }
    assert!(world.puppets[0].asked > 0);
    for machine in world.machines.iter().filter(|machine| machine.alive) {
        let held = machine.node.held();
        assert!(held.upkeep <= UPKEEP_WANTS_MAX, "{}", held.upkeep);
        assert!(machine.wakes < 20_000, "{mood:?}: {} wakes", machine.wakes);
    }
}

#[test]
fn a_storer_that_never_answers_keeps_nothing_from_others() {
    with_a(Mood::Silent, false);
}

#[test]
fn one_that_says_it_has_what_it_has_not_keeps_nothing_from_others() {
    with_a(Mood::Honest, true);
}

#[test]
fn nor_do_those_that_take_nothing_or_promise_falsely() {
    for mood in [
        Mood::Busy,
        Mood::Dear,
        Mood::Dearer,
        Mood::Forger,
        Mood::Greedy,
        Mood::Hollow,
    ] {
        with_a(mood, false);
    }
}

#[test]
fn a_forged_receipt_is_noticed_and_its_node_is_passed_over() {
    let mut world = World::new(5, 112);
    world.settle();
    world.publish(0, TITLE, &content(400_000));
    world.add_puppet(Mood::Forger);
    world.settle_with_puppets();
    world.run(2 * ROUND);
    let stats = world.machines.iter().map(|machine| machine.node.stats());
    let forged: u64 = stats
        .map(|stats| stats.violations.get("receipt").copied().unwrap_or(0))
        .sum();
    assert!(forged > 0);
    // Two things at once, a round or two: not everything again and again.
    assert!(
        world.puppets[0].received < 400,
        "{}",
        world.puppets[0].received
    );
}

/// Many questions at once over one link.
fn flood(world: &mut World, count: u32) -> Vec<Client> {
    let link = world.connect_stranger(0);
    world.greet(0, link, None);
    let request = Request::Tally(vec![Location([3; 32]); TALLIES_MAX]);
    (0..count)
        .map(|number| world.ask(0, link, 2 * number + 1, &request))
        .collect()
}

#[test]
fn who_asks_without_end_is_told_a_few_things_at_a_time() {
    let mut world = World::new(3, 113);
    world.settle();
    world.machines[0].mute = true;
    let mut clients = flood(&mut world, 50);
    world.run(Duration::from_millis(100));
    let busy = [Reply::Refused(Refusal::Busy, 0)];
    let mut refused = 0;
    for client in &mut clients {
        refused += usize::from(client.replies(&mut world) == busy);
    }
    assert_eq!(refused, 50 - TELLING_PER_LINK_MAX);
    let asked_before = world.machines[0].node.held().tickets;
    for _ in 0..40 {
        flood(&mut world, 3);
    }
    world.run(Duration::from_millis(100));
    let asked = world.machines[0].node.held().tickets - asked_before;
    assert_eq!(asked, TELLING_MAX - TELLING_PER_LINK_MAX);
    // Hanging up frees no place while the store is at work.
    for client in clients {
        drop(client);
    }
    for link in world.overheard.keys().copied().collect::<Vec<_>>() {
        world.disconnect(0, link);
    }
    let asked_before = world.machines[0].node.held().tickets;
    flood(&mut world, 3);
    world.run(Duration::from_millis(100));
    assert_eq!(world.machines[0].node.held().tickets, asked_before);
}

#[test]
fn what_is_told_is_what_is_kept() {
    let mut world = World::new(4, 114);
    world.settle();
    let file = content(100_000);
    world.publish(1, TITLE, &file);
    let mut places: Vec<Location> = extents(&world, &file)
        .into_iter()
        .flat_map(|(_, places)| places)
        .collect();
    places.extend(entries(&world, TITLE).into_iter().take(20));
    places.push(Location([3; 32]));
    let said = world.probe(0, &Request::Tally(places.clone()));
    let tallies: Vec<u64> = places.iter().map(|at| tally(&mut world, 0, at)).collect();
    assert!(tallies.iter().any(|tally| *tally > 0));
    assert_eq!(said, [Reply::Tallies(tallies).encode()]);
    for place in places {
        let said = world.probe(0, &Request::Names(place));
        let Ok(Reply::Names(names)) = Reply::decode(&said[0]) else {
            panic!("names");
        };
        assert_eq!(
            oboro_cache::entry_list::tally(&names) >> 48,
            names.len() as u64
        );
    }
}
