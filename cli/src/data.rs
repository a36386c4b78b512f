//! What commands bring back: plain data for the renderers, and as it is the `data` of the JSON envelope.

use std::path::{Path, PathBuf};

use oboro_node::api::{Failure, Job, JobId, Peer, Route, SearchResults, Stats, Status};
use serde::Serialize;

/// A command's result.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Data {
    /// Nothing to show; JSON gets an empty object.
    None {},
    /// `status`, `start`, `restart`.
    Status(Box<Status>),
    /// `stats`.
    Stats(Box<Stats>),
    /// `peers`.
    Peers {
        /// The neighbours.
        peers: Vec<Peer>,
    },
    /// `invite`.
    Invite {
        /// The line to pass on.
        invite: String,
    },
    /// `jobs`.
    Jobs {
        /// All of them.
        jobs: Vec<Job>,
    },
    /// `publish`, one file of perhaps several, as it is done.
    Published(Published),
    /// `publish`, all files.
    AllPublished {
        /// One for each file, in order.
        files: Vec<Published>,
    },
    /// `search`.
    Found(SearchResults),
    /// `fetch`.
    Fetched(Fetched),
    /// `network new`.
    Network(NewNetwork),
    /// `init`.
    Home(Home),
    /// `join`.
    Joined {
        /// Whether a running node took it; else it is kept for the next start.
        running: bool,
    },
    /// `eris encode`.
    Encoded(Encoded),
    /// `eris decode`.
    Decoded(Decoded),
    /// `demo`.
    Demo(Box<DemoReport>),
}

/// What a command ends with if it doesn't fail as a whole.
pub struct Outcome {
    /// What it brought.
    pub data: Data,
    /// What went wrong with a part of it.
    pub partly: Option<Failure>,
    /// A line of talk for after the data: the next step.
    pub next: Option<String>,
}

impl From<Data> for Outcome {
    fn from(data: Data) -> Self {
        Self {
            data,
            partly: None,
            next: None,
        }
    }
}

/// One file published, or not.
#[derive(Clone, Serialize)]
pub struct Published {
    /// The file as named on the command line or found in a folder.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// Its read capability.
    pub urn: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// What the node says of how well it went.
    pub note: Option<String>,
    /// By which way it went, if it did.
    pub route: Option<Route>,
    /// Why it failed.
    pub error: Option<Failure>,
    /// Whether it is one of several, so that its name is worth showing.
    #[serde(skip)]
    pub among_others: bool,
}

impl Published {
    /// A file that isn't published yet.
    #[must_use]
    pub fn of(file: &Path, among_others: bool) -> Self {
        Self {
            file: file.to_owned(),
            urn: None,
            bytes: 0,
            note: None,
            route: None,
            error: None,
            among_others,
        }
    }
}

/// One file fetched.
#[derive(Serialize)]
pub struct Fetched {
    /// The node's job that did it.
    pub job: JobId,
    /// The file written; `None`: stdout.
    #[serde(serialize_with = "lossy_option")]
    pub output: Option<PathBuf>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Bytes that came over the network since the node started.
    pub fetched_bytes: u64,
    /// Bytes that were there from an earlier run.
    pub resumed_bytes: u64,
    /// Requests that had to be repeated elsewhere.
    pub retries: u64,
    /// By which way it was fetched, if the node knows.
    pub route: Option<Route>,
}

/// A network made.
#[derive(Serialize)]
pub struct NewNetwork {
    /// Its name.
    pub name: String,
    /// Whether it is for tests and LANs.
    pub local: bool,
    /// Relays between who asks and who stores.
    pub hops: u8,
    /// The file written.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
}

/// A home prepared.
#[derive(Serialize)]
pub struct Home {
    /// The directory.
    #[serde(serialize_with = "lossy")]
    pub home: PathBuf,
    /// The network it belongs to.
    pub network: String,
}

/// A file encoded.
#[derive(Serialize)]
pub struct Encoded {
    /// Its read capability.
    pub urn: String,
    /// Bytes in a block.
    pub block_size: usize,
    /// Blocks it became; equal ones count once for each time they occur.
    pub blocks: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A file decoded.
#[derive(Serialize)]
pub struct Decoded {
    /// The file written; `None`: stdout.
    #[serde(serialize_with = "lossy_option")]
    pub output: Option<PathBuf>,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What a demo showed.
#[derive(Serialize)]
pub struct DemoReport {
    /// Whether every file came back byte for byte and no node could read what it held.
    pub equal: bool,
    /// How hidden the publisher is, in its own words.
    pub anonymity: String,
    /// Seconds until all nodes knew each other.
    pub joined_s: f64,
    /// The files, in order.
    pub files: Vec<DemoFile>,
    /// The nodes, in order.
    pub nodes: Vec<DemoNode>,
    /// Where the homes are, if they were kept.
    #[serde(serialize_with = "lossy_option")]
    pub kept: Option<PathBuf>,
}

/// One file of a demo.
#[derive(Serialize)]
pub struct DemoFile {
    /// Its title.
    pub title: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The words it was searched by.
    pub words: Vec<String>,
    /// Relays over which it was published, found and fetched, the fewest of the three.
    pub hops: u8,
    /// Seconds to publish it.
    pub publish_s: f64,
    /// Seconds to find it.
    pub search_s: f64,
    /// Seconds to fetch it.
    pub fetch_s: f64,
    /// BLAKE2b-256 of the file published, in hexadecimal.
    pub published_digest: String,
    /// BLAKE2b-256 of the file fetched, in hexadecimal.
    pub fetched_digest: String,
}

/// One node of a demo.
#[derive(Serialize)]
pub struct DemoNode {
    /// Its number, from 1.
    pub n: usize,
    /// What it did: `publishes`, `fetches` or nothing but hold for others.
    pub role: &'static str,
    /// Its relay statistics.
    pub stats: Stats,
    /// Chunks it held of all chunks of the files, from 0 to 1.
    pub held: f64,
    /// Bytes of its files on disk that were searched.
    pub scanned_bytes: u64,
    /// Pieces of titles, words, URNs or contents found there: 0 if it could read nothing.
    pub readable: u64,
}

/// Paths that are not UTF-8 get replacement characters: JSON has no bytes, and these fields are for people.
fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

fn lossy_option<S: serde::Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => lossy(path, serializer),
        None => serializer.serialize_none(),
    }
}
