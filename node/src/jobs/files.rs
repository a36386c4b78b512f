//! The files of the jobs folder: one sealed record a job, and the last search.
//!
//! Promises: a record that was written is durable and whole; one that can't be read is left alone and costs that job
//! only; a job that has ended is not brought back to life by a write that comes late. Numbers of jobs are never used
//! twice.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use oboro_crypto::secret::Secret;
use tracing::warn;

use super::{FetchRecord, Record};
use crate::api::{Job, JobId, SearchResults};
use crate::home::{atomic, sealed};

const SEARCH: &str = "search";

/// Largest record read in bytes: a checkpoint of the largest file the network stores, in Base64, and some.
const RECORD_MAX: u64 = 32 << 20;

/// The jobs folder.
pub(crate) struct JobFiles {
    dir: PathBuf,
    key: Secret<32>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: JobId,
    /// Jobs that run, and the output of each that has one.
    running: BTreeMap<JobId, Option<PathBuf>>,
}

impl JobFiles {
    /// Opens the folder; returns every record that can be read, by number.
    ///
    /// # Errors
    /// Whatever the system says about the folder itself.
    pub(crate) fn open(dir: PathBuf, key: Secret<32>) -> io::Result<(Self, Vec<Record>)> {
        let files = Self {
            dir,
            key,
            state: Mutex::default(),
        };
        let ids = files.ids()?;
        files.state().last = ids.last().copied().unwrap_or(0);
        let records = ids.iter().filter_map(|id| {
            let read = files.read::<Record>(&id.to_string());
            let read = read.and_then(|record| match record.job.id == *id {
                true => Ok(record),
                false => Err(io::ErrorKind::InvalidData.into()),
            });
            read.inspect_err(|error| warn!(job = id, %error, "a job's file can't be read"))
                .ok()
        });
        let records = records.collect();
        Ok((files, records))
    }

    /// A number for a new job that writes `output`; `None` if a running one writes there already.
    pub(crate) fn begin(&self, output: Option<&Path>) -> Option<JobId> {
        let mut state = self.state();
        if output.is_some()
            && state
                .running
                .values()
                .any(|taken| taken.as_deref() == output)
        {
            return None;
        }
        state.last += 1;
        let id = state.last;
        state.running.insert(id, output.map(Path::to_owned));
        Some(id)
    }

    /// Takes up a job of an earlier run under its number.
    pub(crate) fn resume(&self, id: JobId, output: &Path) {
        self.state().running.insert(id, Some(output.to_owned()));
    }

    /// Keeps a running job's record. Of one that has ended: nothing.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn update(&self, record: &Record) -> io::Result<()> {
        let state = self.state();
        if state.running.contains_key(&record.job.id) {
            self.write(&record.job.id.to_string(), record)?;
        }
        Ok(())
    }

    /// Keeps the last state of a job; what it needs to go on is kept with it if `resumable`, else dropped.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn settle(&self, job: &Job, resumable: bool) -> io::Result<()> {
        let mut state = self.state();
        state.running.remove(&job.id);
        let before = self.record(job.id);
        let fetch = before.and_then(|record| record.fetch).filter(|_| resumable);
        self.write(
            &job.id.to_string(),
            &Record {
                job: job.clone(),
                fetch,
            },
        )
    }

    /// What a failed fetch of the same thing to the same place left behind; it is handed over to the caller.
    pub(crate) fn inherit(&self, urn: &str, output: &Path) -> Option<FetchRecord> {
        let state = self.state();
        let mut ids = self.ids().ok()?;
        ids.retain(|id| !state.running.contains_key(id));
        let mut records = ids.into_iter().rev().filter_map(|id| self.record(id));
        let mut found = records.find(|record| {
            let fetch = record.fetch.as_ref();
            fetch.is_some_and(|fetch| fetch.urn == urn && fetch.output == output)
        })?;
        let fetch = found.fetch.take();
        // A record that keeps its claim would have two jobs write one part.
        self.write(&found.job.id.to_string(), &found).ok()?;
        fetch
    }

    /// Lets a job go that never came to run.
    pub(crate) fn abandon(&self, id: JobId) {
        self.state().running.remove(&id);
        self.forget(id);
    }

    /// Removes a job's record and what is left of its output.
    pub(crate) fn forget(&self, id: JobId) {
        if let Some(fetch) = self.record(id).and_then(|record| record.fetch) {
            // Removed by hand is as good.
            let _ = std::fs::remove_file(&fetch.part);
        }
        if let Err(error) = atomic::remove(&self.dir.join(id.to_string())) {
            warn!(job = id, %error, "a job's file can't be removed");
        }
    }

    /// Keeps what the last search found.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn keep_search(&self, results: &SearchResults) -> io::Result<()> {
        self.write(SEARCH, results)
    }

    /// What the last search found.
    pub(crate) fn last_search(&self) -> Option<SearchResults> {
        self.read(SEARCH).ok()
    }

    /// The numbers of all records, the oldest first.
    fn ids(&self) -> io::Result<Vec<JobId>> {
        let mut ids: Vec<JobId> = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            ids.extend(
                entry?
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse::<JobId>().ok()),
            );
        }
        ids.sort_unstable();
        Ok(ids)
    }

    fn record(&self, id: JobId) -> Option<Record> {
        self.read(&id.to_string()).ok()
    }

    fn write<T: serde::Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(value)?);
        sealed::write(&self.dir.join(name), &self.key, &plain)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> io::Result<T> {
        let plain = sealed::read(&self.dir.join(name), &self.key, RECORD_MAX)?;
        Ok(serde_json::from_slice(&plain)?)
    }

    /// The table stays whole whatever a thread that held it did.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{fetch, job};
    use super::*;
    use crate::api::{JobState, Route};

    fn open(dir: &Path) -> (JobFiles, Vec<Record>) {
        JobFiles::open(dir.to_owned(), Secret::from_bytes([3; 32])).unwrap()
    }

    fn begun(files: &JobFiles) -> Record {
        fetch(files.begin(None).unwrap())
    }

    #[test]
    fn a_running_job_is_there_after_a_restart_and_its_number_is_not_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let (files, _) = open(dir.path());
        let record = begun(&files);
        files.update(&record).unwrap();
        let (files, records) = open(dir.path());
        assert!(records == [record.clone()]);
        assert_eq!(files.begin(None), Some(record.job.id + 1));
    }

    #[test]
    fn a_late_write_does_not_bring_an_ended_job_back() {
        let dir = tempfile::tempdir().unwrap();
        let (files, _) = open(dir.path());
        let record = begun(&files);
        files.update(&record).unwrap();
        files
            .settle(&job(record.job.id, JobState::Done), false)
            .unwrap();
        files.update(&record).unwrap();
        let (_, records) = open(dir.path());
        assert!(records[0].job.state == JobState::Done && records[0].fetch.is_none());
    }

    #[test]
    fn a_failed_job_keeps_what_it_needs_to_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let (files, _) = open(dir.path());
        let record = begun(&files);
        files.update(&record).unwrap();
        files
            .settle(&job(record.job.id, JobState::Failed), true)
            .unwrap();
        assert!(files.record(record.job.id).unwrap().fetch == record.fetch);
    }

    #[test]
    fn what_a_failed_fetch_left_is_handed_over_once() {
        let dir = tempfile::tempdir().unwrap();
        let (files, _) = open(dir.path());
        let record = begun(&files);
        let fetch = record.fetch.clone().unwrap();
        files.update(&record).unwrap();
        assert!(
            files.inherit(&fetch.urn, &fetch.output).is_none(),
            "it still runs"
        );
        files
            .settle(&job(record.job.id, JobState::Failed), true)
            .unwrap();
        assert!(files.inherit("urn:eris:B", &fetch.output).is_none());
        assert!(files.inherit(&fetch.urn, &fetch.output) == Some(fetch.clone()));
        assert!(files.inherit(&fetch.urn, &fetch.output).is_none());
    }

    #[test]
    fn two_running_jobs_do_not_write_the_same_output() {
        let dir = tempfile::tempdir().unwrap();
        let (files, _) = open(dir.path());
        let out = Path::new("/somewhere/out");
        let first = files.begin(Some(out)).unwrap();
        assert_eq!(files.begin(Some(out)), None);
        assert!(files.begin(Some(Path::new("/somewhere/else"))).is_some());
        files.settle(&job(first, JobState::Done), false).unwrap();
        assert!(files.begin(Some(out)).is_some());
    }

    #[test]
    fn nothing_readable_is_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let (files, _) = open(dir.path());
        let record = begun(&files);
        files.update(&record).unwrap();
        let bytes = std::fs::read(dir.path().join(record.job.id.to_string())).unwrap();
        for word in ["song", "urn:eris", "part"] {
            assert!(
                !bytes
                    .windows(word.len())
                    .any(|window| window == word.as_bytes()),
                "{word}"
            );
        }
    }

    #[test]
    fn a_damaged_foreign_or_swapped_file_costs_that_job_only() {
        let dir = tempfile::tempdir().unwrap();
        let (files, _) = open(dir.path());
        let records: Vec<Record> = (0..4).map(|_| begun(&files)).collect();
        records
            .iter()
            .for_each(|record| files.update(record).unwrap());
        let path = |record: &Record| dir.path().join(record.job.id.to_string());
        let mut bytes = std::fs::read(path(&records[0])).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path(&records[0]), &bytes).unwrap();
        std::fs::write(path(&records[1]), b"").unwrap();
        std::fs::copy(path(&records[3]), path(&records[2])).unwrap();
        std::fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
        let (files, read) = open(dir.path());
        assert!(read == records[3..]);
        assert_eq!(files.begin(None), Some(records[3].job.id + 1));
        assert!(path(&records[0]).exists());
    }

    #[test]
    fn the_last_search_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (files, _) = open(dir.path());
        assert!(files.last_search().is_none());
        let results = SearchResults {
            hits: Vec::new(),
            complete: true,
            asked: 4,
            answered: 4,
            note: None,
            route: Some(Route {
                hops: 3,
                guard_days: Some(2),
                relays: 9,
            }),
        };
        files.keep_search(&results).unwrap();
        let (files, records) = open(dir.path());
        assert!(files.last_search() == Some(results) && records.is_empty());
    }
}
