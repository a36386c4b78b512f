//! Clients, relays and exits that keep to no rule: what they break is their own, and bounded.

use std::ops::RangeInclusive;
use std::time::Duration;

use oboro_core::Failure;
use oboro_core::limits::{
    CIRCUIT_QUEUE_MAX, CIRCUIT_WINDOW_MAX, EXIT_BUFFER, EXIT_STREAMS_PER_CIRCUIT, STREAM_WINDOW,
};
use oboro_core::wire::cell::CellFrame;
use oboro_core::wire::frame::{CloseReason, Frame};
use oboro_core::wire::message::Request;
use oboro_crypto::circuit::{CELL_LEN, CREATE_LEN, CREATED_LEN, FORWARD_PAYLOAD};
use oboro_crypto::provider::{Provider, RealProvider};
use oboro_crypto::record::RECORD_PLAIN;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::content;
use crate::stranger::{Circuit, NOBODY, Said, Stranger, is_destroyed};
use crate::world::World;
use crate::world::meddle::{CELL, CREATED};
use crate::world::puppet::framed;

const USER: usize = 4;

fn settled(seed: u8) -> World {
    let mut world = World::with_hops(9, seed, 3);
    world.settle_circuits();
    world
}

fn relayed(world: &World, machine: usize) -> usize {
    world.machines[machine].node.held().relayed
}

fn wait(world: &mut World) {
    world.run(Duration::from_millis(300));
}

/// The link is still good: another circuit can be built on it and answers.
fn still_served(world: &mut World, stranger: &mut Stranger) {
    let mut circuit = stranger.build(world, &[0, 1, 2]);
    stranger.tell(world, &mut circuit, &[CellFrame::Probe(77)]);
    wait(world);
    assert!(
        circuit
            .hear(&stranger.hear(world))
            .contains(&Said::Echo(77))
    );
    stranger.say(world, &[Frame::Destroy(circuit.number)]);
    wait(world);
}

#[test]
fn an_exit_reaches_listed_nodes_and_nobody_else() {
    let mut world = settled(71);
    let mut stranger = Stranger::meet(&mut world, 0);
    let mut circuit = stranger.build(&mut world, &[0, 1, 2]);
    let before = world.machines[2].node.stats().dialed;
    let own = world.machines[2].id;
    stranger.tell(
        &mut world,
        &mut circuit,
        &[CellFrame::Begin(1, NOBODY), CellFrame::Begin(2, own)],
    );
    wait(&mut world);
    let said = circuit.hear(&stranger.hear(&world));
    for number in [1, 2] {
        assert!(
            said.contains(&Said::Close(number, CloseReason::Failed)),
            "{said:?}"
        );
    }
    assert_eq!(
        world.machines[2].node.stats().dialed,
        before,
        "nothing was dialled (I7)"
    );
    assert_eq!(
        world.machines[2]
            .node
            .stats()
            .refusals
            .get("exit_unreachable"),
        Some(&2)
    );
    // A listed node is reached, asked, and answers.
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let request = Request::Get {
        location: oboro_crypto::ids::Location([1; 32]),
        wanted: 1,
    };
    let onion = world.machines[5].onion;
    let (_, first) = RealProvider
        .open(&onion, &world.network.id(), &request.encode(), &mut rng)
        .unwrap();
    let (target, first) = (world.machines[5].id, framed(&first));
    let (head, tail) = first.split_at(first.len().min(3_000));
    stranger.tell(
        &mut world,
        &mut circuit,
        &[CellFrame::Begin(3, target), CellFrame::Data(3, head)],
    );
    if !tail.is_empty() {
        stranger.tell(&mut world, &mut circuit, &[CellFrame::Data(3, tail)]);
    }
    wait(&mut world);
    let said = circuit.hear(&stranger.hear(&world));
    assert!(
        said.iter().any(|said| matches!(said, Said::Data(3, _))),
        "{said:?}"
    );
    assert!(
        said.contains(&Said::Close(3, CloseReason::Done)),
        "{said:?}"
    );
    // A node whose circuits end here has nothing else of them.
    assert_eq!(world.machines[2].node.held().streams, 0);
}

#[test]
fn what_makes_no_sense_on_a_link_closes_it() {
    let mut world = settled(72);
    let bodies = (vec![1; CREATE_LEN], vec![1; CREATED_LEN], vec![1; CELL_LEN]);
    // Numbers of the other side, and numbers in use.
    let strangers: [&[Frame<'_>]; 2] = [
        &[Frame::Create(2, &bodies.0)],
        &[Frame::Create(1, &bodies.0), Frame::Create(1, &bodies.0)],
    ];
    for frames in strangers {
        let stranger = Stranger::meet(&mut world, 0);
        let before = world.machines[0].node.held();
        stranger.say(&mut world, frames);
        wait(&mut world);
        let stats = world.machines[0].node.stats();
        assert!(
            stats.violations.contains_key("circuit_number"),
            "{:?}",
            stats.violations
        );
        let after = world.machines[0].node.held();
        assert!(
            after.links < before.links && after.hops <= before.hops,
            "{after:?}"
        );
        assert_eq!((after.creates, after.cells), (0, 0));
    }
}

#[test]
fn what_is_said_of_circuits_at_the_wrong_time_ends_them_and_nothing_else() {
    let mut world = settled(73);
    let mut stranger = Stranger::meet(&mut world, 0);
    let base = relayed(&world, 0);
    let bodies = (vec![1; CREATED_LEN], vec![1; CELL_LEN]);
    // A cell and a created of circuits that do not exist, and the end of one: nothing to say about it.
    stranger.say(&mut world, &[Frame::Cell(901, &bodies.1)]);
    stranger.say(
        &mut world,
        &[Frame::Created(903, &bodies.0), Frame::Destroy(905)],
    );
    wait(&mut world);
    still_served(&mut world, &mut stranger);
    // A cell before the created.
    let early = stranger.begin(&mut world, &[0, 1, 2]);
    stranger.say(&mut world, &[Frame::Cell(early.number, &bodies.1)]);
    wait(&mut world);
    assert!(is_destroyed(&stranger.hear(&world), &early));
    // A created from the client's side; bytes that no key has sealed; a frame that is none; a cell twice.
    for breach in 0..6 {
        let mut circuit = stranger.build(&mut world, &[0, 1, 2]);
        let cell = match breach {
            0 => {
                stranger.say(&mut world, &[Frame::Created(circuit.number, &bodies.0)]);
                bodies.1.clone()
            }
            1 => bodies.1.clone(),
            2 => circuit.cell_of(&[99]),
            3 => circuit.cell_of(&[0, 1]),
            4 => {
                let cell = circuit.cell(&[CellFrame::Probe(1)]);
                stranger.say(&mut world, &[Frame::Cell(circuit.number, &cell)]);
                cell
            }
            _ => {
                // The second before the first.
                let _ = circuit.cell(&[CellFrame::Probe(1)]);
                circuit.cell(&[CellFrame::Probe(2)])
            }
        };
        stranger.say(&mut world, &[Frame::Cell(circuit.number, &cell)]);
        wait(&mut world);
        assert!(
            is_destroyed(&stranger.hear(&world), &circuit),
            "breach {breach}"
        );
        assert_eq!(
            relayed(&world, 0),
            base,
            "breach {breach}: nothing is left of it"
        );
    }
    still_served(&mut world, &mut stranger);
    let stats = world.machines[0].node.stats();
    assert!(stats.violations.is_empty(), "{:?}", stats.violations);
}

/// A circuit that its client abuses in one way, cell after cell, until it is ended.
fn abuse(world: &mut World, stranger: &mut Stranger, kind: u8) -> u32 {
    let mut circuit = stranger.build(world, &[0, 1, 2]);
    let target = world.machines[5].id;
    let full = vec![7u8; FORWARD_PAYLOAD - 100];
    if kind < 2 {
        stranger.tell(world, &mut circuit, &[CellFrame::Begin(1, target)]);
    }
    for count in 0..600u32 {
        let cell = match kind {
            // Beyond the stream's window.
            0 => circuit.cell(&[CellFrame::Data(1, &full)]),
            // More credit than there is.
            1 => circuit.cell(&[CellFrame::Credit(1, STREAM_WINDOW)]),
            // More cells than there may be.
            2 => circuit.cell(&[CellFrame::Window(CIRCUIT_WINDOW_MAX)]),
            // Probes without end.
            4 => circuit.cell(&vec![CellFrame::Probe(1); 400]),
            // What only an exit says.
            5 => circuit.cell(&[CellFrame::Echo(1)]),
            // A number again.
            _ => circuit.cell(&[CellFrame::Begin(1, target)]),
        };
        stranger.say(world, &[Frame::Cell(circuit.number, &cell)]);
        world.run(Duration::from_millis(20));
        for machine in [0, 1, 2] {
            let held = world.machines[machine].node.held();
            assert!(
                held.cells <= CIRCUIT_QUEUE_MAX && held.unread <= 4 << 20,
                "{held:?}"
            );
            assert!(held.streams <= EXIT_STREAMS_PER_CIRCUIT + 16, "{held:?}");
        }
        let heard = stranger.hear(world);
        circuit.hear(&heard);
        if is_destroyed(&heard, &circuit) {
            return count;
        }
    }
    panic!("kind {kind}: never ended");
}

#[test]
fn a_client_that_floods_or_lies_about_windows_loses_its_circuit_only() {
    let mut world = settled(74);
    let mut stranger = Stranger::meet(&mut world, 0);
    let mut honest = stranger.build(&mut world, &[0, 3, 2]);
    let base: Vec<usize> = (0..3).map(|machine| relayed(&world, machine)).collect();
    // The target takes nothing: its credit is lost on the way.
    world.meddle = Some(Box::new(|from, _, plain| {
        if from == 5 {
            crate::world::meddle::blank_streams(plain);
        }
    }));
    for kind in [0, 1, 2, 4, 5, 6] {
        let cells = abuse(&mut world, &mut stranger, kind);
        assert!(cells < 300, "kind {kind}: {cells}");
        wait(&mut world);
        let left: Vec<usize> = (0..3).map(|machine| relayed(&world, machine)).collect();
        assert_eq!(left, base, "kind {kind}");
        stranger.tell(
            &mut world,
            &mut honest,
            &[CellFrame::Probe(u64::from(kind))],
        );
        wait(&mut world);
        let said = honest.hear(&stranger.hear(&world));
        assert!(
            said.contains(&Said::Echo(u64::from(kind))),
            "kind {kind}: the other circuit goes on"
        );
    }
}

#[test]
fn streams_without_end_are_refused_as_busy() {
    let mut world = settled(75);
    let mut stranger = Stranger::meet(&mut world, 0);
    let mut circuit = stranger.build(&mut world, &[0, 1, 2]);
    let target = world.machines[5].id;
    let begins: Vec<CellFrame<'_>> = (1..=100)
        .map(|number| CellFrame::Begin(number, target))
        .collect();
    stranger.tell(&mut world, &mut circuit, &begins);
    wait(&mut world);
    let said = circuit.hear(&stranger.hear(&world));
    let busy = said
        .iter()
        .filter(|said| matches!(said, Said::Close(_, CloseReason::Busy)))
        .count();
    assert_eq!(busy, 100 - EXIT_STREAMS_PER_CIRCUIT);
    assert_eq!(
        world.machines[2].node.held().streams,
        EXIT_STREAMS_PER_CIRCUIT
    );
    stranger.say(&mut world, &[Frame::Destroy(circuit.number)]);
    wait(&mut world);
    assert_eq!(
        world.machines[2].node.held().streams,
        0,
        "they end with their circuit"
    );
    assert_eq!(world.machines[5].node.held().streams, 0);
}

/// Asks for so many chunks a node has under a location through each of these streams of a circuit, and gives no credit.
fn ask_much(
    world: &mut World,
    stranger: &mut Stranger,
    circuit: &mut Circuit,
    storer: usize,
    streams: RangeInclusive<u32>,
    wanted: u32,
) {
    let location = world.longest_extent(storer);
    let (target, onion) = (world.machines[storer].id, world.machines[storer].onion);
    for number in streams {
        let mut rng = ChaCha20Rng::from_seed([number as u8; 32]);
        let request = Request::Get { location, wanted };
        let (_, first) = RealProvider
            .open(&onion, &world.network.id(), &request.encode(), &mut rng)
            .unwrap();
        let first = framed(&first);
        let mut frames = vec![CellFrame::Begin(number, target)];
        let (head, tail) = first.split_at(first.len().min(3_000));
        frames.push(CellFrame::Data(number, head));
        stranger.tell(world, circuit, &frames);
        if !tail.is_empty() {
            stranger.tell(world, circuit, &[CellFrame::Data(number, tail)]);
        }
    }
}

#[test]
fn a_client_that_gives_no_credit_or_reads_nothing_holds_little_anywhere() {
    let mut world = settled(76);
    let capability = world.publish(8, "never read", &content(3_000_000));
    let storer = (0..9)
        .max_by_key(|&m| world.machines[m].kept.len())
        .unwrap();
    let path: Vec<usize> = (0..9).filter(|&m| m != storer && m != 8).take(3).collect();
    for records in [1_000_000, 3] {
        let mut stranger = Stranger::meet_reading(&mut world, path[0], records);
        if records == 3 {
            // It takes the created and then nothing.
            let circuit = stranger.begin(&mut world, &path);
            world.run(Duration::from_millis(200));
            let mut circuit = circuit;
            circuit.hear(&stranger.hear(&world));
            assert!(circuit.is_built());
            ask_much(
                &mut world,
                &mut stranger,
                &mut circuit,
                storer,
                1..=16,
                u32::MAX,
            );
        } else {
            let mut circuit = stranger.build(&mut world, &path);
            ask_much(
                &mut world,
                &mut stranger,
                &mut circuit,
                storer,
                1..=16,
                u32::MAX,
            );
        }
        let mut most = 0;
        for _ in 0..40 {
            world.run(Duration::from_millis(250));
            let held = world.machines[path[2]].node.held();
            most = most.max(held.unread + held.unsent);
            assert!(
                held.unread + held.unsent <= 16 * (2 * STREAM_WINDOW as usize + EXIT_BUFFER),
                "{held:?}"
            );
            for &machine in &path {
                let held = world.machines[machine].node.held();
                assert!(held.cells <= CIRCUIT_QUEUE_MAX, "{held:?}");
            }
        }
        assert!(most > 500_000, "it did want to send: {most}");
        world.disconnect(path[0], stranger.link);
        wait(&mut world);
        for &machine in &path {
            let held = world.machines[machine].node.held();
            assert_eq!((held.unread, held.cells), (0, 0), "{held:?}");
        }
        world.run(Duration::from_secs(90));
    }
    assert!(world.fetch(USER, &capability).is_ok(), "others are served");
}

#[test]
fn streams_that_their_storer_has_ended_count_until_the_client_has_read_them() {
    let mut world = settled(77);
    world.publish(8, "never read", &content(3_000_000));
    let storer = (0..9)
        .max_by_key(|&m| world.machines[m].kept.len())
        .unwrap();
    let path: Vec<usize> = (0..9).filter(|&m| m != storer && m != 8).take(3).collect();
    let mut stranger = Stranger::meet(&mut world, path[0]);
    let mut circuit = stranger.build(&mut world, &path);
    let wave = EXIT_STREAMS_PER_CIRCUIT as u32;
    for first in [1, wave + 1, 2 * wave + 1] {
        let streams = first..=first + wave - 1;
        ask_much(&mut world, &mut stranger, &mut circuit, storer, streams, 2);
        world.run(Duration::from_secs(5));
        let held = world.machines[path[2]].node.held();
        assert!(
            held.unread + held.unsent <= EXIT_STREAMS_PER_CIRCUIT * 40_000,
            "{held:?}"
        );
        assert_eq!(
            world.machines[storer].node.held().streams,
            0,
            "the storer has said all it had to say"
        );
    }
    let said = circuit.hear(&stranger.hear(&world));
    let busy = |said: &&Said| matches!(said, Said::Close(_, CloseReason::Busy));
    assert!(said.iter().filter(busy).count() > EXIT_STREAMS_PER_CIRCUIT);
    // Whoever reads gets the rest, and new streams.
    stranger.tell(&mut world, &mut circuit, &[CellFrame::Window(256)]);
    world.run(Duration::from_secs(5));
    stranger.tell(&mut world, &mut circuit, &[CellFrame::Window(256)]);
    world.run(Duration::from_secs(5));
    let said = circuit.hear(&stranger.hear(&world));
    assert!(
        said.contains(&Said::Close(wave, CloseReason::Done)),
        "{said:?}"
    );
    let streams = 3 * wave + 1..=3 * wave + 1;
    ask_much(&mut world, &mut stranger, &mut circuit, storer, streams, 2);
    world.run(Duration::from_secs(5));
    let said = circuit.hear(&stranger.hear(&world));
    assert!(
        said.contains(&Said::Close(3 * wave + 1, CloseReason::Done)),
        "{said:?}"
    );
    stranger.say(&mut world, &[Frame::Destroy(circuit.number)]);
    wait(&mut world);
    let held = world.machines[path[2]].node.held();
    assert_eq!((held.unread, held.unsent, held.streams), (0, 0, 0));
}

/// What a relay does to what goes through it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Flip,
    Swap,
    Repeat,
    Flood,
    FlipCreated,
    CreatedTwice,
    EndAll,
}

const DEEDS: [Deed; 7] = [
    Deed::Flip,
    Deed::Swap,
    Deed::Repeat,
    Deed::Flood,
    Deed::FlipCreated,
    Deed::CreatedTwice,
    Deed::EndAll,
];

fn do_deed(deed: Deed, count: &mut usize, held: &mut Option<Vec<u8>>, plain: &mut Vec<u8>) {
    let mut out = Vec::new();
    for record in plain.chunks(RECORD_PLAIN) {
        let mut record = record.to_vec();
        let is_cell = record[0] == CELL;
        let is_created = record[0] == CREATED;
        *count += usize::from(is_cell);
        match deed {
            Deed::Flip if is_cell && count.is_multiple_of(40) => record[2_000] ^= 1,
            Deed::FlipCreated if is_created => record[60] ^= 1,
            Deed::CreatedTwice if is_created => out.extend_from_slice(&record),
            Deed::Repeat if is_cell && count.is_multiple_of(40) => out.extend_from_slice(&record),
            Deed::Flood if is_cell && count.is_multiple_of(200) => {
                (0..2_000).for_each(|_| out.extend_from_slice(&record));
            }
            Deed::Swap if is_cell && count.is_multiple_of(40) && held.is_none() => {
                *held = Some(record);
                continue;
            }
            Deed::EndAll if is_cell && count.is_multiple_of(40) => {
                crate::world::meddle::destroy_all(&mut record);
            }
            _ => {}
        }
        out.extend_from_slice(&record);
        if is_cell && let Some(before) = held.take() {
            out.extend_from_slice(&before);
        }
    }
    *plain = out;
}

#[test]
fn whatever_a_relay_does_to_cells_the_fetch_goes_on_elsewhere_or_ends_with_a_word() {
    for (index, deed) in DEEDS.into_iter().enumerate() {
        for forward in [true, false] {
            let mut world = settled(80 + index as u8);
            let file = content(4_000_000);
            let capability = world.publish(1, "through foul hands", &file);
            let guard = world.guard_of(USER);
            let bad = (0..9)
                .find(|node| ![USER, 1, guard].contains(node))
                .unwrap();
            let (mut count, mut held) = (0, None);
            world.meddle = Some(Box::new(move |from, to, plain| {
                if bad == if forward { to } else { from } {
                    do_deed(deed, &mut count, &mut held, plain);
                }
            }));
            let result = world.fetch(USER, &capability);
            match result {
                Ok(got) => assert!(got == file),
                Err(failure) => assert!(
                    matches!(
                        failure,
                        Failure::NoCircuit { .. } | Failure::NotRetrievable { .. }
                    ),
                    "{deed:?} {forward}: {failure:?}"
                ),
            }
            assert_eq!(world.guard_of(USER), guard);
            for machine in &world.machines {
                let held = machine.node.held();
                assert!(held.cells <= 2 * CIRCUIT_QUEUE_MAX, "{deed:?}: {held:?}");
            }
            world.meddle = None;
            world.run(Duration::from_secs(30));
            assert!(
                world.fetch(USER, &capability) == Ok(file),
                "{deed:?}: and then all is well"
            );
        }
    }
}

#[test]
fn storers_and_links_may_vanish_in_the_middle_of_a_transfer() {
    let mut world = settled(90);
    let file = content(12_000_000);
    let capability = world.publish(1, "cut off", &file);
    let guard = world.guard_of(USER);
    world.delay = Duration::from_millis(20);
    let job = world.begin_fetch(USER, &capability, None);
    world.run_until(Duration::from_secs(60), |world| {
        world.machines[USER].sinks[&job].len() > 1_000_000
    });
    assert!(!world.is_over(USER, job));
    let storer = (0..9)
        .filter(|&m| ![USER, guard].contains(&m))
        .max_by_key(|&m| world.machines[m].kept.len())
        .unwrap();
    world.kill(storer);
    world.run(Duration::from_millis(100));
    assert!(!world.is_over(USER, job));
    world.cut(USER, guard);
    assert!(world.run_until(Duration::from_secs(300), |world| world.is_over(USER, job)));
    assert!(world.machines[USER].sinks[&job] == file);
    assert_eq!(world.guard_of(USER), guard);
    let held = world.machines[USER].node.held();
    assert_eq!((held.exchanges, held.unread), (0, 0), "{held:?}");
}

#[test]
fn an_answer_that_is_garbage_is_a_failed_exchange_and_not_more() {
    let mut world = settled(91);
    let capability = world.publish(1, "garbled", &content(200_000));
    // All storers' answers are changed on their way to exits: within the seal, so the client notices.
    world.meddle = Some(Box::new(|_, _, plain| {
        for record in plain.chunks_mut(RECORD_PLAIN) {
            if record[0] == 3 {
                record[40] ^= 1;
            }
        }
    }));
    let failure = world.fetch(USER, &capability);
    assert!(failure.is_err());
    world.meddle = None;
    assert!(world.fetch(USER, &capability).is_ok());
}
