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
