//! Everything a node may ask its surroundings to do. A new variant is a design decision.

use std::net::SocketAddr;
use std::sync::Arc;

use oboro_crypto::entry::EntryBody;
use oboro_crypto::eris::BlockKey;
use oboro_crypto::ids::{IdentityPublic, LinkPublic, Location, NodeId, Reference};
use oboro_crypto::parity::{Group, Missing};
use oboro_crypto::terms::Term;
use oboro_crypto::token::KeywordToken;

use crate::ids::{DialId, JobId, LinkId, Ticket};
use crate::report::Report;
use crate::wire::placement::Placement;

/// What the core asks for.
pub enum Action {
    /// Connect and shake hands; answer with `LinkUp` or `DialFailed`.
    Dial {
        /// The name of this attempt.
        dial: DialId,
        /// The key the other side must prove to hold.
        remote: LinkPublic,
        /// Addresses to try, in order.
        addresses: Vec<SocketAddr>,
    },
    /// Close a link once what was given to it is written. `LinkDown` follows.
    Close {
        /// Which.
        link: LinkId,
    },
    /// Seal and write records. Never more than `Writable` has granted.
    Send {
        /// On which link.
        link: LinkId,
        /// A whole number of `RECORD_PLAIN` bytes.
        plain: Vec<u8>,
    },
    /// Ask the storage thread; answer with `Stored`.
    Store {
        /// The name of this request.
        ticket: Ticket,
        /// What is asked.
        request: StoreRequest,
    },
    /// Ask a compute thread; answer with `Computed`.
    Compute {
        /// The name of this request.
        ticket: Ticket,
        /// What is asked.
        task: Task,
    },
    /// Ask the encoder of a file being published.
    Source {
        /// For which job.
        job: JobId,
        /// What.
        command: SourceCommand,
    },
    /// Ask the writer of a file being fetched.
    Sink {
        /// For which job.
        job: JobId,
        /// What.
        command: SinkCommand,
    },
    /// Keep on disk, in place of what was kept before, which guards and middles this node uses: handed back as
    /// [`crate::Config::guards`] at the next start. Secret: whoever reads it knows where to watch this node.
    Guards(Vec<u8>),
    /// Tell the user.
    Report {
        /// About which job.
        job: JobId,
        /// What.
        report: Report,
    },
}

/// A request to the store. Mirrors the cache's trait; the core knows nothing of how it keeps things.
pub enum StoreRequest {
    /// Keep an extent; answered by `Put` when it is durable.
    PutExtent {
        /// Where it belongs.
        location: Location,
        /// Which of its placements this is.
        placement: Placement,
        /// Its references in order, at most 32.
        references: Vec<Reference>,
        /// Its chunks in the same order, each verified against its reference.
        chunks: Vec<Vec<u8>>,
        /// From this node's id to the location: the furthest goes first when room is needed.
        distance: [u8; 32],
        /// The day of today.
        today: u32,
    },
    /// What is known of an extent; answered by `Extent`.
    Extent(Location),
    /// Chunk bodies; answered by `Chunks`.
    Read {
        /// Of which extent.
        location: Location,
        /// Which chunks.
        indexes: Vec<u8>,
    },
    /// The same as `Read`, but not to be counted as demand: the node passes on what it keeps. Answered by `Chunks`.
    Copy {
        /// Of which extent.
        location: Location,
        /// Which chunks.
        indexes: Vec<u8>,
    },
    /// What is kept, a page at a time, in any order that shows each thing once; answered by `Held`.
    Walk {
        /// After which mark of an earlier page.
        after: Option<Vec<u8>>,
        /// How many locations at the most.
        max: usize,
    },
    /// One number for what is kept at each of these locations; answered by `Tallies`.
    Tally(Vec<Location>),
    /// Names of the entries at a location; answered by `Names`.
    Names(Location),
    /// Keep a sealed entry; answered by `Put` when it is durable.
    PutEntry {
        /// Where it belongs.
        location: Location,
        /// The entry, encoded.
        bytes: Vec<u8>,
        /// The last day it is kept.
        expires_day: u32,
        /// The bits of work in it.
        work: u8,
        /// The day of today.
        today: u32,
    },
    /// A page of entries; answered by `Entries`.
    Entries {
        /// At which location.
        location: Location,
        /// After which cursor.
        after: Option<[u8; 16]>,
        /// How many at the most.
        max: usize,
    },
    /// Keep descriptors for the next start; answered by `Done`.
    PutDescriptors(Vec<(NodeId, Vec<u8>)>),
    /// Drop descriptors; answered by `Done`.
    ForgetDescriptors(Vec<NodeId>),
    /// All descriptors kept; answered by `Descriptors`.
    Descriptors,
    /// Drop what has expired; answered by `Done`.
    Expire {
        /// The day of today.
        today: u32,
    },
}

/// Work too long for the core's thread.
pub enum Task {
    /// Derive a keyword's token (Argon2id).
    Token(Term),
    /// Derive a node's id (Argon2id).
    NodeId(IdentityPublic),
    /// Seal an entry under a keyword and do its work.
    Entry {
        /// The keyword.
        token: Arc<KeywordToken>,
        /// What it says.
        body: Arc<EntryBody>,
        /// Which placement.
        index: u8,
        /// The last day it is kept.
        expires_day: u32,
        /// Seeds the nonce, so that the core stays the only source of chance.
        seed: [u8; 32],
    },
}

/// To the encoder of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceCommand {
    /// Hand over the next run (or the end).
    Next,
    /// No more is wanted.
    Stop,
}

/// Ciphertexts of leaves with their keys.
pub type Leaves = Vec<(Vec<u8>, BlockKey)>;

/// To the writer of a file. Commands are carried out in order.
pub enum SinkCommand {
    /// Decrypt leaves and write them one after another from a position on.
    Write {
        /// The number of the first leaf in the file; its offset is that times the chunk size.
        first_leaf: u64,
        /// Ciphertexts (verified) with their keys.
        leaves: Leaves,
        /// Whether the last of them is the last of the file and ends in padding.
        last: bool,
    },
    /// Recover extents of a group from the rest of it, which has been written, and parity; write them; answer with
    /// `Recovered`.
    Recover(Box<Recover>),
    /// Make everything written so far durable, then keep these bytes: they are handed back when the job is resumed.
    Checkpoint(Vec<u8>),
    /// Make the file durable and put it in its place; answer with `Finished`.
    Finish,
    /// Give up; keep what is there if the job may be resumed.
    Stop {
        /// Whether it may be resumed.
        keep: bool,
    },
}

/// What it takes to recover extents of a group.
pub struct Recover {
    /// The group.
    pub group: Group,
    /// The extents of it that are to be recovered; all others have been written.
    pub missing: Vec<Missing>,
    /// Parity extents by their number within the group, as many as are missing: ciphertexts (verified) with their keys.
    pub parity: Vec<(u64, Leaves)>,
}

/// Where the core puts what it wants done, in order.
#[derive(Default)]
pub struct Outbox {
    actions: std::collections::VecDeque<Action>,
}

impl Outbox {
    /// An empty outbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The oldest action not yet taken.
    pub fn take(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    pub(crate) fn push(&mut self, action: Action) {
        self.actions.push_back(action);
    }
}
