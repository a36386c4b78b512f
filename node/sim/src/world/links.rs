//! Links between nodes of the world: reliable, in order, with credit for whoever sends.

use std::collections::HashMap;

use oboro_core::Time;
use oboro_core::ids::LinkId;

use crate::cheap::Sums;

/// Records a shell takes before some have gone.
pub(super) const CREDIT: u32 = 128;
/// Credit is given back in steps of so many, to have fewer events.
pub(super) const CREDIT_STEP: u32 = 32;

/// One end of a link.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) machine: usize,
    /// Whether this side dialled.
    pub(super) dialed: bool,
    pub(super) life: u32,
    pub(super) other: usize,
    pub(super) other_link: LinkId,
    pub(super) since: Time,
    /// When the last that was sent from here arrives: nothing overtakes it.
    pub(super) last: Time,
    /// Records sent for which no credit was given back yet.
    pub(super) owed: u32,
}

/// All ends.
#[derive(Default)]
pub(super) struct Links {
    /// By name; only looked up in, never walked through.
    ends: HashMap<u64, End, Sums>,
    names: u64,
}

impl Links {
    /// A link between two nodes, with their lives.
    pub(super) fn join(&mut self, a: (usize, u32), b: (usize, u32), now: Time) -> (LinkId, LinkId) {
        let (one, two) = (self.name(), self.name());
        let end = |(machine, life): (usize, u32), other, other_link: LinkId| End {
            machine,
            // Links are joined by the side that dials: it is named first.
            dialed: other_link == two,
            life,
            other,
            other_link,
            since: now,
            last: now,
            owed: 0,
        };
        self.ends.insert(one.0, end(a, b.0, two));
        self.ends.insert(two.0, end(b, a.0, one));
        (one, two)
    }

    /// A name that no other end has.
    pub(super) fn name(&mut self) -> LinkId {
        self.names += 1;
        LinkId(self.names)
    }

    pub(super) fn get(&mut self, link: LinkId) -> Option<&mut End> {
        self.ends.get_mut(&link.0)
    }

    /// This end is over; the other is told by whoever asks for it.
    pub(super) fn remove(&mut self, link: LinkId) -> Option<End> {
        self.ends.remove(&link.0)
    }
}
