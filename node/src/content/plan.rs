//! Jobs before they begin: what was asked is checked, files are opened, and what must survive a kill is on disk.
//!
//! Everything here blocks; none of it runs on the driver's thread.

use std::path::Path;

use oboro_crypto::entry::{Kind, fit_title};
use oboro_crypto::eris::{Capability, ConvergenceSecret};
use oboro_crypto::terms::{self, Term};

use super::{Part, SourceFile, Target};
use crate::api::{Code, Failure, Job, JobId, JobKind, JobState, PublishRequest};
use crate::jobs::{FetchRecord, JobFiles, Record, begun};
use crate::{chance, fault};

/// A title when nothing is left of one.
const UNTITLED: &str = "untitled";

/// A publication that can begin.
pub(crate) struct PublishPlan {
    pub(crate) job: Job,
    pub(crate) source: SourceFile,
    pub(crate) secret: ConvergenceSecret,
    pub(crate) title: String,
    pub(crate) kind: Kind,
    pub(crate) terms: Vec<Term>,
    pub(crate) extra: Vec<Term>,
    pub(crate) fewer_hops: bool,
}

impl PublishPlan {
    /// Opens the file and finds out by which terms it shall be found.
    ///
    /// # Errors
    /// As [`SourceFile::open`]; [`Code::Usage`] for a path that is not absolute.
    pub(crate) fn new(files: &JobFiles, request: &PublishRequest) -> Result<Self, Failure> {
        if !request.path.is_absolute() {
            return Err(Failure::new(
                Code::Usage,
                "a file to publish is named by its absolute path",
            ));
        }
        let source = SourceFile::open(&request.path)?;
        let secret = if request.convergent {
            ConvergenceSecret::null()
        } else {
            ConvergenceSecret::random(&mut chance::generator()?)
        };
        let name = name_of(&request.path);
        let kind = Kind::of_name(&name);
        let whole = request
            .title
            .as_deref()
            .map_or_else(|| name.clone(), printable);
        let title = fitted(&whole);
        let keywords = request.keywords.clone().unwrap_or_else(|| vec![name]);
        let terms = terms::of_publication(&whole, &keywords);
        let titled = terms::of_text(&title);
        let extra = terms
            .iter()
            .filter(|term| !titled.contains(term))
            .cloned()
            .collect();
        let id = files.begin(None).ok_or_else(|| taken(&request.path))?;
        let job = begun(id, JobKind::Publish, title.clone(), Some(source.size()));
        keep(
            files,
            &Record {
                job: job.clone(),
                fetch: None,
            },
        )?;
        Ok(Self {
            job,
            source,
            secret,
            title,
            kind,
            terms,
            extra,
            fewer_hops: request.fewer_hops,
        })
    }
}

/// A fetch that can begin, or go on.
pub(crate) struct FetchPlan {
    pub(crate) job: Job,
    pub(crate) capability: Capability,
    pub(crate) resume: Option<Vec<u8>>,
    pub(crate) part: Part,
    pub(crate) record: Record,
}

/// What becomes of a job that was running when the node ended.
pub(crate) enum Resumed {
    /// It goes on.
    Fetch(Box<FetchPlan>),
    /// It has ended; this is its last state.
    Ended(Box<Job>),
}

impl FetchPlan {
    /// Prepares a new fetch, or takes over what an earlier one left that failed.
    ///
    /// # Errors
    /// [`Code::BadInput`] for a URN the network does not hold; as [`Target::check`] for the output.
    pub(crate) fn new(
        files: &JobFiles,
        urn: &str,
        title: Option<String>,
        target: Target,
        fewer_hops: bool,
    ) -> Result<Self, Failure> {
        let capability = fault::capability(urn)?;
        target.check()?;
        let id = files
            .begin(Some(&target.output))
            .ok_or_else(|| taken(&target.output))?;
        let planned = Self::prepare(files, id, capability, title, &target, fewer_hops);
        if planned.is_err() {
            files.abandon(id);
        }
        planned
    }

    fn prepare(
        files: &JobFiles,
        id: JobId,
        capability: Capability,
        title: Option<String>,
        target: &Target,
        fewer_hops: bool,
    ) -> Result<Self, Failure> {
        let urn = capability.to_urn();
        let left = files.inherit(&urn, &target.output).and_then(|left| {
            let part = Part::reopen(&left.part, left.part_len)?;
            Some((part, left.part_len, left.checkpoint?))
        });
        let (part, part_len, resume) = match left {
            Some((part, part_len, checkpoint)) => (part, part_len, Some(checkpoint)),
            None => (Part::create(target)?, 0, None),
        };
        let fetch = FetchRecord {
            urn: urn.clone(),
            output: target.output.clone(),
            overwrite: target.overwrite,
            fewer_hops,
            part: part.path().to_owned(),
            part_len,
            checkpoint: resume.clone(),
            finishing: None,
        };
        let title = title.unwrap_or_else(|| name_of(&target.output));
        let mut job = begun(id, JobKind::Fetch, title, None);
        job.urn = Some(urn);
        job.output = Some(target.output.display().to_string());
        let record = Record {
            job: job.clone(),
            fetch: Some(fetch),
        };
        keep(files, &record)?;
        Ok(Self {
            job,
            capability,
            resume,
            part,
            record,
        })
    }

    /// Takes up a job that was running when the node ended.
    pub(crate) fn resume(files: &JobFiles, record: Record) -> Resumed {
        let job = record.job.clone();
        let ended = |failure| Resumed::Ended(Box::new(ended(job.clone(), Some(failure))));
        let Some(fetch) = record.fetch.clone() else {
            return ended(interrupted());
        };
        let length = fetch.finishing.filter(|_| !fetch.part.exists());
        if let Some(length) = length.filter(|length| is_file_of(&fetch.output, *length)) {
            let mut job = ended_job(job, JobState::Done);
            (job.done_bytes, job.total_bytes) = (length, Some(length));
            return Resumed::Ended(Box::new(job));
        }
        let capability = match fault::capability(&fetch.urn) {
            Ok(capability) => capability,
            Err(failure) => return ended(failure),
        };
        files.resume(job.id, &fetch.output);
        let target = Target {
            output: fetch.output.clone(),
            overwrite: fetch.overwrite,
        };
        let plan = match Part::reopen(&fetch.part, fetch.part_len) {
            Some(part) => Self {
                job,
                capability,
                resume: fetch.checkpoint.clone(),
                part,
                record,
            },
            None => match Self::afresh(files, capability, record, &target) {
                Ok(plan) => plan,
                Err(failure) => return ended(failure),
            },
        };
        Resumed::Fetch(Box::new(plan))
    }

    /// Begins again: the incomplete file is gone, or is shorter than it was.
    fn afresh(
        files: &JobFiles,
        capability: Capability,
        mut record: Record,
        target: &Target,
    ) -> Result<Self, Failure> {
        target.check()?;
        let part = Part::create(target)?;
        if let Some(fetch) = &mut record.fetch {
            fetch.part = part.path().to_owned();
            (fetch.part_len, fetch.checkpoint, fetch.finishing) = (0, None, None);
        }
        keep(files, &record)?;
        Ok(Self {
            job: record.job.clone(),
            capability,
            resume: None,
            part,
            record,
        })
    }
}

fn ended(job: Job, failure: Option<Failure>) -> Job {
    let mut job = ended_job(job, JobState::Failed);
    job.failure = failure;
    job
}

fn ended_job(mut job: Job, state: JobState) -> Job {
    job.state = state;
    job.phase = if state == JobState::Done {
        "done".into()
    } else {
        "failed".into()
    };
    job.speed = 0;
    job
}

fn interrupted() -> Failure {
    Failure::new(
        Code::Interrupted,
        "the node stopped while it was publishing",
    )
    .hint("publish the file again")
}

fn taken(output: &Path) -> Failure {
    let message = format!("another job is writing {}", output.display());
    Failure::new(Code::Exists, message).hint("oboro jobs shows it")
}

fn is_file_of(path: &Path, length: u64) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == length)
}

fn keep(files: &JobFiles, record: &Record) -> Result<(), Failure> {
    files.update(record).map_err(|error| {
        Failure::new(
            Code::Failed,
            format!("cannot keep the job in the state directory: {error}"),
        )
    })
}

/// A file's name as text: what is not UTF-8 in it is replaced, as are control characters.
fn name_of(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| printable(&name.to_string_lossy()))
}

fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn fitted(title: &str) -> String {
    match fit_title(title.trim()) {
        "" => UNTITLED.into(),
        fitted => fitted.to_owned(),
    }
}

#[cfg(test)]
mod tests;
