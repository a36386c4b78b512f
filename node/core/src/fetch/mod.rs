//! Fetching: from a read capability to a file. Knows placement and exchanges, not how bytes get to a storer.

mod done;
mod finding;
mod job;
mod part;
mod recovery;
mod salvage;
mod sources;
mod tree;
mod writing;

use std::collections::BTreeMap;
use std::sync::Arc;

use oboro_crypto::eris::{BlockSize, Capability, LEVEL_MAX};
use oboro_crypto::network::Network;
use oboro_crypto::provider::Provider;

use self::done::Done;
use self::job::{FetchJob, Setting};
use crate::effect::Ctx;
use crate::event::SinkEvent;
use crate::exchange::Answer;
use crate::failure::Failure;
use crate::ids::JobId;
use crate::limits::JOBS_MAX;
use crate::peers::Peers;
use crate::report::Report;
use crate::time::Time;

/// All fetches under way.
pub(crate) struct Fetches {
    network: Network,
    provider: Arc<dyn Provider>,
    jobs: BTreeMap<JobId, FetchJob>,
}

impl Fetches {
    pub(crate) const fn new(network: Network, provider: Arc<dyn Provider>) -> Self {
        Self {
            network,
            provider,
            jobs: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn has(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    /// Begins, or goes on from a checkpoint. A checkpoint that cannot be read is as none.
    pub(crate) fn begin(
        &mut self,
        job: JobId,
        capability: &Capability,
        resume: Option<&[u8]>,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        if self.jobs.len() >= JOBS_MAX {
            ctx.report(job, Report::Failed(Failure::Busy));
            return;
        }
        if capability.level > LEVEL_MAX || capability.block_size != BlockSize::Large {
            ctx.report(job, Report::Failed(Failure::Damaged));
            return;
        }
        let done = resume
            .and_then(|bytes| Done::decode(bytes).ok())
            .unwrap_or_default();
        self.jobs.insert(job, FetchJob::new(job, capability, done));
        self.with(job, peers, ctx, FetchJob::fill);
    }

    pub(crate) fn answered(
        &mut self,
        job: JobId,
        slot: u64,
        answer: Answer,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        self.with(job, peers, ctx, |fetch, peers, setting, ctx| {
            fetch.answered(slot, answer, peers, setting, ctx)
        });
    }

    pub(crate) fn sink(
        &mut self,
        job: JobId,
        event: &SinkEvent,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        match *event {
            SinkEvent::Written { writes } => {
                self.with(job, peers, ctx, |fetch, peers, setting, ctx| {
                    fetch.written(writes);
                    fetch.fill(peers, setting, ctx)
                })
            }
            SinkEvent::Recovered { right } => {
                self.with(job, peers, ctx, |fetch, peers, setting, ctx| {
                    fetch.recovered(right, peers, setting, ctx)
                })
            }
            SinkEvent::Finished { length } => {
                if self.jobs.remove(&job).is_some() {
                    let route = ctx.route(job);
                    ctx.report(job, Report::Fetched { length, route });
                }
            }
            SinkEvent::Failed => self.with(job, peers, ctx, |_, _, _, _| Err(Failure::Sink)),
        }
    }

    pub(crate) fn cancel(&mut self, job: JobId, keep: bool, ctx: &mut Ctx<'_>) -> bool {
        let Some(mut fetch) = self.jobs.remove(&job) else {
            return false;
        };
        fetch.stop(keep, ctx);
        ctx.report(job, Report::Failed(Failure::Cancelled));
        true
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.jobs.values().filter_map(FetchJob::deadline).min()
    }

    pub(crate) fn tick(&mut self, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        let due: Vec<JobId> = self
            .jobs
            .iter()
            .filter(|(_, fetch)| fetch.deadline().is_some_and(|at| at <= ctx.now))
            .map(|(&job, _)| job)
            .collect();
        for job in due {
            self.with(job, peers, ctx, FetchJob::fill);
        }
    }

    /// Lets a job go on, and ends it if that fails. What is there is kept: the user may try again later.
    fn with<'c>(
        &mut self,
        job: JobId,
        peers: &mut Peers,
        ctx: &mut Ctx<'c>,
        step: impl FnOnce(&mut FetchJob, &mut Peers, &Setting<'_>, &mut Ctx<'c>) -> Result<(), Failure>,
    ) {
        let setting = Setting {
            network: &self.network,
            provider: &*self.provider,
        };
        let Some(fetch) = self.jobs.get_mut(&job) else {
            return;
        };
        if let Err(failure) = step(fetch, peers, &setting, ctx) {
            fetch.stop(failure != Failure::Damaged, ctx);
            self.jobs.remove(&job);
            ctx.report(job, Report::Failed(failure));
        }
    }
}
