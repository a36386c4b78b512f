//! Links: frames that make no sense, streams without end, peers that come and go, do not read, or fall silent.

use std::time::Duration;

use oboro_core::limits::{LINK_IDLE, LINK_SILENT, LINKS_MAX, PING_EVERY, STREAMS_PER_LINK_MAX};
use oboro_core::wire::control::Control;
use oboro_core::wire::frame::{CloseReason, Frame};
use oboro_core::wire::message::Request;
use oboro_crypto::ids::Location;
use oboro_crypto::record::RECORD_PLAIN;

use crate::world::World;
use crate::world::puppet::{Heard, controls, hello, pack, unpack};

/// A node that holds something, and another that would like to have it.
fn served() -> (World, oboro_crypto::eris::Capability) {
    let mut world = World::new(5, 50);
    world.settle();
    let capability = world.publish(1, "still served", &vec![3; 300_000]);
    world.handed_on();
    (world, capability)
}

fn violations(world: &World, kind: &str) -> u64 {
    let stats = world.machines[0].node.stats();
    stats.violations.get(kind).copied().unwrap_or(0)
}

#[test]
fn frames_that_are_illegal_now_close_the_link_and_leave_nothing() {
    let (mut world, capability) = served();
    let base = world.machines[0].node.held();
    let digest = Control::Digest(Box::new([0; 256])).encode();
    let ping = Control::Ping(1).encode();
    let hello = hello(None);
    let window = oboro_core::limits::STREAM_WINDOW;
    let flood = vec![0u8; 4_000];
    let beyond: Vec<Frame<'_>> = std::iter::once(Frame::Open(1))
        .chain((0..=window / 4_000).map(|_| Frame::Data(1, &flood)))
        .collect();
    // Without a hello first.
    let early: [&[Frame<'_>]; 5] = [
        &[Frame::Control(&digest)],
        &[Frame::Control(&ping)],
        &[Frame::Open(1)],
        &[Frame::Data(1, &[1])],
        &[Frame::Control(&[])],
    ];
    for frames in early {
        expect_shut(&mut world, frames);
    }
    let greeted: [&[Frame<'_>]; 7] = [
        &[Frame::Control(&hello)],
        &[Frame::Open(2)],
        &[Frame::Open(1), Frame::Open(1)],
        &[Frame::Open(1), Frame::Credit(1, 1)],
        &[Frame::Open(1), Frame::Credit(1, u32::MAX)],
        &[Frame::Control(&[99])],
        &beyond,
    ];
    for frames in greeted {
        let mut all = vec![Frame::Control(&hello)];
        all.extend_from_slice(frames);
        expect_shut(&mut world, &all);
    }
    let mut garbage = pack(&[Frame::Control(&hello)]);
    garbage.extend_from_slice(&[0xee; RECORD_PLAIN]);
    let link = world.connect_stranger(0);
    world.inject(0, link, garbage);
    world.run(Duration::from_secs(1));
    assert_eq!(world.machines[0].node.held(), base);
    assert!(violations(&world, "illegal_now") >= 6);
    assert!(world.fetch(0, &capability).is_ok());
}

fn expect_shut(world: &mut World, frames: &[Frame<'_>]) {
    let before: u64 = world.machines[0].node.stats().violations.values().sum();
    let link = world.connect_stranger(0);
    world.inject(0, link, pack(frames));
    let after: u64 = world.machines[0].node.stats().violations.values().sum();
    assert!(after > before, "{frames:?}");
    // What comes after that is not even looked at.
    world.inject(0, link, vec![0xee; RECORD_PLAIN]);
    let last: u64 = world.machines[0].node.stats().violations.values().sum();
    assert_eq!(last, after);
    world.disconnect(0, link);
}

#[test]
fn a_million_frames_about_streams_that_are_not_there_change_nothing() {
    let (mut world, capability) = served();
    let link = world.connect_stranger(0);
    world.greet(0, link, None);
    let base = world.machines[0].node.held();
    let mut frames = Vec::new();
    for number in 0..100_000u32 {
        frames.push(Frame::Close(number, CloseReason::Done));
        frames.push(Frame::Credit(number, u32::MAX));
        frames.push(Frame::Data(number, &[1]));
    }
    for _ in 0..4 {
        world.inject(0, link, pack(&frames));
    }
    assert_eq!(world.machines[0].node.held(), base);
    assert!(world.fetch(0, &capability).is_ok());
}

#[test]
fn a_flood_of_opens_is_bounded_and_others_are_served_meanwhile() {
    let (mut world, capability) = served();
    let mut strangers = Vec::new();
    for _ in 0..3 {
        let link = world.connect_stranger(0);
        world.greet(0, link, None);
        // They open all they may and never say a word in any of them.
        let opens: Vec<Frame<'_>> = (0..STREAMS_PER_LINK_MAX as u32)
            .map(|index| Frame::Open(index * 2 + 1))
            .collect();
        world.inject(0, link, pack(&opens));
        strangers.push(link);
    }
    let said = world.probe(0, &get(&world));
    assert_eq!(said.len(), 1, "a stranger that asks is answered at once");
    let job = world.begin_fetch(2, &capability, None);
    assert!(world.run_until(Duration::from_secs(5), |world| world.is_over(2, job)));
    world.run(Duration::from_secs(70));
    let held = world.machines[0].node.held();
    assert_eq!((held.serving, held.unread), (0, 0));
    // One more flood on one of the links: what goes beyond is closed, beyond that again the link is.
    let more: Vec<Frame<'_>> = (1_000..3_000u32)
        .map(|index| Frame::Open(index * 2 + 1))
        .collect();
    let link = world.connect_reader(0, 0);
    world.greet(0, link, None);
    world.inject(0, link, pack(&more));
    assert_eq!(violations(&world, "streams"), 1);
    assert!(world.machines[0].node.held().streams <= 3 * STREAMS_PER_LINK_MAX);
}

fn get(_: &World) -> Request {
    Request::Get {
        location: Location([1; 32]),
        wanted: 1,
    }
}

#[test]
fn streams_lost_with_their_links_are_not_counted_for_ever() {
    let (mut world, capability) = served();
    let base = world.machines[0].node.held();
    for _ in 0..100 {
        let link = world.connect_stranger(0);
        world.greet(0, link, None);
        let opens: Vec<Frame<'_>> = (0..100u32)
            .map(|index| Frame::Open(index * 2 + 1))
            .collect();
        world.inject(0, link, pack(&opens));
        world.disconnect(0, link);
    }
    assert_eq!(world.machines[0].node.held(), base);
    assert_eq!(world.machines[0].node.stats().streams_active, 0);
    assert_eq!(world.probe(0, &get(&world)).len(), 1);
    assert!(world.fetch(2, &capability).is_ok());
}

#[test]
fn ten_thousand_peers_come_and_go_and_the_tables_are_as_before() {
    let (mut world, _) = served();
    let base = world.machines[0].node.held();
    for round in 0..10_000u32 {
        let link = world.connect_stranger(0);
        if round % 2 == 0 {
            world.greet(0, link, None);
        }
        if round % 4 == 0 {
            world.ask(0, link, 1, &get(&world));
        }
        world.disconnect(0, link);
    }
    world.run(Duration::from_secs(1));
    assert_eq!(world.machines[0].node.held(), base);
}

#[test]
fn a_peer_that_falls_silent_is_asked_now_and_then_and_given_up() {
    let mut world = World::new(1, 51);
    world.run(Duration::from_secs(1));
    let link = world.connect_stranger(0);
    world.greet(0, link, None);
    let before = world.machines[0].wakes;
    world.run(LINK_SILENT + PING_EVERY);
    assert_eq!(world.machines[0].node.held().links, 0);
    let pings = unpack(&world.overheard[&link])
        .iter()
        .filter(|heard| matches!(heard, Heard::Control(Control::Ping(_))))
        .count();
    assert!((1..=4).contains(&pings), "{pings}");
    let wakes = world.machines[0].wakes - before;
    assert!(wakes < 300, "no busy loop: {wakes}");
}

#[test]
fn a_link_that_nobody_uses_is_closed_and_a_neighbour_is_kept() {
    let mut world = World::new(24, 53);
    world.settle();
    for machine in 0..24 {
        world.publish(machine, &format!("idle {machine}"), &[1; 40_000]);
    }
    let ends = |world: &World| -> usize {
        let nodes = world.machines.iter().map(|machine| &machine.node);
        nodes.map(|node| node.held().links).sum()
    };
    let busy = ends(&world);
    world.run(LINK_IDLE * 3);
    // And the node it started from.
    let neighbours = 24 * 2 * (oboro_core::limits::NEIGHBOURS + 1);
    assert!(busy > neighbours, "publishing made {busy} ends of links");
    assert!(ends(&world) <= neighbours, "{} of {busy}", ends(&world));
    assert!(ends(&world) >= 24, "{} of {busy}", ends(&world));
}

#[test]
fn one_node_has_two_links_at_most_and_none_to_itself() {
    let (mut world, _) = served();
    let remote = oboro_crypto::ids::LinkPublic([0x77; 32]);
    let base = world.machines[0].node.held().links;
    for _ in 0..5 {
        world.connect_as(0, remote, 100);
    }
    assert_eq!(world.machines[0].node.held().links, base + 2);
    let own = world.machines[0].link;
    world.connect_as(0, own, 100);
    assert_eq!(world.machines[0].node.held().links, base + 2);
}

#[test]
fn more_links_than_there_is_room_for_push_out_idle_ones_only() {
    let (mut world, capability) = served();
    let mut links = Vec::new();
    for _ in 0..LINKS_MAX * 3 {
        let link = world.connect_stranger(0);
        world.greet(0, link, None);
        links.push(link);
        world.run(Duration::from_millis(1));
    }
    let held = world.machines[0].node.held();
    assert!(held.links <= LINKS_MAX + 1, "{}", held.links);
    assert!(world.fetch(0, &capability).is_ok());
    assert!(world.fetch(3, &capability).is_ok());
}

#[test]
fn a_node_that_cannot_be_reached_is_not_dialled_in_a_loop() {
    let mut world = World::new(4, 54);
    world.settle();
    world.machines[3].alive = false;
    world.kill(3);
    let before: u64 = (0..3)
        .map(|index| world.machines[index].node.stats().dialed)
        .sum();
    let wakes: u64 = (0..3).map(|index| world.machines[index].wakes).sum();
    world.run(Duration::from_secs(600));
    let dials: u64 = (0..3)
        .map(|index| world.machines[index].node.stats().dialed)
        .sum::<u64>()
        - before;
    let wakes = (0..3).map(|index| world.machines[index].wakes).sum::<u64>() - wakes;
    assert!(dials < 3 * 60, "{dials} dials in ten minutes");
    assert!(wakes < 3 * 2_000, "{wakes} wakes in ten minutes");
}

#[test]
fn a_peer_that_never_reads_holds_a_bounded_amount_and_is_shut() {
    let (mut world, capability) = served();
    let location = world.longest_extent(0);
    let link = world.connect_reader(0, 0);
    world.greet(0, link, None);
    let mut most = 0;
    for round in 0..40u32 {
        for index in 0..60 {
            let number = round * 200 + index * 2 + 1;
            let request = Request::Get {
                location,
                wanted: u32::MAX,
            };
            world.ask(0, link, number, &request);
            world.inject(0, link, controls(&[Control::Ping(1)]));
        }
        world.run(Duration::from_secs(2));
        most = most.max(world.machines[0].node.held().unsent);
    }
    assert!(most < 48 << 20, "{most} bytes held for one peer");
    let held = world.machines[0].node.held();
    assert!(held.unsent < 1 << 20, "{} bytes are left", held.unsent);
    assert!(world.fetch(2, &capability).is_ok());
}

#[test]
fn a_peer_that_asks_and_gives_no_credit_leaves_nothing_behind() {
    let (mut world, capability) = served();
    let location = world.longest_extent(0);
    let link = world.connect_stranger(0);
    world.greet(0, link, None);
    for round in 0..5u32 {
        for index in 0..60 {
            let number = round * 200 + index * 2 + 1;
            let request = Request::Get {
                location,
                wanted: u32::MAX,
            };
            world.ask(0, link, number, &request);
        }
        for _ in 0..4 {
            world.run(Duration::from_secs(20));
            world.inject(0, link, controls(&[Control::Ping(1)]));
        }
    }
    world.run(Duration::from_secs(65));
    let held = world.machines[0].node.held();
    assert_eq!((held.unsent, held.serving), (0, 0));
    assert!(world.fetch(2, &capability).is_ok());
}
