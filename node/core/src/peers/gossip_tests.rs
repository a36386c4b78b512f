use oboro_crypto::ids::{IdentityPublic, LinkPublic, NodeId, OnionPublic};

use super::*;
use crate::wire::descriptor::{Descriptor, Roles};
use crate::wire::listing::tests::listing;

/// A view of nodes that are all in the first bucket, by number.
fn view(numbers: impl Iterator<Item = u32>) -> View {
    in_buckets(numbers.map(|number| (0, number)))
}

/// A view of nodes by bucket and number.
fn in_buckets(nodes: impl Iterator<Item = (u8, u32)>) -> View {
    let mut view = View::new(true);
    for (bucket, number) in nodes {
        let mut id = [0; 32];
        id[0] = bucket;
        id[1..5].copy_from_slice(&number.to_be_bytes());
        let descriptor = Descriptor {
            identity: IdentityPublic(id),
            link: LinkPublic(id),
            onion: OnionPublic(id),
            id: NodeId(id),
            issued: 1,
            valid_hours: 1,
            roles: Roles {
                relay: true,
                storage: true,
            },
            capacity: 0,
            addresses: vec!["127.0.0.1:1".parse().unwrap()],
        };
        view.insert(listing(&descriptor)).unwrap();
    }
    view
}

/// Descriptors in some answers, by number, and ids wanted.
fn told(answers: &[Control]) -> (Vec<u32>, usize) {
    let mut numbers = Vec::new();
    let mut wanted = 0;
    for answer in answers {
        match answer {
            Control::Descriptors(all) => numbers.extend(
                all.iter()
                    .map(|one| u32::from_be_bytes(one[98..102].try_into().unwrap())),
            ),
            Control::Want(_, ids) => wanted += ids.len(),
            _ => panic!("no other answer"),
        }
    }
    (numbers, wanted)
}

#[test]
fn equal_views_have_nothing_to_say() {
    let (ours, theirs) = (view(0..50), view(0..50));
    assert_eq!(on_digest(&ours, &theirs.sums(), 7), []);
}

#[test]
fn after_a_digest_no_more_is_listed_than_the_bounds_say() {
    let theirs = View::new(true).sums();
    for (each, lists) in [(2, BUCKETS_PER_DIGEST), (200, DIGEST_ITEMS_MAX / 200 + 1)] {
        let nodes = (0..100).flat_map(|bucket| (0..each).map(move |number| (bucket, number)));
        // Beginning at the first bucket.
        let answers = on_digest(&in_buckets(nodes), &theirs, 0);
        assert_eq!(answers.len(), lists, "{each} in each");
    }
}

#[test]
fn what_is_offered_is_known_by_exactly_its_name_and_what_is_asked_for_is_told() {
    let view = in_buckets([(3, 1), (3, 2), (4, 1)].into_iter());
    for listing in view.iter() {
        let (head, issued) = name(listing);
        assert!(has(&view, (head, issued)));
        assert!(!has(&view, (head, issued + 1)) && !has(&view, (head, issued - 1)));
        assert_eq!(on_ask(&view, &[(head, issued)]).len(), 1);
        assert_eq!(on_ask(&view, &[(head, issued + 1)]), []);
    }
    let many = vec![name(view.iter().next().unwrap()); OFFER_MAX];
    let told: usize = on_ask(&view, &many)
        .iter()
        .map(|answer| match answer {
            Control::Descriptors(all) => all.len(),
            _ => panic!("descriptors"),
        })
        .sum();
    assert!(told <= OFFER_MAX);
}

#[test]
fn a_bucket_that_differs_is_listed_and_both_sides_get_what_they_lack() {
    let (ours, theirs) = (view(0..50), view(10..60));
    let lists = on_digest(&ours, &theirs.sums(), 7);
    let [Control::Bucket(0, items)] = lists.as_slice() else {
        panic!("one bucket")
    };
    assert_eq!(
        told(&on_bucket(&theirs, 0, items, usize::MAX).0),
        ((50..60).collect(), 10)
    );
}

#[test]
fn a_bucket_too_full_for_a_message_is_compared_window_by_window_and_nothing_is_sent_twice() {
    let many = u32::try_from(BUCKET_ITEMS_MAX).unwrap() * 3;
    let (ours, theirs) = (
        view(0..many),
        view((0..many).filter(|number| number % 100 != 0)),
    );
    let mut found = std::collections::BTreeSet::new();
    for round in 0..60u32 {
        let lists = on_digest(&ours, &theirs.sums(), round.wrapping_mul(2_654_435_761));
        let [Control::Bucket(0, items)] = lists.as_slice() else {
            panic!("one bucket")
        };
        assert_eq!(items.len(), BUCKET_ITEMS_MAX);
        let (sent, wanted) = told(&on_bucket(&theirs, 0, items, usize::MAX).0);
        assert_eq!(
            sent,
            Vec::<u32>::new(),
            "outside the window nothing is missing"
        );
        assert!(wanted <= BUCKET_ITEMS_MAX / 100 + 1);
        found.extend(items.iter().map(|(id, _)| *id));
    }
    assert_eq!(
        found.len(),
        many as usize,
        "in the end every part was compared"
    );
}
