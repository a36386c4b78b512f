//! How long circuits live: idle ones, old ones, those that never come to their end, those built beforehand.

use std::time::Duration;

use oboro_core::limits::{
    CIRCUIT_IDLE, CIRCUITS_READY, HALF_OPEN_PATIENCE, RELAY_IDLE, RELAY_LIFE,
};
use oboro_core::wire::cell::CellFrame;
use oboro_core::wire::control::Control;
use oboro_core::wire::frame::Frame;
use oboro_core::{Failure, Report};

use crate::content;
use crate::stranger::{Circuit, Stranger, is_destroyed};
use crate::world::World;

const USER: usize = 2;

fn settled(seed: u8) -> World {
    let mut world = World::with_hops(6, seed, 3);
    world.settle_circuits();
    world
}

/// Lives on, saying now and then that the link does, and so much in the circuit; says how long it held.
fn lives(
    world: &mut World,
    stranger: &mut Stranger,
    circuit: &mut Circuit,
    speaks: bool,
) -> Duration {
    let began = world.now;
    let mut nonce = 0;
    loop {
        world.run(Duration::from_secs(10));
        nonce += 1;
        let ping = Control::Ping(nonce).encode();
        stranger.say(world, &[Frame::Control(&ping)]);
        if speaks && nonce % 20 == 0 {
            stranger.tell(world, circuit, &[CellFrame::Probe(nonce)]);
        }
        let heard = stranger.hear(world);
        circuit.hear(&heard);
        if is_destroyed(&heard, circuit) {
            return world.now.since(began);
        }
        assert!(world.now.since(began) < RELAY_LIFE * 2, "it lives for ever");
    }
}

#[test]
fn a_relayed_circuit_ends_when_it_is_idle_or_old() {
    let mut world = settled(101);
    let mut stranger = Stranger::meet(&mut world, 0);
    let mut circuit = stranger.build(&mut world, &[0, 1, 2]);
    let idle = lives(&mut world, &mut stranger, &mut circuit, false);
    assert!(
        idle + Duration::from_secs(2) >= RELAY_IDLE && idle < RELAY_IDLE + Duration::from_secs(30),
        "{idle:?}"
    );
    let mut circuit = stranger.build(&mut world, &[0, 1, 2]);
    let old = lives(&mut world, &mut stranger, &mut circuit, true);
    assert!(
        old + Duration::from_secs(2) >= RELAY_LIFE && old < RELAY_LIFE + Duration::from_secs(30),
        "{old:?}"
    );
    // Its other relays have forgotten it too: what is left is of circuits that nodes build beforehand.
    for machine in 0..3 {
        assert!(world.machines[machine].node.held().relayed <= 5 * CIRCUITS_READY);
    }
}

#[test]
fn a_circuit_whose_next_hop_is_silent_ends_soon() {
    let mut world = settled(102);
    let mut stranger = Stranger::meet(&mut world, 0);
    world.meddle = Some(Box::new(|from, _, plain| {
        if from == 1 {
            crate::world::meddle::blank_circuits(plain);
        }
    }));
    let circuit = stranger.begin(&mut world, &[0, 1, 2]);
    world.run(HALF_OPEN_PATIENCE - Duration::from_secs(1));
    assert!(!is_destroyed(&stranger.hear(&world), &circuit));
    world.run(Duration::from_secs(2));
    assert!(is_destroyed(&stranger.hear(&world), &circuit));
    // And one whose next hop is not there at all.
    world.meddle = None;
    world.kill(5);
    let circuit = stranger.begin(&mut world, &[0, 5, 2]);
    world.run(Duration::from_secs(2));
    assert!(is_destroyed(&stranger.hear(&world), &circuit));
}

#[test]
fn three_circuits_are_ready_all_the_time_and_new_ones_take_their_places() {
    let mut world = World::with_hops(9, 103, 3);
    world.settle_circuits();
    let ready = |world: &World| world.machines[3].node.standing(world.now).circuits_ready;
    let built = world.machines[3].node.stats().circuits.built;
    let mut short = 0;
    for _ in 0..300 {
        world.run(Duration::from_secs(5));
        short += usize::from(ready(&world) != CIRCUITS_READY);
    }
    assert!(short <= 3, "{short} of 300 times there were not three");
    let since = world.machines[3].node.stats().circuits.built - built;
    let most = (1500 / CIRCUIT_IDLE.as_secs() + 1) * CIRCUITS_READY as u64;
    assert!(
        (3..=most).contains(&since),
        "idle ones are replaced, and only those: {since}"
    );
    // Two nodes vanish: what led over them is replaced.
    let guard = world.guard_of(3);
    let others: Vec<usize> = (1..9).filter(|node| ![3, guard].contains(node)).collect();
    world.kill(others[0]);
    world.kill(others[1]);
    world.run(Duration::from_secs(120));
    assert_eq!(ready(&world), CIRCUITS_READY);
    // A job takes some and leaves three behind.
    let capability = world.publish(3, "while they live", &content(100_000));
    let fetched = world.fetch(3, &capability);
    assert!(fetched.is_ok(), "{:?}", fetched.err());
    world.run(Duration::from_secs(30));
    assert_eq!(ready(&world), CIRCUITS_READY);
    let held = world.machines[3].node.held();
    assert!(held.streams == 0 && held.exchanges == 0, "{held:?}");
}

#[test]
fn a_guard_that_says_nothing_any_more_is_noticed_by_the_first_circuit_that_waits() {
    let mut world = World::with_hops(9, 66, 3);
    world.settle_circuits();
    let capability = world.publish(1, "somewhere", &crate::content(300_000));
    let guard = world.guard_of(USER);
    // It is gone, and nobody is told.
    world.machines[guard].alive = false;
    let job = world.begin_fetch(USER, &capability, None);
    let noticed = world.run_until(Duration::from_secs(12), |world| {
        let standing = world.machines[USER].node.standing(world.now);
        standing.guard.is_some_and(|guard| !guard.linked)
    });
    assert!(
        noticed,
        "a link says nothing for 90 seconds before it is closed for that alone"
    );
    assert!(world.run_until(Duration::from_secs(300), |world| world.is_over(USER, job)));
    let failure = world.machines[USER].reports[&job].last();
    assert!(
        matches!(failure, Some(Report::Failed(Failure::GuardAway { .. }))),
        "no relay is blamed for it"
    );
    assert_eq!(world.guard_of(USER), guard, "nor is the guard changed (I4)");
}
