//! Handshakes, records and sessions, from the side of somebody who does not hold the keys.

use oboro_crypto::aead::Backend;
use oboro_crypto::handshake::{
    HandshakeError, Initiator, LinkContext, ReplayWindow, Responder, Step,
};
use oboro_crypto::keys::{LinkKey, OnionKey};
use oboro_crypto::record::{RECORD_PLAIN, REKEY_EVERY, RecordCipher, RecordError};
use oboro_crypto::session;
use oboro_crypto::{LinkPublic, NetworkId};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::harness::{Cost, feed};

pub(crate) const NETWORK: NetworkId = NetworkId([5; 32]);
pub(crate) const MINUTE: u32 = 29_700_000;

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn context() -> LinkContext {
    LinkContext {
        network: NETWORK,
        secret: None,
    }
}

pub(crate) fn listener() -> LinkKey {
    LinkKey::generate(&mut rng(1))
}

pub(crate) fn responder(key: &LinkKey) -> Responder {
    Responder::new(&context(), key, MINUTE, &mut rng(7)).expect("a responder")
}

pub(crate) fn initiator(remote: &LinkPublic, seed: u64) -> Initiator {
    let dialler = LinkKey::generate(&mut rng(2));
    Initiator::new(&context(), &dialler, remote, MINUTE, &mut rng(seed)).expect("an initiator")
}

/// How one end of a handshake took what it was sent.
#[derive(Default)]
pub(crate) struct Heard {
    /// What it had to say.
    pub(crate) written: Vec<Vec<u8>>,
    pub(crate) established: bool,
    pub(crate) error: Option<HandshakeError>,
}

/// Lets one end read from `line` until it is done, fails, or waits for more.
pub(crate) fn drive(
    mut line: &[u8],
    mut advance: impl FnMut(&[u8]) -> Result<Step, HandshakeError>,
) -> Heard {
    let mut heard = Heard::default();
    let mut received: &[u8] = &[];
    loop {
        match advance(received) {
            Ok(Step::Read(count)) => {
                let Some((head, rest)) = line.split_at_checked(count) else {
                    return heard;
                };
                (received, line) = (head, rest);
            }
            Ok(Step::Write(flight)) => {
                heard.written.push(flight);
                received = &[];
            }
            Ok(Step::Done(_)) => {
                heard.established = true;
                return heard;
            }
            Err(error) => {
                heard.error = Some(error);
                return heard;
            }
        }
    }
}

/// A responder that has refused says nothing, now or later.
pub(crate) fn assert_silent(heard: &Heard, responder: &mut Responder, replay: &mut ReplayWindow) {
    assert!(heard.written.len() <= 1);
    if heard.error.is_some() {
        assert!(matches!(
            responder.advance(&[], replay),
            Err(HandshakeError::Over)
        ));
    }
}

/// The first flight of somebody who dials `remote`.
fn first_flight(remote: &LinkPublic, seed: u64) -> Vec<u8> {
    let mut initiator = initiator(remote, seed);
    let mut heard = drive(&[], |bytes| initiator.advance(bytes));
    heard.written.pop().expect("a dialler speaks first")
}

#[test]
fn a_first_flight_gets_a_listener_to_answer_only_if_it_is_whole() {
    let key = listener();
    let valid: Vec<Vec<u8>> = (10..14)
        .map(|seed| first_flight(&key.public(), seed))
        .collect();
    feed("handshake, flight 1", Cost::PublicKey, &valid, |bytes| {
        let (mut responder, mut replay) = (responder(&key), ReplayWindow::new(4));
        let heard = drive(bytes, |bytes| responder.advance(bytes, &mut replay));
        assert_silent(&heard, &mut responder, &mut replay);
        let answered = !heard.written.is_empty();
        assert!(!answered || valid.iter().any(|flight| bytes.starts_with(flight)));
        answered
    });
}

#[test]
fn an_answer_ends_the_diallers_wait_only_if_it_is_whole() {
    let key = listener();
    let first = first_flight(&key.public(), 10);
    let (mut responder, mut replay) = (responder(&key), ReplayWindow::new(4));
    let valid = drive(&first, |bytes| responder.advance(bytes, &mut replay)).written;
    feed("handshake, flight 2", Cost::PublicKey, &valid, |bytes| {
        let mut initiator = initiator(&key.public(), 10);
        let heard = drive(bytes, |bytes| initiator.advance(bytes));
        assert!(!heard.established || bytes.starts_with(&valid[0]));
        heard.established
    });
}

#[test]
fn a_last_flight_opens_a_link_only_if_it_is_whole() {
    let key = listener();
    let mut dialler = initiator(&key.public(), 10);
    let first = first_flight(&key.public(), 10);
    let answer = {
        let (mut responder, mut replay) = (responder(&key), ReplayWindow::new(4));
        drive(&first, |bytes| responder.advance(bytes, &mut replay)).written
    };
    let valid = drive(&answer[0], |bytes| dialler.advance(bytes)).written[1..].to_vec();
    feed("handshake, flight 3", Cost::PublicKey, &valid, |bytes| {
        let (mut responder, mut replay) = (responder(&key), ReplayWindow::new(4));
        let line = [&first, bytes].concat();
        let heard = drive(&line, |bytes| responder.advance(bytes, &mut replay));
        assert_eq!(heard.written, answer);
        assert!(!heard.established || bytes.starts_with(&valid[0]));
        heard.established
    });
}

#[test]
fn records_open_only_as_they_were_sealed() {
    let pair = || RecordCipher::pair(Backend::fastest(), REKEY_EVERY, &mut rng(3));
    let plain: Vec<u8> = (0..3 * RECORD_PLAIN).map(|i| (i / 9) as u8).collect();
    let sealed = |records: usize| {
        let mut wire = Vec::new();
        let part = &plain[..records * RECORD_PLAIN];
        pair().0.seal(part, &mut wire).expect("whole records");
        wire
    };
    let valid = vec![sealed(1), sealed(2), sealed(3)];
    feed("records", Cost::PublicKey, &valid, |wire| {
        let (mut cipher, mut out) = (pair().1, Vec::new());
        let opened = cipher.open(wire, &mut out);
        match opened {
            Ok(()) => assert!(plain.starts_with(&out)),
            Err(_) => {
                assert!(out.is_empty());
                assert_eq!(cipher.open(&valid[0], &mut out), Err(RecordError::Gone));
            }
        }
        opened.is_ok()
    });
}

#[test]
fn a_session_begins_only_with_the_message_that_was_sent() {
    let key = OnionKey::generate(&mut rng(4));
    let message = |request: &[u8]| {
        session::open(&key.public(), &NETWORK, request, &mut rng(5))
            .expect("a session")
            .1
    };
    let valid = vec![message(b""), message(b"request"), message(&[7; 1200])];
    feed("session, message 1", Cost::PublicKey, &valid, |bytes| {
        let accepted = session::accept(&[&key], &NETWORK, bytes, &mut rng(6));
        assert!(accepted.is_err() || valid.iter().any(|message| message == bytes));
        accepted.is_ok()
    });
}

#[test]
fn a_session_goes_on_only_with_the_messages_that_were_sent() {
    let key = OnionKey::generate(&mut rng(4));
    let open = || session::open(&key.public(), &NETWORK, b"request", &mut rng(5)).expect("open");
    let (_, first) = open();
    let answer = |reply: &[u8]| {
        session::accept(&[&key], &NETWORK, &first, &mut rng(6))
            .and_then(|(accepted, _)| accepted.reply(reply))
            .expect("an answer")
    };
    let valid = vec![answer(b"reply").1, answer(&[9; 2000]).1];
    feed("session, message 2", Cost::PublicKey, &valid, |bytes| {
        let finished = open().0.finish(bytes);
        assert!(finished.is_err() || valid.iter().any(|message| message == bytes));
        finished.is_ok()
    });
    let (mut server, second) = answer(b"reply");
    let mut later = Vec::new();
    server.seal(&[3; 500], &mut later).expect("a message");
    feed(
        "session, later messages",
        Cost::PublicKey,
        &[later.clone()],
        |bytes| {
            let (mut client, _) = open().0.finish(&second).expect("a session");
            let mut out = Vec::new();
            let opened = client.open(bytes, &mut out);
            assert!(opened.is_err() || bytes == later);
            assert_eq!(out.is_empty(), opened.is_err());
            opened.is_ok()
        },
    );
}
