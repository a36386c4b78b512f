//! Publishing, searching and fetching: requests, results and the jobs that carry them out.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Failure, JobId, Route, path};

/// Asks the node to publish one file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// The file, absolute; a regular file the node's user can read.
    #[serde(with = "path")]
    pub path: PathBuf,
    /// The title searchers see; `None`: the file's name.
    #[serde(default)]
    pub title: Option<String>,
    /// What it is found by besides the words of the title: words, or phrases that are taken apart into words; `None`:
    /// the file's name; an empty list: the title alone.
    #[serde(default)]
    pub keywords: Option<Vec<String>>,
    /// Equal files get equal URNs: saves space, and lets who knows the file recognise it.
    #[serde(default)]
    pub convergent: bool,
    /// Whether fewer relays than the network asks for will do when there are not enough: a storer or a single relay may
    /// then learn who asks. Left out when false, so that a node that doesn't know it yet is not confused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fewer_hops: bool,
}

/// Asks the network for files by words.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// The words; a result matches them all.
    pub words: Vec<String>,
    /// Patience in milliseconds.
    pub timeout_ms: u64,
    /// Whether fewer relays than the network asks for will do when there are not enough: a storer or a single relay may
    /// then learn who asks. Left out when false, so that a node that doesn't know it yet is not confused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fewer_hops: bool,
}

/// One file found.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHit {
    /// Its number, from 1, for [`FetchRequest::n`].
    pub n: usize,
    /// What its publisher called it: text of a stranger, not yet made safe for a terminal or a file system.
    pub title: String,
    /// Its size in bytes, as its publisher says.
    pub size: u64,
    /// Its type: `file`.
    pub kind: String,
    /// Days since it was published or renewed.
    pub age_days: u32,
    /// Independent publishers that say the same of it.
    pub publishers: u32,
    /// Storers that answered with it.
    pub replicas: u32,
    /// The read capability: who has it can fetch and read the file.
    pub urn: String,
    /// Terms of the query that it matched.
    pub terms_matched: u32,
}

/// What a search brought.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchResults {
    /// The files, best first.
    pub hits: Vec<SearchHit>,
    /// Whether every storer that was asked answered.
    pub complete: bool,
    /// Storers asked.
    pub asked: u32,
    /// Storers that answered.
    pub answered: u32,
    /// What the user should know about this search, if anything.
    #[serde(default)]
    pub note: Option<String>,
    /// By which way it was asked; `None` if nobody was, or if an older version asked.
    #[serde(default)]
    pub route: Option<Route>,
}

/// Asks the node to fetch one file, named either by `urn` or by `n`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchRequest {
    /// The read capability.
    #[serde(default)]
    pub urn: Option<String>,
    /// The number of a hit of the last search, from 1.
    #[serde(default)]
    pub n: Option<usize>,
    /// What to call the job; `None`: the hit's title, if `n` names one.
    #[serde(default)]
    pub title: Option<String>,
    /// The file to write, absolute. It appears only when it is complete.
    #[serde(with = "path")]
    pub output: PathBuf,
    /// Whether an existing file may be replaced.
    #[serde(default)]
    pub overwrite: bool,
    /// Whether fewer relays than the network asks for will do when there are not enough: a storer or a single relay may
    /// then learn who asks. Left out when false, so that a node that doesn't know it yet is not confused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fewer_hops: bool,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Brings a file into the network.
    Publish,
    /// Brings a file from the network.
    Fetch,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It works, or waits for the network.
    Running,
    /// It is complete.
    Done,
    /// It ended with a failure.
    Failed,
    /// The user ended it.
    Cancelled,
}

impl JobState {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn ended(self) -> bool {
        !matches!(self, Self::Running)
    }
}

/// A publication or a fetch: survives the caller, and fetches survive the node.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// What it does just now, in a word or two: `encoding`, `placing`, `verifying`, `releasing`, `fetching`, …
    pub phase: String,
    /// Content bytes done, of this and earlier runs.
    pub done_bytes: u64,
    /// Content bytes in all, once known.
    pub total_bytes: Option<u64>,
    /// Content bytes per second over the last few seconds.
    pub speed: u64,
    /// What the user or the publisher calls it.
    pub title: String,
    /// The read capability; of a publication only once it is complete.
    pub urn: Option<String>,
    /// The file a fetch writes.
    #[serde(default)]
    pub output: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// What the user should know about it, if anything: what it waits for, how many replicas are missing.
    #[serde(default)]
    pub note: Option<String>,
    /// Bytes that came over the network in this run of the node.
    pub fetched_bytes: u64,
    /// Bytes kept from earlier runs.
    pub resumed_bytes: u64,
    /// Requests that had to be repeated elsewhere.
    pub retries: u64,
    /// By which way its requests went; known when it is done.
    #[serde(default)]
    pub route: Option<Route>,
    /// Of a publication that is done: how many extents (1 MiB) of parity were placed besides the content.
    #[serde(default)]
    pub parity_extents: Option<u64>,
}

/// `Debug` that says nothing.
macro_rules! silent {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )+};
}

silent!(
    PublishRequest,
    SearchRequest,
    SearchHit,
    SearchResults,
    FetchRequest,
    Job
);
