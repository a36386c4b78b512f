//! The jobs of a running node as the user sees them, each watched by whoever likes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use oboro_core::report::{Phase, Progress, PublishSummary};
use oboro_crypto::eris::Capability;
use tokio::sync::watch;

use super::meter::Meter;
use super::{HISTORY_MAX, JobFiles};
use crate::api::{Failure, Job, JobId, JobKind, JobState, Route};
use crate::content::Fault;

/// The jobs.
pub(crate) struct Table {
    jobs: BTreeMap<JobId, Entry>,
}

struct Entry {
    job: watch::Sender<Job>,
    meter: Meter,
    fault: Fault,
}

/// A job's last state, to be kept.
pub(crate) struct Ended {
    /// The job.
    job: Job,
    /// Jobs that fall out of the history with it.
    forgotten: Vec<JobId>,
}

impl Ended {
    /// Keeps it. Blocks.
    pub(crate) fn keep(&self, files: &Arc<JobFiles>) {
        let resumable = self.job.state == JobState::Failed;
        if let Err(error) = files.settle(&self.job, resumable) {
            tracing::warn!(job = self.job.id, %error, "a job's end can't be kept");
        }
        for id in &self.forgotten {
            files.forget(*id);
        }
    }
}

impl Table {
    /// A table with the jobs of earlier runs.
    pub(crate) fn new(history: Vec<Job>) -> Self {
        let mut table = Self {
            jobs: BTreeMap::new(),
        };
        for job in history {
            table.enter(job, Fault::default());
        }
        table
    }

    /// Adds a job.
    pub(crate) fn enter(&mut self, job: Job, fault: Fault) {
        let entry = Entry {
            meter: Meter::default(),
            fault,
            job: watch::Sender::new(job.clone()),
        };
        self.jobs.insert(job.id, entry);
    }

    /// Follows a job.
    pub(crate) fn watch(&self, id: JobId) -> Option<watch::Receiver<Job>> {
        self.jobs.get(&id).map(|entry| entry.job.subscribe())
    }

    /// All jobs, the oldest first.
    pub(crate) fn list(&self) -> Vec<Job> {
        self.jobs
            .values()
            .map(|entry| entry.job.borrow().clone())
            .collect()
    }

    /// Numbers of the jobs that run.
    pub(crate) fn running(&self) -> Vec<JobId> {
        let running = self
            .jobs
            .iter()
            .filter(|(_, entry)| !entry.job.borrow().state.ended());
        running.map(|(id, _)| *id).collect()
    }

    /// Notes how far a job is.
    pub(crate) fn progress(&mut self, id: JobId, progress: &Progress, now: Instant) {
        let Some(entry) = self.jobs.get_mut(&id) else {
            return;
        };
        let speed = entry.meter.note(now, progress.done);
        entry.job.send_modify(|job| {
            job.phase = phase(progress.phase).into();
            job.done_bytes = progress.done;
            job.total_bytes = progress.total.or(job.total_bytes);
            job.fetched_bytes = progress.transferred;
            job.resumed_bytes = progress.resumed;
            job.retries = progress.retries;
            job.speed = speed;
        });
    }

    /// Lets speeds fall of jobs that stand still.
    pub(crate) fn tick(&mut self, now: Instant) {
        for entry in self.jobs.values_mut() {
            let (ended, done, before) = {
                let job = entry.job.borrow();
                (job.state.ended(), job.done_bytes, job.speed)
            };
            if !ended {
                let speed = entry.meter.note(now, done);
                entry.job.send_if_modified(|job| {
                    job.speed = speed;
                    speed != before
                });
            }
        }
    }

    /// A publication is complete.
    pub(crate) fn published(
        &mut self,
        id: JobId,
        capability: &Capability,
        summary: &PublishSummary,
        route: Route,
    ) -> Option<Ended> {
        self.end(id, |job, _| {
            job.state = JobState::Done;
            job.phase = "done".into();
            job.urn = Some(capability.to_urn());
            job.done_bytes = job.total_bytes.unwrap_or(job.done_bytes);
            job.note = note(summary);
            job.parity_extents = Some(summary.parity);
            job.route = Some(route);
        })
    }

    /// A fetch is complete.
    pub(crate) fn fetched(&mut self, id: JobId, length: u64, route: Route) -> Option<Ended> {
        self.end(id, |job, _| {
            job.state = JobState::Done;
            job.phase = "done".into();
            job.done_bytes = length;
            job.total_bytes = Some(length);
            job.route = Some(route);
        })
    }

    /// A job can't be done. What its content thread found wrong says more than `failure`.
    pub(crate) fn failed(&mut self, id: JobId, failure: Failure, cancelled: bool) -> Option<Ended> {
        self.end(id, |job, fault| {
            job.state = if cancelled {
                JobState::Cancelled
            } else {
                JobState::Failed
            };
            job.phase = if cancelled {
                "cancelled".into()
            } else {
                "failed".into()
            };
            job.failure = Some(
                fault
                    .get()
                    .filter(|_| !cancelled)
                    .cloned()
                    .unwrap_or(failure),
            );
        })
    }

    fn end(&mut self, id: JobId, change: impl FnOnce(&mut Job, &Fault)) -> Option<Ended> {
        let entry = self.jobs.get_mut(&id)?;
        if entry.job.borrow().state.ended() {
            return None;
        }
        let fault = entry.fault.clone();
        entry.job.send_modify(|job| {
            change(job, &fault);
            job.speed = 0;
        });
        let job = entry.job.borrow().clone();
        Some(Ended {
            job,
            forgotten: self.forget_oldest(),
        })
    }

    fn forget_oldest(&mut self) -> Vec<JobId> {
        let ended = self
            .jobs
            .iter()
            .filter(|(_, entry)| entry.job.borrow().state.ended());
        let ended: Vec<JobId> = ended.map(|(id, _)| *id).collect();
        let surplus = ended.len().saturating_sub(HISTORY_MAX);
        let forgotten: Vec<JobId> = ended.into_iter().take(surplus).collect();
        for id in &forgotten {
            self.jobs.remove(id);
        }
        forgotten
    }
}

/// A job that has just begun.
pub(crate) fn begun(id: JobId, kind: JobKind, title: String, total_bytes: Option<u64>) -> Job {
    Job {
        id,
        kind,
        state: JobState::Running,
        phase: phase(Phase::Starting).into(),
        done_bytes: 0,
        total_bytes,
        speed: 0,
        title,
        urn: None,
        output: None,
        failure: None,
        note: None,
        fetched_bytes: 0,
        parity_extents: None,
        resumed_bytes: 0,
        retries: 0,
        route: None,
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Placing => "placing",
        Phase::Announcing => "announcing",
        Phase::Asking => "asking",
        Phase::Fetching => "fetching",
        Phase::Finishing => "finishing",
    }
}

/// What the user should know about how well a publication went.
fn note(summary: &PublishSummary) -> Option<String> {
    if summary.terms == 0 {
        return Some("no keyword leads to it: only who has the URN can fetch it".into());
    }
    (summary.fewest < summary.fewest_of).then(|| {
        format!(
            "some parts have only {} of {} copies: too few storers could be reached",
            summary.fewest, summary.fewest_of
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Code;

    fn table(jobs: u64) -> Table {
        let begun = (1..=jobs).map(|id| begun(id, JobKind::Fetch, String::new(), None));
        Table::new(begun.collect())
    }

    fn failure() -> Failure {
        Failure::new(Code::NotRetrievable, "parts are missing")
    }

    #[test]
    fn a_job_ends_once() {
        let mut table = table(1);
        let route = Route {
            hops: 3,
            guard_days: Some(1),
            relays: 7,
        };
        assert!(table.fetched(1, 10, route).is_some());
        assert!(table.failed(1, failure(), false).is_none());
        let job = table.watch(1).unwrap().borrow().clone();
        assert!(job.state == JobState::Done && job.failure.is_none());
        assert_eq!((job.done_bytes, job.total_bytes), (10, Some(10)));
        assert_eq!(job.route, Some(route));
    }

    #[test]
    fn what_the_content_thread_found_wrong_is_what_the_user_reads() {
        let mut table = Table::new(Vec::new());
        let fault = Fault::default();
        table.enter(begun(1, JobKind::Fetch, String::new(), None), fault.clone());
        fault
            .set(Failure::new(Code::DiskFull, "the disk is full"))
            .unwrap();
        table.failed(1, failure(), false).unwrap();
        let job = table.watch(1).unwrap().borrow().clone();
        assert_eq!(job.failure.unwrap().code, Code::DiskFull);
    }

    #[test]
    fn only_so_much_history_is_kept_and_what_runs_is_never_forgotten() {
        let jobs = HISTORY_MAX as u64 + 20;
        let mut table = table(jobs);
        let ended = (2..=jobs).filter_map(|id| table.failed(id, failure(), true));
        let forgotten: Vec<JobId> = ended.flat_map(|ended| ended.forgotten).collect();
        assert_eq!(
            forgotten,
            (2..=jobs - HISTORY_MAX as u64).collect::<Vec<_>>()
        );
        assert_eq!(table.running(), [1]);
        assert_eq!(table.list().len(), HISTORY_MAX + 1);
    }

    #[test]
    fn whoever_watches_sees_progress() {
        let mut table = table(1);
        let mut watch = table.watch(1).unwrap();
        let progress = Progress {
            phase: Phase::Fetching,
            done: 5,
            ..Progress::default()
        };
        table.progress(1, &progress, Instant::now());
        assert!(watch.has_changed().unwrap());
        assert!(watch.borrow_and_update().phase == "fetching");
        table.tick(Instant::now());
        assert!(!watch.has_changed().unwrap());
    }
}
