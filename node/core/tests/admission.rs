//! Who is taken into the view: a flooder of nodes that do not exist stops nobody, and honest nodes are not slowed.

mod crowd;
mod world;

use std::sync::Arc;
use std::time::Duration;

use crowd::{Crowd, Shared, public};
use oboro_cache::Store;
use oboro_core::ids::LinkId;
use oboro_core::limits::{NEWCOMERS_FREE, STRUCK_FOR};
use oboro_core::wire::control::{BUCKETS, Control, DESCRIPTORS_MAX};
use oboro_crypto::ids::LinkPublic;
use world::World;
use world::puppet::{Heard, controls, junk_descriptors, unpack};

const HONEST: usize = 8;

fn nobodies(world: &World, count: usize) -> Vec<Vec<u8>> {
    let issued = u32::try_from(world.now.secs()).unwrap();
    junk_descriptors(&world.network, count, issued)
}

/// Somebody links with a node under a key of his, and greets.
fn flooder(world: &mut World, to: usize, key: u16) -> LinkId {
    let mut remote = LinkPublic([0x77; 32]);
    remote.0[..2].copy_from_slice(&key.to_be_bytes());
    let link = world.connect_as(to, remote, 1_000_000);
    let hello = Control::Hello {
        observed: "127.0.0.1:1".parse().unwrap(),
        descriptor: None,
    };
    world.inject(to, link, controls(&[hello]));
    link
}

fn tell(world: &mut World, to: usize, link: LinkId, all: &[Vec<u8>]) {
    for some in all.chunks(DESCRIPTORS_MAX) {
        let message = Control::Descriptors(some.to_vec());
        world.inject(to, link, controls(&[message]));
    }
}

fn view(world: &World, node: usize) -> usize {
    world.machines[node].node.standing(world.now).view
}

fn is_linked_to_strangers(world: &World, node: usize) -> bool {
    let peers = world.machines[node].node.standing(world.now).peers;
    let stranger = "127.9.9.9:1".parse().unwrap();
    peers.iter().any(|peer| peer.address == stranger)
}

fn violations(world: &World, node: usize) -> u64 {
    let stats = world.machines[node].node.stats();
    stats.violations.get("node_id").copied().unwrap_or(0)
}

#[test]
fn a_flooder_of_nobodies_fills_no_view_and_is_cut_off() {
    let mut world = World::new(HONEST, 51);
    world.settle();
    let all = nobodies(&world, 400);
    let link = flooder(&mut world, 1, 0);
    tell(&mut world, 1, link, &all);
    assert!(is_linked_to_strangers(&world, 1));
    assert!(view(&world, 1) <= HONEST + NEWCOMERS_FREE);
    world.run(Duration::from_secs(2));
    assert!(violations(&world, 1) > 0);
    assert!(!is_linked_to_strangers(&world, 1), "its link is closed");
    assert!((0..HONEST).all(|node| view(&world, node) == HONEST));
    let capability = world.publish(0, "in spite of all", b"content");
    assert_eq!(world.fetch(5, &capability), Ok(b"content".to_vec()));
}

#[test]
fn many_fresh_link_keys_bring_no_more_than_two_each_while_they_are_linked() {
    let mut world = World::new(HONEST, 52);
    world.settle();
    let all = nobodies(&world, 400);
    for round in 0..10u16 {
        let some: Vec<LinkId> = (0..20)
            .map(|number| flooder(&mut world, 1, round * 20 + number))
            .collect();
        for (link, of) in some.iter().zip(all.chunks(20)) {
            tell(&mut world, 1, *link, of);
        }
        assert!(view(&world, 1) <= HONEST + 20 * NEWCOMERS_FREE);
        for link in some {
            world.disconnect(1, link);
        }
        // Those that are being checked may stay until they are.
        assert!(view(&world, 1) <= HONEST + 4);
    }
    world.run(Duration::from_secs(2));
    assert!((0..HONEST).all(|node| view(&world, node) == HONEST));
}

#[test]
fn nobody_honest_is_struck_although_a_flooder_feeds_it() {
    let mut world = World::new(HONEST, 53);
    world.settle();
    let all = nobodies(&world, 400);
    for round in 0..20u16 {
        let link = flooder(&mut world, 1, round);
        tell(&mut world, 1, link, &all[usize::from(round) * 20..][..20]);
        world.run(Duration::from_secs(3));
    }
    assert!(violations(&world, 1) >= 20);
    for node in (0..HONEST).filter(|node| *node != 1) {
        assert_eq!(violations(&world, node), 0, "{node} was told of nobody");
    }
    let late = world.add(&[1]);
    world.settle();
    assert_eq!(violations(&world, late), 0);
}

#[test]
fn a_struck_key_may_bring_nobody_for_an_hour_and_may_come_back_then() {
    let mut world = World::new(4, 54);
    world.settle();
    let all = nobodies(&world, 3);
    let link = flooder(&mut world, 1, 0);
    tell(&mut world, 1, link, &all[..1]);
    world.run(Duration::from_secs(2));
    assert_eq!(violations(&world, 1), 1);
    let link = flooder(&mut world, 1, 0);
    tell(&mut world, 1, link, &all[1..2]);
    assert_eq!(view(&world, 1), 4);
    world.disconnect(1, link);
    world.run(STRUCK_FOR);
    let link = flooder(&mut world, 1, 0);
    tell(&mut world, 1, link, &all[2..]);
    assert_eq!(view(&world, 1), 5, "it is believed once more");
}

#[test]
fn what_is_not_checked_is_neither_offered_nor_saved() {
    let mut world = World::new(4, 55);
    world.settle();
    let all = nobodies(&world, NEWCOMERS_FREE);
    let link = flooder(&mut world, 1, 0);
    let reader = flooder(&mut world, 1, 1);
    tell(&mut world, 1, link, &all);
    assert_eq!(view(&world, 1), 4 + NEWCOMERS_FREE);
    world.overheard.insert(reader, Vec::new());
    // Asked in every way there is, it does not know them.
    let heads = all.iter().map(|one| one[97..105].try_into().unwrap());
    let names: Vec<(u64, u32)> = heads.map(|head| (u64::from_be_bytes(head), 1)).collect();
    let mut questions = vec![Control::Ask(names), Control::Digest(Box::new([1; BUCKETS]))];
    for one in &all {
        let short = u64::from_be_bytes(one[98..106].try_into().unwrap());
        questions.push(Control::Want(one[97], vec![short]));
        questions.push(Control::Bucket(one[97], vec![]));
    }
    for question in questions {
        world.inject(1, reader, controls(&[question]));
    }
    let heard = unpack(&world.overheard[&reader]);
    assert!(!heard.is_empty());
    for message in heard {
        match message {
            Heard::Control(Control::Descriptors(told)) => {
                assert!(told.iter().all(|one| !all.contains(one)));
            }
            Heard::Control(Control::Bucket(bucket, items)) => {
                for one in all.iter().filter(|one| one[97] == bucket) {
                    let short = u64::from_be_bytes(one[98..106].try_into().unwrap());
                    assert!(items.iter().all(|(id, _)| *id != short));
                }
            }
            _ => {}
        }
    }
    world.run(Duration::from_secs(60));
    for machine in &mut world.machines {
        let saved = machine.store.descriptors().unwrap();
        assert!(saved.iter().all(|one| !all.contains(one)));
        assert!(saved.len() >= 3, "those that are checked are");
    }
}

#[test]
fn a_newcomer_to_a_large_network_learns_all_of_it_from_one_in_good_time() {
    let mut crowd = Crowd::new(public(), Arc::new(Shared::default()));
    for index in 0..150usize {
        let starts: &[usize] = if index == 0 { &[] } else { &[index / 2] };
        crowd.add(starts);
    }
    let all = crowd.run_until(Duration::from_secs(300), |crowd| crowd.least_known() == 150);
    assert!(all, "everybody knows everybody");
    let late = crowd.add(&[7]);
    let known = crowd.run_until(Duration::from_secs(10), |crowd| {
        crowd.members[late].node.known() == 151
    });
    assert!(known, "within ten seconds");
}
