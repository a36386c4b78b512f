//! What becomes of flights that were changed, cut, mixed up or made up.

use oboro_crypto::handshake::{HandshakeError, ReplayWindow, Step};
use proptest::prelude::*;
use rand_core::RngCore as _;

use crate::scene::{
    FIRST_READ, Scene, assert_silent_for_good, assert_stranger, listener_error, rng,
};

#[test]
fn a_changed_bit_in_any_region_ends_the_handshake() {
    let lengths: Vec<usize> = Scene::new().run().flights.iter().map(Vec::len).collect();
    assert!(
        lengths[0] > FIRST_READ && lengths[1] > 1138 && lengths[2] > 66,
        "all three flights have pads: {lengths:?}"
    );
    // Nonce, ephemeral key, KEM key, minute and pad length, tag, pad; and the like in the other flights.
    let first: &[usize] = &[
        0,
        23,
        24,
        55,
        56,
        1239,
        1243,
        1245,
        1246,
        1261,
        FIRST_READ,
        lengths[0] - 1,
    ];
    let second: &[usize] = &[0, 31, 32, 1119, 1120, 1122, 1137, 1138, lengths[1] - 1];
    let third: &[usize] = &[0, 31, 32, 47, 48, 49, 50, 65, 66, lengths[2] - 1];
    for (flight, places) in [(1, first), (2, second), (3, third)] {
        for &place in places {
            let mut window = ReplayWindow::new(9);
            let outcome = Scene::new().run_tampered(&mut window, |number, bytes| {
                if number == flight {
                    bytes[place] ^= 0x01;
                }
            });
            match flight {
                1 => assert_stranger(&outcome),
                2 => {
                    assert_eq!(
                        outcome.dialler.map(|result| result.err()),
                        Some(Some(HandshakeError::Unauthenticated)),
                        "{place}"
                    );
                    assert!(outcome.listener.is_none());
                }
                _ => assert_eq!(
                    listener_error(&outcome),
                    Some(HandshakeError::Unauthenticated),
                    "{place}"
                ),
            }
        }
    }
}

#[test]
fn a_truncated_flight_leaves_the_other_end_waiting() {
    for flight in 1..=3 {
        let outcome = Scene::new().run_tampered(&mut ReplayWindow::new(9), |number, bytes| {
            if number == flight {
                bytes.pop();
            }
        });
        assert!(outcome.listener.is_none());
        assert_eq!(outcome.answered == 0, flight == 1);
    }
}

#[test]
fn messages_of_two_handshakes_do_not_mix() {
    let other = Scene {
        seed: 77,
        ..Scene::new()
    }
    .run()
    .flights;
    for flight in 2..=3 {
        let outcome = Scene::new().run_tampered(&mut ReplayWindow::new(9), |number, bytes| {
            if number == flight {
                bytes.clone_from(&other[flight - 1]);
            }
        });
        assert!(!matches!(outcome.listener, Some(Ok(_))));
    }
}

#[test]
fn bytes_nobody_asked_for_end_the_handshake() {
    let (mut initiator, mut responder) = Scene::new().ends();
    assert!(matches!(
        initiator.advance(b"x"),
        Err(HandshakeError::WrongLength)
    ));
    assert!(matches!(initiator.advance(&[]), Err(HandshakeError::Over)));
    let mut replay = ReplayWindow::new(1);
    assert!(matches!(
        responder.advance(&[], &mut replay),
        Ok(Step::Read(FIRST_READ))
    ));
    assert!(matches!(
        responder.advance(&[0; FIRST_READ - 1], &mut replay),
        Err(HandshakeError::WrongLength)
    ));
    assert_silent_for_good(&mut responder, &mut replay);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn mutated_flights_never_panic_and_never_get_through(
        flight in 1usize..=3,
        at: prop::sample::Index,
        garbage in prop::collection::vec(any::<u8>(), 1..40),
        kind in 0u8..3,
    ) {
        let mut changed = false;
        let outcome = Scene::new().run_tampered(&mut ReplayWindow::new(9), |number, bytes| {
            if number == flight {
                let (original, at) = (bytes.clone(), at.index(bytes.len()));
                match kind {
                    0 => bytes.truncate(at),
                    1 => {
                        let end = (at + garbage.len()).min(bytes.len());
                        bytes.splice(at..end, garbage.iter().copied());
                    }
                    _ => {
                        bytes.splice(at..at, garbage.iter().copied());
                    }
                }
                bytes.truncate(original.len());
                changed = *bytes != original;
            }
        });
        prop_assert_eq!(matches!(outcome.listener, Some(Ok(_))), !changed);
        if flight == 1 && changed {
            prop_assert_eq!(outcome.answered, 0);
        }
    }

    #[test]
    fn arbitrary_first_flights_get_no_answer(seed: u64) {
        let (_, mut responder) = Scene::new().ends();
        let mut replay = ReplayWindow::new(9);
        let mut bytes = vec![0; FIRST_READ];
        rng(seed).fill_bytes(&mut bytes);
        prop_assert!(responder.advance(&[], &mut replay).is_ok());
        prop_assert!(matches!(responder.advance(&bytes, &mut replay), Err(HandshakeError::NotForUs)));
        assert_silent_for_good(&mut responder, &mut replay);
    }
}
