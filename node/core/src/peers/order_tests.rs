use std::collections::BTreeMap;

use oboro_crypto::ids::{IdentityPublic, NodeId, OnionPublic};
use proptest::prelude::*;

use super::*;
use crate::wire::descriptor::{Descriptor, Roles};
use crate::wire::listing::tests::listing;

fn node(id: [u8; 32], link: [u8; 32]) -> Listing {
    listing(&Descriptor {
        identity: IdentityPublic(id),
        link: LinkPublic(link),
        onion: OnionPublic(id),
        id: NodeId(id),
        issued: 1,
        valid_hours: 1,
        roles: Roles {
            relay: true,
            storage: true,
        },
        capacity: 0,
        addresses: vec![],
    })
}

/// Keys of which many begin alike, some in all of the bytes that places begin with.
fn any_key() -> impl Strategy<Value = [u8; 32]> {
    (0u8..3, 0u8..3, 0u8..3, 0u8..3).prop_map(|(first, second, eighth, last)| {
        let mut key = [0; 32];
        (key[0], key[1], key[8], key[31]) = (first, second, eighth, last);
        key
    })
}

proptest! {
    #[test]
    fn nodes_are_found_as_in_a_plain_map(
        steps in proptest::collection::vec((any::<bool>(), any_key(), any_key()), 1..60),
        low in any_key(),
        high in any_key(),
    ) {
        let (mut nodes, mut links) = (Nodes::default(), LinkKeys::default());
        let mut plain: BTreeMap<[u8; 32], [u8; 32]> = BTreeMap::new();
        for (comes, id, link) in steps {
            let taken = plain.values().any(|other| *other == link);
            let old = if comes && !taken {
                let new = node(id, link);
                links.insert(&new);
                prop_assert_eq!(plain.insert(id, link), nodes.get(&id).map(|old| *old.link_bytes()));
                nodes.insert(new)
            } else {
                prop_assert_eq!(plain.remove(&id).is_some(), nodes.get(&id).is_some());
                nodes.remove(&id)
            };
            if let Some(old) = old {
                links.remove(&old);
            }
        }
        prop_assert_eq!(nodes.len(), plain.len());
        let ids: Vec<[u8; 32]> = nodes.iter().map(|listing| *listing.id_bytes()).collect();
        prop_assert!(ids.iter().eq(plain.keys()));
        for (id, link) in &plain {
            prop_assert_eq!(nodes.get(id).map(|found| *found.link_bytes()), Some(*link));
            let found = links.of(&nodes, &LinkPublic(*link));
            prop_assert_eq!(found.map(|found| *found.id_bytes()), Some(*id));
            prop_assert!(nodes.headed(head(id)).any(|found| found.id_bytes() == id));
        }
        if low <= high {
            let between: Vec<[u8; 32]> = nodes.between(low, high).map(|one| *one.id_bytes()).collect();
            let expected: Vec<[u8; 32]> = plain.range(low..=high).map(|(id, _)| *id).collect();
            prop_assert_eq!(between, expected);
        }
        let first: Vec<[u8; 32]> = nodes.run(1).map(|one| *one.id_bytes()).collect();
        prop_assert!(first.iter().all(|id| id[0] == 1));
    }
}
