//! A circuit of two hops: what reaches a hop or the client passes only as it was made.

use std::sync::LazyLock;

use oboro_crypto::circuit::Hop;
use oboro_crypto::ids::NodeId;
use oboro_crypto::keys::OnionKey;
use oboro_crypto::provider::{ClientLayers, Provider, RealProvider, RelayLayers};

use crate::links::{NETWORK, rng};

static KEYS: LazyLock<[OnionKey; 2]> =
    LazyLock::new(|| [7, 8].map(|seed| OnionKey::generate(&mut rng(seed))));

/// A circuit as far as its create, made the same way each time.
pub(crate) struct Made {
    pub(crate) create: Vec<u8>,
    pub(crate) created: Vec<u8>,
    client: Box<dyn ClientLayers>,
    guard: Box<dyn RelayLayers>,
    exit: Box<dyn RelayLayers>,
}

pub(crate) fn make() -> Made {
    let path = [0, 1].map(|index| Hop {
        node: NodeId([index as u8 + 1; 32]),
        onion: KEYS[index].public(),
    });
    let provider = RealProvider;
    let (building, create) = provider
        .create(&path, &NETWORK, 7, &mut rng(1))
        .expect("a path");
    let mut guard = provider
        .accept_circuit(&[&KEYS[0]], &NETWORK, &create, &mut rng(2))
        .expect("for the guard");
    let (_, next) = guard.next.take().expect("not the exit");
    let mut exit = provider
        .accept_circuit(&[&KEYS[1]], &NETWORK, &next, &mut rng(3))
        .expect("for the exit");
    let answer = exit.relay.created(None, &mut rng(4)).expect("the first");
    let created = guard
        .relay
        .created(Some(&answer), &mut rng(5))
        .expect("the first");
    Made {
        client: building.finish(&created).expect("both have answered"),
        create,
        created,
        guard: guard.relay,
        exit: exit.relay,
    }
}

/// First byte: what the rest is taken for.
pub fn run(data: &[u8]) {
    let Some((tag, body)) = data.split_first() else {
        return;
    };
    let mut made = make();
    let mut bytes = body.to_vec();
    match tag % 4 {
        0 => {
            let keys = [&KEYS[0]];
            let taken = RealProvider.accept_circuit(&keys, &NETWORK, body, &mut rng(6));
            assert!(taken.is_err() || body == made.create);
        }
        1 => {
            let mut right = Vec::new();
            made.client
                .seal(b"hello", &mut right)
                .expect("a ready circuit");
            let passed = made.guard.peel(&mut bytes).is_ok();
            assert_eq!(passed, body == right);
            assert!(passed || made.guard.peel(&mut right).is_err(), "for good");
        }
        2 => {
            let mut right = Vec::new();
            made.exit
                .seal(b"hello", &mut right)
                .expect("a ready circuit");
            made.guard.wrap(&mut right).expect("a ready circuit");
            assert_eq!(made.client.open(&mut bytes).is_ok(), body == right);
        }
        _ => {
            let _ = made.guard.wrap(&mut bytes);
            let _ = made.exit.open(&mut bytes);
        }
    }
}

/// Inputs that pass.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut made = make();
    let (mut forward, mut backward) = (vec![1], vec![2]);
    made.client.seal(b"hello", &mut forward).expect("ready");
    let mut cell = Vec::new();
    made.exit.seal(b"hello", &mut cell).expect("ready");
    made.guard.wrap(&mut cell).expect("ready");
    backward.extend(cell);
    let create = [&[0], made.create.as_slice()].concat();
    let other = [&[3], made.created.as_slice()].concat();
    vec![create, forward, backward, other]
}
