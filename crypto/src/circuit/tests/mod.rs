//! Circuits in one place, with every hop at hand.

mod cells;
mod creates;

use std::collections::HashSet;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::ids::NetworkId;
use crate::keys::OnionKey;
use crate::secret::Secret;

const NETWORK: NetworkId = NetworkId([5; 32]);
const MINUTE: u32 = 29_700_000;

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

/// The onion key of the hop at `at`, the guard's being 0.
fn onion(at: usize) -> OnionKey {
    OnionKey::from_secret(Secret::from_bytes([100 + at as u8; 32]))
}

fn path(hops: usize) -> Vec<Hop> {
    (0..hops)
        .map(|at| Hop {
            node: NodeId([1 + at as u8; 32]),
            onion: onion(at).public(),
        })
        .collect()
}

/// What the hop at `at` makes of a create.
fn accepted(at: usize, body: &[u8]) -> Result<Accepted, CircuitError> {
    accept(&[&onion(at)], &NETWORK, body, &mut rng(50 + at as u8))
}

/// A circuit whose every part is ready, and all that was said on the way there.
struct Scene {
    client: ClientCircuit,
    relays: Vec<RelayCircuit>,
    /// What each hop received.
    creates: Vec<Vec<u8>>,
    /// What each hop sent back.
    createds: Vec<Vec<u8>>,
}

impl Scene {
    fn new(hops: usize) -> Self {
        let (pending, mut body) = create(&path(hops), &NETWORK, MINUTE, &mut rng(1)).unwrap();
        let (mut relays, mut creates, mut createds) = (Vec::new(), Vec::new(), Vec::new());
        for at in 0..hops {
            let accepted = accepted(at, &body).unwrap();
            creates.push(body);
            relays.push(accepted.relay);
            body = accepted.next.map(|(_, body)| body).unwrap_or_default();
        }
        for relay in relays.iter_mut().rev() {
            let from_next = createds.last().map(Vec::as_slice);
            let created = relay.created(from_next, &mut rng(60)).unwrap();
            createds.push(created);
        }
        createds.reverse();
        let client = pending.finish(&createds[0]).unwrap();
        Self {
            client,
            relays,
            creates,
            createds,
        }
    }

    /// The client seals a payload; what each hop receives.
    fn forward(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        let mut cells = vec![Vec::new()];
        self.client.seal(payload, &mut cells[0]).unwrap();
        let (_, between) = self.relays.split_last_mut().unwrap();
        for relay in between {
            let mut cell = cells.last().unwrap().clone();
            relay.peel(&mut cell).unwrap();
            cells.push(cell);
        }
        cells
    }

    /// What the exit takes out of the last of these.
    fn payload(&mut self, mut cells: Vec<Vec<u8>>) -> Vec<u8> {
        let exit = self.relays.last_mut().unwrap();
        exit.open(cells.last_mut().unwrap()).unwrap().to_vec()
    }

    /// The exit seals a payload; what each hop sends back, first the guard.
    fn backward(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        let (exit, between) = self.relays.split_last_mut().unwrap();
        let mut cells = vec![Vec::new()];
        exit.seal(payload, &mut cells[0]).unwrap();
        for relay in between.iter_mut().rev() {
            let mut cell = cells.last().unwrap().clone();
            relay.wrap(&mut cell).unwrap();
            cells.push(cell);
        }
        cells.reverse();
        cells
    }
}

/// Whether 16 bytes in a row of one occur anywhere in the other.
fn related(one: &[u8], other: &[u8]) -> bool {
    let windows: HashSet<&[u8]> = one.windows(16).collect();
    other.windows(16).any(|window| windows.contains(window))
}

/// Every two of these that follow each other are unrelated, and all of them have this length.
fn assert_unlike(bodies: &[Vec<u8>], length: usize) {
    assert!(bodies.iter().all(|body| body.len() == length));
    for pair in bodies.windows(2) {
        assert!(!related(&pair[0], &pair[1]));
    }
}

fn padded(payload: &[u8], length: usize) -> Vec<u8> {
    let mut padded = payload.to_vec();
    padded.resize(length, 0);
    padded
}
