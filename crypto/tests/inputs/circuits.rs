//! Circuits: creates, createds and cells, from the side of somebody who does not hold the keys, and of a client who
//! seals what he likes.

use oboro_crypto::circuit::{
    self, Accepted, CREATE_LEN, CREATED_LEN, CircuitError, ClientCircuit, Hop, Pending,
    RelayCircuit,
};
use oboro_crypto::keys::OnionKey;
use oboro_crypto::{NodeId, OnionPublic};

use crate::forge;
use crate::harness::{Cost, feed};
use crate::links::{MINUTE, NETWORK, rng};

const HOPS: usize = 3;

fn onion(at: usize) -> OnionKey {
    OnionKey::generate(&mut rng(30 + at as u64))
}

fn created_by(seed: u64) -> (Pending, Vec<u8>) {
    let hop = |at: usize| Hop {
        node: NodeId([1 + at as u8; 32]),
        onion: onion(at).public(),
    };
    let path = [0, 1, 2].map(hop);
    circuit::create(&path, &NETWORK, MINUTE, &mut rng(seed)).expect("a create")
}

fn accept(at: usize, body: &[u8]) -> Result<Accepted, CircuitError> {
    circuit::accept(&[&onion(at)], &NETWORK, body, &mut rng(40 + at as u64))
}

/// What each hop receives.
fn creates(seed: u64) -> Vec<Vec<u8>> {
    let mut bodies = vec![created_by(seed).1];
    for at in 0..HOPS - 1 {
        let accepted = accept(at, &bodies[at]).expect("a create");
        bodies.extend(accepted.next.map(|(_, body)| body));
    }
    bodies
}

fn relay(at: usize, bodies: &[Vec<u8>]) -> RelayCircuit {
    accept(at, &bodies[at]).expect("a create").relay
}

/// What the client receives.
fn created(bodies: &[Vec<u8>]) -> Vec<u8> {
    (0..HOPS).rev().fold(Vec::new(), |from_next, at| {
        let from_next = (at + 1 < HOPS).then_some(from_next.as_slice());
        let created = relay(at, bodies).created(from_next, &mut rng(50));
        created.expect("a created")
    })
}

fn client(created: &[u8]) -> ClientCircuit {
    created_by(60).0.finish(created).expect("a circuit")
}

#[test]
fn a_create_is_taken_only_as_it_was_made() {
    let bodies: Vec<Vec<Vec<u8>>> = (60..63).map(creates).collect();
    for at in 0..HOPS {
        let valid: Vec<Vec<u8>> = bodies.iter().map(|bodies| bodies[at].clone()).collect();
        let name = format!("circuit, create at hop {at}");
        feed(&name, Cost::PublicKey, &valid, |bytes| {
            let accepted = accept(at, bytes);
            assert!(accepted.is_err() || valid.iter().any(|body| body == bytes));
            let next = accepted.as_ref().ok().and_then(|it| it.next.as_ref());
            assert!(next.is_none_or(|(_, body)| body.len() == CREATE_LEN));
            accepted.is_ok()
        });
    }
}

#[test]
fn a_created_ends_the_clients_wait_only_if_every_hop_answered() {
    let valid = [created(&creates(60))];
    feed("circuit, created", Cost::PublicKey, &valid, |bytes| {
        let finished = created_by(60).0.finish(bytes);
        assert!(finished.is_err() || bytes == valid[0]);
        finished.is_ok()
    });
}

#[test]
fn a_created_from_the_next_hop_is_passed_on_if_it_has_its_length() {
    let bodies = creates(60);
    let valid = [vec![0; CREATED_LEN]];
    feed(
        "circuit, created at a relay",
        Cost::PublicKey,
        &valid,
        |bytes| {
            let passed = relay(0, &bodies).created(Some(bytes), &mut rng(50));
            assert_eq!(passed.is_ok(), bytes.len() == CREATED_LEN);
            passed.is_ok()
        },
    );
}

#[test]
fn cells_are_opened_only_as_they_were_sealed() {
    let bodies = creates(60);
    let created = created(&bodies);
    let mut cell = Vec::new();
    client(&created).seal(&[3; 500], &mut cell).expect("a cell");
    for at in 0..HOPS {
        let valid = [cell.clone()];
        let take = |relay: &mut RelayCircuit, cell: &mut [u8]| match at + 1 < HOPS {
            true => relay.peel(cell),
            false => relay.open(cell).map(drop),
        };
        let name = format!("circuit, forward cell at hop {at}");
        feed(&name, Cost::PublicKey, &valid, |bytes| {
            let mut relay = relay(at, &bodies);
            let taken = take(&mut relay, &mut bytes.to_vec());
            assert_eq!(taken.is_ok(), bytes == valid[0]);
            if taken.is_err() {
                let next = take(&mut relay, &mut valid[0].clone());
                assert_eq!(next, Err(CircuitError::Gone));
            }
            taken.is_ok()
        });
        take(&mut relay(at, &bodies), &mut cell).expect("the cell");
    }

    let mut cell = Vec::new();
    relay(HOPS - 1, &bodies)
        .seal(&[4; 500], &mut cell)
        .expect("a cell");
    for at in (0..HOPS - 1).rev() {
        relay(at, &bodies).wrap(&mut cell).expect("a cell");
    }
    let valid = [cell];
    feed("circuit, backward cell", Cost::PublicKey, &valid, |bytes| {
        let mut client = client(&created);
        let opened = client.open(&mut bytes.to_vec()).is_ok();
        assert_eq!(opened, bytes == valid[0]);
        opened
    });
}

#[test]
fn what_a_client_seals_into_a_create_is_taken_or_refused() {
    let to: OnionPublic = onion(0).public();
    let valid = [
        forge::create_payload(&[0; 32], MINUTE),
        forge::create_payload(&[9; 32], 0),
    ];
    feed(
        "circuit, payload of a create",
        Cost::PublicKey,
        &valid,
        |payload| {
            let body = forge::create(&NETWORK, &to, payload);
            let accepted = accept(0, &body);
            assert_ne!(accepted.as_ref().err(), Some(&CircuitError::NotForUs));
            let Ok(accepted) = accepted else {
                return false;
            };
            // Everything but next hop and minute is the client's business, and authenticated.
            let mut payload = payload.to_vec();
            payload.resize(valid[0].len(), 0);
            assert_eq!(payload[32..80], valid[0][32..80]);
            assert_eq!(accepted.next.is_none(), payload[..32] == [0; 32]);
            true
        },
    );
}
