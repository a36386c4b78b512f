//! Whom this node's own jobs never ask, and what they say when no circuit carries them.

use oboro_crypto::ids::NodeId;

use super::Peers;
use crate::failure::Failure;

/// How circuits stand, as far as it matters to those who choose whom to ask.
#[derive(Clone, Copy, Default)]
pub(crate) struct Guarding {
    /// The guard in use.
    pub(crate) guard: Option<NodeId>,
    /// Seconds until a standby stands in for it, if it is away.
    pub(crate) wait: Option<u32>,
    /// Relays on a path of this network.
    pub(crate) hops: u8,
    /// How many more nodes must be known for such a path.
    pub(crate) missing: u32,
}

/// Whom a node's own jobs never ask.
#[derive(Clone, Copy)]
pub(crate) struct Unasked {
    pub(crate) own: NodeId,
    pub(crate) guard: Option<NodeId>,
}

impl Unasked {
    pub(crate) fn has(&self, node: &NodeId) -> bool {
        *node == self.own || self.guard.as_ref() == Some(node)
    }
}

impl Peers {
    /// Says how circuits stand: their guard is never asked for anything else, for it knows who asks.
    pub(crate) fn set_circuits(&mut self, circuits: Guarding) {
        self.guarding = circuits;
    }

    /// Why nobody was reached by a job over so many hops, of which so many requests were lost with their circuits.
    pub(crate) const fn no_route(&self, hops: u8, lost: u32) -> Failure {
        let Guarding { missing, wait, .. } = self.guarding;
        match wait {
            _ if missing > 0 && hops == self.guarding.hops => {
                Failure::TooFewRelays { missing, hops }
            }
            Some(wait_secs) => Failure::GuardAway { wait_secs },
            None if lost > 0 => Failure::NoCircuit { tried: lost },
            None => Failure::NoRoute,
        }
    }

    /// Whom this node's own jobs never ask: itself, and the guard.
    pub(crate) const fn unasked(&self) -> Unasked {
        Unasked {
            own: self.own_id,
            guard: self.guarding.guard,
        }
    }
}
