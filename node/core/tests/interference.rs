//! I1: what a node keeps for others, and what it answers them, does not depend on what its own user does; with requests
//! that go straight to the nodes asked, and with requests over three hops, where the node is a relay for others as well.

mod world;

#[allow(
    dead_code,
    reason = "of what is overheard, sessions are of interest here"
)]
#[path = "tap/provider.rs"]
mod provider;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::time::Duration;

use oboro_cache::Store;
use oboro_core::Report;
use oboro_core::wire::message::Request;
use oboro_crypto::eris::{BlockSize, ConvergenceSecret, Encoder};
use oboro_crypto::ids::{ExtentId, Location};
use oboro_crypto::network::Class;
use oboro_crypto::terms;
use oboro_crypto::token::KeywordToken;
use provider::{Heard, What};
use world::World;
use world::puppet::paid_put;

const USER: usize = 5;
/// Another user, who does the same in all runs.
const OTHER: usize = 2;
/// Who publishes what is there from the beginning.
const PUBLISHERS: [usize; 2] = [0, 1];
const TITLES: [&str; 2] = ["wanted by the user", "of no interest"];
/// What the user publishes: no word of it is in another title.
const SECRET: &str = "private";

fn secret() -> Vec<u8> {
    vec![3; 600_000]
}

/// An extent's references, and its chunks as far as they are there.
type Extent = (Vec<u8>, Vec<Option<Vec<u8>>>);

/// What others can learn from a node.
#[derive(PartialEq, Eq, Debug)]
struct Public {
    /// Extents by location, chunk by chunk, and entries.
    extents: Vec<Extent>,
    entries: Vec<Vec<u8>>,
    /// How full its store is: chunks, extents, entries.
    counts: [u64; 3],
    /// What strangers were answered, who asked the same at the same times.
    replies: Vec<Vec<Vec<u8>>>,
}

/// What it answered in each session to whoever asked, by request. A session may end early, whoever asks.
type Served = BTreeMap<Vec<u8>, Vec<Vec<Vec<u8>>>>;

fn contents() -> [Vec<u8>; 2] {
    [(300_000u32, 7), (200_000, 9)].map(|(length, factor)| {
        (0..length)
            .map(|i| (i * factor % 251) as u8 ^ (i >> 12) as u8)
            .collect()
    })
}

/// Where everything is that was published under these titles: extents with their sizes, and entries.
fn places(world: &World) -> (Vec<(Location, usize)>, Vec<Location>) {
    places_of(world, contents().into_iter().zip(TITLES))
}

fn places_of(
    world: &World,
    published: impl IntoIterator<Item = (Vec<u8>, &'static str)>,
) -> (Vec<(Location, usize)>, Vec<Location>) {
    let (network, params) = (world.network.id(), world.network.params);
    let (replicas, copies) = (params.replicas, params.copies(Class::Alone));
    let (mut extents, mut entries) = (Vec::new(), Vec::new());
    for (content, title) in published {
        let secret = ConvergenceSecret::from_bytes([7; 32]);
        let mut encoder = Encoder::new(Cursor::new(content), BlockSize::Large, secret);
        while let Some(run) = encoder.next_run().unwrap() {
            let extent = ExtentId::of(&run.references);
            let all = (0..copies).map(|index| Location::of_extent(&network, &extent, index));
            extents.extend(all.map(|location| (location, run.references.len())));
        }
        for term in terms::of_text(title) {
            let key = KeywordToken::derive(&world.network, &term).location_key();
            entries.extend((0..replicas).map(|index| Location::of_entry(&network, &key, index)));
        }
    }
    (extents, entries)
}

/// What strangers ask: for everything that was published, for what never was, and to keep something new.
fn questions(world: &World) -> Vec<Request> {
    let (extents, entries) = places(world);
    let mut all: Vec<Request> = extents
        .into_iter()
        .map(|(location, count)| Request::Get {
            location,
            wanted: u32::MAX >> (32 - count),
        })
        .collect();
    let queries = entries.into_iter().chain([Location([3; 32])]);
    all.extend(queries.map(|location| Request::Query {
        location,
        after: None,
        max: 32,
    }));
    all.extend((0..6).map(|seed| Request::Put(paid_put(world, seed % 3, 2, seed).0)));
    all
}

/// Strangers ask all this at once and wait for the same time, whatever they hear.
fn ask(world: &mut World, requests: &[Request]) -> Vec<Vec<Vec<u8>>> {
    let mut clients = Vec::new();
    for request in requests {
        let link = world.connect_stranger(USER);
        world.greet(USER, link, None);
        clients.push((link, world.ask(USER, link, 1, request), Vec::new()));
    }
    for _ in 0..40 {
        world.run(Duration::from_millis(50));
        for (_, client, said) in &mut clients {
            said.extend(client.hear(world));
        }
    }
    let mut all = Vec::new();
    for (link, _, said) in clients {
        world.disconnect(USER, link);
        all.push(said);
    }
    all
}

fn public(world: &mut World, replies: Vec<Vec<Vec<u8>>>) -> Public {
    let (extents, entries) = places(world);
    let store = &mut world.machines[USER].store;
    let extents = extents.into_iter().filter_map(|(location, _)| {
        let found = store.extent(&location).unwrap()?;
        let names = found.references.iter().flat_map(|name| name.0).collect();
        let indexes: Vec<u8> = (0..found.references.len() as u8).collect();
        Some((names, store.read(&location, &indexes).unwrap()))
    });
    let extents = extents.collect();
    let entries = entries.into_iter().flat_map(|location| {
        let found = store.entries(&location, None, 1000).unwrap();
        found.into_iter().map(|(_, entry)| entry)
    });
    let entries = entries.collect();
    let stats = store.stats();
    let mut counts = [stats.chunks, stats.extents, stats.entries];
    // His own publication comes to him as it does to anybody near it, from those who were asked in his stead: that it is
    // here says no more than that it is not.
    let (extents_of_his, entries_of_his) = places_of(world, [(secret(), SECRET)]);
    let store = &mut world.machines[USER].store;
    let extents_of_his: BTreeSet<Location> = extents_of_his.into_iter().map(|(at, _)| at).collect();
    for location in extents_of_his {
        if let Some(found) = store.extent(&location).unwrap() {
            counts[0] -= u64::from(found.present.count_ones());
            counts[1] -= 1;
        }
    }
    for location in entries_of_his {
        counts[2] -= store.entries(&location, None, 1000).unwrap().len() as u64;
    }
    Public {
        extents,
        entries,
        counts,
        replies,
    }
}

fn served(heard: Vec<Heard>) -> Served {
    let mut sessions: BTreeMap<u64, (Vec<u8>, Vec<Vec<u8>>)> = BTreeMap::new();
    for Heard { node, of, what } in heard {
        match what {
            What::Asked { request, .. } if node == USER => {
                sessions.insert(of, (request, Vec::new()));
            }
            What::Said { plain, .. } => {
                if let Some((_, said)) = sessions.get_mut(&of) {
                    said.push(plain);
                }
            }
            _ => {}
        }
    }
    let mut served = Served::new();
    for (request, said) in sessions.into_values() {
        served.entry(request).or_default().push(said);
    }
    served
}

/// Two files are published; then the user of one node is busy, or not, while others ask that node.
fn life(hops: u8, busy: bool) -> (Public, Served, u64) {
    drop(provider::take());
    let mut world = World::with_hops(0, 77, hops);
    world.provider = provider::ear;
    for index in 0..8 {
        world.add(if index == 0 { &[] } else { &[0] });
    }
    world.settle();
    let contents = contents();
    let mut capabilities = Vec::new();
    for ((node, title), content) in PUBLISHERS.into_iter().zip(TITLES).zip(&contents) {
        capabilities.push(world.publish(node, title, content));
    }
    let requests = questions(&world);

    let mut jobs = Vec::new();
    if busy {
        jobs.push(world.begin_publish(USER, SECRET, &secret()));
        jobs.push(world.begin_fetch(USER, &capabilities[0], None));
    }
    let (start, fetch) = (world.now, world.begin_fetch(OTHER, &capabilities[1], None));
    let mut replies = ask(&mut world, &requests);
    if busy {
        let Report::Found { hits, .. } = world.search(USER, &["wanted"]) else {
            panic!("nothing found");
        };
        assert_eq!(hits.len(), 1);
    }
    let left = Duration::from_secs(60).saturating_sub(world.now.since(start));
    world.run(left);
    for job in jobs {
        assert!(world.is_over(USER, job), "its user is done");
    }
    assert!(world.is_over(OTHER, fetch), "the other user is done");
    assert!(
        matches!(world.search(OTHER, &["interest"]), Report::Found { hits, .. } if hits.len() == 1)
    );
    replies.extend(ask(&mut world, &requests));
    let cells = world.machines[USER].node.stats().circuits.cells_out;
    (public(&mut world, replies), served(provider::take()), cells)
}

/// Compares a quiet life with a busy one.
fn compare(hops: u8) {
    let (quiet, quietly, _) = life(hops, false);
    let (busy, busily, cells) = life(hops, true);
    assert!(
        !quiet.extents.is_empty() && !quiet.entries.is_empty(),
        "it keeps something for others"
    );
    assert_eq!(
        cells > 0,
        hops > 0,
        "its user's requests went over circuits"
    );
    for (number, (quiet, busy)) in quiet.replies.iter().zip(&busy.replies).enumerate() {
        assert!(!quiet.is_empty(), "question {number} was answered");
        assert!(quiet == busy, "question {number}");
    }
    assert!(quiet == busy);

    // Sessions of all, those of other nodes' users among them, who may ask in another order.
    let mut compared = 0;
    for (request, sessions) in &quietly {
        let others = busily.get(request).into_iter().flatten();
        for other in others {
            let fits = |said: &Vec<Vec<u8>>| {
                let length = said.len().min(other.len());
                said[..length] == other[..length]
            };
            assert!(
                sessions.iter().any(fits),
                "the same request, another answer"
            );
            compared += 1;
        }
    }
    assert!(compared > quiet.replies.len(), "{compared}");
}

#[test]
fn what_others_see_of_a_node_is_the_same_whether_its_user_is_busy_or_not() {
    compare(0);
}

#[test]
fn the_same_holds_with_requests_over_three_hops() {
    compare(3);
}
