//! Searching: all words asked at once, intersected and ranked here, never by anybody else (DESIGN 8).

mod job;
mod rank;

use std::collections::BTreeMap;
use std::time::Duration;

use oboro_crypto::network::Network;

use self::job::SearchJob;
use crate::effect::Ctx;
use crate::event::Computed;
use crate::exchange::Answer;
use crate::failure::Failure;
use crate::ids::JobId;
use crate::limits::JOBS_MAX;
use crate::peers::Peers;
use crate::report::Report;
use crate::time::Time;

/// All searches under way.
pub(crate) struct Searches {
    network: Network,
    jobs: BTreeMap<JobId, SearchJob>,
}

impl Searches {
    pub(crate) const fn new(network: Network) -> Self {
        Self {
            network,
            jobs: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn has(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    pub(crate) fn begin(
        &mut self,
        job: JobId,
        words: &[String],
        patience: Duration,
        peers: &Peers,
        ctx: &mut Ctx<'_>,
    ) {
        if self.jobs.len() >= JOBS_MAX {
            ctx.report(job, Report::Failed(Failure::Busy));
            return;
        }
        if !peers.knows_others() {
            ctx.report(job, Report::Failed(Failure::NotJoined));
            return;
        }
        match SearchJob::begin(job, words, ctx.now + patience, ctx) {
            Ok(search) => {
                self.jobs.insert(job, search);
            }
            Err(failure) => ctx.report(job, Report::Failed(failure)),
        }
    }

    pub(crate) fn answered(
        &mut self,
        job: JobId,
        slot: u64,
        answer: Answer,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(search) = self.jobs.get_mut(&job) {
            search.answered(slot, answer, &self.network, peers, ctx);
        }
        self.close_if_over(job, peers, ctx);
    }

    pub(crate) fn computed(
        &mut self,
        job: JobId,
        slot: u64,
        outcome: Computed,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(search) = self.jobs.get_mut(&job) {
            search.computed(slot, outcome, &self.network, peers, ctx);
        }
        self.close_if_over(job, peers, ctx);
    }

    pub(crate) fn cancel(&mut self, job: JobId, ctx: &mut Ctx<'_>) -> bool {
        let Some(mut search) = self.jobs.remove(&job) else {
            return false;
        };
        search.stop(ctx);
        ctx.report(job, Report::Failed(Failure::Cancelled));
        true
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.jobs.values().map(SearchJob::until).min()
    }

    pub(crate) fn tick(&mut self, peers: &Peers, ctx: &mut Ctx<'_>) {
        for job in self.jobs.keys().copied().collect::<Vec<_>>() {
            self.close_if_over(job, peers, ctx);
        }
    }

    fn close_if_over(&mut self, job: JobId, peers: &Peers, ctx: &mut Ctx<'_>) {
        if self
            .jobs
            .get(&job)
            .is_some_and(|search| search.is_over(ctx.now))
            && let Some(mut search) = self.jobs.remove(&job)
        {
            search.finish(peers, ctx);
        }
    }
}
