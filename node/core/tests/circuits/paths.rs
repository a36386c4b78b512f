//! Which way requests go: how many hops there can be, that nobody asks for himself, and that no two jobs share a way.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use oboro_core::ids::JobId;
use oboro_core::limits::SEARCH_LANES;
use oboro_core::{Command, Failure, Report};

use crate::content;
use crate::world::World;
use crate::world::puppet::{Heard, unpack};

/// What was seen on all links: who said it to whom.
type Seen = Rc<RefCell<Vec<(usize, usize, Heard)>>>;

fn watch(world: &mut World) -> Seen {
    let seen = Seen::default();
    let writes = Rc::clone(&seen);
    world.meddle = Some(Box::new(move |from, to, plain| {
        let heard = unpack(plain)
            .into_iter()
            .filter(|heard| !matches!(heard, Heard::Control(_)));
        writes
            .borrow_mut()
            .extend(heard.map(|heard| (from, to, heard)));
    }));
    seen
}

/// Circuits of a machine, by their number on the link to its guard, that carried cells.
fn circuits_used(seen: &Seen, machine: usize, guard: usize) -> BTreeSet<u32> {
    let seen = seen.borrow();
    let cells = seen.iter().filter_map(|(from, to, heard)| match heard {
        Heard::Cell(number, _) if (*from, *to) == (machine, guard) => Some(*number),
        _ => None,
    });
    cells.collect()
}

#[test]
fn too_few_nodes_for_three_hops_are_said_to_be_and_nothing_is_sent() {
    for (nodes, lacking) in [(2, 3), (3, 2), (4, 1)] {
        let mut world = World::with_hops(nodes, 40 + nodes as u8, 3);
        world.settle();
        world.run(Duration::from_secs(5));
        let seen = watch(&mut world);
        assert_eq!(
            world.machines[0].node.standing(world.now).relays_missing,
            lacking
        );
        let failed = |report: Option<&Report>| match report {
            Some(Report::Failed(Failure::TooFewRelays { missing, hops: 3 })) => {
                Some(*missing as usize)
            }
            _ => None,
        };
        let job = world.begin_publish(0, "too few", &content(1000));
        world.run(Duration::from_secs(10));
        assert_eq!(
            failed(world.machines[0].reports[&job].last()),
            Some(lacking)
        );
        assert_eq!(failed(Some(world.search(0, &["few"]))), Some(lacking));
        let mut other = World::new(3, 1);
        other.settle();
        let capability = other.publish(0, "elsewhere", &content(1000));
        let failure = world.fetch(0, &capability);
        assert!(
            matches!(failure, Err(Failure::TooFewRelays { .. })),
            "{failure:?}"
        );
        assert!(seen.borrow().is_empty(), "{:?}", seen.borrow());
    }
}

#[test]
fn with_fewer_hops_it_goes_over_as_many_as_there_can_be() {
    for (nodes, expected) in [(2, 0), (3, 1), (4, 2), (5, 3), (7, 3)] {
        let mut world = World::with_hops(nodes, 50 + nodes as u8, 3);
        world.fewer_hops = true;
        world.settle();
        world.run(Duration::from_secs(5));
        let file = content(100_000);
        let seen = watch(&mut world);
        let job = world.begin_publish(0, "as far as possible", &file);
        assert!(world.run_until(Duration::from_secs(120), |world| world.is_over(0, job)));
        let Some(Report::Published {
            capability, route, ..
        }) = world.machines[0].reports[&job].last()
        else {
            panic!("{nodes} nodes: not published");
        };
        let capability = (**capability).clone();
        assert_eq!(
            (usize::from(route.hops), route.guard_days.is_some()),
            (expected, expected > 0)
        );
        assert_eq!(route.relays as usize, nodes - 1);
        let Report::Found { hits, route, .. } = world.search(0, &["possible"]) else {
            panic!("{nodes} nodes: not found");
        };
        assert_eq!((hits.len(), usize::from(route.hops)), (1, expected));
        assert_eq!(world.fetch(0, &capability), Ok(file), "{nodes} nodes");
        // Cells pass as many links as are said.
        let seen = seen.borrow();
        let opened: BTreeSet<usize> = seen
            .iter()
            .filter(|(.., heard)| matches!(heard, Heard::Open(_)))
            .map(|(from, ..)| *from)
            .collect();
        assert_eq!(
            opened.contains(&0),
            expected == 0,
            "{nodes} nodes: {opened:?} asked storers"
        );
    }
}

#[test]
fn with_five_nodes_everybody_publishes_for_everybody() {
    let mut world = World::with_hops(5, 61, 3);
    world.settle_circuits();
    for publisher in 0..5 {
        let file = content(40_000 + publisher);
        let title = ["amber", "birch", "cedar", "dahlia", "elm"][publisher];
        let capability = world.publish(publisher, title, &file);
        for other in 0..5 {
            let Report::Found { hits, route, .. } = world.search(other, &[title]) else {
                panic!("{other} does not find what {publisher} published");
            };
            assert_eq!((hits.len(), route.hops), (1, 3));
            assert!(
                world.fetch(other, &capability).as_ref() == Ok(&file),
                "{other} fetches what {publisher} published"
            );
        }
    }
}

#[test]
fn nobody_asks_for_himself_nor_is_a_guard_asked() {
    let mut world = World::with_hops(9, 62, 3);
    world.settle_circuits();
    let user = 4;
    let guard = world.guard_of(user);
    let seen = watch(&mut world);
    let capability = world.publish(user, "who asks", &content(2_500_000));
    assert!(matches!(
        world.search(user, &["who", "asks"]),
        Report::Found { .. }
    ));
    assert!(world.fetch(user, &capability).is_ok());
    let seen = seen.borrow();
    let mut exits = BTreeSet::new();
    let mut handed_on = BTreeMap::new();
    for (from, to, heard) in seen.iter() {
        match heard {
            // A storer that was asked in their stead hands on what belongs there, of its own accord and straight.
            Heard::Open(_) if *to == guard || *to == user => {
                *handed_on.entry(*from).or_default() += 1;
            }
            Heard::Open(_) => {
                assert_ne!(*from, user, "it asks {to} itself");
                assert_ne!(*from, guard, "a guard is no exit");
                exits.insert(*from);
            }
            Heard::Create(..) if *from == user => {
                assert_eq!(*to, guard, "circuits begin at the guard")
            }
            _ => {}
        }
    }
    assert!(exits.len() >= 3, "{exits:?}");
    let (mut opened, mut asked) = (0, 0);
    for (from, machine) in world.machines.iter().enumerate() {
        let stats = machine.node.stats();
        let all = seen
            .iter()
            .filter(|(of, _, heard)| *of == from && matches!(heard, Heard::Open(_)));
        opened += all.count() as u64;
        asked += stats.upkeep.requests + stats.circuits.exit_streams;
        let handed_on = handed_on.get(&from).copied().unwrap_or(0);
        assert!(
            handed_on <= stats.upkeep.requests,
            "{from} asks them for somebody"
        );
    }
    assert!(
        opened <= asked,
        "who opens a stream is an exit, or keeps up what it holds"
    );
}

#[test]
fn no_two_jobs_share_a_circuit_and_words_go_different_ways() {
    let mut world = World::with_hops(10, 63, 3);
    world.settle_circuits();
    let user = 6;
    let guard = world.guard_of(user);
    let capability = world.publish(
        2,
        "red orange yellow green blue indigo violet white",
        &content(200_000),
    );
    let seen = watch(&mut world);
    let mut before = BTreeSet::new();
    for job in 0..6 {
        seen.borrow_mut().clear();
        let words = match job % 3 {
            0 => {
                assert!(world.fetch(user, &capability).is_ok());
                0
            }
            1 => {
                assert!(matches!(
                    world.search(user, &["red", "green"]),
                    Report::Found { .. }
                ));
                2
            }
            _ => {
                let words = [
                    "red", "orange", "yellow", "green", "blue", "indigo", "violet", "white",
                ];
                assert!(matches!(world.search(user, &words), Report::Found { .. }));
                words.len()
            }
        };
        world.run(Duration::from_secs(3));
        let used = circuits_used(&seen, user, guard);
        assert!(
            used.len() >= words.min(SEARCH_LANES as usize) && !used.is_empty(),
            "{words} words: {used:?}"
        );
        assert!(
            used.is_disjoint(&before),
            "job {job}: {used:?} and {before:?}"
        );
        before.extend(used);
    }
}

#[test]
fn jobs_at_the_same_time_do_not_share_a_circuit_either() {
    let mut world = World::with_hops(10, 64, 3);
    world.settle_circuits();
    let user = 6;
    let guard = world.guard_of(user);
    world.publish(2, "one word", &content(1000));
    let seen = watch(&mut world);
    let jobs: Vec<JobId> = (0..5).map(|number| JobId(1 << 40 | number)).collect();
    for &job in &jobs {
        let search = Command::Search {
            job,
            words: vec!["word".to_owned()],
            patience: Duration::from_secs(30),
            fewer_hops: false,
        };
        world.command(user, search);
    }
    assert!(world.run_until(Duration::from_secs(60), |world| {
        jobs.iter().all(|&job| world.is_over(user, job))
    }));
    let used = circuits_used(&seen, user, guard);
    // One each, and another where a node to ask is on the first one's path.
    assert!(used.len() >= jobs.len(), "{used:?}");
}
