//! Relays that build circuits and then drop what goes through them: a fetch goes on, and its guard stays.

use std::time::Duration;

use oboro_core::{Failure, Report};
use oboro_crypto::eris::Capability;

use crate::content;
use crate::world::World;

const NODES: usize = 20;
const USER: usize = 7;

/// A world as slow as long ways make it, and something to fetch in it.
fn slow_world(seed: u8, length: usize) -> (World, Capability, Vec<u8>) {
    let mut world = World::with_hops(NODES, seed, 3);
    world.settle_circuits();
    let content = content(length);
    let capability = world.publish(1, "a long way", &content);
    world.delay = Duration::from_millis(60);
    world.run(Duration::from_secs(60));
    (world, capability, content)
}

/// The user's middles, read from what it keeps.
fn middles(world: &World, machine: usize) -> Vec<usize> {
    let kept = world.machines[machine].guards.as_ref().expect("kept");
    let guards = usize::from(kept[1]);
    let rest = &kept[2 + guards * 45..];
    assert_eq!(rest.len(), 1 + usize::from(rest[0]) * 36);
    rest[1..]
        .chunks(36)
        .map(|middle| {
            world.machine_of(&oboro_crypto::ids::NodeId(middle[..32].try_into().unwrap()))
        })
        .collect()
}

/// How long it took, how often something was asked for again, and how many circuits failed.
fn fetch(world: &mut World, capability: &Capability, expected: &[u8]) -> (Duration, u64, u64) {
    let failures = |world: &World| -> u64 {
        let stats = world.machines[USER].node.stats();
        stats.circuits.failures.values().sum()
    };
    let (began, failed) = (world.now, failures(world));
    let job = world.begin_fetch(USER, capability, None);
    assert!(world.run_until(Duration::from_secs(900), |world| world.is_over(USER, job)));
    let reports = &world.machines[USER].reports[&job];
    if let Some(Report::Failed(failure)) = reports.last() {
        panic!("{failure}");
    }
    assert!(world.machines[USER].sinks[&job] == expected);
    let retries = reports.iter().map(|report| match report {
        Report::Progress(progress) => progress.retries,
        _ => 0,
    });
    let retries = retries.max().unwrap_or(0);
    (world.now.since(began), retries, failures(world) - failed)
}

#[test]
fn a_fetch_survives_a_tenth_of_all_relays_dropping_everything_in_less_than_twice_the_time() {
    let (mut told, mut holds) = (Vec::new(), true);
    for seed in [12, 14, 15] {
        let (mut world, capability, expected) = slow_world(seed, 56_000_000);
        let (clean, usual, _) = fetch(&mut world, &capability, &expected);
        let (mut world, capability, expected) = slow_world(seed, 56_000_000);
        let guard = world.guard_of(USER);
        // One of the user's own middles, and one of the others.
        let middle = middles(&world, USER)[0];
        let other = (0..NODES)
            .map(|step| (usize::from(seed) * 5 + step) % NODES)
            .find(|node| ![USER, guard, middle].contains(node))
            .unwrap();
        world.machines[middle].drops = true;
        world.machines[other].drops = true;
        let (lossy, retries, failed) = fetch(&mut world, &capability, &expected);
        assert_eq!(world.guard_of(USER), guard, "the guard stays");
        let ratio = lossy.as_secs_f64() / clean.as_secs_f64();
        told.push(format!(
            "seed {seed}: {clean:.1?} clean, {lossy:.1?} with losses ({ratio:.2}), {retries} retries instead of {usual}, {failed} circuits failed"
        ));
        // As many as there are lanes and circuits for each, and what was built beforehand.
        holds &= clean > Duration::from_secs(15) && failed <= 12 && retries <= 64 && ratio < 2.0;
    }
    assert!(holds, "{told:#?}");
}

#[test]
fn when_all_but_the_guard_drop_everything_a_job_ends_with_a_word_and_the_guard_stays() {
    let (mut world, capability, _) = slow_world(16, 300_000);
    let guard = world.guard_of(USER);
    for machine in 0..NODES {
        world.machines[machine].drops = machine != guard && machine != USER;
    }
    let began = world.now;
    let failure = world.fetch(USER, &capability);
    assert!(
        matches!(failure, Err(Failure::NoCircuit { tried: 1..=4 })),
        "{failure:?}"
    );
    assert!(world.now.since(began) < Duration::from_secs(90));
    assert_eq!(world.guard_of(USER), guard);
    // And when the guard itself does.
    world
        .machines
        .iter_mut()
        .for_each(|machine| machine.drops = false);
    world.machines[guard].drops = true;
    world.run(Duration::from_secs(700));
    let failure = world.fetch(USER, &capability);
    assert!(
        matches!(failure, Err(Failure::NoCircuit { .. })),
        "{failure:?}"
    );
    assert_eq!(
        world.guard_of(USER),
        guard,
        "failures do not change the guard (I4)"
    );
    world.machines[guard].drops = false;
    assert!(world.fetch(USER, &capability).is_ok());
}

#[test]
fn a_job_goes_on_when_all_its_middles_are_gone() {
    let mut world = World::with_hops(NODES, 17, 3);
    world.settle_circuits();
    let file = content(300_000);
    let capability = world.publish(1, "a long way", &file);
    // A guard on trial is not judged by few middles: it has carried something before.
    assert!(world.fetch(USER, &capability).is_ok());
    let gone = middles(&world, USER);
    assert_eq!(gone.len(), 4);
    for middle in gone {
        world.kill(middle);
    }
    let guard = world.guard_of(USER);
    // More than there are circuits built beforehand.
    for _ in 0..5 {
        assert!(world.fetch(USER, &capability).as_ref() == Ok(&file));
    }
    assert_eq!(world.guard_of(USER), guard);
}
