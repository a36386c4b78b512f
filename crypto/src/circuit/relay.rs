//! A hop's part in a circuit, the exit's included.
//!
//! Promises: nothing of a create is passed on unless all of it is authentic; the keys are ready with the answer, before
//! the next hop has said anything; no cell costs an allocation.
//!
//! Does not know: who is before it, how far it is from the client, or whether a create was seen before.

use rand_core::CryptoRngCore;

use super::create::{NO_NEXT, ONCE};
use super::layers::{Layer, Nonce, Shape, cover, next_nonce};
use super::{
    ANSWER_LEN, BACKWARD_PAYLOAD, CELL_LEN, CREATE_HEADER, CREATE_LEN, CREATE_PAYLOAD, CREATED_LEN,
    CircuitError, FORWARD_PAYLOAD,
};
use crate::aead::TAG_LEN;
use crate::hash::{derive, hash};
use crate::ids::{NetworkId, NodeId};
use crate::keys::OnionKey;
use crate::labels;
use crate::noise::{Handshake, Pattern};
use crate::secret::Secret;

/// A create that was for us.
pub struct Accepted {
    /// The next hop and the body of its create; none at the exit.
    pub next: Option<(NodeId, Vec<u8>)>,
    /// When the client made the create.
    pub minute: u32,
    /// What a replay window remembers of it.
    pub digest: u64,
    /// Our part in the circuit.
    pub relay: RelayCircuit,
}

/// Takes a create's body with whichever of `keys` fits.
pub fn accept(
    keys: &[&OnionKey],
    network: &NetworkId,
    body: &[u8],
    rng: &mut dyn CryptoRngCore,
) -> Result<Accepted, CircuitError> {
    if body.len() != CREATE_LEN {
        return Err(CircuitError::Size);
    }
    let (header, inner) = body.split_at(CREATE_HEADER);
    let (handshake, payload) = keys
        .iter()
        .find_map(|key| {
            let handshake = Handshake::responder(Pattern::Circuit, network, key.secret(), rng);
            handshake.and_then(|handshake| handshake.read(header)).ok()
        })
        .ok_or(CircuitError::NotForUs)?;
    let payload: &[u8; CREATE_PAYLOAD] =
        payload.first_chunk().ok_or(CircuitError::Unauthenticated)?;
    let (next, payload) = split::<32>(payload)?;
    let (key, payload) = split::<32>(payload)?;
    let (tag, minute) = split::<TAG_LEN>(payload)?;
    let minute = u32::from_be_bytes(*split(minute)?.0);

    let layer = Layer::new(Secret::from_bytes(*key));
    let mut body = inner.to_vec();
    layer.open(&ONCE, &mut body, tag)?;
    let next = if *next == NO_NEXT {
        None
    } else {
        body.resize(CREATE_LEN, 0);
        let filler = body.get_mut(inner.len()..).unwrap_or_default();
        Shape::CREATE.fill(&layer, &ONCE, filler);
        Some((NodeId(*next), body))
    };

    let mut answer = Vec::new();
    let (from_client, to_client) = handshake
        .write(&[], &mut answer)
        .and_then(Handshake::raw_split)
        .map_err(|_| CircuitError::Unauthenticated)?;
    let part = if next.is_some() {
        Part::Between {
            backward: derive(labels::CIRCUIT_BACKWARD, &to_client, &[]),
            created: derive(labels::CIRCUIT_CREATED, &to_client, &[]),
        }
    } else {
        Part::Exit {
            seal: Layer::new(derive(labels::CIRCUIT_SEAL, &to_client, &[])),
        }
    };
    let relay = RelayCircuit(Some(Keys {
        answer: Some(answer),
        forward: Layer::new(derive(labels::CIRCUIT_FORWARD, &from_client, &[])),
        part,
        forwards: 0,
        backwards: 0,
    }));
    let digest = hash(labels::CIRCUIT_REPLAY, &[header]);
    Ok(Accepted {
        next,
        minute,
        digest: u64::from_le_bytes(*split(&digest)?.0),
        relay,
    })
}

fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), CircuitError> {
    bytes
        .split_first_chunk()
        .ok_or(CircuitError::Unauthenticated)
}

/// A hop's part in a circuit.
pub struct RelayCircuit(Option<Keys>);

struct Keys {
    /// None once it is given.
    answer: Option<Vec<u8>>,
    forward: Layer,
    part: Part,
    forwards: u64,
    backwards: u64,
}

enum Part {
    Between {
        backward: Secret<32>,
        created: Secret<32>,
    },
    Exit {
        seal: Layer,
    },
}

impl RelayCircuit {
    /// The body of the created: at the exit with None, elsewhere with what came from the next hop. Once.
    pub fn created(
        &mut self,
        from_next: Option<&[u8]>,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Vec<u8>, CircuitError> {
        self.with(|keys| keys.created(from_next, rng))
    }

    /// Removes one layer of a forward cell in place: it is then the cell for the next hop.
    pub fn peel(&mut self, cell: &mut [u8]) -> Result<(), CircuitError> {
        self.with(|keys| keys.peel(cell))
    }

    /// At the exit: removes the last layer, returns the payload, all of [`FORWARD_PAYLOAD`] bytes.
    pub fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError> {
        self.with(|keys| keys.open(cell))
    }

    /// Adds one layer to a backward cell in place.
    pub fn wrap(&mut self, cell: &mut [u8]) -> Result<(), CircuitError> {
        self.with(|keys| keys.wrap(cell))
    }

    /// At the exit: seals a payload of at most [`BACKWARD_PAYLOAD`] bytes, zeros behind it, and appends a cell.
    pub fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError> {
        self.with(|keys| keys.seal(payload, out))
    }

    /// Lets `act` use the keys; they are gone if it fails.
    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Keys) -> Result<T, CircuitError>,
    ) -> Result<T, CircuitError> {
        let done = act(self.0.as_mut().ok_or(CircuitError::Gone)?);
        if done.is_err() {
            self.0 = None;
        }
        done
    }
}

impl Keys {
    fn created(
        &mut self,
        from_next: Option<&[u8]>,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Vec<u8>, CircuitError> {
        let mut body = self.answer.take().ok_or(CircuitError::Gone)?;
        body.resize(CREATED_LEN, 0);
        let rest = body.get_mut(ANSWER_LEN..).unwrap_or_default();
        match (&self.part, from_next) {
            (Part::Exit { .. }, None) => rng.fill_bytes(rest),
            (Part::Between { created, .. }, Some(from_next)) => {
                if from_next.len() != CREATED_LEN {
                    return Err(CircuitError::Size);
                }
                // What falls off the end is the random end of the exit's, or what came after it.
                rest.copy_from_slice(&from_next[..CREATED_LEN - ANSWER_LEN]);
                cover(created, &ONCE, rest);
            }
            _ => return Err(CircuitError::WrongPath),
        }
        Ok(body)
    }

    fn peel(&mut self, cell: &mut [u8]) -> Result<(), CircuitError> {
        if matches!(self.part, Part::Exit { .. }) {
            return Err(CircuitError::WrongPath);
        }
        let nonce = self.open_layer(cell)?;
        cell.copy_within(TAG_LEN.., 0);
        let (_, filler) = cell.split_at_mut(CELL_LEN - TAG_LEN);
        Shape::CELL.fill(&self.forward, &nonce, filler);
        Ok(())
    }

    fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError> {
        if matches!(self.part, Part::Between { .. }) {
            return Err(CircuitError::WrongPath);
        }
        self.open_layer(cell)?;
        cell.get(TAG_LEN..TAG_LEN + FORWARD_PAYLOAD)
            .ok_or(CircuitError::Size)
    }

    /// Opens a forward cell behind its tag; checks its length.
    fn open_layer(&mut self, cell: &mut [u8]) -> Result<Nonce, CircuitError> {
        if cell.len() != CELL_LEN {
            return Err(CircuitError::Size);
        }
        let nonce = next_nonce(&mut self.forwards)?;
        let (tag, inner) = cell.split_first_chunk_mut().ok_or(CircuitError::Size)?;
        self.forward.open(&nonce, inner, tag)?;
        Ok(nonce)
    }

    fn wrap(&mut self, cell: &mut [u8]) -> Result<(), CircuitError> {
        let Part::Between { backward, .. } = &self.part else {
            return Err(CircuitError::WrongPath);
        };
        if cell.len() != CELL_LEN {
            return Err(CircuitError::Size);
        }
        cover(backward, &next_nonce(&mut self.backwards)?, cell);
        Ok(())
    }

    fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError> {
        let Part::Exit { seal } = &self.part else {
            return Err(CircuitError::WrongPath);
        };
        if payload.len() > BACKWARD_PAYLOAD {
            return Err(CircuitError::Size);
        }
        let nonce = next_nonce(&mut self.backwards)?;
        let start = out.len();
        out.resize(start + TAG_LEN, 0);
        out.extend_from_slice(payload);
        out.resize(start + CELL_LEN, 0);
        let (tag, inner) = out[start..].split_at_mut(TAG_LEN);
        tag.copy_from_slice(&seal.seal(&nonce, inner));
        Ok(())
    }
}
