//! Creates and createds.

use proptest::prelude::*;

use super::*;
use crate::session;

#[test]
fn each_hop_learns_the_next_one_and_the_minute() {
    for hops in 1..=HOPS_MAX {
        let scene = Scene::new(hops);
        for (at, body) in scene.creates.iter().enumerate() {
            let accepted = accepted(at, body).unwrap();
            assert_eq!(accepted.minute, MINUTE);
            let next = accepted.next.map(|(node, _)| node);
            assert_eq!(next, path(hops).get(at + 1).map(|hop| hop.node));
        }
    }
}

#[test]
fn creates_and_createds_are_of_one_length_and_unlike_each_other() {
    for hops in 1..=HOPS_MAX {
        let scene = Scene::new(hops);
        assert_unlike(&scene.creates, CREATE_LEN);
        assert_unlike(&scene.createds, CREATED_LEN);
    }
}

#[test]
fn a_create_is_taken_with_yesterdays_key_but_on_its_own_network_only() {
    let (_, body) = create(&path(1), &NETWORK, MINUTE, &mut rng(1)).unwrap();
    let keys = [&onion(7), &onion(0)];
    assert!(accept(&keys, &NETWORK, &body, &mut rng(2)).is_ok());
    for (keys, network) in [(&keys[..1], NETWORK), (&keys, NetworkId([6; 32]))] {
        let refused = accept(keys, &network, &body, &mut rng(2)).err();
        assert_eq!(refused, Some(CircuitError::NotForUs));
    }
}

#[test]
fn a_sessions_first_message_is_no_create() {
    let to = onion(0).public();
    let (_, mut body) = session::open(&to, &NETWORK, &[1; CREATE_PAYLOAD], &mut rng(1)).unwrap();
    assert_eq!(body.len(), CREATE_HEADER);
    body.resize(CREATE_LEN, 7);
    assert_eq!(accepted(0, &body).err(), Some(CircuitError::NotForUs));
}

#[test]
fn paths_that_are_none_are_refused() {
    let refused = |path: &[Hop]| create(path, &NETWORK, MINUTE, &mut rng(1)).err();
    assert_eq!(refused(&[]), Some(CircuitError::WrongPath));
    assert_eq!(refused(&path(HOPS_MAX + 1)), Some(CircuitError::WrongPath));
    let mut nobody = path(3);
    nobody[2].node = NodeId([0; 32]);
    assert_eq!(refused(&nobody), Some(CircuitError::WrongPath));
    for at in 0..3 {
        let mut keyless = path(3);
        keyless[at].onion = OnionPublic([0; 32]);
        assert_eq!(refused(&keyless), Some(CircuitError::NotAKey), "hop {at}");
    }
}

#[test]
fn a_create_changed_anywhere_is_refused_by_the_next_hop() {
    for hops in 1..=HOPS_MAX {
        for (at, body) in Scene::new(hops).creates.iter().enumerate() {
            for place in 0..CREATE_LEN {
                let mut damaged = body.clone();
                damaged[place] ^= 1 << (place % 8);
                let expected = if place < CREATE_HEADER {
                    CircuitError::NotForUs
                } else {
                    CircuitError::Unauthenticated
                };
                let refused = accepted(at, &damaged).err();
                assert_eq!(refused, Some(expected), "hop {at} of {hops}, byte {place}");
            }
            for damaged in [&body[1..], &[body, [0].as_slice()].concat(), &[]] {
                assert_eq!(accepted(at, damaged).err(), Some(CircuitError::Size));
            }
        }
    }
}

/// Every byte that some hop's answer comes to lie in is checked; the others are random and of no effect.
#[test]
fn a_created_changed_anywhere_is_refused_by_the_client() {
    for hops in 1..=HOPS_MAX {
        let scene = Scene::new(hops);
        for at in 0..hops {
            let used = (hops - at) * ANSWER_LEN;
            for place in 0..CREATED_LEN {
                let mut body = scene.createds[at].clone();
                body[place] ^= 0x40;
                for before in (0..at).rev() {
                    let mut relay = accepted(before, &scene.creates[before]).unwrap().relay;
                    body = relay.created(Some(&body), &mut rng(60)).unwrap();
                }
                let (pending, _) = create(&path(hops), &NETWORK, MINUTE, &mut rng(1)).unwrap();
                let refused = pending.finish(&body).err();
                let expected = (place < used).then_some(CircuitError::Unauthenticated);
                assert_eq!(refused, expected, "hop {at} of {hops}, byte {place}");
            }
        }
        let (pending, _) = create(&path(hops), &NETWORK, MINUTE, &mut rng(1)).unwrap();
        let short = &scene.createds[0][1..];
        assert_eq!(pending.finish(short).err(), Some(CircuitError::Size));
    }
}

#[test]
fn a_relay_answers_once_and_as_its_place_demands() {
    let scene = Scene::new(2);
    let relay = |at: usize| accepted(at, &scene.creates[at]).unwrap().relay;
    let from_next = scene.createds[1].as_slice();
    let cases = [
        (0, None, CircuitError::WrongPath),
        (0, Some(&from_next[1..]), CircuitError::Size),
        (1, Some(from_next), CircuitError::WrongPath),
    ];
    for (at, wrong, error) in cases {
        let mut relay = relay(at);
        assert_eq!(relay.created(wrong, &mut rng(60)), Err(error));
        let right = (at == 0).then_some(from_next);
        assert_eq!(relay.created(right, &mut rng(60)), Err(CircuitError::Gone));
    }
    let mut twice = relay(1);
    assert!(twice.created(None, &mut rng(60)).is_ok());
    assert_eq!(twice.created(None, &mut rng(60)), Err(CircuitError::Gone));
}

#[test]
fn a_digest_is_of_the_hops_own_part() {
    let scene = Scene::new(2);
    let digest = |at: usize| accepted(at, &scene.creates[at]).unwrap().digest;
    assert_eq!(digest(0), digest(0));
    assert_ne!(digest(0), digest(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..2 * CREATE_LEN)) {
        prop_assert!(accepted(0, &body).is_err());
        let whole = padded(&body, CREATE_LEN);
        prop_assert_eq!(accepted(0, &whole).err(), Some(CircuitError::NotForUs));
        let begun = || create(&path(3), &NETWORK, MINUTE, &mut rng(1)).unwrap();
        prop_assert!(begun().0.finish(&body).is_err());
        let whole = padded(&body, CREATED_LEN);
        prop_assert!(begun().0.finish(&whole).is_err());
        let mut relay = accepted(0, &begun().1).unwrap().relay;
        prop_assert_eq!(relay.created(Some(&body), &mut rng(60)).is_ok(), body.len() == CREATED_LEN);
    }
}
