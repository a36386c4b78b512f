//! One placement of the entries under a token, as whoever looks for them asks for it: whom, how often, which answers are right.

use oboro_crypto::entry::{EntryBody, SealedEntry};
use oboro_crypto::ids::{Location, NodeId};
use oboro_crypto::network::Network;
use oboro_crypto::token::KeywordToken;

use crate::effect::Ctx;
use crate::exchange::Trouble;
use crate::limits::{QUERY_FEW, QUERY_TRIES};
use crate::losses::Losses;
use crate::peers::Peers;
use crate::placement::{Directory, candidates};
use crate::wire::message::{Cursor, ENTRIES_MAX, Request};

/// A placement, and at whom it has been looked for in vain.
pub(crate) struct Query {
    pub(crate) index: u8,
    location: Location,
    tried: Vec<NodeId>,
    /// Circuits that failed under it.
    losses: Losses,
}

impl Query {
    /// Placement `index` of what lies under a token.
    pub(crate) fn new(network: &Network, token: &KeywordToken, index: u8) -> Self {
        Self {
            index,
            location: Location::of_entry(&network.id(), &token.location_key(), index),
            tried: Vec::new(),
            losses: Losses::default(),
        }
    }

    /// The best node not tried yet; `None` if there is none, or enough have been asked.
    pub(crate) fn choose(&self, peers: &Peers) -> Option<NodeId> {
        if self.tried.len() >= tries(self.index, peers.view()) {
            return None;
        }
        let unasked = peers.unasked();
        let without = |node: &NodeId| unasked.has(node) || self.tried.contains(node);
        let acceptable = candidates(peers.view(), &self.location, self.index, &without);
        acceptable.first().copied()
    }

    /// A page of it.
    pub(crate) fn request(&self, after: Option<Cursor>) -> Request {
        Request::Query {
            location: self.location,
            after,
            max: u8::try_from(ENTRIES_MAX).unwrap_or(u8::MAX),
        }
    }

    /// A node does not have it, or is of no use.
    pub(crate) fn tried(&mut self, node: NodeId) {
        self.tried.push(node);
    }

    /// A circuit failed under it. False if it must not be asked for again.
    pub(crate) const fn lost(&mut self, trouble: Trouble) -> bool {
        self.losses.again(trouble)
    }

    /// What a page says, of entries that belong there; the others are counted.
    pub(crate) fn open(
        &self,
        entries: &[Vec<u8>],
        token: &KeywordToken,
        network: &Network,
        ctx: &mut Ctx<'_>,
    ) -> Vec<EntryBody> {
        let mut bodies = Vec::with_capacity(entries.len());
        for bytes in entries {
            let checked = SealedEntry::decode(bytes).ok().filter(|entry| {
                entry.location(&network.id()) == self.location
                    && entry.check(network, ctx.now.day()).is_ok()
            });
            match checked.and_then(|entry| entry.open(token).ok()) {
                Some(body) => bodies.push(body),
                None => ctx.stats.violated("entry"),
            }
        }
        bodies
    }
}

/// How many nodes are asked for a placement. Where storers are few, the nodes nearest to a later placement hold earlier ones
/// of the same word, and it lies further down.
fn tries(index: u8, directory: &dyn Directory) -> usize {
    let taken = if directory.storers() < QUERY_FEW {
        usize::from(index)
    } else {
        0
    };
    QUERY_TRIES + taken
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Storers(usize);

    impl Directory for Storers {
        fn nearest(&self, _: &Location, _: usize, _: &dyn Fn(&NodeId) -> bool) -> Vec<NodeId> {
            Vec::new()
        }

        fn is_suspect(&self, _: &NodeId) -> bool {
            false
        }

        fn storers(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn later_placements_are_looked_for_further_down_where_storers_are_few() {
        let asked = |storers| [0, 1, 4].map(|index| tries(index, &Storers(storers)));
        assert_eq!(asked(8), [3, 4, 7]);
        assert_eq!(asked(10_000), [3, 3, 3]);
    }
}
