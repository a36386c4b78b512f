//! The client's part in building a circuit: one body that every hop takes its part of, one body with all their answers.
//!
//! Promises: the body's length and look say nothing about the number of hops; a circuit is built only if every hop of
//! the path answered, each with a key that only the holder of its onion key can have.
//!
//! Does not know: how bodies travel, or when to give up.

use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use super::client::{ClientCircuit, Ends};
use super::layers::{Layer, Shape, cover};
use super::{
    ANSWER_LEN, CREATE_HEADER, CREATE_LEN, CREATE_PAYLOAD, CREATED_LEN, CircuitError, HOPS_MAX, Hop,
};
use crate::hash::derive;
use crate::ids::NetworkId;
use crate::labels;
use crate::noise::{Handshake, Pattern};
use crate::secret::Secret;

/// The nonce under a key that seals one message only.
pub(super) const ONCE: [u8; 12] = [0; 12];

/// What stands for the next hop where there is none.
pub(super) const NO_NEXT: [u8; 32] = [0; 32];

/// A circuit that waits for the answers of its hops.
pub struct Pending {
    /// First the guard's.
    handshakes: Vec<Handshake>,
    fill: Secret<32>,
}

/// Begins a circuit over one to three hops, first the guard; returns the body of the create.
pub fn create(
    path: &[Hop],
    network: &NetworkId,
    minute: u32,
    rng: &mut dyn CryptoRngCore,
) -> Result<(Pending, Vec<u8>), CircuitError> {
    let nobody = path.iter().any(|hop| hop.node.0 == NO_NEXT);
    if path.is_empty() || path.len() > HOPS_MAX || nobody {
        return Err(CircuitError::WrongPath);
    }
    let (mut begun, mut layers) = (Vec::new(), Vec::new());
    for hop in path {
        let onion = hop.onion.as_bytes();
        let handshake = Handshake::initiator(Pattern::Circuit, network, None, onion, rng);
        begun.push(handshake.map_err(|_| CircuitError::NotAKey)?);
        layers.push(Layer::new(Secret::random(rng)));
    }
    let fill = Secret::random(rng);

    // Each hop's body begins one header before the next one's, and ends before the filler that the hop will add.
    let front = (path.len() - 1) * CREATE_HEADER;
    let mut bodies = vec![0; front + CREATE_LEN];
    let end = bodies.get_mut(front + CREATE_HEADER..).unwrap_or_default();
    let unfilled = Shape::CREATE.unfilled(path.len());
    rng.fill_bytes(end.get_mut(..unfilled).unwrap_or_default());
    Shape::CREATE.plain_end(&layers, &ONCE, end);

    let mut handshakes = Vec::new();
    let mut next = NO_NEXT;
    for (at, handshake) in begun.into_iter().enumerate().rev() {
        let (hop, layer) = (&path[at], &layers[at]);
        let body = &mut bodies[at * CREATE_HEADER..][..CREATE_LEN];
        let (header, inner) = body.split_at_mut(CREATE_HEADER);
        let tag = layer.seal(&ONCE, inner);
        let mut payload = Zeroizing::new(Vec::with_capacity(CREATE_PAYLOAD));
        payload.extend_from_slice(&next);
        payload.extend_from_slice(layer.key().expose());
        payload.extend_from_slice(&tag);
        payload.extend_from_slice(&minute.to_be_bytes());
        let mut message = Vec::with_capacity(CREATE_HEADER);
        // Of all that can go wrong here, what depends on the hop is an agreement that comes to zero.
        let handshake = handshake
            .write(&payload, &mut message)
            .map_err(|_| CircuitError::NotAKey)?;
        header.copy_from_slice(&message);
        handshakes.push(handshake);
        next = hop.node.0;
    }
    handshakes.reverse();
    bodies.truncate(CREATE_LEN);
    Ok((Pending { handshakes, fill }, bodies))
}

impl Pending {
    /// Reads the body of the created; the circuit is then ready.
    pub fn finish(self, created: &[u8]) -> Result<ClientCircuit, CircuitError> {
        let mut created: [u8; CREATED_LEN] = created.try_into().map_err(|_| CircuitError::Size)?;
        let mut rest = created.as_mut_slice();
        let mut ends = Vec::new();
        for handshake in self.handshakes {
            let (answer, later) = rest.split_at_mut(ANSWER_LEN);
            let (to_hop, from_hop) = handshake
                .read(answer)
                .and_then(|(handshake, _)| handshake.raw_split())
                .map_err(|_| CircuitError::Unauthenticated)?;
            cover(
                &derive(labels::CIRCUIT_CREATED, &from_hop, &[]),
                &ONCE,
                later,
            );
            ends.push(Ends { to_hop, from_hop });
            rest = later;
        }
        ClientCircuit::new(&ends, self.fill)
    }
}
