//! Sessions without secrets, so that what lies behind them can be reached: the lengths are the real ones, and a fuzzer
//! can write every message. Signatures are good unless they begin with 0xff.

use oboro_crypto::circuit::{CircuitError, Hop};
use oboro_crypto::eris;
use oboro_crypto::ids::{IdentityPublic, NetworkId, OnionPublic, Reference, Signature};
use oboro_crypto::keys::OnionKey;
use oboro_crypto::provider::{AcceptedCircuit, Accepting, Building, Opening, Provider, Session};
use oboro_crypto::session::{MSG1_OVERHEAD, MSG2_OVERHEAD, SEAL_OVERHEAD, SessionError};
use oboro_crypto::{CryptoRngCore, Label};

pub(super) struct Plain;

/// Message 1 with a request in it.
pub(super) fn first(request: &[u8]) -> Vec<u8> {
    [&[0; MSG1_OVERHEAD], request].concat()
}

/// Message 2 with a reply in it.
pub(super) fn second(reply: &[u8]) -> Vec<u8> {
    [&[0; MSG2_OVERHEAD], reply].concat()
}

/// A later message.
pub(super) fn sealed(plain: &[u8]) -> Vec<u8> {
    [plain, &[0; SEAL_OVERHEAD]].concat()
}

/// What is in a message with so much around it, if all of that is zeros.
pub(super) fn opened(message: &[u8], overhead: usize) -> Option<&[u8]> {
    let (around, inside) = message.split_at_checked(overhead)?;
    around.iter().all(|&byte| byte == 0).then_some(inside)
}

impl Provider for Plain {
    fn open(
        &self,
        _: &OnionPublic,
        _: &NetworkId,
        request: &[u8],
        _: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Opening>, Vec<u8>), SessionError> {
        Ok((Box::new(Self), first(request)))
    }

    fn accept(
        &self,
        _: &[&OnionKey],
        _: &NetworkId,
        msg1: &[u8],
        _: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Accepting>, Vec<u8>), SessionError> {
        let request = opened(msg1, MSG1_OVERHEAD).ok_or(SessionError::NotForUs)?;
        Ok((Box::new(Self), request.to_vec()))
    }

    fn verify(&self, _: &IdentityPublic, _: Label, _: &[&[u8]], signature: &Signature) -> bool {
        signature.0[0] != 0xff
    }

    fn chunk_matches(&self, refs: &[Reference], chunks: &[&[u8]]) -> Vec<bool> {
        eris::verify(refs, chunks)
    }

    fn create(
        &self,
        _: &[Hop],
        _: &NetworkId,
        _: u32,
        _: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Building>, Vec<u8>), CircuitError> {
        Err(CircuitError::NotAKey)
    }

    fn accept_circuit(
        &self,
        _: &[&OnionKey],
        _: &NetworkId,
        _: &[u8],
        _: &mut dyn CryptoRngCore,
    ) -> Result<AcceptedCircuit, CircuitError> {
        Err(CircuitError::NotForUs)
    }
}

impl Opening for Plain {
    fn finish(self: Box<Self>, msg2: &[u8]) -> Result<(Box<dyn Session>, Vec<u8>), SessionError> {
        let reply = opened(msg2, MSG2_OVERHEAD).ok_or(SessionError::Unauthenticated)?;
        Ok((self, reply.to_vec()))
    }
}

impl Accepting for Plain {
    fn reply(self: Box<Self>, payload: &[u8]) -> Result<(Box<dyn Session>, Vec<u8>), SessionError> {
        Ok((self, second(payload)))
    }
}

impl Session for Plain {
    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        out.extend(sealed(plain));
        Ok(())
    }

    fn open(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        let length = message
            .len()
            .checked_sub(SEAL_OVERHEAD)
            .ok_or(SessionError::Unauthenticated)?;
        let (plain, tag) = message.split_at(length);
        if tag.iter().any(|&byte| byte != 0) {
            return Err(SessionError::Unauthenticated);
        }
        out.extend_from_slice(plain);
        Ok(())
    }
}
