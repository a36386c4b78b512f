//! Messages of a handshake as somebody makes them who knows the network and the listener's link key: they authenticate,
//! and what is sealed in them is whatever he likes. Written from `docs/protocol.md`, not from the code under test.
//!
//! Does not know: whom he talks to, or what becomes of it.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use oboro_crypto::aead::Aead;
use oboro_crypto::handshake::PAD_MAX;
use oboro_crypto::hash::hash;
use oboro_crypto::{LinkPublic, NetworkId, OnionPublic, Secret, labels};
use snow::{Builder, HandshakeState};
use x25519_dalek::{PublicKey, StaticSecret};

/// Bytes sealed in a first flight: KEM key, minute, length of the padding.
pub(crate) const ONE_PAYLOAD: usize = 1184 + 4 + 2;
/// Bytes sealed in an answer: KEM ciphertext, length of the padding.
pub(crate) const TWO_PAYLOAD: usize = 1088 + 2;

const NONCE: [u8; 24] = [8; 24];
const SECRET: [u8; 32] = [11; 32];

/// What an honest dialler seals into his first flight.
pub(crate) fn first_payload(minute: u32, pad: u16) -> Vec<u8> {
    // A KEM key is 768 coefficients below 3329 in 12 bits each, then 32 bytes: zeros are one (FIPS 203).
    let mut payload = vec![0; 1184];
    payload.extend(minute.to_le_bytes());
    payload.extend(pad.to_le_bytes());
    payload
}

/// A first flight with this payload, and padding to the end.
pub(crate) fn first_flight(network: &NetworkId, to: &LinkPublic, payload: &[u8]) -> Vec<u8> {
    let prologue = prologue(network);
    let mut state = noise()
        .prologue(&prologue)
        .and_then(|noise| noise.remote_public_key(to.as_bytes()))
        .and_then(|noise| noise.local_private_key(&SECRET))
        .map(|noise| noise.fixed_ephemeral_key_for_testing_only(&[12; 32]))
        .and_then(Builder::build_initiator)
        .expect("an initiator");
    let mut flight = write(&mut state, payload, ONE_PAYLOAD);
    cover(network, to, &NONCE, 1, &mut flight);
    [&NONCE, flight.as_slice()].concat()
}

/// The forger's own link key, for those who shall dial him.
pub(crate) fn listener() -> LinkPublic {
    LinkPublic(PublicKey::from(&StaticSecret::from(SECRET)).to_bytes())
}

/// An answer with this payload to the first flight of somebody who dialled [`listener`].
pub(crate) fn answer(network: &NetworkId, first: &[u8], payload: &[u8]) -> Vec<u8> {
    let own = listener();
    let (nonce, message) = first.split_at(NONCE.len());
    let mut message = message[..32 + ONE_PAYLOAD + 16].to_vec();
    cover(network, &own, nonce, 1, &mut message);
    let prologue = prologue(network);
    let mut state = noise()
        .prologue(&prologue)
        .and_then(|noise| noise.local_private_key(&SECRET))
        .map(|noise| noise.fixed_ephemeral_key_for_testing_only(&[13; 32]))
        .and_then(Builder::build_responder)
        .expect("a responder");
    state
        .read_message(&message, &mut [0; 2048])
        .expect("a first flight");
    let mut flight = write(&mut state, payload, TWO_PAYLOAD);
    cover(network, &own, nonce, 2, &mut flight);
    flight
}

/// Bytes sealed for a hop in a create: next hop, layer key, tag, minute.
const CREATE_PAYLOAD: usize = 32 + 32 + 16 + 4;
/// What a create has after the hop's part.
const CREATE_INNER: usize = 264;
const LAYER_KEY: [u8; 32] = [14; 32];

/// What is sealed in a create, and the tag on it.
fn create_inner() -> ([u8; CREATE_INNER], [u8; 16]) {
    let mut inner = [15; CREATE_INNER];
    let tag = Aead::new(&Secret::from_bytes(LAYER_KEY)).seal_in_place(&[0; 12], &[], &mut inner);
    (inner, tag)
}

/// What an honest client seals into a create.
pub(crate) fn create_payload(next: &[u8; 32], minute: u32) -> Vec<u8> {
    let (_, tag) = create_inner();
    [&next[..], &LAYER_KEY, &tag, &minute.to_be_bytes()].concat()
}

/// A create with this payload, cut or filled up to the one length there is.
pub(crate) fn create(network: &NetworkId, to: &OnionPublic, payload: &[u8]) -> Vec<u8> {
    let prologue = [b"oboro\x01", network.as_bytes().as_slice(), b"circuit"].concat();
    let params = "Noise_NK_25519_ChaChaPoly_BLAKE2s".parse();
    let mut state = Builder::new(params.expect("a Noise name"))
        .prologue(&prologue)
        .and_then(|noise| noise.remote_public_key(to.as_bytes()))
        .map(|noise| noise.fixed_ephemeral_key_for_testing_only(&[16; 32]))
        .and_then(Builder::build_initiator)
        .expect("an initiator");
    let mut payload = payload.to_vec();
    payload.resize(CREATE_PAYLOAD, 0);
    let mut body = [0; 256];
    let written = state.write_message(&payload, &mut body);
    let written = written.expect("room for a message");
    [&body[..written], &create_inner().0].concat()
}

fn noise() -> Builder<'static> {
    let params = "Noise_XKpsk3_25519_ChaChaPoly_BLAKE2s".parse();
    Builder::new(params.expect("a Noise name"))
}

fn prologue(network: &NetworkId) -> Vec<u8> {
    [b"oboro\x01", network.as_bytes().as_slice(), b"ML-KEM-768"].concat()
}

/// Seals the payload, cut or filled up to the one length there is, and adds more padding than allowed.
fn write(state: &mut HandshakeState, payload: &[u8], length: usize) -> Vec<u8> {
    let mut payload = payload.to_vec();
    payload.resize(length, 0);
    let mut message = vec![0; length + 128];
    let written = state
        .write_message(&payload, &mut message)
        .expect("room for a message");
    message.truncate(written);
    message.resize(written + PAD_MAX + 1, 0);
    message
}

/// Puts the mask on from the first byte, or takes it off.
fn cover(network: &NetworkId, listener: &LinkPublic, nonce: &[u8], flight: u8, bytes: &mut [u8]) {
    let parts: [&[u8]; 4] = [listener.as_bytes(), network.as_bytes(), nonce, &[]];
    let key = hash(labels::LINK_MASK, &parts);
    let mut number = [0; 12];
    number[0] = flight;
    ChaCha20::new(&key.into(), &number.into()).apply_keystream(bytes);
}
