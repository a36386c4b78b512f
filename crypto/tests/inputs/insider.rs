//! Handshakes with somebody who knows the network and this node's link key, as every member does: his messages
//! authenticate, and what is sealed in them is whatever he likes.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use oboro_crypto::handshake::{HandshakeError, PAD_MAX, ReplayWindow};
use oboro_crypto::hash::hash;
use oboro_crypto::{LinkPublic, labels};
use snow::{Builder, HandshakeState};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::harness::{Cost, feed};
use crate::links::{MINUTE, NETWORK, assert_silent, drive, initiator, listener, responder};

const NONCE: [u8; 24] = [8; 24];
const SECRET: [u8; 32] = [11; 32];

fn noise() -> Builder<'static> {
    let params = "Noise_XKpsk3_25519_ChaChaPoly_BLAKE2s".parse();
    Builder::new(params.expect("a Noise name"))
}

fn prologue() -> Vec<u8> {
    [b"oboro\x01", NETWORK.as_bytes().as_slice(), b"ML-KEM-768"].concat()
}

fn cover(responder: &LinkPublic, nonce: &[u8], flight: u8, bytes: &mut [u8]) {
    let parts: [&[u8]; 4] = [responder.as_bytes(), NETWORK.as_bytes(), nonce, &[]];
    let mut number = [0; 12];
    number[0] = flight;
    ChaCha20::new(&hash(labels::LINK_MASK, &parts).into(), &number.into()).apply_keystream(bytes);
}

fn write(state: &mut HandshakeState, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![0; payload.len() + 128];
    let length = state
        .write_message(payload, &mut message)
        .expect("room for a message");
    message.truncate(length);
    message
}

/// A first flight with this payload, whatever it is, and padding to the end.
fn first_flight(responder: &LinkPublic, payload: &[u8]) -> Vec<u8> {
    let prologue = prologue();
    let mut state = noise()
        .prologue(&prologue)
        .and_then(|noise| noise.remote_public_key(responder.as_bytes()))
        .and_then(|noise| noise.local_private_key(&SECRET))
        .map(|noise| noise.fixed_ephemeral_key_for_testing_only(&[12; 32]))
        .and_then(Builder::build_initiator)
        .expect("an initiator");
    let mut flight = write(&mut state, payload);
    flight.resize(flight.len() + PAD_MAX + 1, 0);
    cover(responder, &NONCE, 1, &mut flight);
    [&NONCE, flight.as_slice()].concat()
}

/// What an honest dialler puts into his first flight: KEM key, minute, length of the padding.
fn first_payload(minute: u32, pad: u16) -> Vec<u8> {
    // A KEM key is 1184 bytes: 768 coefficients below 3329 in 12 bits each, then 32 bytes. Zeros are one.
    let mut payload = vec![0; 1184];
    payload.extend(minute.to_le_bytes());
    payload.extend(pad.to_le_bytes());
    payload
}

#[test]
fn what_an_insider_seals_into_a_first_flight_is_refused_or_answered_once() {
    let key = listener();
    let valid = [first_payload(MINUTE, 0), first_payload(MINUTE - 60, 511)];
    feed(
        "handshake, payload of flight 1",
        Cost::PublicKey,
        &valid,
        |payload| {
            // The message has one length; what does not fit is not for us.
            let mut payload = payload.to_vec();
            payload.resize(valid[0].len(), 0);
            let flight = first_flight(&key.public(), &payload);
            let (mut listening, mut replay) = (responder(&key), ReplayWindow::new(4));
            let heard = drive(&flight, |bytes| listening.advance(bytes, &mut replay));
            assert_silent(&heard, &mut listening, &mut replay);
            let pad = u16::from_le_bytes([payload[1188], payload[1189]]);
            let padded = usize::from(pad) <= PAD_MAX;
            assert!(padded || heard.error == Some(HandshakeError::Malformed));
            assert_ne!(heard.error, Some(HandshakeError::NotForUs));
            !heard.written.is_empty()
        },
    );
}

#[test]
fn what_an_insider_seals_into_an_answer_is_refused_or_taken() {
    let secret = StaticSecret::from(SECRET);
    let remote = LinkPublic(PublicKey::from(&secret).to_bytes());
    let mut dialler = initiator(&remote, 20);
    let first = drive(&[], |bytes| dialler.advance(bytes)).written.remove(0);
    let (nonce, mut message) = (first[..24].to_vec(), first[24..24 + 1238].to_vec());
    cover(&remote, &nonce, 1, &mut message);
    let prologue = prologue();
    let answer = |payload: &[u8]| {
        let mut state = noise()
            .prologue(&prologue)
            .and_then(|noise| noise.local_private_key(&SECRET))
            .map(|noise| noise.fixed_ephemeral_key_for_testing_only(&[13; 32]))
            .and_then(Builder::build_responder)
            .expect("a responder");
        let mut payload_one = vec![0; 2048];
        state
            .read_message(&message, &mut payload_one)
            .expect("a first flight");
        let mut flight = write(&mut state, payload);
        flight.resize(flight.len() + PAD_MAX + 1, 0);
        cover(&remote, &nonce, 2, &mut flight);
        flight
    };
    // A ciphertext of 1088 bytes is never malformed (FIPS 203): it opens to a secret nobody else has.
    let valid = [vec![0; 1088 + 2], [vec![5; 1088], vec![255, 1]].concat()];
    feed(
        "handshake, payload of flight 2",
        Cost::PublicKey,
        &valid,
        |payload| {
            let mut payload = payload.to_vec();
            payload.resize(valid[0].len(), 0);
            let pad = u16::from_le_bytes([payload[1088], payload[1089]]);
            let mut initiator = initiator(&remote, 20);
            let heard = drive(&answer(&payload), |bytes| initiator.advance(bytes));
            assert_eq!(heard.established, usize::from(pad) <= PAD_MAX);
            heard.established
        },
    );
}
