//! Storers that lie, stall or grab, one mood each: whoever publishes, searches or fetches still gets there.

use std::time::Duration;

use oboro_core::limits::{EXCHANGE_PATIENCE, PAGES_MAX};
use oboro_core::report::PublishSummary;
use oboro_core::{Failure, Report};
use oboro_crypto::eris::Capability;

use crate::world::World;
use crate::world::puppet::Mood;

/// Three machines besides the publisher, and one puppet: everything published goes to all four.
fn world(seed: u8) -> (World, usize) {
    let mut world = World::new(4, seed);
    let puppet = world.add_puppet(Mood::Honest);
    world.settle_with_puppets();
    (world, puppet)
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index / 7 % 253) as u8).collect()
}

/// Publishes with the puppet in a mood; says how it went, how long it took and how much the publisher ever held.
fn publish(
    world: &mut World,
    title: &str,
    content: &[u8],
) -> (
    Result<(Capability, PublishSummary), Failure>,
    Duration,
    usize,
) {
    let began = world.now;
    let job = world.begin_publish(0, title, content);
    let mut most = 0;
    world.run_until(Duration::from_secs(900), |world| {
        most = most.max(world.machines[0].node.held().unsent);
        world.is_over(0, job)
    });
    let took = world.now.since(began);
    let result = match world.machines[0].reports[&job].last() {
        Some(Report::Published {
            capability,
            summary,
            ..
        }) => Ok(((**capability).clone(), *summary)),
        Some(Report::Failed(failure)) => Err(*failure),
        _ => panic!("the publication is not over"),
    };
    (result, took, most)
}

#[test]
fn whatever_one_storer_does_to_puts_the_others_have_the_file() {
    for (mood, kept) in [
        (Mood::Honest, 4),
        (Mood::Silent, 3),
        (Mood::Busy, 3),
        (Mood::Dear, 3),
        (Mood::Dearer, 3),
        (Mood::Forger, 3),
        (Mood::Greedy, 3),
    ] {
        let (mut world, puppet) = world(70);
        world.puppets[puppet].mood = mood;
        let file = content(2_500_000);
        let (result, took, most) = publish(&mut world, "one of four", &file);
        let (capability, summary) = result.unwrap();
        assert_eq!(summary.fewest, kept, "{mood:?}");
        assert!(took < Duration::from_secs(120), "{mood:?} took {took:?}");
        // Four extents under way, each to four storers, 256 KiB and a little ahead of the link.
        assert!(most < 16 * (400 << 10), "{mood:?} made it hold {most}");
        assert!(world.puppets[puppet].asked < 200, "{mood:?}");
        world.puppets[puppet].mood = Mood::Silent;
        assert!(world.fetch(2, &capability) == Ok(file), "{mood:?}");
        // As a storer it is given what the puppet did not take, and may ask the puppet for it in its turn: that ends too.
        let over = world.run_until(EXCHANGE_PATIENCE * 8, |world| {
            let held = world.machines[0].node.held();
            (held.unsent, held.exchanges, held.upkeep) == (0, 0, 0)
        });
        assert!(over, "{mood:?}: {:?}", world.machines[0].node.held());
    }
}

#[test]
fn storers_who_never_take_anything_end_a_publication() {
    for (mood, failure) in [
        (Mood::Busy, Failure::Refused),
        (Mood::Dear, Failure::Refused),
        (Mood::Silent, Failure::NoRoute),
    ] {
        let mut world = World::new(1, 71);
        for _ in 0..5 {
            world.add_puppet(mood);
        }
        world.settle_with_puppets();
        let (result, took, _) = publish(&mut world, "nobody", &content(100_000));
        assert_eq!(result.unwrap_err(), failure, "{mood:?}");
        assert!(took < Duration::from_secs(300), "{mood:?} took {took:?}");
    }
}

#[test]
fn a_receipt_without_data_is_found_out_by_the_sample() {
    let (mut world, puppet) = world(72);
    world.puppets[puppet].mood = Mood::Hollow;
    let mut caught = 0;
    for round in 0..20 {
        let (result, ..) = publish(&mut world, &format!("hollow {round}"), &content(40_000));
        let (capability, _) = result.unwrap();
        let stats = world.machines[0].node.stats();
        caught = stats
            .violations
            .get("receipt_without_data")
            .copied()
            .unwrap_or(0);
        assert!(world.fetch(1, &capability) == Ok(content(40_000)));
    }
    assert!(caught >= 1, "{caught}");
}

#[test]
fn whatever_one_storer_does_to_gets_the_file_comes_whole() {
    let file = content(3_000_000);
    for mood in [
        Mood::Honest,
        Mood::Silent,
        Mood::Busy,
        Mood::StrangeMask,
        Mood::Chunkless,
        Mood::Twice,
        Mood::Drip,
        Mood::Hollow,
    ] {
        let (mut world, puppet) = world(73);
        let capability = world.publish(0, "asked of four", &file);
        world.puppets[puppet].mood = mood;
        let asked = world.puppets[puppet].asked;
        let began = world.now;
        assert!(world.fetch(1, &capability) == Ok(file.clone()), "{mood:?}");
        let took = world.now.since(began);
        assert!(world.puppets[puppet].asked > asked, "{mood:?} was asked");
        let longest = if mood == Mood::Drip { 700 } else { 60 };
        assert!(took.as_secs() < longest, "{mood:?} took {took:?}");
    }
}

#[test]
fn whatever_one_storer_does_to_questions_the_word_is_found() {
    for mood in [
        Mood::Silent,
        Mood::Busy,
        Mood::Junk,
        Mood::Empty,
        Mood::Endless,
    ] {
        let (mut world, puppet) = world(74);
        let words = ["needle", "pin", "thread"];
        for word in words {
            world.publish(0, word, &content(1_000));
        }
        world.puppets[puppet].mood = mood;
        let asked = world.puppets[puppet].asked;
        for word in words {
            let began = world.now;
            let Report::Found { hits, .. } = world.search(2, &[word]) else {
                panic!("found in spite of {mood:?}")
            };
            assert_eq!(hits.len(), 1, "{mood:?}");
            let took = world.now.since(began);
            assert!(took < Duration::from_secs(35), "{mood:?} took {took:?}");
        }
        let asked = world.puppets[puppet].asked - asked;
        let most = words.len() as u64 * 4 * u64::from(PAGES_MAX);
        assert!((1..=most).contains(&asked), "{mood:?}: {asked}");
    }
}

#[test]
fn whoever_answers_with_nothing_right_is_not_the_last_to_be_asked() {
    for mood in [Mood::Junk, Mood::Empty, Mood::Silent] {
        // Two storers of four want the word not to be found, and stand before the others where they can.
        let mut world = World::new(4, 75);
        let puppets = [
            world.add_puppet(Mood::Honest),
            world.add_puppet(Mood::Honest),
        ];
        world.settle_with_puppets();
        let words = ["alder", "birch", "cedar", "douglas", "elm", "fir"];
        for word in words {
            world.publish(0, word, &content(100));
        }
        for puppet in puppets {
            world.puppets[puppet].mood = mood;
        }
        let found = words
            .iter()
            .filter(|word| matches!(world.search(3, &[word]), Report::Found { .. }))
            .count();
        assert_eq!(found, words.len(), "{mood:?}");
    }
}

#[test]
fn a_fifth_of_all_storers_drop_everything_and_files_still_come() {
    let mut world = World::new(20, 76);
    world.settle();
    for dropper in [3, 8] {
        world.machines[dropper].forgets = true;
    }
    for dropper in [12, 17] {
        world.machines[dropper].mute = true;
    }
    let file = content(4_000_000);
    let capabilities: Vec<Capability> = (0..6)
        .map(|round| world.publish(round, &format!("droppers {round}"), &file))
        .collect();
    // Those that took it in silence fall silent altogether.
    for dropper in [3, 8] {
        world.machines[dropper].mute = true;
    }
    for (round, capability) in capabilities.iter().enumerate() {
        let reader = 19 - round % 2;
        assert!(world.fetch(reader, capability) == Ok(file.clone()));
        let word = format!("{round}");
        let Report::Found { hits, .. } = world.search(reader, &["droppers", &word]) else {
            panic!("file {round} is found")
        };
        assert_eq!(hits.len(), 1);
    }
}

#[test]
fn a_fifth_of_all_storers_lie_and_no_wrong_byte_comes() {
    let mut world = World::new(20, 77);
    world.settle();
    let file = content(4_000_000);
    let capability = world.publish(0, "poison", &file);
    let began = world.now;
    assert!(world.fetch(18, &capability) == Ok(file.clone()));
    let honest = world.now.since(began);
    for liar in [3, 8, 12, 17] {
        world.machines[liar].lies = true;
    }
    let began = world.now;
    assert!(world.fetch(19, &capability) == Ok(file));
    let took = world.now.since(began);
    assert!(took < honest * 3, "{took:?} instead of {honest:?}");
}

#[test]
fn many_jobs_over_nodes_that_cannot_be_reached_fail_one_by_one() {
    let mut world = World::new(30, 78);
    world.settle();
    for machine in 1..30 {
        world.kill(machine);
    }
    let jobs: Vec<_> = (0..oboro_core::limits::JOBS_MAX)
        .map(|round| {
            let mut bytes = [round as u8; 66];
            (bytes[0], bytes[1]) = (0x0f, 1);
            let capability = Capability::from_bytes(&bytes).unwrap();
            world.begin_fetch(0, &capability, None)
        })
        .collect();
    assert!(world.run_until(Duration::from_secs(900), |world| {
        jobs.iter().all(|job| world.is_over(0, *job))
    }));
    for job in jobs {
        let last = world.machines[0].reports[&job].last();
        assert!(matches!(last, Some(Report::Failed(Failure::NoRoute))));
    }
}
