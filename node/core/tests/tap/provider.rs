//! The ear in each node: real cryptography that writes down everything it computes there, before and after.
//!
//! What a node computes for its own user is written down only as far as it says whose a circuit or a request is.

use std::cell::RefCell;
use std::sync::Arc;

use oboro_crypto::circuit::{CircuitError, Hop};
use oboro_crypto::ids::{IdentityPublic, NetworkId, NodeId, OnionPublic, Reference, Signature};
use oboro_crypto::keys::OnionKey;
use oboro_crypto::labels::Label;
use oboro_crypto::provider::{
    AcceptedCircuit, Accepting, Building, Opening, Provider, RealProvider, RelayLayers, Session,
};
use oboro_crypto::session::SessionError;
use rand_core::CryptoRngCore;

thread_local! {
    /// One world to a thread.
    static HEARD: RefCell<Vec<Heard>> = const { RefCell::new(Vec::new()) };
}

/// One thing computed at a node.
pub struct Heard {
    pub node: usize,
    /// Which circuit or session, of all that were begun in the world.
    pub of: u64,
    pub what: What,
}

pub enum What {
    /// Its own user's circuit: the path, and the body of the create. What the test knows, not what is overheard.
    OwnCreate { path: Vec<NodeId>, body: Vec<u8> },
    /// A request of its own user began: likewise.
    OwnRequest,
    /// A create was opened.
    Create {
        body: Vec<u8>,
        next: Option<(NodeId, Vec<u8>)>,
        minute: u32,
    },
    /// A created was made of what came from the next hop.
    Created { from_next: Vec<u8>, body: Vec<u8> },
    /// A cell lost a layer, or got one.
    Passed { before: Vec<u8>, after: Vec<u8> },
    /// A cell was opened at the exit.
    Opened { before: Vec<u8>, payload: Vec<u8> },
    /// A cell was sealed at the exit.
    Sealed { payload: Vec<u8>, cell: Vec<u8> },
    /// A session was accepted with a request in it.
    Asked { message: Vec<u8>, request: Vec<u8> },
    /// Something was said in it.
    Said { plain: Vec<u8>, message: Vec<u8> },
    /// Something was told in it.
    Told { message: Vec<u8>, plain: Vec<u8> },
}

/// What nodes added from now on compute with.
pub fn ear(node: usize) -> Arc<dyn Provider> {
    Arc::new(Ear { node })
}

/// Everything written down on this thread so far, which is then forgotten.
pub fn take() -> Vec<Heard> {
    HEARD.take()
}

struct Ear {
    node: usize,
}

/// Where one circuit or session is written down.
#[derive(Clone, Copy)]
struct Log {
    node: usize,
    of: u64,
}

impl Log {
    fn new(node: usize, what: What) -> Self {
        HEARD.with_borrow_mut(|heard| {
            let of = heard.len() as u64;
            heard.push(Heard { node, of, what });
            Self { node, of }
        })
    }

    fn hear(self, what: What) {
        let Self { node, of } = self;
        HEARD.with_borrow_mut(|heard| heard.push(Heard { node, of, what }));
    }
}

impl Provider for Ear {
    fn open(
        &self,
        to: &OnionPublic,
        network: &NetworkId,
        request: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Opening>, Vec<u8>), SessionError> {
        Log::new(self.node, What::OwnRequest);
        RealProvider.open(to, network, request, rng)
    }

    fn accept(
        &self,
        keys: &[&OnionKey],
        network: &NetworkId,
        msg1: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Accepting>, Vec<u8>), SessionError> {
        let (accepting, request) = RealProvider.accept(keys, network, msg1, rng)?;
        let what = What::Asked {
            message: msg1.to_vec(),
            request: request.clone(),
        };
        let log = Log::new(self.node, what);
        Ok((Box::new(EarAccepting { accepting, log }), request))
    }

    fn verify(
        &self,
        by: &IdentityPublic,
        label: Label,
        parts: &[&[u8]],
        signature: &Signature,
    ) -> bool {
        RealProvider.verify(by, label, parts, signature)
    }

    fn chunk_matches(&self, refs: &[Reference], chunks: &[&[u8]]) -> Vec<bool> {
        RealProvider.chunk_matches(refs, chunks)
    }

    fn create(
        &self,
        path: &[Hop],
        network: &NetworkId,
        minute: u32,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Building>, Vec<u8>), CircuitError> {
        let (building, body) = RealProvider.create(path, network, minute, rng)?;
        let path = path.iter().map(|hop| hop.node).collect();
        let made = body.clone();
        Log::new(self.node, What::OwnCreate { path, body: made });
        Ok((building, body))
    }

    fn accept_circuit(
        &self,
        keys: &[&OnionKey],
        network: &NetworkId,
        body: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<AcceptedCircuit, CircuitError> {
        let accepted = RealProvider.accept_circuit(keys, network, body, rng)?;
        let what = What::Create {
            body: body.to_vec(),
            next: accepted.next.clone(),
            minute: accepted.minute,
        };
        let log = Log::new(self.node, what);
        let layers = accepted.relay;
        Ok(AcceptedCircuit {
            next: accepted.next,
            minute: accepted.minute,
            digest: accepted.digest,
            relay: Box::new(EarLayers { layers, log }),
        })
    }
}

struct EarAccepting {
    accepting: Box<dyn Accepting>,
    log: Log,
}

impl Accepting for EarAccepting {
    fn reply(self: Box<Self>, payload: &[u8]) -> Result<(Box<dyn Session>, Vec<u8>), SessionError> {
        let log = self.log;
        let (session, message) = self.accepting.reply(payload)?;
        log.hear(What::Said {
            plain: payload.to_vec(),
            message: message.clone(),
        });
        Ok((Box::new(EarSession { session, log }), message))
    }
}

struct EarSession {
    session: Box<dyn Session>,
    log: Log,
}

impl Session for EarSession {
    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        let start = out.len();
        self.session.seal(plain, out)?;
        self.log.hear(What::Said {
            plain: plain.to_vec(),
            message: out[start..].to_vec(),
        });
        Ok(())
    }

    fn open(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        let start = out.len();
        self.session.open(message, out)?;
        self.log.hear(What::Told {
            message: message.to_vec(),
            plain: out[start..].to_vec(),
        });
        Ok(())
    }
}

struct EarLayers {
    layers: Box<dyn RelayLayers>,
    log: Log,
}

impl RelayLayers for EarLayers {
    fn created(
        &mut self,
        from_next: Option<&[u8]>,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Vec<u8>, CircuitError> {
        let body = self.layers.created(from_next, rng)?;
        self.log.hear(What::Created {
            from_next: from_next.unwrap_or_default().to_vec(),
            body: body.clone(),
        });
        Ok(body)
    }

    fn peel(&mut self, cell: &mut [u8]) -> Result<(), CircuitError> {
        let before = cell.to_vec();
        self.layers.peel(cell)?;
        let after = cell.to_vec();
        self.log.hear(What::Passed { before, after });
        Ok(())
    }

    fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError> {
        let before = cell.to_vec();
        let payload = self.layers.open(cell)?;
        self.log.hear(What::Opened {
            before,
            payload: payload.to_vec(),
        });
        Ok(payload)
    }

    fn wrap(&mut self, cell: &mut [u8]) -> Result<(), CircuitError> {
        let before = cell.to_vec();
        self.layers.wrap(cell)?;
        let after = cell.to_vec();
        self.log.hear(What::Passed { before, after });
        Ok(())
    }

    fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError> {
        let start = out.len();
        self.layers.seal(payload, out)?;
        self.log.hear(What::Sealed {
            payload: payload.to_vec(),
            cell: out[start..].to_vec(),
        });
        Ok(())
    }
}
