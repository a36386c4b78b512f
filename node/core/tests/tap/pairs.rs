//! Two nodes that put together what they have: what three hops give against them, by bytes, and what not.
//!
//! The limits: neighbours on a path always find each other, so guard and middle know client and exit, middle and exit
//! know guard and storer, exit and storer know the middle and the thing. Guard and exit, guard and storer, middle and
//! storer have no bytes in common. But guard and exit both know the middle, and the minute in which the client made the
//! create: that, timing and amounts leave few candidates in a small network, and three hops promise nothing against it.

use std::collections::BTreeSet;

use super::SEEDS;
use super::finder::Heaps;
use super::life::{Life, nodes, things};
use super::parts::{public, without_public};
use super::routes::{Conversation, Part, Route};
use super::secrets::Mark;

const PARTS: [Part; 4] = [Part::Guard, Part::Middle, Part::Exit, Part::Storer];

/// Whether bytes alone tell two nodes that these are parts of one.
fn joined(life: &Life, a: &Conversation, b: &Conversation) -> bool {
    let public = public(life);
    let blank = |conversation: &Conversation| -> Vec<Vec<u8>> {
        let blank = conversation.bytes.iter();
        let blank = blank.map(|bytes| without_public(bytes, &public));
        blank.collect()
    };
    let (a, b) = (blank(a), blank(b));
    let index = Heaps::new(a.iter().map(|bytes| ((), bytes.as_slice())).collect());
    b.iter()
        .any(|bytes| index.shared(bytes, |()| true).is_some())
}

fn of(route: &Route, part: Part) -> Option<&Conversation> {
    let mut all = route.relays.iter().chain(&route.storers);
    all.find(|conversation| conversation.part == part)
}

#[test]
fn neighbours_on_a_path_can_join_what_they_have_and_others_cannot() {
    for seed in SEEDS {
        let life = Life::new(seed);
        let used = life.overheard.routes.iter();
        let used: Vec<&Route> = used.filter(|route| !route.storers.is_empty()).collect();
        assert!(used.len() > 5, "{}", used.len());
        let mut told = BTreeSet::new();
        for route in &used {
            for (at, a) in PARTS.into_iter().enumerate() {
                for b in PARTS.into_iter().skip(at + 1) {
                    let (Some(one), Some(other)) = (of(route, a), of(route, b)) else {
                        panic!("{a:?} and {b:?} are there");
                    };
                    let join = joined(&life, one, other);
                    let next = b as usize - a as usize == 1;
                    assert_eq!(join, next, "{a:?} and {b:?}");
                    let mut known = life.known(one);
                    if join {
                        known.extend(life.known(other));
                    }
                    let client = nodes(&known).contains(&route.client);
                    let thing = !things(&known).is_empty();
                    if route
                        .storers
                        .iter()
                        .all(|storer| storer.node != route.client)
                    {
                        let guards = a == Part::Guard;
                        assert_eq!(client, guards, "{a:?} and {b:?}");
                        assert_eq!(thing, (a, b) == (Part::Exit, Part::Storer));
                        assert!(!(client && thing), "{a:?} and {b:?}");
                    }
                    told.insert(say(route, a, b, join, &known));
                }
            }
        }
        println!("seed {seed}: pairs that share what they have of one circuit");
        told.iter().for_each(|line| println!("  {line}"));
        println!("  {}", candidates(&used));
    }
}

fn say(route: &Route, a: Part, b: Part, join: bool, known: &BTreeSet<Mark>) -> String {
    if !join {
        return format!("{a:?} and {b:?}: no bytes in common");
    }
    let part = |node: usize| {
        let at = route.path.iter().position(|&other| other == node);
        match at {
            _ if node == route.client => "client",
            Some(0) => "guard",
            Some(1) => "middle",
            Some(_) => "exit",
            None => "storer",
        }
    };
    let who: BTreeSet<&str> = nodes(known).into_iter().map(part).collect();
    let thing = if things(known).is_empty() {
        ""
    } else {
        " and the thing"
    };
    format!("{a:?} and {b:?}: {who:?}{thing}")
}

/// How far guard and exit come with what both are told: the middle, and the minute of the create.
fn candidates(used: &[&Route]) -> String {
    let mut counts: Vec<usize> = Vec::new();
    for route in used {
        let Some(guard) = of(route, Part::Guard) else {
            continue;
        };
        let same = used.iter().filter(|other| {
            let exit = of(other, Part::Exit);
            other.path[1] == route.path[1] && exit.is_some_and(|exit| exit.minute == guard.minute)
        });
        counts.push(same.count());
    }
    counts.sort_unstable();
    assert!(
        counts.iter().all(|&count| count > 0),
        "the right one is among them"
    );
    format!("Guard and Exit by middle and minute: {counts:?} candidates among used circuits")
}
