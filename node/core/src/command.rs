//! What a user may ask of a node.

use std::net::SocketAddr;
use std::time::Duration;

use oboro_crypto::entry::Kind;
use oboro_crypto::eris::Capability;
use oboro_crypto::ids::LinkPublic;
use oboro_crypto::terms::Term;

use crate::ids::JobId;

/// A wish of the user. Jobs answer with reports.
pub enum Command {
    /// Publish what the job's source encodes.
    Publish {
        /// The job.
        job: JobId,
        /// The title, already fitted to what an entry holds.
        title: String,
        /// The file's length as far as it is known beforehand, for progress.
        size: u64,
        /// What sort of thing it is.
        kind: Kind,
        /// All terms under which it is to be found.
        terms: Vec<Term>,
        /// Those of them that the title does not give by itself.
        extra: Vec<Term>,
        /// Whether fewer relays than the network asks for will do if there are not enough.
        fewer_hops: bool,
    },
    /// Search for all these words.
    Search {
        /// The job.
        job: JobId,
        /// The words as typed.
        words: Vec<String>,
        /// When to stop waiting for answers.
        patience: Duration,
        /// Whether fewer relays than the network asks for will do if there are not enough.
        fewer_hops: bool,
    },
    /// Fetch what a capability names into the job's sink.
    Fetch {
        /// The job.
        job: JobId,
        /// How to read it.
        capability: Box<Capability>,
        /// The bytes of the last checkpoint, if the job is resumed.
        resume: Option<Vec<u8>>,
        /// Whether fewer relays than the network asks for will do if there are not enough.
        fewer_hops: bool,
    },
    /// Stop a job.
    Cancel {
        /// Which.
        job: JobId,
        /// Whether it will be resumed later (the node is stopping).
        keep: bool,
    },
    /// Remember a node to start from, and try it at once.
    Join {
        /// Its link key.
        link: LinkPublic,
        /// Where it was seen.
        addresses: Vec<SocketAddr>,
    },
}
