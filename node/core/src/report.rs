//! What a node tells its user about a job.

use oboro_crypto::entry::Kind;
use oboro_crypto::eris::Capability;

use crate::failure::Failure;

/// About one job. `Published`, `Found`, `Fetched` and `Failed` are the last of it.
pub enum Report {
    /// How far it is.
    Progress(Progress),
    /// A publication is complete: everything placed, verified and announced.
    Published {
        /// How to read it.
        capability: Box<Capability>,
        /// How well it went.
        summary: PublishSummary,
        /// By which way its requests went.
        route: Route,
    },
    /// A search is over (`last`), or has more to show.
    Found {
        /// Everything found so far, best first.
        hits: Vec<Hit>,
        /// Placements of keywords asked and answered.
        asked: u32,
        /// Of which answered.
        answered: u32,
        /// Whether this is all.
        last: bool,
        /// By which way its requests went.
        route: Route,
    },
    /// A fetch is complete.
    Fetched {
        /// The file's length in bytes.
        length: u64,
        /// By which way its requests went.
        route: Route,
    },
    /// It cannot be done.
    Failed(Failure),
}

/// By which way a job's requests went: what the user is told of it at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Relays between this node and the storers; 0: they saw this node.
    pub hops: u8,
    /// For how many days the guard has been kept; none without a guard.
    pub guard_days: Option<u32>,
    /// Other nodes known that relay.
    pub relays: u32,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Content bytes done.
    pub done: u64,
    /// Content bytes in all, where known.
    pub total: Option<u64>,
    /// Chunk bytes that came from or went to others, this time.
    pub transferred: u64,
    /// Content bytes that an earlier run had already fetched.
    pub resumed: u64,
    /// Requests that had to be made again elsewhere.
    pub retries: u64,
}

/// What a job is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a first node or a first answer.
    #[default]
    Starting,
    /// Publishing: extents are being placed.
    Placing,
    /// Publishing: entries are being released.
    Announcing,
    /// Searching: keywords are being asked.
    Asking,
    /// Fetching.
    Fetching,
    /// Fetching: the file is being put in its place.
    Finishing,
}

/// How well a publication went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublishSummary {
    /// Extents placed.
    pub extents: u64,
    /// Receipts over all of them.
    pub receipts: u64,
    /// Extents of parity among them.
    pub parity: u64,
    /// Receipts of the extent that lacks most.
    pub fewest: u8,
    /// How many it should have, on a network with so many nodes.
    pub fewest_of: u8,
    /// Extents read back from a storer and compared.
    pub verified: u64,
    /// Terms announced.
    pub terms: u32,
    /// Receipts for entries.
    pub entries: u32,
}

/// One thing found, merged over everything that names it.
#[derive(Clone)]
pub struct Hit {
    /// Its title as its publisher wrote it: hostile text.
    pub title: String,
    /// Its length in bytes as its publisher says.
    pub size: u64,
    /// What sort of thing it is, as its publisher says.
    pub kind: Kind,
    /// How to read it.
    pub capability: Capability,
    /// The day of the youngest entry, in days since the Unix epoch.
    pub day: u32,
    /// Independent publishers seen.
    pub publishers: u32,
    /// Placements at which an entry for it was seen.
    pub replicas: u32,
    /// How many of the asked terms led to it.
    pub terms: u32,
}
