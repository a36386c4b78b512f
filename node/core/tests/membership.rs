//! What it costs to know everybody: wakes, records and time, in a crowd of real cores that want nothing.

mod crowd;
mod world;

use std::sync::Arc;
use std::time::Duration;

use crowd::{Crowd, Shared, public};
use oboro_core::ids::LinkId;
use oboro_core::limits::{ASK_PATIENCE, NEWCOMERS_FREE};
use oboro_core::wire::control::{Control, OFFER_MAX};
use oboro_core::wire::frame::{Frame, Frames};
use oboro_crypto::record::RECORD_PLAIN;
use world::World;

/// So many nodes of a public network that have known each other for a while.
fn acquainted(count: usize) -> Crowd {
    let mut crowd = Crowd::new(public(), Arc::new(Shared::default()));
    for index in 0..count {
        let starts: &[usize] = if index == 0 { &[] } else { &[index / 2] };
        crowd.add(starts);
    }
    let all = crowd.run_until(Duration::from_secs(300), |crowd| {
        crowd.least_known() == count
    });
    assert!(all, "everybody knows everybody");
    crowd.run(Duration::from_secs(300));
    crowd
}

#[test]
fn a_node_that_wants_nothing_wakes_less_than_once_in_five_seconds() {
    let mut crowd = acquainted(24);
    assert!(
        crowd.members.iter().all(|member| {
            let standing = member.node.standing(crowd.now);
            standing.circuits_ready == 3 && standing.guard.is_some_and(|guard| guard.linked)
        }),
        "everything it could want is ready"
    );
    let before: Vec<u64> = crowd.members.iter().map(|member| member.wakes).collect();
    crowd.run(Duration::from_secs(500));
    for (member, before) in crowd.members.iter().zip(before) {
        let wakes = member.wakes - before;
        assert!(wakes <= 100, "{wakes} wakes in 500 s");
    }
}

#[test]
fn a_quiet_network_says_little() {
    let mut crowd = acquainted(24);
    let before: u64 = crowd.members.iter().map(|member| member.records).sum();
    crowd.run(Duration::from_secs(7200));
    let after: u64 = crowd.members.iter().map(|member| member.records).sum();
    // Of which three in four are questions whether a link lives, and the answers.
    let each = (after - before) as f64 / 24.0 / 7200.0;
    assert!(each < 1.3, "{each} records a second and node");
}

#[test]
fn a_newcomer_is_soon_known_to_all() {
    let mut crowd = acquainted(60);
    for _ in 0..4 {
        crowd.add(&[7]);
        let count = crowd.members.len();
        let known = crowd.run_until(Duration::from_secs(90), |crowd| {
            crowd.least_known() == count
        });
        assert!(known, "within a minute and a half");
    }
}

#[test]
fn news_whose_offers_are_lost_comes_by_comparing_views() {
    let mut crowd = acquainted(24);
    crowd.loses_offers = true;
    crowd.add(&[7]);
    let known = crowd.run_until(Duration::from_secs(600), |crowd| crowd.least_known() == 25);
    assert!(known);
}

/// Says something to a node as if over one of its links.
fn say(world: &mut World, to: usize, link: LinkId, message: &Control) {
    let mut record = Vec::new();
    Frame::Control(&message.encode()).write(&mut record);
    record.resize(RECORD_PLAIN, 0);
    world.inject(to, link, record);
}

/// A link of nobody's, greeted.
fn stranger(world: &mut World) -> LinkId {
    let link = world.connect_stranger(0);
    let hello = Control::Hello {
        observed: "127.0.0.1:1".parse().unwrap(),
        descriptor: None,
    };
    say(world, 0, link, &hello);
    link
}

/// What a node has asked for over a link since it was last looked at.
fn asked(world: &mut World, link: LinkId) -> Vec<(u64, u32)> {
    let heard = std::mem::take(world.overheard.get_mut(&link).unwrap());
    let mut all = Vec::new();
    for record in heard.chunks(RECORD_PLAIN) {
        let mut frames = Frames::new(record);
        while let Some(frame) = frames.next_frame().unwrap() {
            if let Frame::Control(body) = frame
                && let Control::Ask(names) = Control::decode(body).unwrap()
            {
                all.extend(names);
            }
        }
    }
    all
}

#[test]
fn who_offers_nonsense_is_asked_for_little_of_it_and_keeps_nothing_from_others() {
    let mut world = World::new(4, 31);
    world.settle();
    let (liar, honest) = (stranger(&mut world), stranger(&mut world));
    for round in 0..40u64 {
        let most = OFFER_MAX as u64;
        let names = (0..most).map(|n| (round * most + n, 1)).collect();
        say(&mut world, 0, liar, &Control::Offer(names));
    }
    assert_eq!(asked(&mut world, liar).len(), NEWCOMERS_FREE);
    let late = world.add(&[1]);
    world.settle();
    assert_eq!(world.machines[late].node.known(), 5);
    // What the liar offered and does not have is asked of the other, if he has it too.
    say(
        &mut world,
        0,
        honest,
        &Control::Offer(vec![(0, 1), (u64::MAX, 1)]),
    );
    assert_eq!(asked(&mut world, honest), [(u64::MAX, 1)]);
    world.run(ASK_PATIENCE + Duration::from_millis(100));
    assert_eq!(asked(&mut world, honest), [(0, 1)]);
    assert_eq!(asked(&mut world, liar), [], "and not of him again");
}

#[test]
fn what_was_offered_is_delivered_to_whoever_asks_and_nothing_else() {
    let mut world = World::new(4, 32);
    world.settle();
    let link = stranger(&mut world);
    let mut head = [0; 8];
    head.copy_from_slice(&world.machines[2].id.0[..8]);
    let head = u64::from_be_bytes(head);
    world.run(Duration::from_secs(1));
    world.overheard.insert(link, Vec::new());
    let ask = Control::Ask(vec![(head, 1), (head ^ 1, 1), (head, u32::MAX)]);
    say(&mut world, 0, link, &ask);
    let heard = std::mem::take(world.overheard.get_mut(&link).unwrap());
    let mut frames = Frames::new(&heard[..RECORD_PLAIN]);
    let Some(Frame::Control(body)) = frames.next_frame().unwrap() else {
        panic!("an answer")
    };
    let Control::Descriptors(all) = Control::decode(body).unwrap() else {
        panic!("descriptors")
    };
    assert_eq!(all.len(), 1);
    assert_eq!(all[0][97..129], world.machines[2].id.0);
}
