//! Guards (I4): nothing but time and a long absence changes one, whatever fails, is slow or is lost on disk.

use std::time::Duration;

use oboro_core::limits::{GUARD_ABSENT_DAYS, GUARD_AWAY, GUARDS};
use oboro_core::{Failure, Report};
use oboro_crypto::ids::NodeId;

use crate::content;
use crate::world::World;

const USER: usize = 3;
/// Bytes of a guard that is kept: its id, and three days.
const KEPT: usize = 45;

fn settled(seed: u8) -> World {
    let mut world = World::with_hops(8, seed, 3);
    world.settle_circuits();
    world
}

fn is_standby(world: &World) -> bool {
    let guard = world.machines[USER].node.standing(world.now).guard;
    guard.expect("a guard").standby
}

/// The guards as they are kept: who, since when, until when, absent since when.
fn kept(world: &World) -> Vec<(NodeId, [u32; 3])> {
    let bytes = world.machines[USER].guards.as_ref().expect("kept");
    let count = usize::from(bytes[1]);
    bytes[2..2 + count * KEPT]
        .chunks(KEPT)
        .map(|guard| {
            let day = |at: usize| u32::from_be_bytes(guard[at..at + 4].try_into().unwrap());
            (
                NodeId(guard[..32].try_into().unwrap()),
                [day(32), day(36), day(40)],
            )
        })
        .collect()
}

/// The same as bytes.
fn keep(guards: &[(NodeId, [u32; 3])]) -> Vec<u8> {
    let mut bytes = vec![2, guards.len() as u8];
    for (node, days) in guards {
        bytes.extend_from_slice(&node.0);
        days.iter().for_each(|day| bytes.extend(day.to_be_bytes()));
        bytes.push(1);
    }
    bytes.push(0);
    bytes
}

/// The user begins anew with this on disk, and settles.
fn begin_anew(world: &mut World, guards: Option<Vec<u8>>) {
    world.kill(USER);
    world.run(Duration::from_secs(5));
    world.machines[USER].guards = None;
    world.restart(USER, guards);
    world.settle_circuits();
}

#[test]
fn a_standby_stands_in_after_ten_minutes_and_no_longer_than_needed() {
    let mut world = settled(31);
    let capability = world.publish(1, "behind the guard", &content(200_000));
    let first = world.guard_of(USER);
    assert!(!is_standby(&world));
    world.kill(first);
    world.run(Duration::from_secs(30));
    // The job says why it cannot be done, and for how long that will be so.
    let Err(Failure::GuardAway { wait_secs }) = world.fetch(USER, &capability) else {
        panic!("the guard is away");
    };
    let most = GUARD_AWAY.as_secs() as u32;
    assert!((most - 120..most).contains(&wait_secs), "{wait_secs}");
    let before = world.now;
    let Report::Failed(Failure::GuardAway { wait_secs: later }) = *world.search(USER, &["guard"])
    else {
        panic!("so says a search");
    };
    assert!(later <= wait_secs && later + 120 > wait_secs, "{later}");
    let switched = world.run_until(GUARD_AWAY * 2, is_standby);
    assert!(switched, "a standby stands in");
    let away = world.now.since(before).as_secs() as u32 + (most - wait_secs);
    assert!(away >= most - 2, "not before ten minutes: {away}");
    let standby = world.guard_of(USER);
    assert_ne!(standby, first);
    assert!(world.run_until(Duration::from_secs(60), |world| {
        world.machines[USER].node.standing(world.now).circuits_ready > 0
    }));
    assert!(world.fetch(USER, &capability).is_ok(), "over the standby");
    // It comes back: from then on it is the guard again.
    world.restart(first, None);
    assert!(world.run_until(Duration::from_secs(400), |world| !is_standby(world)));
    assert_eq!(world.guard_of(USER), first);
    assert!(world.fetch(USER, &capability).is_ok());
    assert_eq!(kept(&world)[0].0, world.machines[first].id);
}

#[test]
fn a_guard_that_comes_and_goes_is_kept() {
    let mut world = settled(32);
    let first = world.guard_of(USER);
    for _ in 0..4 {
        world.kill(first);
        world.run(Duration::from_secs(400));
        assert_eq!(world.guard_of(USER), first, "seven minutes are not enough");
        world.restart(first, None);
        let linked = world.run_until(Duration::from_secs(190), |world| {
            world.machines[USER]
                .node
                .standing(world.now)
                .guard
                .is_some_and(|guard| guard.linked)
        });
        assert!(linked, "it is tried all the time");
        assert_eq!(world.guard_of(USER), first);
    }
}

#[test]
fn a_restart_with_what_was_kept_keeps_the_guard() {
    let mut world = settled(33);
    let (guard, bytes) = (world.guard_of(USER), world.machines[USER].guards.clone());
    let before = kept(&world);
    assert_eq!(before.len(), GUARDS);
    begin_anew(&mut world, bytes);
    assert_eq!(world.guard_of(USER), guard);
    // And with one that is not what chance would choose now, however often.
    for (node, days) in before.iter().rev() {
        begin_anew(&mut world, Some(keep(&[(*node, *days)])));
        assert_eq!(world.machines[world.guard_of(USER)].id, *node);
        let now = kept(&world);
        assert_eq!((now[0].0, now.len()), (*node, GUARDS));
        assert!(now[0].1 == *days || days[0] == 0, "{now:?}");
    }
}

#[test]
fn nothing_on_disk_but_a_whole_list_is_believed() {
    let mut world = settled(34);
    let today = world.now.day();
    let stranger = NodeId([0x77; 32]);
    let whole = keep(&[(stranger, [today, today + 100, 0])]);
    let mut neither = whole.clone();
    neither[2 + KEPT - 1] = 2;
    let damaged: [Vec<u8>; 6] = [
        neither,
        vec![],
        vec![9; 200],
        whole[..whole.len() - 1].to_vec(),
        [whole.as_slice(), &[0]].concat(),
        [&[3], &whole[1..]].concat(),
    ];
    for bytes in damaged {
        begin_anew(&mut world, Some(bytes));
        // As if there had been none: three are chosen and kept.
        let now = kept(&world);
        assert!(
            now.len() == GUARDS && now.iter().all(|guard| guard.0 != stranger),
            "{now:?}"
        );
        assert!(!is_standby(&world));
    }
}

#[test]
fn time_and_a_long_absence_replace_a_guard_and_nothing_less() {
    let mut world = settled(35);
    let today = world.now.day();
    let (node, days) = kept(&world)[1];
    assert_eq!(days, [0; 3], "the time of a standby has not begun");
    let (_, [since, until, _]) = kept(&world)[0];
    assert!(since == today && (240..=420).contains(&(until - today)));
    // Its last day.
    begin_anew(
        &mut world,
        Some(keep(&[(node, [since - 130, today + 1, 0])])),
    );
    assert_eq!(world.machines[world.guard_of(USER)].id, node);
    // Its time is over.
    begin_anew(&mut world, Some(keep(&[(node, [since - 130, today, 0])])));
    assert!(
        kept(&world)
            .iter()
            .all(|guard| guard.1[0] == today || guard.1[0] == 0),
        "{:?}",
        kept(&world)
    );
    // Somebody whom nobody knows any more.
    let gone = NodeId([0x77; 32]);
    let absent = |days: u32| Some(keep(&[(gone, [today - 60, today + 60, today - days])]));
    world.kill(USER);
    world.run(Duration::from_secs(5));
    world.machines[USER].guards = None;
    world.restart(USER, absent(GUARD_ABSENT_DAYS - 1));
    world.settle();
    world.run(Duration::from_secs(10));
    assert_eq!(kept(&world)[0].0, gone, "29 days are not enough");
    begin_anew(&mut world, absent(GUARD_ABSENT_DAYS));
    assert!(kept(&world).iter().all(|guard| guard.0 != gone));
}

#[test]
fn failing_slow_and_flooded_circuits_do_not_change_the_guard() {
    let mut world = settled(36);
    let capability = world.publish(1, "a lure", &content(500_000));
    let (guard, before) = (world.guard_of(USER), kept(&world));
    // Whatever leaves the guard towards the user is lost, changed, or late.
    for trouble in 0..3u8 {
        world.meddle = Some(Box::new(move |from, to, plain| {
            if (from, to) == (guard, USER) {
                match trouble {
                    0 => crate::world::meddle::blank_circuits(plain),
                    1 => crate::world::meddle::cells(plain).for_each(|cell| cell[100] ^= 1),
                    _ => crate::world::meddle::destroy_all(plain),
                }
            }
        }));
        let failure = world.fetch(USER, &capability);
        assert!(
            matches!(failure, Err(Failure::NoCircuit { .. })),
            "{failure:?}"
        );
        world.run(GUARD_AWAY + Duration::from_secs(60));
        assert_eq!(world.guard_of(USER), guard, "trouble {trouble}");
        assert_eq!(kept(&world), before);
    }
    world.meddle = None;
    world.run(Duration::from_secs(30));
    assert!(world.fetch(USER, &capability).is_ok());
    assert_eq!(world.guard_of(USER), guard);
}

/// Whether anything came back over a node's guards, as it keeps it.
fn proven(world: &World, machine: usize) -> Vec<bool> {
    let bytes = world.machines[machine].guards.as_ref().expect("kept");
    let count = usize::from(bytes[1]);
    let guards = bytes[2..2 + count * KEPT].chunks(KEPT);
    guards.map(|guard| guard[KEPT - 1] == 1).collect()
}

#[test]
fn a_guard_that_never_carried_anything_is_given_up_and_another_tried() {
    let mut world = World::with_hops(12, 37, 3);
    // A quarter of all takes part in circuits and drops what goes through them, from the beginning.
    let droppers: Vec<usize> = (0..12).filter(|machine| machine % 4 == 0).collect();
    for &machine in &droppers {
        world.machines[machine].drops = true;
    }
    world.run(Duration::from_secs(400));
    for machine in (0..12).filter(|machine| !droppers.contains(machine)) {
        let guard = world.guard_of(machine);
        assert!(
            !droppers.contains(&guard),
            "{machine} is stuck with {guard}"
        );
        assert!(proven(&world, machine)[0]);
    }
    // It carried something once: nothing it does later changes it.
    let guard = world.guard_of(USER);
    world.machines[guard].drops = true;
    world.run(Duration::from_secs(1200));
    assert_eq!(world.guard_of(USER), guard);
}

#[test]
fn others_who_drop_do_not_cost_an_honest_guard_its_place() {
    let mut world = World::with_hops(20, 38, 3);
    world.run(Duration::from_secs(1));
    for machine in [3, 7, 11, 15] {
        world.machines[machine].drops = true;
    }
    let first: Vec<usize> = (0..20).map(|machine| world.guard_of(machine)).collect();
    world.run(Duration::from_secs(400));
    for (machine, &guard) in first.iter().enumerate() {
        if ![machine, guard]
            .iter()
            .any(|node| [3, 7, 11, 15].contains(node))
        {
            assert_eq!(world.guard_of(machine), guard, "of {machine}");
        }
    }
}

#[test]
fn when_all_guards_are_gone_one_more_is_added_after_an_hour_and_no_more_that_day() {
    let mut world = World::with_hops(14, 39, 3);
    world.settle_circuits();
    let first = kept(&world);
    let mine: Vec<usize> = first
        .iter()
        .map(|(node, _)| world.machine_of(node))
        .collect();
    // They were chosen on an earlier day.
    world.run(Duration::from_secs(86_400 - world.now.secs() % 86_400 + 60));
    for &guard in &mine {
        world.kill(guard);
    }
    world.run(Duration::from_secs(50 * 60));
    assert_eq!(kept(&world).len(), GUARDS, "not yet");
    world.run(Duration::from_secs(40 * 60));
    let now = kept(&world);
    assert_eq!(now.len(), GUARDS + 1);
    assert_eq!(
        now[..GUARDS]
            .iter()
            .map(|guard| guard.0)
            .collect::<Vec<_>>(),
        first.iter().map(|guard| guard.0).collect::<Vec<_>>(),
        "none is given up"
    );
    assert_eq!(world.machines[world.guard_of(USER)].id, now[GUARDS].0);
    let fourth = world.guard_of(USER);
    world.kill(fourth);
    world.run(Duration::from_secs(3 * 3600));
    assert_eq!(kept(&world).len(), GUARDS + 1, "one a day");
}
