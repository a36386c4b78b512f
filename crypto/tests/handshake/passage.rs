//! Who gets through, and who hears nothing.

use oboro_crypto::handshake::{
    HandshakeError, Initiator, LinkContext, ReplayWindow, SKEW_MINUTES, Step,
};
use oboro_crypto::hash::blake2b_256;
use oboro_crypto::network::Network;
use oboro_crypto::record::RECORD_PLAIN;
use oboro_crypto::{LinkPublic, NetworkId};

use crate::scene::{
    FIRST_READ, MINUTE, Scene, assert_silent_for_good, assert_stranger, context, key,
    listener_error, rng,
};

#[test]
fn both_ends_meet_and_know_each_other() {
    for (secret, seed) in [(None, 10), (Some(4), 20), (None, 30), (None, 40)] {
        let scene = Scene {
            dialler: context(secret),
            listener: context(secret),
            seed,
            ..Scene::new()
        };
        let outcome = scene.run();
        let mut dialler = outcome.dialler.unwrap().unwrap();
        let mut listener = outcome.listener.unwrap().unwrap();
        assert_eq!(dialler.remote, scene.listener_key.public());
        assert_eq!(listener.remote, key(2).public());
        let (mut wire, mut out, plain) = (Vec::new(), Vec::new(), vec![5; 2 * RECORD_PLAIN]);
        dialler.cipher.seal(&plain, &mut wire).unwrap();
        listener.cipher.open(&wire, &mut out).unwrap();
        assert_eq!(out, plain);
        wire.clear();
        listener.cipher.seal(&plain, &mut wire).unwrap();
        dialler.cipher.open(&wire, &mut out).unwrap();
        assert_eq!(out.len(), 2 * plain.len());
    }
}

#[test]
fn the_same_chance_gives_the_same_bytes() {
    let flights = Scene::new().run().flights;
    let digests: Vec<_> = flights
        .iter()
        .map(|flight| {
            (
                flight.len(),
                data_encoding::HEXLOWER.encode(&blake2b_256(flight)[..8]),
            )
        })
        .collect();
    let digests: Vec<_> = digests
        .iter()
        .map(|(len, digest)| (*len, digest.as_str()))
        .collect();
    assert_eq!(
        digests,
        [
            (1594, "68a5dc0b3c1dfdf7"),
            (1522, "7cdc1e0cc9a96415"),
            (334, "97c3bdf3ccf48060")
        ]
    );
}

#[test]
fn who_knows_another_key_network_or_secret_is_a_stranger() {
    let elsewhere = LinkContext {
        network: NetworkId([8; 32]),
        secret: None,
    };
    assert_stranger(
        &Scene {
            dialled: key(9).public(),
            ..Scene::new()
        }
        .run(),
    );
    assert_stranger(
        &Scene {
            dialler: elsewhere,
            ..Scene::new()
        }
        .run(),
    );
    assert_stranger(
        &Scene {
            dialler: context(Some(1)),
            ..Scene::new()
        }
        .run(),
    );
    assert_stranger(
        &Scene {
            listener: context(Some(1)),
            ..Scene::new()
        }
        .run(),
    );
    assert_stranger(
        &Scene {
            dialler: context(Some(1)),
            listener: context(Some(2)),
            ..Scene::new()
        }
        .run(),
    );
}

#[test]
fn a_flight_sent_again_gets_no_answer() {
    let (scene, mut replay) = (Scene::new(), ReplayWindow::new(100));
    assert!(
        scene
            .run_tampered(&mut replay, |_, _| {})
            .listener
            .unwrap()
            .is_ok()
    );
    let again = scene.run_tampered(&mut replay, |_, _| {});
    assert_eq!(listener_error(&again), Some(HandshakeError::Replayed));
    assert_eq!(again.answered, 0);
    let other = Scene {
        seed: 99,
        ..Scene::new()
    };
    assert!(
        other
            .run_tampered(&mut replay, |_, _| {})
            .listener
            .unwrap()
            .is_ok()
    );
}

#[test]
fn a_flight_more_than_an_hour_off_gets_no_answer() {
    for (minute, fresh) in [
        (MINUTE - SKEW_MINUTES, true),
        (MINUTE + SKEW_MINUTES, true),
        (MINUTE - SKEW_MINUTES - 1, false),
        (MINUTE + SKEW_MINUTES + 1, false),
        (0, false),
        (u32::MAX, false),
    ] {
        let outcome = Scene {
            dialler_minute: minute,
            ..Scene::new()
        }
        .run();
        if fresh {
            assert!(outcome.listener.unwrap().is_ok());
        } else {
            assert_eq!(listener_error(&outcome), Some(HandshakeError::Stale));
            assert_eq!(outcome.answered, 0);
        }
    }
}

#[test]
fn a_flight_may_have_no_pad_at_all() {
    // Seeds found by trying: one pad in 512 is empty.
    for (flight, seed, len) in [(0, 927, FIRST_READ), (1, 130, 1138), (2, 103, 66)] {
        let outcome = Scene {
            seed,
            ..Scene::new()
        }
        .run();
        assert_eq!(outcome.flights[flight].len(), len);
        assert!(outcome.dialler.unwrap().is_ok() && outcome.listener.unwrap().is_ok());
    }
}

#[test]
fn a_link_key_of_small_order_is_refused() {
    let refused = Initiator::new(
        &context(None),
        &key(2),
        &LinkPublic([0; 32]),
        MINUTE,
        &mut rng(1),
    );
    assert!(matches!(refused, Err(HandshakeError::NotAKey)));
}

#[test]
fn a_finished_handshake_is_over() {
    let (scene, mut replay) = (Scene::new(), ReplayWindow::new(1));
    let flights = scene.run().flights;
    let (_, mut responder) = scene.ends();
    let mut wanted = 0;
    let mut line = flights[0].clone();
    line.extend(&flights[2]);
    loop {
        let received: Vec<u8> = line.drain(..wanted).collect();
        match responder.advance(&received, &mut replay).unwrap() {
            Step::Read(n) => wanted = n,
            Step::Write(_) => wanted = 0,
            Step::Done(_) => break,
        }
    }
    assert_silent_for_good(&mut responder, &mut replay);
}

#[test]
fn a_context_comes_from_a_network() {
    let network = Network::private("room", true, &mut rng(1)).unwrap();
    let context = LinkContext::of(&network);
    assert_eq!(context.network, network.id());
    assert!(
        context
            .secret
            .is_some_and(|secret| network.secret().is_some_and(|of| of.matches(&secret)))
    );
}
