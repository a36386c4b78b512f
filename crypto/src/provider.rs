//! The cryptography the core asks for while it runs, behind a trait, so that a simulation of ten thousand nodes can
//! replace it by something that costs nothing.
//!
//! Promises: [`RealProvider`] is the real thing and the only one in this package; false ones live with the simulator.
//!
//! Does not know: links (the shell keeps those) and anything slow enough to be a worker's job.

use std::sync::Arc;

use rand_core::CryptoRngCore;

use crate::circuit::{self, CircuitError, ClientCircuit, Hop, Pending, RelayCircuit};
use crate::eris;
use crate::ids::{IdentityPublic, NetworkId, NodeId, OnionPublic, Reference, Signature};
use crate::keys::OnionKey;
use crate::labels::Label;
use crate::session::{self, Accepted, EndToEnd, Opened, SessionError};

/// What the core needs done. See [`session`] and [`circuit`] for what the methods promise.
pub trait Provider: Send + Sync {
    /// Begins a session; returns message 1, with `request` in it.
    fn open(
        &self,
        to: &OnionPublic,
        network: &NetworkId,
        request: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Opening>, Vec<u8>), SessionError>;

    /// Reads message 1 with whichever of `keys` fits; returns the request.
    fn accept(
        &self,
        keys: &[&OnionKey],
        network: &NetworkId,
        msg1: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Accepting>, Vec<u8>), SessionError>;

    /// Whether `by` signed exactly `parts` for the purpose `label`.
    fn verify(
        &self,
        by: &IdentityPublic,
        label: Label,
        parts: &[&[u8]],
        signature: &Signature,
    ) -> bool;

    /// Says for each reference whether the chunk in the same place is the one it names.
    fn chunk_matches(&self, refs: &[Reference], chunks: &[&[u8]]) -> Vec<bool>;

    /// Keeps bytes that many nodes keep alike, and behind them what one of them has reckoned of them. May hand out the
    /// same allocation for the same bytes, so that a simulation of many nodes in one process holds them once.
    fn keep(&self, bytes: &[u8], reckoned: &[u8]) -> Arc<[u8]> {
        [bytes, reckoned].concat().into()
    }

    /// What was kept of these bytes, if it still is and others may have it: they need not check it again.
    fn kept(&self, bytes: &[u8]) -> Option<Arc<[u8]>> {
        let _ = bytes;
        None
    }

    /// Begins a circuit over 1 to [`circuit::HOPS_MAX`] hops, first the guard; returns the body of the create.
    fn create(
        &self,
        path: &[Hop],
        network: &NetworkId,
        minute: u32,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Building>, Vec<u8>), CircuitError>;

    /// Takes a create's body with whichever of `keys` fits.
    fn accept_circuit(
        &self,
        keys: &[&OnionKey],
        network: &NetworkId,
        body: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<AcceptedCircuit, CircuitError>;
}

/// A session that waits for message 2.
pub trait Opening: Send {
    /// Reads message 2; returns the session and what came with it.
    fn finish(self: Box<Self>, msg2: &[u8]) -> Result<(Box<dyn Session>, Vec<u8>), SessionError>;
}

/// A session whose message 2 is not written yet.
pub trait Accepting: Send {
    /// Writes message 2 with `payload` in it; returns the session and the message.
    fn reply(self: Box<Self>, payload: &[u8]) -> Result<(Box<dyn Session>, Vec<u8>), SessionError>;
}

/// An established session.
pub trait Session: Send {
    /// Seals `plain` and appends it, [`session::SEAL_OVERHEAD`] longer, to `out`.
    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError>;

    /// Opens `message` and appends its plaintext to `out`; appends nothing on an error.
    fn open(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError>;
}

/// A circuit that waits for the answers of its hops.
pub trait Building: Send {
    /// Reads the body of the created; the circuit is then ready.
    fn finish(self: Box<Self>, created: &[u8]) -> Result<Box<dyn ClientLayers>, CircuitError>;
}

/// The client's end of a circuit.
pub trait ClientLayers: Send {
    /// Seals a payload of at most [`circuit::FORWARD_PAYLOAD`] bytes, zeros behind it, and appends the cell's
    /// [`circuit::CELL_LEN`] bytes to `out`.
    fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError>;

    /// Opens a backward cell in place; returns its payload, [`circuit::BACKWARD_PAYLOAD`] bytes of `cell`.
    fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError>;
}

/// A create that was for us.
pub struct AcceptedCircuit {
    /// The next hop and the body of its create; none at the exit.
    pub next: Option<(NodeId, Vec<u8>)>,
    /// When the client made the create, in minutes since 1970-01-01 UTC. Nobody has compared it with a clock.
    pub minute: u32,
    /// What a replay window remembers of it.
    pub digest: u64,
    /// Our part in the circuit.
    pub relay: Box<dyn RelayLayers>,
}

/// A hop's part in a circuit, the exit's included.
pub trait RelayLayers: Send {
    /// The body of the created: at the exit with None, elsewhere with what came from the next hop. Once.
    fn created(
        &mut self,
        from_next: Option<&[u8]>,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Vec<u8>, CircuitError>;

    /// Removes one layer of a forward cell in place: it is then the cell for the next hop.
    fn peel(&mut self, cell: &mut [u8]) -> Result<(), CircuitError>;

    /// At the exit: removes the last layer, returns the payload, [`circuit::FORWARD_PAYLOAD`] bytes of `cell`.
    fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError>;

    /// Adds one layer to a backward cell in place.
    fn wrap(&mut self, cell: &mut [u8]) -> Result<(), CircuitError>;

    /// At the exit: seals a payload of at most [`circuit::BACKWARD_PAYLOAD`] bytes, zeros behind it; appends a cell.
    fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError>;
}

/// The real thing.
#[derive(Clone, Copy, Default, Debug)]
pub struct RealProvider;

impl Provider for RealProvider {
    fn open(
        &self,
        to: &OnionPublic,
        network: &NetworkId,
        request: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Opening>, Vec<u8>), SessionError> {
        let (opened, msg1) = session::open(to, network, request, rng)?;
        Ok((Box::new(opened), msg1))
    }

    fn accept(
        &self,
        keys: &[&OnionKey],
        network: &NetworkId,
        msg1: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Accepting>, Vec<u8>), SessionError> {
        let (accepted, request) = session::accept(keys, network, msg1, rng)?;
        Ok((Box::new(accepted), request))
    }

    fn verify(
        &self,
        by: &IdentityPublic,
        label: Label,
        parts: &[&[u8]],
        signature: &Signature,
    ) -> bool {
        by.verify(label, parts, signature)
    }

    fn chunk_matches(&self, refs: &[Reference], chunks: &[&[u8]]) -> Vec<bool> {
        eris::verify(refs, chunks)
    }

    fn create(
        &self,
        path: &[Hop],
        network: &NetworkId,
        minute: u32,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Building>, Vec<u8>), CircuitError> {
        let (pending, body) = circuit::create(path, network, minute, rng)?;
        Ok((Box::new(pending), body))
    }

    fn accept_circuit(
        &self,
        keys: &[&OnionKey],
        network: &NetworkId,
        body: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<AcceptedCircuit, CircuitError> {
        let accepted = circuit::accept(keys, network, body, rng)?;
        Ok(AcceptedCircuit {
            next: accepted.next,
            minute: accepted.minute,
            digest: accepted.digest,
            relay: Box::new(accepted.relay),
        })
    }
}

impl Opening for Opened {
    fn finish(self: Box<Self>, msg2: &[u8]) -> Result<(Box<dyn Session>, Vec<u8>), SessionError> {
        let (session, payload) = Opened::finish(*self, msg2)?;
        Ok((Box::new(session), payload))
    }
}

impl Accepting for Accepted {
    fn reply(self: Box<Self>, payload: &[u8]) -> Result<(Box<dyn Session>, Vec<u8>), SessionError> {
        let (session, msg2) = Accepted::reply(*self, payload)?;
        Ok((Box::new(session), msg2))
    }
}

impl Session for EndToEnd {
    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        EndToEnd::seal(self, plain, out)
    }

    fn open(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        EndToEnd::open(self, message, out)
    }
}

impl Building for Pending {
    fn finish(self: Box<Self>, created: &[u8]) -> Result<Box<dyn ClientLayers>, CircuitError> {
        Ok(Box::new(Pending::finish(*self, created)?))
    }
}

impl ClientLayers for ClientCircuit {
    fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError> {
        ClientCircuit::seal(self, payload, out)
    }

    fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError> {
        ClientCircuit::open(self, cell)
    }
}

impl RelayLayers for RelayCircuit {
    fn created(
        &mut self,
        from_next: Option<&[u8]>,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Vec<u8>, CircuitError> {
        RelayCircuit::created(self, from_next, rng)
    }

    fn peel(&mut self, cell: &mut [u8]) -> Result<(), CircuitError> {
        RelayCircuit::peel(self, cell)
    }

    fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError> {
        RelayCircuit::open(self, cell)
    }

    fn wrap(&mut self, cell: &mut [u8]) -> Result<(), CircuitError> {
        RelayCircuit::wrap(self, cell)
    }

    fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError> {
        RelayCircuit::seal(self, payload, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::blake2b_256;
    use crate::keys::{IdentityKey, NodeKeys};
    use crate::labels::RECEIPT;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn a_session_works_through_the_trait_alone() {
        let provider: std::sync::Arc<dyn Provider> = std::sync::Arc::new(RealProvider);
        let (mut rng, network) = (ChaCha20Rng::from_seed([1; 32]), NetworkId([5; 32]));
        let keys = NodeKeys::generate(1, &mut rng);
        let (opening, msg1) = provider
            .open(&keys.onion.public(), &network, b"request", &mut rng)
            .unwrap();
        let (accepting, request) = provider
            .accept(&keys.onion_keys(), &network, &msg1, &mut rng)
            .unwrap();
        assert_eq!(request, b"request");
        let (mut server, msg2) = accepting.reply(b"reply").unwrap();
        let (mut client, reply) = opening.finish(&msg2).unwrap();
        assert_eq!(reply, b"reply");
        let (mut wire, mut out) = (Vec::new(), Vec::new());
        server.seal(b"chunk", &mut wire).unwrap();
        client.open(&wire, &mut out).unwrap();
        assert_eq!(out, b"chunk");
    }

    #[test]
    fn a_circuit_works_through_the_trait_alone() {
        let provider: std::sync::Arc<dyn Provider> = std::sync::Arc::new(RealProvider);
        let (mut rng, network) = (ChaCha20Rng::from_seed([1; 32]), NetworkId([5; 32]));
        let keys = [0; 3].map(|_| NodeKeys::generate(1, &mut rng));
        let path: Vec<Hop> = (1..)
            .zip(&keys)
            .map(|(id, keys)| Hop {
                node: NodeId([id; 32]),
                onion: keys.onion.public(),
            })
            .collect();
        let (building, mut body) = provider.create(&path, &network, 7, &mut rng).unwrap();
        let mut relays = Vec::new();
        for (at, keys) in keys.iter().enumerate() {
            let accepted = provider
                .accept_circuit(&keys.onion_keys(), &network, &body, &mut rng)
                .unwrap();
            assert_eq!(accepted.minute, 7);
            let next = accepted.next.as_ref().map(|(node, _)| *node);
            assert_eq!(next, path.get(at + 1).map(|hop| hop.node));
            body = accepted.next.map(|(_, body)| body).unwrap_or_default();
            relays.push(accepted.relay);
        }
        let mut created = None;
        for relay in relays.iter_mut().rev() {
            created = Some(relay.created(created.as_deref(), &mut rng).unwrap());
        }
        let mut client = building.finish(&created.unwrap()).unwrap();
        let mut cell = Vec::new();
        client.seal(b"there", &mut cell).unwrap();
        let (exit, between) = relays.split_last_mut().unwrap();
        for relay in &mut *between {
            relay.peel(&mut cell).unwrap();
        }
        assert!(exit.open(&mut cell).unwrap().starts_with(b"there\0"));
        let mut cell = Vec::new();
        exit.seal(b"back", &mut cell).unwrap();
        for relay in between.iter_mut().rev() {
            relay.wrap(&mut cell).unwrap();
        }
        assert!(client.open(&mut cell).unwrap().starts_with(b"back\0"));
    }

    #[test]
    fn signatures_and_chunks_are_checked() {
        let identity = IdentityKey::generate(&mut ChaCha20Rng::from_seed([1; 32]));
        let signature = identity.sign(RECEIPT, &[b"x"]);
        assert!(RealProvider.verify(&identity.public(), RECEIPT, &[b"x"], &signature));
        assert!(!RealProvider.verify(&identity.public(), RECEIPT, &[b"y"], &signature));
        let refs = [
            Reference(blake2b_256(b"a")),
            Reference(blake2b_256(b"b")),
            Reference(blake2b_256(b"c")),
        ];
        assert_eq!(
            RealProvider.chunk_matches(&refs, &[b"a", b"x"]),
            [true, false, false]
        );
    }
}
