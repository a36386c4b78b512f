//! The tap: what each node could know of a publication, a search and a fetch over three hops, had its operator written
//! down everything after its decryption: all records of its links, all that its keys open of circuits and sessions, all
//! that its store is asked.
//!
//! Shown: no node but the client's own knows who the client is **together** with what it publishes, seeks or reads.
//!
//! *Together* means: in one conversation. A conversation is what a node's own program joins, and must join to do its
//! part: all of one circuit with the sides of both links that it goes over, everything peeled, wrapped, opened and sealed
//! in it and, at its exit, the streams to the nodes asked; or one served session with the stream that it comes in, the
//! link of that stream, and what the store was asked for it. Into each go the ends of its links: who is at the other end
//! of a link is known by key and address. What is not in one conversation is joined by nothing but time, number and
//! amount, against which three hops promise nothing here.
//!
//! So it must be: every node has every listed node's descriptor by gossip, with id, keys and addresses, has links to
//! most nodes of a small network, and is a relay and a storer at once. That a node has seen a client's address
//! somewhere and a location elsewhere means nothing, while a line from one to the other is what is to be hidden. Nor
//! does it mean anything that a storer is asked by a node that published the same thing: as an exit, it asks for others.
//!
//! What storers hand on to each other of their own accord is in no client's circuit. It may reach the publisher's node, or
//! his guard's, as it may any: looked at separately, and held to come from a storer that was given it.
//!
//! That conversations cannot be joined by their bytes either, as one circuit's at two nodes or two circuits' at one
//! node, is looked at separately: [`parts`] and [`pairs`].

#![allow(
    clippy::print_stdout,
    reason = "what pairs of nodes know is to be read"
)]

mod world;

#[path = "tap/finder.rs"]
mod finder;
#[path = "tap/life.rs"]
mod life;
#[path = "tap/pairs.rs"]
mod pairs;
#[path = "tap/parts.rs"]
mod parts;
#[path = "tap/provider.rs"]
mod provider;
#[path = "tap/routes.rs"]
mod routes;
#[path = "tap/secrets.rs"]
mod secrets;
#[path = "tap/shapes.rs"]
mod shapes;
#[path = "tap/wires.rs"]
mod wires;

use std::collections::BTreeSet;

use oboro_crypto::ids::distance;

use life::{FETCHER, Life, NODES, PUBLISHER, SEARCHER, nodes, things};
use routes::Part;
use secrets::{KEPT, Mark};

const SEEDS: [u8; 3] = [1, 2, 3];
const CLIENTS: [usize; 3] = [PUBLISHER, SEARCHER, FETCHER];

#[test]
fn no_node_knows_a_client_together_with_what_it_wants() {
    for seed in SEEDS {
        let life = Life::new(seed);
        let mut checked = [0; 4];
        for (_, route, conversation) in life.overheard.conversations() {
            if conversation.node == route.client {
                // Its own circuit led back to it as a storer: it may know who asks.
                continue;
            }
            checked[conversation.part as usize] += 1;
            let known = life.known(conversation);
            let (nodes, things) = (nodes(&known), things(&known));
            let what = format!(
                "{:?} of {} knows {known:?}",
                conversation.part, route.client
            );
            assert!(
                !nodes.contains(&route.client) || things.is_empty(),
                "{what}"
            );

            let [guard, middle, exit] = route.path[..] else {
                panic!("three hops");
            };
            let storers = route.storers.iter().map(|storer| storer.node);
            let may_know: BTreeSet<usize> = match conversation.part {
                Part::Guard => BTreeSet::from([route.client, guard, middle]),
                Part::Middle => BTreeSet::from([guard, middle, exit]),
                Part::Exit => [middle, exit].into_iter().chain(storers).collect(),
                Part::Storer => BTreeSet::from([exit, conversation.node]),
                Part::Given => panic!("no part of a route"),
            };
            assert!(nodes.is_subset(&may_know), "{what}, may know {may_know:?}");
            match conversation.part {
                Part::Guard | Part::Middle | Part::Exit => {
                    assert_eq!(things, BTreeSet::new(), "{what}")
                }
                Part::Storer => {
                    let private = |mark: &Mark| matches!(mark, Mark::Private(_));
                    assert!(!things.iter().any(private), "{what}");
                }
                Part::Given => panic!("no part of a route"),
            }
        }
        assert!(checked.iter().all(|&count| count > 10), "{checked:?}");
    }
}

#[test]
fn nothing_was_overheard_that_is_no_part_of_a_clients_route_or_of_membership() {
    for seed in SEEDS {
        let life = Life::new(seed);
        assert_eq!(life.overheard.strays, Vec::<String>::new());
        for (node, &requests) in life.overheard.requests.iter().enumerate() {
            assert_eq!(requests > 0, CLIENTS.contains(&node), "node {node}");
        }
        for (link, bytes) in life.overheard.links() {
            assert_eq!(things(&life.marks(bytes)), BTreeSet::new(), "{link:?}");
        }
        for asked in &life.overheard.membership {
            assert_eq!(things(&life.marks(&asked.bytes)), BTreeSet::new());
        }
    }
}

/// The one way in which content comes to its publisher's own node: as to anybody who should hold it, straight from a storer
/// that was given it. Nothing in it tells him from any other.
#[test]
fn content_goes_straight_only_from_who_was_given_it_to_who_is_nearer_and_says_who_nobody_is() {
    let (mut to_publisher, mut to_guard, mut to_others) = (0, 0, 0);
    for seed in SEEDS {
        let life = Life::new(seed);
        let guard = life.guard(PUBLISHER);
        // Where each node was asked to keep something by routes that are not its own.
        let mut was_given = BTreeSet::new();
        for (_, route, conversation) in life.overheard.conversations() {
            if conversation.part == Part::Storer && conversation.node != route.client {
                was_given.insert((conversation.node, conversation.bytes[0].clone()));
            }
        }
        for hand_on in &life.overheard.handed_on {
            let (from, to) = (hand_on.from, hand_on.given.node);
            assert!(hand_on.proper, "{from} asks {to} for what a user wants");
            assert_ne!(from, PUBLISHER, "it has nothing to hand on but its own");
            for location in &hand_on.locations {
                let given = (from, location.0.to_vec());
                assert!(was_given.contains(&given), "{from} was not given it");
                let far = |node: usize| distance(&life.world.machines[node].id.0, &location.0);
                assert!(far(to) < far(from), "{from} to {to}");
            }
            let known = life.known(&hand_on.given);
            assert!(nodes(&known).is_subset(&BTreeSet::from([from, to])));
            let private = |mark: &Mark| matches!(mark, Mark::Private(_));
            assert!(!things(&known).iter().any(private), "{known:?}");
            match to {
                PUBLISHER => to_publisher += 1,
                _ if to == guard => to_guard += 1,
                _ => to_others += 1,
            }
        }
    }
    println!("handed on to publishers {to_publisher}, guards {to_guard}, others {to_others}");
    assert!(to_publisher > 3 && to_guard > 3, "else this shows nothing");
}

#[test]
fn the_tap_is_not_blind() {
    for seed in SEEDS {
        let life = Life::new(seed);
        let mut kept = BTreeSet::new();
        let (mut clients, mut asked) = (BTreeSet::new(), 0);
        for (_, route, conversation) in life.overheard.conversations() {
            let said = nodes(&life.said(conversation));
            let remotes = &conversation.remotes;
            match conversation.part {
                Part::Guard => {
                    assert!(
                        remotes.contains(&route.client),
                        "its link key and its address"
                    );
                    assert!(
                        said.contains(&route.path[1]),
                        "the next hop's name is in the create"
                    );
                    clients.insert(route.client);
                }
                Part::Middle => assert!(said.contains(&route.path[2])),
                Part::Exit => {
                    for storer in &route.storers {
                        asked += 1;
                        assert!(said.contains(&storer.node), "whom it is to ask");
                    }
                }
                Part::Storer => kept.extend(things(&life.said(conversation))),
                Part::Given => panic!("no part of a route"),
            }
        }
        assert!(asked > 20, "{asked}");
        assert!(CLIENTS.iter().all(|client| clients.contains(client)));
        let all = KEPT.into_iter().map(Mark::Kept).collect();
        assert_eq!(kept, all, "storers know all this");
        // Every listed node is known to all by gossip; a conversation is what must not hold it.
        for node in 0..NODES {
            let told = life.overheard.wires.controls.values();
            let told = told.filter(|control| control.ends.contains(&node));
            let told: BTreeSet<usize> = told
                .flat_map(|control| nodes(&life.marks(&control.bytes)))
                .collect();
            assert_eq!(told.len(), NODES, "node {node} was told of {told:?}");
        }
    }
}

#[test]
fn only_guards_hear_of_clients_and_none_of_them_is_asked_for_anything() {
    for seed in SEEDS {
        let life = Life::new(seed);
        for (_, route, conversation) in life.overheard.conversations() {
            let known = nodes(&life.known(conversation));
            // A client is a storer like others, and may be asked through its own circuits.
            let asked = route
                .storers
                .iter()
                .any(|storer| storer.node == route.client);
            let as_storer = asked && conversation.part == Part::Exit;
            if known.contains(&route.client) && !as_storer && conversation.node != route.client {
                assert_eq!(conversation.part, Part::Guard);
            }
        }
        for client in CLIENTS {
            let routes = life.overheard.routes.iter();
            let routes: Vec<_> = routes.filter(|route| route.client == client).collect();
            let guard = life.guard(client);
            let mut asked = routes.iter().flat_map(|route| &route.storers);
            assert!(asked.all(|storer| storer.node != guard));
        }
    }
}

#[test]
fn a_storer_that_is_linked_to_the_client_is_asked_by_others_all_the_same() {
    let mut linked = 0;
    for seed in SEEDS {
        let life = Life::new(seed);
        for (_, route, storer) in life.overheard.conversations() {
            let (client, node) = (route.client, storer.node);
            if storer.part == Part::Storer && life.overheard.neighbours(client, node) {
                linked += 1;
                assert!(!storer.remotes.contains(&client), "asked directly");
                assert!(!nodes(&life.known(storer)).contains(&client));
            }
        }
    }
    assert!(linked > 20, "{linked}: else this shows nothing");
}
