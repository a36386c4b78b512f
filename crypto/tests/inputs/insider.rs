//! Handshakes with somebody who knows the network and this node's link key, as every member does.

use oboro_crypto::handshake::{HandshakeError, PAD_MAX, ReplayWindow};

use crate::forge::{self, ONE_PAYLOAD, TWO_PAYLOAD, first_payload};
use crate::harness::{Cost, feed};
use crate::links::{MINUTE, NETWORK, assert_silent, drive, initiator, listener, responder};

/// Whether the length of the padding, with which a payload ends, is allowed.
fn is_padded(payload: &[u8], length: usize) -> bool {
    let mut payload = payload.to_vec();
    payload.resize(length, 0);
    let pad = payload
        .last_chunk()
        .map_or(0, |pad| u16::from_le_bytes(*pad));
    usize::from(pad) <= PAD_MAX
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
            let flight = forge::first_flight(&NETWORK, &key.public(), payload);
            let (mut listening, mut replay) = (responder(&key), ReplayWindow::new(4));
            let heard = drive(&flight, |bytes| listening.advance(bytes, &mut replay));
            assert_silent(&heard, &mut listening, &mut replay);
            let allowed = is_padded(payload, ONE_PAYLOAD);
            assert!(allowed || heard.error == Some(HandshakeError::Malformed));
            assert_ne!(heard.error, Some(HandshakeError::NotForUs));
            !heard.written.is_empty()
        },
    );
}

#[test]
fn what_an_insider_seals_into_an_answer_is_refused_or_taken() {
    let remote = forge::listener();
    let mut dialler = initiator(&remote, 20);
    let first = drive(&[], |bytes| dialler.advance(bytes)).written.remove(0);
    // A ciphertext is never malformed (FIPS 203): it opens to a secret that nobody else has.
    let valid = [
        vec![0; TWO_PAYLOAD],
        [vec![5; TWO_PAYLOAD - 2], vec![255, 1]].concat(),
    ];
    feed(
        "handshake, payload of flight 2",
        Cost::PublicKey,
        &valid,
        |payload| {
            let answer = forge::answer(&NETWORK, &first, payload);
            let mut initiator = initiator(&remote, 20);
            let heard = drive(&answer, |bytes| initiator.advance(bytes));
            assert_eq!(heard.established, is_padded(payload, TWO_PAYLOAD));
            heard.established
        },
    );
}
