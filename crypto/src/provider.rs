//! The cryptography the core asks for while it runs, behind a trait, so that a simulation of ten thousand nodes can
//! replace it by something that costs nothing.
//!
//! Promises: [`RealProvider`] is the real thing and the only one in this package; false ones live with the simulator.
//!
//! Does not know: links (the shell keeps those) and anything slow enough to be a worker's job.

use rand_core::CryptoRngCore;

use crate::eris;
use crate::ids::{IdentityPublic, NetworkId, OnionPublic, Reference, Signature};
use crate::keys::OnionKey;
use crate::labels::Label;
use crate::session::{self, Accepted, EndToEnd, Opened, SessionError};

/// What the core needs done. See [`session`] for what the methods promise.
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
