use oboro_crypto::ids::{IdentityPublic, LinkPublic, Location, OnionPublic, distance};
use proptest::prelude::*;

use super::*;
use crate::placement::Directory;
use crate::wire::descriptor::{Descriptor, Roles};
use crate::wire::listing::tests::listing;

fn node(id: [u8; 32], address: &str, issued: u32) -> Descriptor {
    Descriptor {
        identity: IdentityPublic(id),
        link: LinkPublic(id),
        onion: OnionPublic(id),
        id: NodeId(id),
        issued,
        valid_hours: 1,
        roles: Roles {
            relay: true,
            storage: true,
        },
        capacity: 0,
        addresses: vec![address.parse().unwrap()],
    }
}

fn id(first: u8, last: u8) -> [u8; 32] {
    let mut id = [0; 32];
    (id[0], id[31]) = (first, last);
    id
}

fn gone(view: &mut View, secs: u64) -> Vec<NodeId> {
    let gone = view.expire(Time::from_secs(secs));
    gone.into_iter().map(|(id, _)| id).collect()
}

#[test]
fn a_newer_descriptor_replaces_and_an_older_one_does_not() {
    let mut view = View::new(true);
    assert_eq!(
        view.insert(listing(&node(id(1, 1), "127.0.0.1:1", 10))),
        Ok(())
    );
    assert_eq!(
        view.insert(listing(&node(id(1, 1), "127.0.0.1:2", 10))),
        Err(NotTaken::Older)
    );
    let sums = view.sums();
    assert_eq!(
        view.insert(listing(&node(id(1, 1), "127.0.0.1:2", 11))),
        Ok(())
    );
    assert_ne!(view.sums(), sums);
    assert_eq!(view.len(), 1);
}

#[test]
fn nobody_takes_over_an_id_or_a_link_key() {
    let mut view = View::new(true);
    view.insert(listing(&node(id(1, 1), "127.0.0.1:1", 10)))
        .unwrap();
    let mut thief = node(id(1, 1), "127.0.0.1:2", 11);
    thief.identity = IdentityPublic([9; 32]);
    assert_eq!(view.insert(listing(&thief)), Err(NotTaken::Conflict));
    let mut twin = node(id(2, 2), "127.0.0.1:2", 11);
    twin.link = LinkPublic(id(1, 1));
    assert_eq!(view.insert(listing(&twin)), Err(NotTaken::Conflict));
}

#[test]
fn a_public_network_takes_two_of_a_subnet_and_no_private_address() {
    let mut view = View::new(false);
    assert_eq!(
        view.insert(listing(&node(id(1, 1), "10.0.0.1:1", 1))),
        Err(NotTaken::Address)
    );
    assert_eq!(
        view.insert(listing(&node(id(1, 1), "127.0.0.1:1", 1))),
        Err(NotTaken::Address)
    );
    assert_eq!(
        view.insert(listing(&node(id(1, 1), "8.8.8.1:1", 1))),
        Ok(())
    );
    assert_eq!(
        view.insert(listing(&node(id(2, 1), "8.8.8.2:1", 1))),
        Ok(())
    );
    assert_eq!(
        view.insert(listing(&node(id(3, 1), "8.8.8.3:1", 1))),
        Err(NotTaken::Range)
    );
    assert_eq!(
        view.insert(listing(&node(id(2, 1), "8.8.8.2:9", 2))),
        Ok(()),
        "a renewal is no third"
    );
    view.remove(&NodeId(id(1, 1)));
    assert_eq!(
        view.insert(listing(&node(id(3, 1), "8.8.8.3:1", 1))),
        Ok(())
    );
}

#[test]
fn a_node_without_an_address_is_not_believed() {
    for local in [true, false] {
        let mut nowhere = node(id(1, 1), "8.8.8.1:1", 1);
        nowhere.addresses.clear();
        assert_eq!(
            View::new(local).insert(listing(&nowhere)),
            Err(NotTaken::Address)
        );
    }
}

#[test]
fn a_failing_node_is_suspect_until_it_answers_or_time_passes() {
    let mut view = View::new(true);
    view.insert(listing(&node(id(1, 1), "127.0.0.1:1", 10)))
        .unwrap();
    let at = NodeId(id(1, 1));
    let now = Time::from_secs(100);
    view.failed(&at, now);
    assert!(view.is_suspect(&at));
    view.set_now(now + RETRY_FIRST * 4);
    assert!(!view.is_suspect(&at));
    view.failed(&at, now);
    view.succeeded(&at);
    assert!(!view.is_suspect(&at));
}

#[test]
fn a_node_that_cannot_be_dialled_is_suspect_for_longer_unless_the_fault_may_be_ours() {
    let mut view = View::new(true);
    view.insert(listing(&node(id(1, 1), "127.0.0.1:1", 10)))
        .unwrap();
    let at = NodeId(id(1, 1));
    let now = Time::from_secs(100_000);
    view.unreachable(&at, true, now);
    view.set_now(now + RETRY_FIRST * 4);
    assert!(!view.suspects(&at));
    view.succeeded(&at);
    let mut waits = Vec::new();
    let mut now = now;
    for _ in 0..4 {
        view.unreachable(&at, false, now);
        let from = now;
        while view.suspects(&at) {
            now = now + RETRY_FIRST;
            view.set_now(now);
        }
        waits.push(now.since(from));
    }
    let longer = [1, 2, 4].map(|times| UNREACHABLE_FIRST * times);
    assert_eq!((&waits[..3], waits[3]), (longer.as_slice(), RETRY_LONGEST));
    view.succeeded(&at);
    view.unreachable(&at, false, now);
    view.set_now(now + UNREACHABLE_FIRST);
    assert!(!view.suspects(&at), "who was reached once is forgiven");
}

#[test]
fn failures_of_long_ago_count_no_more_and_take_no_room() {
    let mut view = View::new(true);
    view.insert(listing(&node(id(1, 1), "127.0.0.1:1", 10)))
        .unwrap();
    let at = NodeId(id(1, 1));
    let now = Time::from_secs(100_000);
    for _ in 0..6 {
        view.failed(&at, now);
    }
    let later = now + RETRY_LONGEST + FORGIVEN;
    view.failed(&at, later);
    view.set_now(later + RETRY_FIRST * 4);
    assert!(!view.suspects(&at));
    assert_eq!(view.standings.len(), 1);
    view.forgive(later + RETRY_LONGEST + FORGIVEN);
    assert!(view.standings.is_empty());
}

#[test]
fn nothing_is_looked_at_for_expiry_before_something_is_due_and_then_it_goes() {
    let mut view = View::new(true);
    for number in 1..=3 {
        let node = node(id(number, 1), "127.0.0.1:1", 3_600 * u32::from(number));
        view.insert(listing(&node)).unwrap();
    }
    assert_eq!(gone(&mut view, 7_199), []);
    assert_eq!(gone(&mut view, 7_200), [NodeId(id(1, 1))]);
    assert_eq!(view.expires, Time::from_secs(10_800));
    view.insert(listing(&node(id(2, 1), "127.0.0.1:1", 90_000)))
        .unwrap();
    assert_eq!(gone(&mut view, 10_800), [], "renewed");
    assert_eq!(gone(&mut view, 14_400), [NodeId(id(3, 1))]);
    assert_eq!((view.len(), view.iter().count()), (1, 1));
}

proptest! {
    #[test]
    fn the_nearest_are_those_a_full_sort_gives(
        ids in proptest::collection::btree_set(any::<[u8; 32]>(), 1..60), spot in any::<[u8; 32]>(), count in 1usize..10
    ) {
        let mut view = View::new(true);
        for id in &ids {
            view.insert(listing(&node(*id, "127.0.0.1:1", 1))).unwrap();
        }
        let mut all: Vec<[u8; 32]> = ids.into_iter().collect();
        all.sort_by_key(|id| distance(id, &spot));
        all.truncate(count);
        let found: Vec<[u8; 32]> = view.nearest(&Location(spot), count, &|_| true).iter().map(|id| id.0).collect();
        prop_assert_eq!(found, all);
    }

    #[test]
    fn sums_depend_on_what_is_in_the_view_and_not_on_its_history(
        ids in proptest::collection::btree_set(any::<[u8; 32]>(), 2..30), gone in any::<prop::sample::Index>()
    ) {
        let ids: Vec<[u8; 32]> = ids.into_iter().collect();
        let gone = gone.index(ids.len());
        let (mut one, mut other) = (View::new(true), View::new(true));
        for id in &ids {
            one.insert(listing(&node(*id, "127.0.0.1:1", 1))).unwrap();
        }
        one.remove(&NodeId(ids[gone]));
        for (index, id) in ids.iter().enumerate().rev() {
            if index != gone {
                other.insert(listing(&node(*id, "127.0.0.1:1", 1))).unwrap();
            }
        }
        prop_assert_eq!(one.sums(), other.sums());
    }
}
