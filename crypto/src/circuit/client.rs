//! The client's end of a circuit.
//!
//! Promises: the exit can't tell from a cell how many hops it has crossed; what comes back is the exit's and unchanged;
//! no layer costs an allocation.
//!
//! Does not know: what cells carry, or when to send one.

use super::layers::{Layer, Shape, cover, next_nonce};
use super::{CELL_LEN, CircuitError, FORWARD_PAYLOAD};
use crate::aead::TAG_LEN;
use crate::hash::derive;
use crate::labels;
use crate::secret::Secret;

/// What the handshake with one hop ended with.
pub(super) struct Ends {
    pub(super) to_hop: Secret<32>,
    pub(super) from_hop: Secret<32>,
}

/// The client's end of a circuit.
pub struct ClientCircuit(Option<Keys>);

struct Keys {
    /// Every hop's, first the guard's.
    forward: Vec<Layer>,
    /// Draws what lies where a longer path would have fillers.
    fill: Secret<32>,
    /// Those of the hops before the exit.
    backward: Vec<Secret<32>>,
    /// The exit's.
    seal: Layer,
    sealed: u64,
    opened: u64,
}

impl ClientCircuit {
    /// Out of what the handshakes ended with, first the guard's.
    pub(super) fn new(ends: &[Ends], fill: Secret<32>) -> Result<Self, CircuitError> {
        let (exit, before) = ends.split_last().ok_or(CircuitError::WrongPath)?;
        let forward = |ends: &Ends| Layer::new(derive(labels::CIRCUIT_FORWARD, &ends.to_hop, &[]));
        let backward = |ends: &Ends| derive(labels::CIRCUIT_BACKWARD, &ends.from_hop, &[]);
        Ok(Self(Some(Keys {
            forward: ends.iter().map(forward).collect(),
            fill,
            backward: before.iter().map(backward).collect(),
            seal: Layer::new(derive(labels::CIRCUIT_SEAL, &exit.from_hop, &[])),
            sealed: 0,
            opened: 0,
        })))
    }

    /// Seals a payload of at most [`FORWARD_PAYLOAD`] bytes, zeros behind it, and appends the cell to `out`.
    pub fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError> {
        self.with(|keys| keys.seal(payload, out))
    }

    /// Opens a backward cell in place; returns its payload, all of [`super::BACKWARD_PAYLOAD`] bytes.
    pub fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError> {
        self.with(|keys| keys.open(cell))
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
    fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError> {
        if payload.len() > FORWARD_PAYLOAD {
            return Err(CircuitError::Size);
        }
        let nonce = next_nonce(&mut self.sealed)?;
        // Each hop's cell begins one tag before the next one's, and ends before the filler that the hop will add.
        let front = (self.forward.len() - 1) * TAG_LEN;
        let start = out.len();
        out.resize(start + front + TAG_LEN, 0);
        out.extend_from_slice(payload);
        out.resize(start + front + CELL_LEN, 0);
        let cells = &mut out[start..];
        let end = &mut cells[front + TAG_LEN + FORWARD_PAYLOAD..];
        let unfilled = Shape::CELL.unfilled(self.forward.len());
        cover(
            &self.fill,
            &nonce,
            end.get_mut(..unfilled).unwrap_or_default(),
        );
        Shape::CELL.plain_end(&self.forward, &nonce, end);
        for (at, layer) in self.forward.iter().enumerate().rev() {
            let cell = &mut cells[at * TAG_LEN..][..CELL_LEN];
            let (tag, inner) = cell.split_at_mut(TAG_LEN);
            tag.copy_from_slice(&layer.seal(&nonce, inner));
        }
        out.truncate(start + CELL_LEN);
        Ok(())
    }

    fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError> {
        if cell.len() != CELL_LEN {
            return Err(CircuitError::Size);
        }
        let nonce = next_nonce(&mut self.opened)?;
        for key in &self.backward {
            cover(key, &nonce, cell);
        }
        let (tag, inner) = cell.split_first_chunk_mut().ok_or(CircuitError::Size)?;
        self.seal.open(&nonce, inner, tag)?;
        Ok(inner)
    }
}
