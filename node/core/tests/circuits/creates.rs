//! Creates by the thousand: what a relay holds for those who send them, and whether others still get through.

use std::time::Duration;

use oboro_core::limits::{CREATES_WAITING_MAX, HALF_OPEN_MAX, RELAYED_MAX};
use oboro_core::wire::cell::CellFrame;
use oboro_core::wire::frame::Frame;
use oboro_crypto::circuit::CREATE_LEN;

use crate::stranger::{Circuit, Said, Stranger};
use crate::world::World;

const LINKS: usize = 50;
/// Creates of one link in ten milliseconds: 10,000 a second of all.
const AT_ONCE: usize = 2;

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flood {
    /// Bytes that are no create.
    Garbage,
    /// One create over and over.
    Replays,
    /// Creates for which the relay is the exit.
    Exits,
    /// Creates whose next hop exists and never answers.
    Silent,
}

/// Creates made beforehand: what they cost whoever sends them is not measured here.
fn bodies(flood: Flood, world: &mut World, silent: usize, stranger: &mut Stranger) -> Vec<Vec<u8>> {
    match flood {
        Flood::Garbage => (0..=250u8).map(|byte| vec![byte; CREATE_LEN]).collect(),
        Flood::Replays => vec![stranger.create(world, &[0]).1],
        Flood::Exits => (0..20_000)
            .map(|_| stranger.create(world, &[0]).1)
            .collect(),
        Flood::Silent => (0..4_000)
            .map(|_| stranger.create(world, &[0, silent]).1)
            .collect(),
    }
}

/// An echo comes back through a circuit.
fn holds(world: &mut World, stranger: &mut Stranger, circuit: &mut Circuit, nonce: u64) -> bool {
    stranger.tell(world, circuit, &[CellFrame::Probe(nonce)]);
    for _ in 0..100 {
        world.run(Duration::from_millis(10));
        if circuit
            .hear(&stranger.hear(world))
            .contains(&Said::Echo(nonce))
        {
            return true;
        }
    }
    false
}

/// Two seconds of a flood, then what an honest client sees while it goes on.
fn survives(flood: Flood, seconds: usize) {
    let mut world = World::with_hops(6, 2, 3);
    world.settle_circuits();
    let mut honest = Stranger::meet(&mut world, 0);
    let mut old = honest.build(&mut world, &[0, 1, 2]);
    // A node that takes creates and says nothing of them.
    world.meddle = Some(Box::new(|from, _, plain| {
        if from == 5 {
            crate::world::meddle::blank_circuits(plain);
        }
    }));
    let mut hostile: Vec<Stranger> = (0..LINKS).map(|_| Stranger::meet(&mut world, 0)).collect();
    let bodies = bodies(flood, &mut world, 5, &mut hostile[0]);
    let mut bodies = bodies.iter().cycle();
    let mut attack = |world: &mut World, hostile: &mut Vec<Stranger>| {
        for stranger in hostile.iter_mut() {
            let creates: Vec<(u32, &Vec<u8>)> = (0..AT_ONCE)
                .map(|_| (stranger.number(), bodies.next().unwrap()))
                .collect();
            let frames: Vec<Frame<'_>> = creates
                .iter()
                .map(|(number, body)| Frame::Create(*number, body))
                .collect();
            stranger.say(world, &frames);
        }
        // It reads, but does not care.
        hostile
            .iter_mut()
            .for_each(|stranger| drop(stranger.hear(world)));
        let held = world.machines[0].node.held();
        assert!(held.creates <= CREATES_WAITING_MAX, "{held:?}");
        assert!(held.relayed <= RELAYED_MAX, "{held:?}");
        assert!(
            held.hops <= 2 * RELAYED_MAX + 2 * CREATES_WAITING_MAX,
            "{held:?}"
        );
        assert!(held.dials <= 8 && held.cells <= 64, "{held:?}");
        world.run(Duration::from_millis(10));
    };
    let mut longest = Duration::ZERO;
    for step in 0..seconds * 100 {
        attack(&mut world, &mut hostile);
        if step % 50 == 49 {
            let nonce = step as u64;
            assert!(
                holds(&mut world, &mut honest, &mut old, nonce),
                "{flood:?}: an old circuit goes on"
            );
        }
        if step % 100 == 99 {
            // A client of its own link, and a new circuit while the flood goes on.
            let mut other = Stranger::meet(&mut world, 0);
            let began = world.now;
            let mut tries = 0;
            let mut new = loop {
                tries += 1;
                assert!(tries <= 2, "{flood:?}: refused at second {}", step / 100);
                let mut new = other.begin(&mut world, &[0, 1, 2]);
                for _ in 0..100 {
                    attack(&mut world, &mut hostile);
                    new.hear(&other.hear(&world));
                    if new.is_built() {
                        break;
                    }
                }
                if new.is_built() {
                    break new;
                }
            };
            longest = longest.max(world.now.since(began));
            assert!(holds(&mut world, &mut other, &mut new, 1));
        }
    }
    assert!(
        longest < Duration::from_secs(1),
        "{flood:?}: {longest:?} to build one"
    );
    let held = world.machines[0].node.held();
    let stats = world.machines[0].node.stats();
    assert!(
        stats.circuits.refused > 1_000,
        "{flood:?}: {:?}",
        stats.refusals
    );
    if flood == Flood::Silent {
        assert!(held.relayed <= HALF_OPEN_MAX + 50, "{held:?}");
    }
    // When it is over nothing of it is left but circuits that a client might still use.
    for stranger in hostile {
        world.disconnect(0, stranger.link);
    }
    world.run(Duration::from_secs(2));
    let held = world.machines[0].node.held();
    assert!(
        held.creates == 0 && held.relayed < 100 && held.hops < 200,
        "{held:?}"
    );
}

#[test]
fn garbage_by_the_thousand_stops_nobody() {
    survives(Flood::Garbage, 3);
}

#[test]
fn replayed_creates_by_the_thousand_stop_nobody() {
    survives(Flood::Replays, 3);
}

#[test]
fn creates_that_end_here_by_the_thousand_stop_nobody() {
    survives(Flood::Exits, 6);
}

#[test]
fn creates_that_are_never_answered_by_the_thousand_stop_nobody() {
    survives(Flood::Silent, 3);
}
