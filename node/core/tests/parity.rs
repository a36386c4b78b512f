//! Files of which every copy of some extents is gone: parity gives them back, or a fetch says that it cannot.

mod world;

use std::time::Duration;

use oboro_cache::{PutEntry, Store};
use oboro_core::Failure;
use oboro_core::ids::JobId;
use oboro_crypto::entry::{EntryBody, Kind, SealedEntry, seal};
use oboro_crypto::eris::{BlockSize, Capability, ConvergenceSecret, Encoder};
use oboro_crypto::ids::{ExtentId, Location};
use oboro_crypto::network::Class;
use oboro_crypto::parity::Scheme;
use oboro_crypto::token::KeywordToken;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use world::World;

const MIB: usize = 1 << 20;

fn content(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    core::iter::repeat_with(next).take(length).collect()
}

/// Locations of every leaf extent of a stream, at most copies there can be.
fn extents(world: &World, content: &[u8], secret: [u8; 32]) -> Vec<Vec<Location>> {
    let secret = ConvergenceSecret::from_bytes(secret);
    let mut encoder = Encoder::new(content, BlockSize::Large, secret);
    let mut all = Vec::new();
    while let Some(run) = encoder.next_run().unwrap() {
        if run.level == 0 {
            let extent = ExtentId::of(&run.references);
            let place = |index| Location::of_extent(&world.network.id(), &extent, index);
            all.push((0..16).map(place).collect());
        }
    }
    all
}

/// Nobody has these any more, and nobody will.
fn lose(world: &mut World, gone: &[Vec<Location>]) {
    for machine in &mut world.machines {
        machine.gone.extend(gone.iter().flatten());
    }
}

fn recovered(world: &World, machine: usize) -> u64 {
    world.machines[machine].node.stats().extents_recovered
}

fn published(seed: u8, length: usize) -> (World, Vec<u8>, Capability) {
    let mut world = World::new(10, seed);
    world.settle();
    let file = content(length, 5);
    let capability = world.publish(0, "precious", &file);
    (world, file, capability)
}

#[test]
fn extents_of_which_every_copy_is_gone_come_back_from_parity() {
    // Six extents, the last of two blocks, and five of parity.
    let length = 5 * MIB + 40_000;
    let (mut world, file, capability) = published(200, length);
    let all = extents(&world, &file, [7; 32]);
    assert_eq!(all.len(), 6);
    for gone in [vec![1], vec![5], vec![0, 2, 3]] {
        let gone: Vec<_> = gone.into_iter().map(|n: usize| all[n].clone()).collect();
        lose(&mut world, &gone);
        assert!(world.fetch(7, &capability) == Ok(file.clone()));
    }
    assert_eq!(recovered(&world, 7), 1 + 2 + 5);
}

#[test]
fn a_file_of_two_groups_comes_back() {
    let (mut world, file, capability) = published(201, 33 * MIB);
    let all = extents(&world, &file, [7; 32]);
    let gone: Vec<_> = (0..34).step_by(4).map(|n| all[n].clone()).collect();
    lose(&mut world, &gone);
    assert!(world.fetch(4, &capability) == Ok(file));
    assert_eq!(recovered(&world, 4), gone.len() as u64);
}

#[test]
fn when_too_much_of_a_group_is_gone_the_fetch_says_so() {
    let (mut world, file, capability) = published(202, 4 * MIB - 10);
    let all = extents(&world, &file, [7; 32]);
    assert_eq!(
        Scheme::of_content(file.len() as u64)
            .unwrap()
            .parity_extents(),
        4
    );
    let parity = parity_of(&file);
    let parity = extents(&world, &parity, parity_secret());
    // Three of four are gone, and two of their four of parity.
    lose(&mut world, &all[..3]);
    lose(&mut world, &parity[1..3]);
    let failure = world.fetch(3, &capability).unwrap_err();
    assert_eq!(failure, Failure::NotRetrievable { missing: 3 });
    assert_eq!(recovered(&world, 3), 0);
}

#[test]
fn parity_extents_that_are_gone_are_replaced_by_others() {
    let (mut world, file, capability) = published(203, 4 * MIB - 10);
    let all = extents(&world, &file, [7; 32]);
    let parity = extents(&world, &parity_of(&file), parity_secret());
    lose(&mut world, &all[1..3]);
    lose(&mut world, &parity[..2]);
    assert!(world.fetch(3, &capability) == Ok(file));
}

#[test]
fn whoever_leads_to_wrong_parity_costs_time_and_nothing_else() {
    let (mut world, file, capability) = published(204, 4 * MIB - 10);
    let all = extents(&world, &file, [7; 32]);
    // A whole tree that is there and of the right length, but of another file; and two of nothing at all.
    let other = content(parity_of(&file).len(), 9);
    let wrong = world.publish(1, "wrong", &other);
    let nothing = |seed: u8| {
        let mut bytes = wrong.to_bytes();
        bytes[2..].fill(seed);
        Capability::from_bytes(&bytes).unwrap()
    };
    for lie in [wrong.clone(), nothing(1), nothing(2)] {
        let index = if lie == wrong { 0..8 } else { 0..3 };
        index.for_each(|index| lie_about(&mut world, &capability, &lie, other.len() as u64, index));
    }
    lose(&mut world, &all[2..4]);
    assert!(world.fetch(3, &capability) == Ok(file));
    assert_eq!(recovered(&world, 3), 2);
    assert!(
        world.machines[3]
            .node
            .stats()
            .violations
            .contains_key("parity_wrong")
    );
}

#[test]
fn without_what_leads_to_the_parity_a_fetch_fails_as_it_always_did() {
    let (mut world, file, capability) = published(205, 4 * MIB - 10);
    // The same content under another secret: its nodes are nowhere, and what leads to the parity is another's.
    let mut encoder = Encoder::new(&file[..], BlockSize::Large, ConvergenceSecret::null());
    while encoder.next_run().unwrap().is_some() {}
    let unknown = encoder.capability().unwrap();
    assert!(matches!(
        world.fetch(3, &unknown),
        Err(Failure::NotRetrievable { .. })
    ));
    let token = KeywordToken::of_parity(&world.network.id(), &capability);
    let places =
        (0..8).map(|index| Location::of_entry(&world.network.id(), &token.location_key(), index));
    let gone: Vec<Location> = places.collect();
    let all = extents(&world, &file, [7; 32]);
    lose(&mut world, &all[..1]);
    lose(&mut world, &[gone]);
    let failure = world.fetch(3, &capability).unwrap_err();
    assert_eq!(failure, Failure::NotRetrievable { missing: 1 });
}

#[test]
fn what_was_recovered_is_not_fetched_again_when_a_fetch_is_resumed() {
    let (mut world, file, capability) = published(206, 9 * MIB);
    let all = extents(&world, &file, [7; 32]);
    lose(&mut world, &all[3..5]);
    let job = world.begin_fetch(6, &capability, None);
    world.run_until(Duration::from_secs(600), |world| recovered(world, 6) == 2);
    let checkpoint = world.machines[6].checkpoints[&job].clone();
    let sink = world.machines[6].sinks[&job].clone();
    let again: JobId = world.begin_fetch(6, &capability, Some(checkpoint));
    world.machines[6].sinks.insert(again, sink);
    world.run_until(Duration::from_secs(60), |world| world.is_over(6, again));
    assert!(world.machines[6].sinks[&again] == file);
    assert_eq!(recovered(&world, 6), 2);
}

/// Puts an entry that leads astray into every store, as whoever has the capability can.
fn lie_about(world: &mut World, of: &Capability, lie: &Capability, size: u64, index: u8) {
    let network = &world.network;
    assert!(index < network.params.copies(Class::Alone));
    let token = KeywordToken::of_parity(&network.id(), of);
    let today = world.now.day();
    let body = EntryBody::new("parity", size, Kind::File, lie.clone(), &[], today);
    let mut rng = ChaCha20Rng::from_seed([index; 32]);
    let entry: SealedEntry = seal(network, &token, &body, index, today + 1, &mut rng)
        .unwrap()
        .solve();
    let (location, bytes) = (entry.location(&network.id()), entry.encode());
    for machine in &mut world.machines {
        let put = PutEntry {
            location,
            bytes: bytes.clone(),
            expires_day: entry.expires_day,
            work: 8,
            today,
        };
        machine.store.put_entry(put).unwrap();
    }
}

fn parity_of(file: &[u8]) -> Vec<u8> {
    use oboro_crypto::parity::ParityStream;
    use std::io::Read;
    let read = |offset: u64, bytes: &mut [u8]| {
        let at = offset as usize;
        bytes.copy_from_slice(&file[at..at + bytes.len()]);
        Ok(())
    };
    let mut all = Vec::new();
    let mut stream = ParityStream::new(file.len() as u64, read).unwrap();
    stream.read_to_end(&mut all).unwrap();
    all
}

/// The secret under which the world's shells encode parity.
const fn parity_secret() -> [u8; 32] {
    let mut secret = [7; 32];
    secret[0] ^= 0xff;
    secret
}
