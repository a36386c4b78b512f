//! What colluders together could know: each writes down what passes, and all are read at the end.

use std::collections::BTreeMap;

use oboro_core::action::StoreRequest;
use oboro_crypto::ids::Location;

use super::World;
use super::work::Job;
use crate::report::Linkage;
use crate::scenario::Kind;

/// One job as it could be seen: which extents were asked of which storers, and what of it is linked.
#[derive(Default)]
struct Traced {
    guard_colludes: bool,
    end_colludes: bool,
    /// By storer and placement: whether client and content are known to colluders.
    objects: BTreeMap<(usize, [u8; 32]), bool>,
}

/// Everything seen so far.
#[derive(Default)]
pub(super) struct Seen {
    jobs: BTreeMap<(usize, usize, u64), Traced>,
    /// Clients by whether their guard colludes, as last seen.
    guards: BTreeMap<usize, bool>,
}

impl World {
    /// A storer is asked for something, by whoever is at the other end of the link the question came over: an exit.
    pub(super) fn seen_asking(&mut self, storer: usize, request: &StoreRequest) {
        let location = match request {
            StoreRequest::Extent(location) | StoreRequest::PutExtent { location, .. } => *location,
            _ => return,
        };
        let mut kinds = self.scenario.hostile.iter().map(|hostile| hostile.kind);
        if !kinds.any(|kind| kind == Kind::Colluder) {
            return;
        }
        let Some(exit) = self.over.and_then(|link| Some(self.links.get(link)?.other)) else {
            return;
        };
        let Some(file) = self.file_of(&location, request) else {
            return;
        };
        let Some((client, job)) = self.whose(file) else {
            return;
        };
        let colludes = |index: usize| self.machines[index].kind == Some(Kind::Colluder);
        let machine = &self.machines[client];
        let clock = machine.clock(self.now);
        let standing = machine
            .node
            .as_ref()
            .and_then(|node| node.standing(clock).guard);
        let Some(guard) = standing.and_then(|guard| self.by_id.get(&guard.node).copied()) else {
            return;
        };
        let (guard, exit, holder) = (colludes(guard), colludes(exit), colludes(storer));
        self.seen.guards.insert(client, guard);
        let traced = self.seen.jobs.entry((client, file, job)).or_default();
        traced.guard_colludes |= guard;
        traced.end_colludes |= exit || holder;
        let known = traced.objects.entry((storer, location.0)).or_default();
        *known |= guard && holder;
    }

    /// The honest client whose job this is: only if there is no doubt, for it is the truth that colluders are measured
    /// by.
    fn whose(&self, file: usize) -> Option<(usize, u64)> {
        let wanted = |job: &Job| match job {
            Job::Publish { file: number, .. } | Job::Fetch { file: number, .. } => *number == file,
            Job::Search { .. } | Job::Rubbish { .. } => false,
        };
        let mut whose = self.busy.iter().filter_map(|&index| {
            let machine = &self.machines[index];
            let (id, _) = machine.jobs.iter().find(|(_, job)| wanted(job))?;
            Some((index, id.0))
        });
        let first = whose.next()?;
        let alone = whose.next().is_none();
        (alone && self.machines[first.0].kind.is_none()).then_some(first)
    }

    fn file_of(&self, location: &Location, request: &StoreRequest) -> Option<usize> {
        match request {
            StoreRequest::PutExtent { references, .. } => self.oracle.file_of(references.first()?),
            _ => self.oracle.file_at(location),
        }
    }
}

impl Seen {
    /// Every object with its storer, and whether it is linked.
    pub(super) fn objects(&self) -> impl Iterator<Item = (usize, bool)> + '_ {
        let all = self.jobs.values().flat_map(|traced| &traced.objects);
        all.map(|((storer, _), linked)| (*storer, *linked))
    }

    /// Every job: whether it is linked, and whether a storer or exit of it was seen.
    pub(super) fn files(&self) -> impl Iterator<Item = (bool, bool)> + '_ {
        self.jobs.values().map(|traced| {
            let linked = traced.guard_colludes && traced.end_colludes;
            (linked, traced.end_colludes)
        })
    }

    /// Clients whose guard colludes.
    pub(super) fn guarded(&self) -> usize {
        self.guards.values().filter(|&&colludes| colludes).count()
    }

    /// Jobs whose guard colludes: those that are linked, and all.
    pub(super) fn behind_guards(&self) -> (usize, usize) {
        let guarded = || self.jobs.values().filter(|traced| traced.guard_colludes);
        let linked = guarded().filter(|traced| traced.end_colludes);
        (linked.count(), guarded().count())
    }

    /// What they could link; nothing if nothing was seen.
    pub(super) fn report(&self) -> Option<Linkage> {
        if self.jobs.is_empty() {
            return None;
        }
        let share = |part: usize, whole: usize| {
            (part as f64 / whole.max(1) as f64 * 10_000.0).round() / 10_000.0
        };
        let objects: Vec<bool> = self
            .jobs
            .values()
            .flat_map(|traced| traced.objects.values().copied())
            .collect();
        let linked = self
            .jobs
            .values()
            .filter(|traced| traced.guard_colludes && traced.end_colludes);
        let guarded = self.guards.values().filter(|&&colludes| colludes).count();
        let known = objects.iter().filter(|&&known| known).count();
        Some(Linkage {
            objects: objects.len() as u64,
            object: share(known, objects.len()),
            jobs: self.jobs.len() as u64,
            job: share(linked.count(), self.jobs.len()),
            guarded: share(guarded, self.guards.len()),
        })
    }
}
