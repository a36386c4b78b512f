//! Circuits: a client, one to three hops, and cells of one size between them in both directions.
//!
//! Promises: a create, its answer and every cell have one length each, whatever the number of hops and the position; a
//! hop learns the next one, whether it is the exit, and nothing else of the path; whoever changes a byte of a create or
//! of a forward cell stops it at the next honest hop, and of a backward cell at the client; cells that are lost,
//! repeated or out of order are refused; after one error an end of a circuit refuses everything for good.
//!
//! Not promised: that a create is fresh. [`crate::handshake::ReplayWindow`] is for those who must know.
//!
//! Does not know: what cells carry, links, clocks, or which hops make a good path.

mod client;
mod create;
mod layers;
mod relay;
#[cfg(test)]
mod tests;

pub use client::ClientCircuit;
pub use create::{Pending, create};
pub use relay::{Accepted, RelayCircuit, accept};

use crate::aead::TAG_LEN;
use crate::ids::{NodeId, OnionPublic};
use crate::record::RECORD_PLAIN;

/// Most hops of a path.
pub const HOPS_MAX: usize = 3;

/// Bytes sealed for each hop in a create: next hop, layer key, tag, minute.
const CREATE_PAYLOAD: usize = 32 + 32 + TAG_LEN + 4;
/// Bytes of one hop's part of a create: an ephemeral key, what is sealed for the hop, a tag.
pub const CREATE_HEADER: usize = 32 + CREATE_PAYLOAD + TAG_LEN;
/// Bytes of a create's body.
pub const CREATE_LEN: usize = HOPS_MAX * CREATE_HEADER;
/// Bytes of one hop's answer: an ephemeral key and a tag.
pub const ANSWER_LEN: usize = 32 + TAG_LEN;
/// Bytes of a created's body.
pub const CREATED_LEN: usize = HOPS_MAX * ANSWER_LEN;
/// Bytes of a cell: a record but for the header of a frame.
pub const CELL_LEN: usize = RECORD_PLAIN - 5;
/// Bytes a cell carries from the client to the exit: each hop has its tag.
pub const FORWARD_PAYLOAD: usize = CELL_LEN - HOPS_MAX * TAG_LEN;
/// Bytes a cell carries from the exit to the client: only the client checks a tag.
pub const BACKWARD_PAYLOAD: usize = CELL_LEN - TAG_LEN;

const _: () = assert!(
    CREATE_HEADER == 132
        && CREATE_LEN == 396
        && CREATED_LEN == 144
        && CELL_LEN == 4171
        && FORWARD_PAYLOAD == 4123
        && BACKWARD_PAYLOAD == 4155
);

/// One node of a path, as its client knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hop {
    /// Who it is; the hop before it is told. Never all zeros, which means that there is no next hop.
    pub node: NodeId,
    /// Its onion key of today or yesterday.
    pub onion: OnionPublic,
}

/// Why a circuit could not be, or is no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CircuitError {
    /// The caller's fault: a path of no hops or of more than [`HOPS_MAX`], or something asked of the exit that only the
    /// hops before it do, or the other way round.
    #[error("no such path, or not this hop's part in it")]
    WrongPath,
    /// The fault of whoever published it: an onion key of the path is no key.
    #[error("an onion key of the path is not a usable key")]
    NotAKey,
    /// The peer's fault, or ours for knowing an old key of his: the create is under none of these keys.
    #[error("the create is not for any of our keys")]
    NotForUs,
    /// The peer's fault, or the carriers': something of the circuit does not authenticate.
    #[error("something of the circuit does not authenticate")]
    Unauthenticated,
    /// The peer's fault, or the caller's: not the one length that this has, or a payload longer than a cell's.
    #[error("not the length that this has")]
    Size,
    /// An error has ended this circuit before, or it was asked twice for what there is once.
    #[error("the circuit's keys are gone after an earlier error")]
    Gone,
}
