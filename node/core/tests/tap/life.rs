//! A network's life with an ear in each node: somebody publishes, another searches, a third fetches, over three hops.

use std::collections::BTreeSet;

use oboro_core::Report;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::finder::Finder;
use super::provider;
use super::routes::{Conversation, Overheard};
use super::secrets::{self, Mark};
use crate::world::World;
use crate::world::watch::Watch;

pub const NODES: usize = 10;
pub const PUBLISHER: usize = 1;
pub const SEARCHER: usize = 4;
pub const FETCHER: usize = 7;
const TITLE: &str = "chrysanthemumgarden beneath the veiledmoonharbour";

pub struct Life {
    pub world: World,
    pub overheard: Overheard,
    pub finder: Finder<Mark>,
}

impl Life {
    pub fn new(seed: u8) -> Self {
        drop(provider::take());
        let mut world = World::with_hops(0, seed, 3);
        world.provider = provider::ear;
        world.watch = Some(Watch::default());
        for index in 0..NODES {
            world.add(if index == 0 { &[] } else { &[0] });
        }
        world.settle();
        let mut content = vec![0; 400_000];
        ChaCha20Rng::from_seed([seed; 32]).fill_bytes(&mut content);
        let capability = world.publish(PUBLISHER, TITLE, &content);
        let Report::Found { hits, route, .. } = world.search(SEARCHER, &["veiledmoonharbour"])
        else {
            panic!("nothing found");
        };
        assert_eq!((hits.len(), route.hops), (1, 3));
        assert_eq!(world.fetch(FETCHER, &capability), Ok(content.clone()));
        world.handed_on();
        let finder = secrets::finder(&mut world, TITLE, &content, &capability);
        let overheard = Overheard::new(&mut world, provider::take());
        assert!(overheard.strays.is_empty(), "{:?}", overheard.strays);
        Self {
            world,
            overheard,
            finder,
        }
    }

    /// The first node of all of a client's circuits.
    pub fn guard(&self, client: usize) -> usize {
        let routes = self.overheard.routes.iter();
        let guards: BTreeSet<usize> = routes
            .filter(|route| route.client == client)
            .map(|route| route.path[0])
            .collect();
        let [guard] = guards.into_iter().collect::<Vec<_>>()[..] else {
            panic!("one guard");
        };
        guard
    }

    /// What bytes say.
    pub fn marks(&self, bytes: &[u8]) -> BTreeSet<Mark> {
        let mut marks = BTreeSet::new();
        self.finder.each(bytes, |_, _, mark| {
            marks.insert(*mark);
        });
        marks
    }

    /// What a conversation says by its bytes.
    pub fn said(&self, conversation: &Conversation) -> BTreeSet<Mark> {
        let all = conversation.bytes.iter();
        all.flat_map(|bytes| self.marks(bytes)).collect()
    }

    /// What it says in all: with who is at the other ends of its links.
    pub fn known(&self, conversation: &Conversation) -> BTreeSet<Mark> {
        let mut known = self.said(conversation);
        known.extend(conversation.remotes.iter().map(|&node| Mark::Node(node)));
        known
    }
}

/// The nodes among it.
pub fn nodes(marks: &BTreeSet<Mark>) -> BTreeSet<usize> {
    let nodes = marks.iter().filter_map(|mark| match mark {
        Mark::Node(node) => Some(*node),
        _ => None,
    });
    nodes.collect()
}

/// What is in it of things that must not be known together with the client.
pub fn things(marks: &BTreeSet<Mark>) -> BTreeSet<Mark> {
    let things = marks.iter().filter(|mark| !matches!(mark, Mark::Node(_)));
    things.copied().collect()
}
