//! Cryptography that costs nothing, for the protocol fidelity: everything has its real size and every check its real
//! outcome, but nothing is secret. What is wrongly keyed, changed on the way, replayed or out of order is refused as the
//! real thing would refuse it; a signature is checked for real once and then remembered for all nodes.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use oboro_crypto::circuit::{
    BACKWARD_PAYLOAD, CELL_LEN, CREATE_HEADER, CREATE_LEN, CREATED_LEN, CircuitError,
    FORWARD_PAYLOAD, HOPS_MAX, Hop,
};
use oboro_crypto::eris;
use oboro_crypto::ids::{IdentityPublic, NetworkId, NodeId, OnionPublic, Reference, Signature};
use oboro_crypto::keys::OnionKey;
use oboro_crypto::labels::Label;
use oboro_crypto::provider::{
    AcceptedCircuit, Accepting, Building, ClientLayers, Opening, Provider, RelayLayers, Session,
};
use oboro_crypto::session::SessionError;
use rand_core::CryptoRngCore;

const TAG: usize = 16;
/// What a session's first two messages have before their payload: an ephemeral key and a tag.
const HEAD: usize = 32 + TAG;

/// The provider of the protocol fidelity. One for all nodes of a world.
#[derive(Default)]
pub struct CheapProvider {
    /// By a sum over key, message and signature; looked up and never walked through, so that its order does not matter.
    signatures: Mutex<HashMap<u64, ([u8; 64], bool), Sums>>,
    chunks: Mutex<BTreeMap<Reference, u64>>,
    /// Bytes that many nodes keep, once, by their sum.
    kept: Mutex<HashMap<u64, Alike, Sums>>,
}

/// What is kept under one sum.
type Alike = Vec<Arc<[u8]>>;

/// Signatures that are remembered; beyond it all are forgotten and checked again.
const SIGNATURES_MAX: usize = 1 << 20;

/// Keys that are sums or numbers need little mixing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sums;

impl BuildHasher for Sums {
    type Hasher = Sum;

    fn build_hasher(&self) -> Sum {
        Sum(0)
    }
}

pub(crate) struct Sum(u64);

impl Hasher for Sum {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = checksum(bytes, self.0);
    }

    fn write_u64(&mut self, sum: u64) {
        self.0 = sum.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl CheapProvider {
    /// Remembers a chunk that its maker has hashed, so that others need not.
    pub fn knows(&self, reference: Reference, chunk: &[u8]) {
        let sum = checksum(chunk, 0);
        lock(&self.chunks).insert(reference, sum);
    }

    /// Forgets what nobody keeps any more.
    pub fn tidy(&self) {
        lock(&self.kept).retain(|_, alike| {
            alike.retain(|one| Arc::strong_count(one) > 1);
            !alike.is_empty()
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A sum that any change alters; against chance, not against malice.
fn checksum(bytes: &[u8], seed: u64) -> u64 {
    let mut sum = seed ^ 0x9e37_79b9_7f4a_7c15;
    let mut words = bytes.chunks_exact(8);
    for bytes in &mut words {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        let word = u64::from_le_bytes(word);
        sum = (sum ^ word)
            .wrapping_mul(0xff51_afd7_ed55_8ccd)
            .rotate_left(31);
    }
    for &byte in words.remainder() {
        sum = (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    sum ^ sum >> 29
}

/// Under which sum what is kept is found: what is signed differs in its signature, with which it ends.
fn named(bytes: &[u8]) -> u64 {
    checksum(bytes.last_chunk::<32>().map_or(bytes, |end| end), 3)
}

/// A tag over bytes at a place in a sequence of messages under one name.
fn tag(name: u64, count: u64, bytes: &[u8]) -> [u8; TAG] {
    let mut out = [0; TAG];
    out[..8].copy_from_slice(&checksum(bytes, name ^ count.rotate_left(40)).to_be_bytes());
    out[8..].copy_from_slice(&count.to_be_bytes());
    out
}

impl Provider for CheapProvider {
    fn open(
        &self,
        to: &OnionPublic,
        network: &NetworkId,
        request: &[u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Opening>, Vec<u8>), SessionError> {
        let name = rng.next_u64();
        let mut msg = Vec::with_capacity(HEAD + request.len());
        msg.extend_from_slice(&mixed(to, network));
        msg.extend_from_slice(&name.to_be_bytes());
        msg.extend_from_slice(&checksum(request, name).to_be_bytes());
        msg.extend_from_slice(request);
        Ok((Box::new(Half(name)), msg))
    }

    fn accept(
        &self,
        keys: &[&OnionKey],
        network: &NetworkId,
        msg1: &[u8],
        _rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Accepting>, Vec<u8>), SessionError> {
        let (head, request) = msg1.split_at_checked(HEAD).ok_or(SessionError::NotForUs)?;
        let ours = keys
            .iter()
            .any(|key| mixed(&key.public(), network) == head[..32]);
        let name = word(&head[32..]);
        if !ours || checksum(request, name) != word(&head[40..]) {
            return Err(SessionError::NotForUs);
        }
        Ok((Box::new(Half(name)), request.to_vec()))
    }

    fn verify(
        &self,
        by: &IdentityPublic,
        label: Label,
        parts: &[&[u8]],
        signature: &Signature,
    ) -> bool {
        let mut sum = checksum(&by.0, 1);
        sum = parts.iter().fold(sum, |sum, part| checksum(part, sum));
        let key = checksum(&signature.0, sum);
        if let Some((same, known)) = lock(&self.signatures).get(&key)
            && *same == signature.0
        {
            return *known;
        }
        let genuine = by.verify(label, parts, signature);
        let mut all = lock(&self.signatures);
        if all.len() >= SIGNATURES_MAX {
            all.clear();
        }
        all.insert(key, (signature.0, genuine));
        genuine
    }

    fn keep(&self, bytes: &[u8], reckoned: &[u8]) -> Arc<[u8]> {
        if let Some(same) = self.kept(bytes) {
            return same;
        }
        let fresh: Arc<[u8]> = [bytes, reckoned].concat().into();
        let mut all = lock(&self.kept);
        let alike = all.entry(named(bytes)).or_default();
        alike.push(Arc::clone(&fresh));
        fresh
    }

    fn kept(&self, bytes: &[u8]) -> Option<Arc<[u8]>> {
        let all = lock(&self.kept);
        let mut alike = all.get(&named(bytes))?.iter();
        let same = alike.find(|kept| kept.get(..bytes.len()) == Some(bytes));
        same.cloned()
    }

    fn chunk_matches(&self, refs: &[Reference], chunks: &[&[u8]]) -> Vec<bool> {
        let known = lock(&self.chunks);
        let sums: Option<Vec<u64>> = refs
            .iter()
            .map(|reference| known.get(reference).copied())
            .collect();
        drop(known);
        match sums {
            Some(sums) => sums
                .iter()
                .zip(chunks)
                .map(|(sum, chunk)| checksum(chunk, 0) == *sum)
                .collect(),
            None => eris::verify(refs, chunks),
        }
    }

    fn create(
        &self,
        path: &[Hop],
        _network: &NetworkId,
        minute: u32,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Box<dyn Building>, Vec<u8>), CircuitError> {
        if path.is_empty() || path.len() > HOPS_MAX {
            return Err(CircuitError::WrongPath);
        }
        let name = rng.next_u64();
        let mut body = vec![0; CREATE_LEN];
        for (at, (hop, header)) in path.iter().zip(body.chunks_mut(CREATE_HEADER)).enumerate() {
            header[..32].copy_from_slice(&hop.onion.0);
            if let Some(next) = path.get(at + 1) {
                header[32] = 1;
                header[33..65].copy_from_slice(next.node.as_bytes());
            }
            header[65..69].copy_from_slice(&minute.to_be_bytes());
            header[69..77].copy_from_slice(&name.to_be_bytes());
            header[77] = u8::try_from(at).unwrap_or(u8::MAX);
        }
        Ok((Box::new(Half(name)), body))
    }

    fn accept_circuit(
        &self,
        keys: &[&OnionKey],
        _network: &NetworkId,
        body: &[u8],
        _rng: &mut dyn CryptoRngCore,
    ) -> Result<AcceptedCircuit, CircuitError> {
        let (header, rest) = body
            .split_at_checked(CREATE_HEADER)
            .filter(|_| body.len() == CREATE_LEN)
            .ok_or(CircuitError::Size)?;
        if !keys.iter().any(|key| key.public().0 == header[..32]) {
            return Err(CircuitError::NotForUs);
        }
        let name = word(&header[69..]);
        let next = (header[32] == 1).then(|| {
            let mut node = [0; 32];
            node.copy_from_slice(&header[33..65]);
            let mut next = rest.to_vec();
            next.resize(CREATE_LEN, 0);
            (NodeId(node), next)
        });
        let minute = u32::from_be_bytes([header[65], header[66], header[67], header[68]]);
        Ok(AcceptedCircuit {
            next,
            minute,
            digest: checksum(header, 2),
            relay: Box::new(Layers::new(name)),
        })
    }
}

/// What a session's first message is marked with: a responder knows that it is meant.
fn mixed(to: &OnionPublic, network: &NetworkId) -> [u8; 32] {
    let mut out = to.0;
    for (byte, salt) in out.iter_mut().zip(network.as_bytes()) {
        *byte ^= salt;
    }
    out
}

fn word(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .fold(0, |all, &byte| all << 8 | u64::from(byte))
}

/// One side of a session or circuit that is not complete yet: its name.
struct Half(u64);

impl Opening for Half {
    fn finish(self: Box<Self>, msg2: &[u8]) -> Result<(Box<dyn Session>, Vec<u8>), SessionError> {
        let (head, payload) = msg2
            .split_at_checked(HEAD)
            .ok_or(SessionError::Unauthenticated)?;
        if word(head) != self.0 || word(&head[8..]) != checksum(payload, self.0) {
            return Err(SessionError::Unauthenticated);
        }
        Ok((Box::new(Counted::new(self.0, true)), payload.to_vec()))
    }
}

impl Accepting for Half {
    fn reply(self: Box<Self>, payload: &[u8]) -> Result<(Box<dyn Session>, Vec<u8>), SessionError> {
        let mut msg = vec![0; HEAD];
        msg[..8].copy_from_slice(&self.0.to_be_bytes());
        msg[8..16].copy_from_slice(&checksum(payload, self.0).to_be_bytes());
        msg.extend_from_slice(payload);
        Ok((Box::new(Counted::new(self.0, false)), msg))
    }
}

/// A session: messages are numbered in each direction.
struct Counted {
    names: (u64, u64),
    sent: u64,
    opened: u64,
}

impl Counted {
    const fn new(name: u64, client: bool) -> Self {
        let names = if client { (name, !name) } else { (!name, name) };
        Self {
            names,
            sent: 0,
            opened: 0,
        }
    }
}

impl Session for Counted {
    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        out.extend_from_slice(plain);
        out.extend_from_slice(&tag(self.names.0, self.sent, plain));
        self.sent += 1;
        Ok(())
    }

    fn open(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        let length = message
            .len()
            .checked_sub(TAG)
            .ok_or(SessionError::Unauthenticated)?;
        let (plain, found) = message.split_at(length);
        if found != tag(self.names.1, self.opened, plain) {
            return Err(SessionError::Unauthenticated);
        }
        self.opened += 1;
        out.extend_from_slice(plain);
        Ok(())
    }
}

impl Building for Half {
    fn finish(self: Box<Self>, created: &[u8]) -> Result<Box<dyn ClientLayers>, CircuitError> {
        if created != answer(self.0) {
            return Err(CircuitError::Unauthenticated);
        }
        Ok(Box::new(Layers::new(self.0)))
    }
}

fn answer(name: u64) -> [u8; CREATED_LEN] {
    let mut out = [0; CREATED_LEN];
    out[..8].copy_from_slice(&name.to_be_bytes());
    out
}

/// A circuit's layers at any of its places: cells are numbered in each direction and carry a sum that all check.
struct Layers {
    name: u64,
    forward: u64,
    backward: u64,
}

impl Layers {
    const fn new(name: u64) -> Self {
        Self {
            name,
            forward: 0,
            backward: 0,
        }
    }

    fn write(
        &mut self,
        payload: &[u8],
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CircuitError> {
        if payload.len() > room {
            return Err(CircuitError::Size);
        }
        let start = out.len();
        out.extend_from_slice(payload);
        out.resize(start + CELL_LEN - TAG, 0);
        let (name, count) = if room == FORWARD_PAYLOAD {
            (self.name, &mut self.forward)
        } else {
            (!self.name, &mut self.backward)
        };
        let tag = tag(name, *count, &out[start..]);
        *count += 1;
        out.extend_from_slice(&tag);
        Ok(())
    }

    fn check(name: u64, count: &mut u64, cell: &[u8]) -> Result<(), CircuitError> {
        if cell.len() != CELL_LEN {
            return Err(CircuitError::Size);
        }
        let (body, found) = cell.split_at(CELL_LEN - TAG);
        if found != tag(name, *count, body) {
            return Err(CircuitError::Unauthenticated);
        }
        *count += 1;
        Ok(())
    }
}

impl ClientLayers for Layers {
    fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError> {
        self.write(payload, FORWARD_PAYLOAD, out)
    }

    fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError> {
        Self::check(!self.name, &mut self.backward, cell)?;
        Ok(&cell[..BACKWARD_PAYLOAD])
    }
}

impl RelayLayers for Layers {
    fn created(
        &mut self,
        from_next: Option<&[u8]>,
        _rng: &mut dyn CryptoRngCore,
    ) -> Result<Vec<u8>, CircuitError> {
        match from_next {
            Some(body) if body.len() != CREATED_LEN => Err(CircuitError::Size),
            Some(body) => Ok(body.to_vec()),
            None => Ok(answer(self.name).to_vec()),
        }
    }

    fn peel(&mut self, cell: &mut [u8]) -> Result<(), CircuitError> {
        Self::check(self.name, &mut self.forward, cell)
    }

    fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError> {
        Self::check(self.name, &mut self.forward, cell)?;
        Ok(&cell[..FORWARD_PAYLOAD])
    }

    /// Backward nothing is checked on the way, as in the real thing: only the client sees the end-to-end tag.
    fn wrap(&mut self, cell: &mut [u8]) -> Result<(), CircuitError> {
        if cell.len() == CELL_LEN {
            Ok(())
        } else {
            Err(CircuitError::Size)
        }
    }

    fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError> {
        self.write(payload, BACKWARD_PAYLOAD, out)
    }
}

/// A shared handle, as nodes want it.
#[must_use]
pub fn shared() -> Arc<CheapProvider> {
    Arc::new(CheapProvider::default())
}
