//! Newcomers: ids that are in the view and not checked yet, and who brought them. To claim an id is free, so whoever
//! brings many must have brought good ones before, and whoever brought a false one brings nobody for a while.
//!
//! Pure: what is said and checked is said and checked elsewhere ([`super::ids`], [`super::news`]).

use std::collections::BTreeMap;
use std::ops::Bound;

use oboro_crypto::ids::{LinkPublic, NodeId};

use crate::limits::{NEWCOMERS_FREE, NEWCOMERS_PER_GOOD, STRUCK_FOR, STRUCK_MAX};
use crate::time::Time;

/// One that is not checked.
#[derive(Clone, Copy)]
struct Newcomer {
    by: LinkPublic,
    /// Its place in the order of all.
    number: u64,
}

/// A link peer that told of nodes.
#[derive(Default)]
struct Introducer {
    /// How many it brought that proved good.
    good: usize,
    /// Those that are not checked, in the order they came in.
    open: BTreeMap<u64, NodeId>,
    /// Of `open` all before this are being checked, or have been and nothing came of it.
    begun: u64,
    /// How many were asked of it that have not come.
    asked: usize,
    /// Whether it has more than there was room for.
    has_more: bool,
}

impl Introducer {
    const fn allowance(&self) -> usize {
        NEWCOMERS_FREE.saturating_add(self.good.saturating_mul(NEWCOMERS_PER_GOOD))
    }

    fn unbegun(&self) -> Option<(u64, NodeId)> {
        let mut left = self.open.range(self.begun..);
        left.next().map(|(&number, &id)| (number, id))
    }
}

/// All newcomers of a view. There are as many introducers as links, at the most.
#[derive(Default)]
pub(super) struct Newcomers {
    all: BTreeMap<NodeId, Newcomer>,
    introducers: BTreeMap<LinkPublic, Introducer>,
    /// Who brought a false one, and until when it brings nobody.
    struck: BTreeMap<LinkPublic, Time>,
    count: u64,
    /// Whose newcomers were checked last, of all and of those who brought good ones before.
    turns: [Option<LinkPublic>; 2],
    proven_next: bool,
}

impl Newcomers {
    pub(super) fn has(&self, id: &NodeId) -> bool {
        self.all.contains_key(id)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Who brought a newcomer.
    pub(super) fn introducer(&self, id: &NodeId) -> Option<LinkPublic> {
        self.all.get(id).map(|newcomer| newcomer.by)
    }

    /// Whether a link key may bring nobody now.
    pub(super) fn is_struck(&self, by: &LinkPublic, now: Time) -> bool {
        self.struck.get(by).is_some_and(|&until| now < until)
    }

    /// How many more a link peer may bring now.
    pub(super) fn room(&self, by: &LinkPublic, now: Time) -> usize {
        if self.is_struck(by, now) {
            return 0;
        }
        let introducer = self.introducers.get(by);
        introducer.map_or(NEWCOMERS_FREE, |introducer| {
            introducer.allowance().saturating_sub(introducer.open.len())
        })
    }

    /// How many more may be asked of it: those that were asked for may come.
    pub(super) fn wish(&self, by: &LinkPublic, now: Time) -> usize {
        let asked = self.introducers.get(by).map_or(0, |one| one.asked);
        self.room(by, now).saturating_sub(asked)
    }

    /// So many are asked of it.
    pub(super) fn asks(&mut self, by: &LinkPublic, count: usize) {
        let introducer = self.introducers.entry(*by).or_default();
        introducer.asked = introducer.asked.saturating_add(count);
    }

    /// Something came of it that may have been asked for.
    pub(super) fn came(&mut self, by: &LinkPublic) {
        if let Some(introducer) = self.introducers.get_mut(by) {
            introducer.asked = introducer.asked.saturating_sub(1);
        }
    }

    /// There was no room for what it has.
    pub(super) fn has_more(&mut self, by: &LinkPublic) {
        self.introducers.entry(*by).or_default().has_more = true;
    }

    /// Views are compared with it now: what did not come so far need not be waited for.
    pub(super) fn compares(&mut self, by: &LinkPublic) {
        if let Some(introducer) = self.introducers.get_mut(by) {
            (introducer.asked, introducer.has_more) = (0, false);
        }
    }

    /// Whose views should be compared with again, for they have more and half of what they may bring is room.
    pub(super) fn generous(&self, now: Time) -> Vec<LinkPublic> {
        let all = self.introducers.iter().filter(|(by, introducer)| {
            introducer.has_more
                && introducer.open.len() <= introducer.allowance() / 2
                && !self.is_struck(by, now)
        });
        all.map(|(by, _)| *by).collect()
    }

    pub(super) fn add(&mut self, id: NodeId, by: LinkPublic) {
        self.forget(&id);
        let number = self.count;
        self.count += 1;
        self.all.insert(id, Newcomer { by, number });
        let introducer = self.introducers.entry(by).or_default();
        introducer.open.insert(number, id);
    }

    /// One is no newcomer any more, or is gone. Who brought it.
    pub(super) fn forget(&mut self, id: &NodeId) -> Option<LinkPublic> {
        let Newcomer { by, number } = self.all.remove(id)?;
        if let Some(introducer) = self.introducers.get_mut(&by) {
            introducer.open.remove(&number);
        }
        Some(by)
    }

    /// One proved good. Who brought it.
    pub(super) fn proved(&mut self, id: &NodeId) -> Option<LinkPublic> {
        let by = self.forget(id)?;
        if let Some(introducer) = self.introducers.get_mut(&by) {
            introducer.good = introducer.good.saturating_add(1);
        }
        Some(by)
    }

    /// Nothing came of a check: it waits behind all others of its introducer. False if that one is gone, so that nobody
    /// will check it again.
    pub(super) fn again(&mut self, id: &NodeId) -> bool {
        let Some(&Newcomer { by, .. }) = self.all.get(id) else {
            return true;
        };
        let waits = self.introducers.contains_key(&by);
        if waits {
            self.add(*id, by);
        }
        waits
    }

    /// The next to be checked. Introducers have their turns, those who brought good ones every other one: whoever comes
    /// with ever new link keys must not take all checks.
    pub(super) fn next(&mut self) -> Option<NodeId> {
        self.proven_next = !self.proven_next;
        let first = usize::from(self.proven_next);
        self.turn(first).or_else(|| self.turn(1 - first))
    }

    /// The next of all (0) or of those who brought good ones (1).
    fn turn(&mut self, proven: usize) -> Option<NodeId> {
        let after = self.turns[proven].map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.introducers.range((after, Bound::Unbounded));
        let found = later
            .chain(self.introducers.iter())
            .filter(|(_, introducer)| proven == 0 || introducer.good > 0)
            .find_map(|(by, introducer)| Some((*by, introducer.unbegun()?)));
        let (by, (number, id)) = found?;
        self.turns[proven] = Some(by);
        self.introducers.entry(by).or_default().begun = number + 1;
        Some(id)
    }

    /// A link peer is gone: what it did is forgotten. Who it brought and nobody has checked.
    pub(super) fn gone(&mut self, by: &LinkPublic) -> Vec<NodeId> {
        let introducer = self.introducers.remove(by);
        introducer.map_or(Vec::new(), |introducer| {
            introducer.open.into_values().collect()
        })
    }

    /// A link peer brought a false one: it brings nobody for a while. Who it brought and nobody has checked.
    pub(super) fn strike(&mut self, by: &LinkPublic, now: Time) -> Vec<NodeId> {
        self.introducers.remove(by);
        self.struck.retain(|_, until| now < *until);
        if self.struck.len() >= STRUCK_MAX
            && let Some(oldest) = self.struck.iter().min_by_key(|(_, until)| **until)
        {
            let oldest = *oldest.0;
            self.struck.remove(&oldest);
        }
        self.struck.insert(*by, now + STRUCK_FOR);
        let all = self.all.iter().filter(|(_, newcomer)| newcomer.by == *by);
        all.map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
