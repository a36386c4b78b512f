//! One thing that one node should have.

use std::sync::Arc;

use oboro_crypto::ids::{Location, NodeId, Reference};

use super::memory::Sight;
use crate::placement::{holders, sharers};
use crate::serve::put::all_of;
use crate::time::Time;

/// Something that is kept here.
pub(super) enum Thing {
    Extent {
        /// Where it lies here.
        here: Location,
        references: Vec<Reference>,
        /// Of all its placements.
        locations: Vec<Location>,
    },
    Entries {
        location: Location,
        tally: u64,
    },
}

/// Why a node should have it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The placement that is here belongs there.
    Handover,
    /// Each placement is looked after by the holder of the one before it.
    Repair,
    /// Entries are kept by several nodes of one location.
    Share,
}

pub(super) enum State {
    /// Its node is to be found and asked, not before this.
    Due(Time),
    /// This node is being asked.
    Asked,
    /// This node does not have it.
    Missing(NodeId),
    /// It is on its way.
    Sent,
}

pub(super) struct Want {
    pub(super) thing: Arc<Thing>,
    /// The number of the placement; of entries the number of the node, counted from the nearest.
    pub(super) number: u8,
    pub(super) why: Why,
    pub(super) state: State,
    pub(super) tried: Vec<NodeId>,
    pub(super) tries: u32,
}

impl Want {
    /// Due at once.
    pub(super) fn new(thing: &Arc<Thing>, number: u8, why: Why) -> Self {
        Self {
            thing: Arc::clone(thing),
            number,
            why,
            state: State::Due(Time::default()),
            tried: Vec::new(),
            tries: 0,
        }
    }

    /// Where the node should have it.
    pub(super) fn location(&self) -> Location {
        match &*self.thing {
            Thing::Extent {
                here, locations, ..
            } => *locations.get(usize::from(self.number)).unwrap_or(here),
            Thing::Entries { location, .. } => *location,
        }
    }

    /// What is remembered of a node that has it. Other entries at the same location are something else.
    pub(super) fn key(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.location().0;
        let place = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        match &*self.thing {
            Thing::Extent { .. } => place,
            Thing::Entries { tally, .. } => place ^ tally,
        }
    }

    /// Which node should have it now; none if that is this one, or nobody.
    pub(super) fn target(&self, sight: &Sight<'_>, own: &NodeId) -> Option<NodeId> {
        let target = match &*self.thing {
            Thing::Extent { locations, .. } => {
                let number = usize::from(self.number);
                let without = |node: &NodeId| self.tried.contains(node);
                let all = holders(sight, locations.get(..=number)?, &without);
                all.last().copied().flatten()
            }
            Thing::Entries { location, .. } => {
                let all = sharers(sight, own, location);
                all.get(usize::from(self.number)).copied()
            }
        };
        target.filter(|node| node != own && !self.tried.contains(node))
    }

    /// Whether a node with this tally for the location has it.
    pub(super) fn is_met_by(&self, told: u64) -> bool {
        match &*self.thing {
            Thing::Extent { references, .. } => told == u64::from(all_of(references.len())),
            Thing::Entries { tally, .. } => told == *tally,
        }
    }
}
