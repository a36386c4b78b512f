//! Publishing in two phases (DESIGN 8): extents placed and verified first, entries released after.

mod announce;
mod extents;
mod job;
mod placing;

use std::collections::BTreeMap;
use std::sync::Arc;

use oboro_crypto::network::Network;
use oboro_crypto::provider::Provider;

use self::job::PublishJob;
pub(crate) use self::job::Wish;
use crate::effect::Ctx;
use crate::event::{Computed, SourceEvent};
use crate::exchange::Answer;
use crate::failure::Failure;
use crate::ids::JobId;
use crate::limits::JOBS_MAX;
use crate::peers::Peers;
use crate::report::Report;
use crate::time::Time;

/// What a publication needs to know of the node it runs in.
struct Setting<'a> {
    network: &'a Network,
    provider: &'a dyn Provider,
}

/// All publications under way.
pub(crate) struct Publishes {
    network: Network,
    provider: Arc<dyn Provider>,
    jobs: BTreeMap<JobId, PublishJob>,
}

impl Publishes {
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

    pub(crate) fn begin(&mut self, job: JobId, wish: Wish, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        if self.jobs.len() >= JOBS_MAX {
            ctx.report(job, Report::Failed(Failure::Busy));
            return;
        }
        self.jobs.insert(
            job,
            PublishJob::new(job, wish, self.network.params.replicas),
        );
        self.with(job, peers, ctx, |_, _, _, _| Ok(()));
    }

    pub(crate) fn source(
        &mut self,
        job: JobId,
        event: SourceEvent,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        self.with(job, peers, ctx, |publish, _, setting, ctx| {
            publish.source(event, setting, ctx)
        });
    }

    pub(crate) fn answered(
        &mut self,
        job: JobId,
        slot: u64,
        answer: Answer,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        self.with(job, peers, ctx, |publish, peers, setting, ctx| {
            publish.answered(slot, answer, peers, setting, ctx);
            Ok(())
        });
    }

    pub(crate) fn computed(
        &mut self,
        job: JobId,
        slot: u64,
        outcome: Computed,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        self.with(job, peers, ctx, |publish, peers, setting, ctx| {
            publish.computed(slot, outcome, peers, setting, ctx);
            Ok(())
        });
    }

    pub(crate) fn cancel(&mut self, job: JobId, ctx: &mut Ctx<'_>) -> bool {
        let Some(mut publish) = self.jobs.remove(&job) else {
            return false;
        };
        publish.stop(ctx);
        ctx.report(job, Report::Failed(Failure::Cancelled));
        true
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.jobs.values().filter_map(PublishJob::deadline).min()
    }

    pub(crate) fn tick(&mut self, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        let due: Vec<JobId> = self
            .jobs
            .iter()
            .filter(|(_, publish)| publish.deadline().is_some_and(|at| at <= ctx.now))
            .map(|(&job, _)| job)
            .collect();
        for job in due {
            self.with(job, peers, ctx, |_, _, _, _| Ok(()));
        }
    }

    /// Lets a job take a step and go on; ends it if that fails or all is done.
    fn with<'c>(
        &mut self,
        job: JobId,
        peers: &mut Peers,
        ctx: &mut Ctx<'c>,
        step: impl FnOnce(
            &mut PublishJob,
            &mut Peers,
            &Setting<'_>,
            &mut Ctx<'c>,
        ) -> Result<(), Failure>,
    ) {
        let setting = Setting {
            network: &self.network,
            provider: &*self.provider,
        };
        let Some(publish) = self.jobs.get_mut(&job) else {
            return;
        };
        let gone_on =
            step(publish, peers, &setting, ctx).and_then(|()| publish.fill(peers, &setting, ctx));
        match gone_on {
            Ok(false) => {}
            Ok(true) => {
                self.jobs.remove(&job);
            }
            Err(failure) => {
                publish.stop(ctx);
                self.jobs.remove(&job);
                ctx.report(job, Report::Failed(failure));
            }
        }
    }
}
