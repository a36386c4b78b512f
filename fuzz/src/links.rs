//! Handshakes, records and sessions with a live end.
//!
//! The first byte of an input says where the rest goes: 0 on the line as it is, otherwise sealed by an insider, because
//! no fuzzer guesses a key.

use std::sync::LazyLock;

use oboro_crypto::aead::Backend;
use oboro_crypto::handshake::{
    HandshakeError, Initiator, LinkContext, ReplayWindow, Responder, Step,
};
use oboro_crypto::keys::{LinkKey, OnionKey};
use oboro_crypto::record::{RECORD_PLAIN, REKEY_EVERY, RecordCipher};
use oboro_crypto::session as noise;
use oboro_crypto::{LinkPublic, NetworkId};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::forge;

pub(crate) const NETWORK: NetworkId = NetworkId([5; 32]);
pub(crate) const MINUTE: u32 = 29_700_000;

/// A listener, and one whole handshake with it.
pub(crate) struct Scene {
    key: LinkKey,
    pub(crate) flights: [Vec<u8>; 3],
    /// The first flight of somebody who dialled the forger.
    to_forger: Vec<u8>,
}

pub(crate) static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let key = LinkKey::generate(&mut rng(1));
    let mut dialler = initiator(&key.public());
    let (mut listener, mut replay) = (responder(&key), ReplayWindow::new(1));
    let one = drive(&[], |bytes| dialler.advance(bytes)).remove(0);
    let two = drive(&one, |bytes| listener.advance(bytes, &mut replay)).remove(0);
    let mut again = initiator(&key.public());
    let three = drive(&two, |bytes| again.advance(bytes)).remove(1);
    let mut other = initiator(&forge::listener());
    let to_forger = drive(&[], |bytes| other.advance(bytes)).remove(0);
    Scene {
        key,
        flights: [one, two, three],
        to_forger,
    }
});

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn context() -> LinkContext {
    LinkContext {
        network: NETWORK,
        secret: None,
    }
}

fn responder(key: &LinkKey) -> Responder {
    Responder::new(&context(), key, MINUTE, &mut rng(7)).expect("a responder")
}

fn initiator(remote: &LinkPublic) -> Initiator {
    let dialler = LinkKey::generate(&mut rng(2));
    Initiator::new(&context(), &dialler, remote, MINUTE, &mut rng(3)).expect("an initiator")
}

/// Lets one end read from `line` until it is done, fails, or waits for more; what it wrote.
fn drive(
    mut line: &[u8],
    mut advance: impl FnMut(&[u8]) -> Result<Step, HandshakeError>,
) -> Vec<Vec<u8>> {
    let (mut written, mut received): (_, &[u8]) = (Vec::new(), &[]);
    loop {
        match advance(received) {
            Ok(Step::Read(count)) => match line.split_at_checked(count) {
                Some((head, rest)) => (received, line) = (head, rest),
                None => return written,
            },
            Ok(Step::Write(flight)) => {
                written.push(flight);
                received = &[];
            }
            Ok(Step::Done(_)) => return written,
            Err(_) => {
                assert!(matches!(advance(&[]), Err(HandshakeError::Over)));
                return written;
            }
        }
    }
}

/// A first flight, or what is sealed in one, to a listener: nothing comes back unless it is whole.
pub fn handshake_one(data: &[u8]) {
    let Some((&how, rest)) = data.split_first() else {
        return;
    };
    let (scene, mut replay) = (&*SCENE, ReplayWindow::new(4));
    let mut listener = responder(&scene.key);
    let line = match how {
        0 => rest.to_vec(),
        _ => forge::first_flight(&NETWORK, &scene.key.public(), rest),
    };
    let answered = !drive(&line, |bytes| listener.advance(bytes, &mut replay)).is_empty();
    assert!(how != 0 || !answered || rest.starts_with(&scene.flights[0]));
}

/// An answer, or what is sealed in one, to somebody who dials.
pub fn handshake_two(data: &[u8]) {
    let Some((&how, rest)) = data.split_first() else {
        return;
    };
    let scene = &*SCENE;
    let (remote, line) = match how {
        0 => (scene.key.public(), rest.to_vec()),
        _ => {
            let answer = forge::answer(&NETWORK, &scene.to_forger, rest);
            (forge::listener(), answer)
        }
    };
    let mut dialler = initiator(&remote);
    let finished = drive(&line, |bytes| dialler.advance(bytes)).len() > 1;
    assert!(how != 0 || !finished || rest.starts_with(&scene.flights[1]));
}

/// A last flight to a listener that has answered.
pub fn handshake_three(data: &[u8]) {
    let (scene, mut replay) = (&*SCENE, ReplayWindow::new(4));
    let mut listener = responder(&scene.key);
    let line = [&scene.flights[0], data].concat();
    let written = drive(&line, |bytes| listener.advance(bytes, &mut replay));
    assert_eq!(written, [scene.flights[1].clone()]);
}

pub(crate) fn sealed_records(count: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    let (mut cipher, _) = pair();
    cipher
        .seal(&vec![7; count * RECORD_PLAIN], &mut wire)
        .expect("whole records");
    wire
}

fn pair() -> (RecordCipher, RecordCipher) {
    RecordCipher::pair(Backend::fastest(), REKEY_EVERY, &mut rng(3))
}

/// Records on a link: nothing comes out of a batch in which one does not authenticate.
pub fn records(data: &[u8]) {
    let (mut cipher, mut out) = (pair().1, Vec::new());
    match cipher.open(data, &mut out) {
        Ok(()) => assert!(out.iter().all(|&byte| byte == 7)),
        Err(_) => {
            assert!(out.is_empty());
            assert!(cipher.open(&[], &mut out).is_err());
        }
    }
}

/// The messages of a session as they go over the line: first, second, third.
pub(crate) fn session_messages() -> [Vec<u8>; 3] {
    let (_, first) = open_session();
    let (mut server, second) = noise::accept(&[&*ONION], &NETWORK, &first, &mut rng(6))
        .and_then(|(accepted, _)| accepted.reply(b"reply"))
        .expect("an answer");
    let mut third = Vec::new();
    server.seal(b"more", &mut third).expect("room");
    [first, second, third]
}

static ONION: LazyLock<OnionKey> = LazyLock::new(|| OnionKey::generate(&mut rng(4)));

fn open_session() -> (noise::Opened, Vec<u8>) {
    noise::open(&ONION.public(), &NETWORK, b"request", &mut rng(5)).expect("a session")
}

/// A message of a session; the first byte says which: 0 the first, 1 the second, else a later one.
pub fn session(data: &[u8]) {
    static MESSAGES: LazyLock<[Vec<u8>; 3]> = LazyLock::new(session_messages);
    let Some((&which, message)) = data.split_first() else {
        return;
    };
    let which = which.min(2);
    let taken = match which {
        0 => noise::accept(&[&*ONION], &NETWORK, message, &mut rng(6)).is_ok(),
        1 => open_session().0.finish(message).is_ok(),
        _ => {
            let (mut client, _) = open_session().0.finish(&MESSAGES[1]).expect("a session");
            let mut out = Vec::new();
            let opened = client.open(message, &mut out).is_ok();
            assert_eq!(opened, !out.is_empty());
            opened
        }
    };
    assert!(!taken || message == MESSAGES[usize::from(which)]);
}
