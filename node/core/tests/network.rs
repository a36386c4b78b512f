//! Whole networks of real cores in one thread: what people do, and what goes wrong.

mod world;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use oboro_cache::Store;
use oboro_core::wire::control::Control;
use oboro_core::wire::descriptor::{Descriptor, Roles};
use oboro_core::wire::frame::Frame;
use oboro_core::{Failure, Report};
use oboro_crypto::ids::{ExtentId, Location, NodeId};
use oboro_crypto::keys::NodeKeys;
use oboro_crypto::network::Params;
use oboro_crypto::record::RECORD_PLAIN;
use oboro_crypto::terms::Term;
use oboro_crypto::token::KeywordToken;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use world::World;
use world::meddle::end_circuits;

fn content(length: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

fn titles(report: &Report) -> Vec<String> {
    match report {
        Report::Found { hits, .. } => hits.iter().map(|hit| hit.title.clone()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn what_one_publishes_another_finds_and_fetches() {
    let mut world = World::new(8, 1);
    world.settle();
    let file = content(3_000_000);
    world.publish(1, "東京都庁の資料 annual report.pdf", &file);
    let Report::Found { hits, .. } = world.search(6, &["report", "annual"]) else {
        panic!("found")
    };
    assert_eq!(hits.len(), 1);
    assert_eq!((hits[0].size, hits[0].terms), (3_000_000, 2));
    let capability = hits[0].capability.clone();
    assert_eq!(titles(world.search(7, &["東京都"])).len(), 1);
    assert_eq!(world.fetch(6, &capability), Ok(file));
}

#[test]
fn files_of_awkward_lengths_come_back_as_they_were() {
    let mut world = World::new(6, 2);
    world.settle();
    for length in [0, 1, 32_767, 32_768, 32_769, 1 << 20, (1 << 20) + 1] {
        let file = content(length);
        let capability = world.publish(0, &format!("length {length}"), &file);
        assert_eq!(world.fetch(5, &capability), Ok(file), "{length}");
    }
}

#[test]
fn a_file_with_two_levels_of_nodes_comes_back() {
    let mut world = World::new(6, 3);
    world.settle();
    let file = content(17 << 20);
    let capability = world.publish(0, "two levels", &file);
    assert_eq!(capability.level, 2);
    assert!(world.fetch(4, &capability) == Ok(file));
}

#[test]
fn nothing_is_found_under_a_word_that_was_not_published() {
    let mut world = World::new(6, 4);
    world.settle();
    world.publish(0, "something", &content(10));
    assert!(matches!(
        world.search(3, &["nothing"]),
        Report::Failed(Failure::NotFound)
    ));
    assert!(matches!(
        world.search(3, &["something", "else"]),
        Report::Failed(Failure::NotFound)
    ));
    assert!(matches!(
        world.search(3, &["!?"]),
        Report::Failed(Failure::NoTerms)
    ));
}

#[test]
fn a_lone_node_says_that_it_is_not_joined() {
    let mut world = World::new(1, 5);
    world.run(Duration::from_secs(5));
    assert!(matches!(
        world.search(0, &["word"]),
        Report::Failed(Failure::NotJoined)
    ));
    assert_eq!(world.try_publish(0, "title", b"content"), None);
}

#[test]
fn two_nodes_of_eight_vanish_and_everything_is_still_there() {
    let mut world = World::new(8, 6);
    world.settle();
    let file = content(5_000_000);
    world.publish(0, "survivor of the storm", &file);
    world.kill(3);
    world.kill(5);
    let Report::Found { hits, .. } = world.search(7, &["survivor", "storm"]) else {
        panic!("found")
    };
    let capability = hits[0].capability.clone();
    assert_eq!(world.fetch(7, &capability), Ok(file));
}

#[test]
fn the_publisher_may_leave_when_it_is_done() {
    let mut world = World::new(6, 7);
    world.settle();
    let file = content(2_000_000);
    let capability = world.publish(2, "left behind", &file);
    world.kill(2);
    assert_eq!(titles(world.search(4, &["behind"])), ["left behind"]);
    assert_eq!(world.fetch(4, &capability), Ok(file));
    assert_eq!(world.machines[4].node.stats().drops.get("chunk_lost"), None);
}

#[test]
fn a_publisher_has_of_its_own_publication_what_others_gave_it_and_no_more() {
    let mut world = World::new(6, 7);
    world.settle();
    world.publish(2, "left behind", &content(2_000_000));
    world.handed_on();
    let others = world.machines.iter().enumerate();
    let handed_over: u64 = others
        .filter(|(other, _)| *other != 2)
        .map(|(_, machine)| machine.node.stats().upkeep.handed_over)
        .sum();
    let extents = world.machines[2].store.stats().extents;
    assert!(extents > 0, "it is given what it should hold, as anybody");
    assert!(extents <= handed_over, "{extents} of {handed_over} (I1)");
    assert_eq!(world.machines[2].node.stats().upkeep.handed_over, 0);
}

#[test]
fn wrong_chunks_are_noticed_and_asked_for_elsewhere() {
    let mut world = World::new(8, 8);
    world.settle();
    let file = content(3_000_000);
    let capability = world.publish(0, "poisoned well", &file);
    (1..4).for_each(|liar| world.machines[liar].lies = true);
    assert_eq!(world.fetch(7, &capability), Ok(file));
    assert!(world.machines[7].node.stats().violations["chunk_wrong"] > 0);
}

#[test]
fn found_but_not_retrievable_is_told_apart() {
    let mut world = World::new(6, 9);
    world.settle();
    let capability = world.publish(0, "gone", &content(100_000));
    for machine in &mut world.machines {
        machine.store = oboro_cache::MemoryStore::new(1 << 30);
    }
    assert!(matches!(
        world.fetch(5, &capability),
        Err(Failure::NotRetrievable { .. })
    ));
}

#[test]
fn a_fetch_goes_on_from_its_checkpoint() {
    let mut world = World::new(6, 10);
    world.settle();
    let file = content(40 << 20);
    let capability = world.publish(0, "long", &file);
    let job = world.begin_fetch(5, &capability, None);
    world.run_until(Duration::from_secs(60), |world| {
        world.machines[5].checkpoints.contains_key(&job)
    });
    let checkpoint = world.machines[5].checkpoints[&job].clone();
    let part = world.machines[5].sinks[&job].clone();
    world.command_cancel(5, job);
    let again = world.begin_fetch(5, &capability, Some(checkpoint));
    world.machines[5].sinks.insert(again, part);
    world.run_until(Duration::from_secs(600), |world| world.is_over(5, again));
    assert!(world.machines[5].sinks[&again] == file);
    let transferred =
        world.machines[5].reports[&again]
            .iter()
            .rev()
            .find_map(|report| match report {
                Report::Progress(progress) => Some(progress.transferred),
                _ => None,
            });
    assert!(
        transferred.unwrap() < 36 << 20,
        "what was done is not fetched again"
    );
}

#[test]
fn a_newcomer_learns_everybody_from_one() {
    let mut world = World::new(12, 11);
    world.settle();
    let late = world.add(&[5]);
    world.settle();
    assert_eq!(world.machines[late].node.standing(world.now).view, 13);
}

#[test]
fn a_node_that_starts_before_its_bootstrap_joins_when_that_comes() {
    let mut world = World::new(3, 12);
    world.machines[0].alive = false;
    world.run(Duration::from_secs(120));
    assert_eq!(world.machines[1].node.standing(world.now).peers.len(), 0);
    world.machines[0].alive = true;
    world.settle();
}

impl World {
    fn command_cancel(&mut self, machine: usize, job: oboro_core::ids::JobId) {
        self.command(machine, oboro_core::Command::Cancel { job, keep: true });
    }
}

/// A descriptor that claims an id it has not worked for.
fn claim(world: &World, id: [u8; 32], port: u16) -> Vec<u8> {
    let mut rng = ChaCha20Rng::from_seed(id);
    let keys = NodeKeys::generate(world.now.day(), &mut rng);
    let descriptor = Descriptor {
        identity: keys.identity.public(),
        link: keys.link.public(),
        onion: keys.onion.public(),
        id: NodeId(id),
        issued: u32::try_from(world.now.secs()).unwrap(),
        valid_hours: 6,
        roles: Roles {
            relay: true,
            storage: true,
        },
        capacity: 0,
        addresses: vec![std::net::SocketAddr::from(([127, 9, 9, 9], port))],
    };
    descriptor.sign(&world.network.id(), &keys.identity)
}

#[test]
fn a_location_cannot_be_taken_by_ids_that_are_only_claimed() {
    let mut world = World::new(6, 13);
    world.settle();
    let file = content(50_000);
    let probe = world.publish(0, "probe", &file);
    // Eight claims as near as can be to each placement of the root that everybody will look for.
    let extent = ExtentId::of(&[probe.root]);
    let mut claims = Vec::new();
    for index in 0..4 {
        let location = Location::of_extent(&world.network.id(), &extent, index);
        for near in 0..8 {
            let mut id = location.0;
            id[31] ^= near + 1;
            claims.push(claim(
                &world,
                id,
                1000 + u16::from(index) * 8 + u16::from(near),
            ));
        }
    }
    let stranger = world.connect_stranger(1);
    let hello = Control::Hello {
        observed: "127.0.0.1:1".parse().unwrap(),
        descriptor: None,
    };
    let mut messages = vec![hello];
    messages.extend(
        claims
            .chunks(4)
            .map(|some| Control::Descriptors(some.to_vec())),
    );
    for message in messages {
        let mut record = Vec::new();
        Frame::Control(&message.encode()).write(&mut record);
        record.resize(RECORD_PLAIN, 0);
        world.inject(1, stranger, record);
    }
    assert!(
        world.machines[1].node.standing(world.now).view > 6,
        "some are believed at first"
    );
    world.run(Duration::from_secs(5));
    // They are checked before anybody is told of them, and whoever brought them brings no more.
    assert!((0..6).all(|node| world.machines[node].node.standing(world.now).view == 6));
    let again = (0..5)
        .find_map(|_| world.try_publish(2, "probe again", &file))
        .expect("published");
    assert_eq!(again.root, probe.root);
    assert_eq!(world.fetch(5, &again), Ok(file));
    let found_out: u64 = (0..6)
        .map(|node| {
            *world.machines[node]
                .node
                .stats()
                .violations
                .get("node_id")
                .unwrap_or(&0)
        })
        .sum();
    assert!(found_out > 0);
}

/// Five copies among few nodes, as local networks have it.
fn five_copies(hops: u8) -> Params {
    Params {
        hops,
        replicas: 5,
        ..Params::local()
    }
}

#[test]
fn a_word_is_found_at_the_last_of_its_storers() {
    for seed in 1..=4 {
        let mut world = World::on(five_copies(0), 8, seed);
        world.settle();
        world.publish(0, "survivor", b"still here");
        let token = KeywordToken::derive(&world.network, &Term::parse("survivor").unwrap());
        let location = Location::of_entry(&world.network.id(), &token.location_key(), 4);
        let holds = |node: &usize| {
            let store = &mut world.machines[*node].store;
            !store.entries(&location, None, 1).unwrap().is_empty()
        };
        let last = (1..8).find(holds).expect("placement 4 is somewhere");
        let reader = if last == 7 { 6 } else { 7 };
        for node in (0..8).filter(|node| ![last, reader].contains(node)) {
            world.kill(node);
        }
        assert_eq!(titles(world.search(reader, &["survivor"])), ["survivor"]);
    }
}

#[test]
fn a_word_is_found_although_many_circuits_in_a_row_are_not_built() {
    const ROW: usize = 13;
    let mut world = World::on(five_copies(3), 8, 1);
    world.settle_circuits();
    world.publish(0, "survivor", b"still here");
    let guard = world.guard_of(7);
    let failed = Rc::new(RefCell::new(BTreeSet::new()));
    let seen = Rc::clone(&failed);
    world.meddle = Some(Box::new(move |from, to, plain| {
        let mut failed = seen.borrow_mut();
        if (from, to) == (guard, 7) && failed.len() < ROW {
            failed.extend(end_circuits(plain));
        }
    }));
    assert_eq!(titles(world.search(7, &["survivor"])), ["survivor"]);
    assert!(failed.borrow().len() == ROW, "it was to be hard");
}
