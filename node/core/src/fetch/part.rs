//! One part being fetched: what is missing, whom it was asked of, what has arrived.

use oboro_crypto::ids::{Location, NodeId};
use oboro_crypto::provider::Provider;

use super::sources::Candidate;
use super::tree::Part;
use crate::ids::ExchangeId;
use crate::losses::Losses;
use crate::time::Time;

/// How many chunks are hashed together.
const TOGETHER: usize = 4;

/// A request that has been made and not settled.
pub(super) struct Asked {
    pub(super) exchange: ExchangeId,
    pub(super) node: NodeId,
    /// By which of the job's ways.
    pub(super) lane: u32,
    /// Chunks it says will come and that have not.
    expecting: u32,
    batch: Vec<(u8, Vec<u8>)>,
}

/// What a chunk led to.
pub(super) enum Arrival {
    /// Not enough to verify yet.
    Pending,
    /// These have been verified.
    Verified(Vec<(u8, Vec<u8>)>),
    /// Something wrong was sent.
    Wrong,
}

/// A part being fetched.
pub(super) struct Active {
    pub(super) part: Part,
    /// Whether it is of the parity instead of the file.
    pub(super) parity: bool,
    pub(super) candidates: Vec<Candidate>,
    pub(super) tried: Vec<(NodeId, Location)>,
    pub(super) rounds: u32,
    /// Circuits that failed under it, one after another.
    pub(super) lost: Losses,
    pub(super) wait_until: Option<Time>,
    pub(super) asked: Option<Asked>,
    /// Chunks not yet verified.
    pub(super) missing: u32,
    /// Verified blocks of nodes and of parity; leaves of the file go straight to the sink.
    pub(super) blocks: Vec<Vec<u8>>,
}

impl Active {
    pub(super) fn new(part: Part, parity: bool) -> Self {
        let count = part.pairs.len();
        Self {
            missing: part.wanted,
            blocks: if part.level == 0 && !parity {
                Vec::new()
            } else {
                vec![Vec::new(); count]
            },
            parity,
            candidates: Vec::new(),
            tried: Vec::new(),
            rounds: 0,
            lost: Losses::default(),
            wait_until: None,
            asked: None,
            part,
        }
    }

    pub(super) fn ask(&mut self, exchange: ExchangeId, candidate: Candidate, lane: u32) {
        self.tried.push((candidate.node, candidate.location));
        let node = candidate.node;
        self.asked = Some(Asked {
            exchange,
            node,
            lane,
            expecting: 0,
            batch: Vec::new(),
        });
    }

    /// The storer says what will come. False if that is not among what was asked for.
    pub(super) const fn will_have(&mut self, mask: u32) -> bool {
        let missing = self.missing;
        match &mut self.asked {
            Some(asked) if asked.expecting == 0 && mask & !missing == 0 => {
                asked.expecting = mask;
                true
            }
            _ => false,
        }
    }

    /// A chunk arrives.
    pub(super) fn arrived(&mut self, index: u8, body: Vec<u8>, provider: &dyn Provider) -> Arrival {
        let Some(asked) = &mut self.asked else {
            return Arrival::Wrong;
        };
        let bit = 1u32.checked_shl(u32::from(index)).unwrap_or(0);
        if asked.expecting & bit == 0 {
            return Arrival::Wrong;
        }
        asked.expecting &= !bit;
        asked.batch.push((index, body));
        if asked.batch.len() < TOGETHER && asked.expecting != 0 {
            return Arrival::Pending;
        }
        let batch = std::mem::take(&mut asked.batch);
        let pairs = &self.part.pairs;
        let references: Vec<_> = batch
            .iter()
            .filter_map(|(index, _)| pairs.get(usize::from(*index)).map(|pair| pair.reference))
            .collect();
        let bodies: Vec<&[u8]> = batch.iter().map(|(_, body)| body.as_slice()).collect();
        if references.len() != bodies.len()
            || provider
                .chunk_matches(&references, &bodies)
                .contains(&false)
        {
            return Arrival::Wrong;
        }
        batch
            .iter()
            .for_each(|(index, _)| self.missing &= !(1 << index));
        Arrival::Verified(batch)
    }

    /// Whether the present request has brought all it promised.
    pub(super) fn is_settled(&self) -> bool {
        self.asked
            .as_ref()
            .is_some_and(|asked| asked.expecting == 0)
    }
}
