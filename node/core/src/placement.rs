//! Which nodes are responsible for a location: pure functions over a view.
//!
//! The storer of placement i is the node nearest (by XOR) to location i that does not already hold an earlier placement
//! of the same thing. Because views differ, the next nodes accept too: see [`acceptable_rank`].

use oboro_crypto::ids::{Location, NodeId};

use crate::limits::NEIGHBOURS_OF_LOCATION;

/// What placement needs of a view.
pub(crate) trait Directory {
    /// The storing nodes nearest to a location, nearest first, that pass a test.
    fn nearest(
        &self,
        location: &Location,
        count: usize,
        allow: &dyn Fn(&NodeId) -> bool,
    ) -> Vec<NodeId>;
    /// Whether a node lately failed to answer.
    fn is_suspect(&self, node: &NodeId) -> bool;
    /// How many storing nodes are known.
    fn storers(&self) -> usize;
}

/// How far from the nearest a storer may be and still accept placement `index`, counted from 0: the next two after the
/// nearest, and one more for each earlier placement, whose holders may be nearer.
#[must_use]
pub(crate) fn acceptable_rank(index: u8) -> usize {
    NEIGHBOURS_OF_LOCATION + usize::from(index)
}

/// Nodes to try for placing something at a location, best first: nearest first, but those that lately failed last.
pub(crate) fn candidates(
    directory: &dyn Directory,
    location: &Location,
    index: u8,
    without: &dyn Fn(&NodeId) -> bool,
) -> Vec<NodeId> {
    let mut found = directory.nearest(location, acceptable_rank(index), &|node| !without(node));
    found.sort_by_key(|node| directory.is_suspect(node));
    found
}

/// Whether a node is among those that may hold placement `index` of a location.
pub(crate) fn is_responsible(
    directory: &dyn Directory,
    own: &NodeId,
    location: &Location,
    index: u8,
) -> bool {
    let own_distance = oboro_crypto::ids::distance(own.as_bytes(), location.as_bytes());
    let nearer = directory
        .nearest(location, acceptable_rank(index), &|node| node != own)
        .into_iter()
        .filter(|node| {
            oboro_crypto::ids::distance(node.as_bytes(), location.as_bytes()) < own_distance
        })
        .count();
    nearer < acceptable_rank(index)
}

/// Who should hold each placement of an extent now: what a publisher would choose that knows of nobody it may not ask.
/// Those that lately failed, and those in `without`, are passed over as far as a placement's acceptable nodes reach.
pub(crate) fn holders(
    directory: &dyn Directory,
    locations: &[Location],
    without: &dyn Fn(&NodeId) -> bool,
) -> Vec<Option<NodeId>> {
    let mut chosen: Vec<Option<NodeId>> = Vec::with_capacity(locations.len());
    for (index, location) in (0u8..).zip(locations) {
        let acceptable = directory.nearest(location, acceptable_rank(index), &|_| true);
        let holder = acceptable.into_iter().find(|node| {
            !chosen.contains(&Some(*node)) && !directory.is_suspect(node) && !without(node)
        });
        chosen.push(holder);
    }
    chosen
}

/// The nodes other than `own` that should have every entry of a location besides it, nearest first. Of which placement the
/// entries are is not asked: only nodes that accept any.
pub(crate) fn sharers(directory: &dyn Directory, own: &NodeId, location: &Location) -> Vec<NodeId> {
    let mut acceptable = directory.nearest(location, acceptable_rank(0), &|_| true);
    acceptable.retain(|node| node != own && !directory.is_suspect(node));
    acceptable.truncate(NEIGHBOURS_OF_LOCATION - 1);
    acceptable
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use oboro_crypto::ids::distance;
    use proptest::prelude::*;

    use super::*;

    struct Plain(BTreeSet<NodeId>, BTreeSet<NodeId>);

    impl Directory for Plain {
        fn nearest(
            &self,
            location: &Location,
            count: usize,
            allow: &dyn Fn(&NodeId) -> bool,
        ) -> Vec<NodeId> {
            let mut all: Vec<NodeId> = self.0.iter().copied().filter(|node| allow(node)).collect();
            all.sort_by_key(|node| distance(node.as_bytes(), location.as_bytes()));
            all.truncate(count);
            all
        }

        fn is_suspect(&self, node: &NodeId) -> bool {
            self.1.contains(node)
        }

        fn storers(&self) -> usize {
            self.0.len()
        }
    }

    proptest! {
        #[test]
        fn whoever_is_chosen_first_accepts_even_if_earlier_placements_took_nearer_nodes(
            ids in proptest::collection::btree_set(any::<[u8; 32]>(), 6..40), spot in any::<[u8; 32]>()
        ) {
            let directory = Plain(ids.into_iter().map(NodeId).collect(), BTreeSet::new());
            let location = Location(spot);
            let mut used = BTreeSet::new();
            for index in 0..4 {
                let chosen = candidates(&directory, &location, index, &|node| used.contains(node))[0];
                prop_assert!(is_responsible(&directory, &chosen, &location, index));
                used.insert(chosen);
            }
            prop_assert_eq!(used.len(), 4);
        }

        #[test]
        fn holders_are_distinct_accept_their_placement_and_are_whom_a_publisher_asks_first(
            ids in proptest::collection::btree_set(any::<[u8; 32]>(), 2..40),
            spots in proptest::collection::vec(any::<[u8; 32]>(), 5), sick in any::<prop::sample::Index>()
        ) {
            let nodes: Vec<NodeId> = ids.into_iter().map(NodeId).collect();
            let suspect = nodes[sick.index(nodes.len())];
            let directory = Plain(nodes.iter().copied().collect(), BTreeSet::from([suspect]));
            let locations: Vec<Location> = spots.into_iter().map(Location).collect();
            let chosen = holders(&directory, &locations, &|_| false);
            let mut used = BTreeSet::new();
            for (index, (holder, location)) in (0u8..).zip(chosen.iter().zip(&locations)) {
                let Some(holder) = holder else { continue };
                let publishers = candidates(&directory, location, index, &|node| used.contains(node))[0];
                prop_assert_eq!(*holder, publishers);
                prop_assert!(is_responsible(&directory, holder, location, index));
                prop_assert!(*holder != suspect && used.insert(*holder));
            }
            prop_assert_eq!(used.len(), locations.len().min(nodes.len() - 1));
        }

        #[test]
        fn whoever_shares_entries_accepts_them(
            ids in proptest::collection::btree_set(any::<[u8; 32]>(), 1..20), spot in any::<[u8; 32]>(), own in any::<prop::sample::Index>()
        ) {
            let nodes: Vec<NodeId> = ids.into_iter().map(NodeId).collect();
            let own = nodes[own.index(nodes.len())];
            let directory = Plain(nodes.iter().copied().collect(), BTreeSet::new());
            let location = Location(spot);
            let all = sharers(&directory, &own, &location);
            prop_assert_eq!(all.len(), 2.min(nodes.len() - 1));
            for node in all {
                prop_assert!(node != own && is_responsible(&directory, &node, &location, 0));
            }
        }

        #[test]
        fn a_far_node_is_not_responsible(ids in proptest::collection::btree_set(any::<[u8; 32]>(), 20..40), spot in any::<[u8; 32]>()) {
            let directory = Plain(ids.into_iter().map(NodeId).collect(), BTreeSet::new());
            let location = Location(spot);
            let furthest = *directory.nearest(&location, 40, &|_| true).last().unwrap();
            prop_assert!(!is_responsible(&directory, &furthest, &location, 3));
        }

        #[test]
        fn suspects_come_last_but_are_not_left_out(ids in proptest::collection::btree_set(any::<[u8; 32]>(), 3..8), spot in any::<[u8; 32]>()) {
            let nodes: BTreeSet<NodeId> = ids.into_iter().map(NodeId).collect();
            let location = Location(spot);
            let nearest = Plain(nodes.clone(), BTreeSet::new()).nearest(&location, 1, &|_| true)[0];
            let directory = Plain(nodes, BTreeSet::from([nearest]));
            let found = candidates(&directory, &location, 0, &|_| false);
            prop_assert_eq!(found.last(), Some(&nearest));
        }
    }
}
