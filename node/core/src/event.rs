//! Everything that can happen to a node. A new variant is a design decision.

use std::net::SocketAddr;

use oboro_crypto::entry::SealedEntry;
use oboro_crypto::eris::{Capability, Run};
use oboro_crypto::ids::{LinkPublic, Location, NodeId, Reference};
use oboro_crypto::token::KeywordToken;

use crate::command::Command;
use crate::ids::{DialId, JobId, LinkId, Ticket};
use crate::wire::placement::Placement;

/// What the shell (or a simulator) tells the core.
pub enum Event {
    /// A link finished its handshake and carries records from now on.
    LinkUp {
        /// The shell's name for it.
        link: LinkId,
        /// The link key the other side proved to hold.
        remote: LinkPublic,
        /// The other end's address as the socket sees it.
        address: SocketAddr,
        /// The dial this answers; `None` if the other side dialled.
        dial: Option<DialId>,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Which.
        dial: DialId,
        /// Why, as far as can be known.
        cause: DialFailure,
    },
    /// A link is gone; nothing more will come from or go to it.
    LinkDown {
        /// Which.
        link: LinkId,
    },
    /// Opened records from a link: a whole number of `RECORD_PLAIN` bytes.
    Records {
        /// From which link.
        link: LinkId,
        /// The records, one after another.
        plain: Vec<u8>,
    },
    /// The shell can take this many records more for a link, on top of what it granted before.
    Writable {
        /// Which link.
        link: LinkId,
        /// How many records.
        records: u32,
    },
    /// The storage thread answers.
    Stored {
        /// What it answers.
        ticket: Ticket,
        /// With what.
        outcome: StoreOutcome,
    },
    /// A compute thread answers.
    Computed {
        /// What it answers.
        ticket: Ticket,
        /// With what.
        outcome: Computed,
    },
    /// The encoder of a file that is being published answers.
    Source {
        /// For which job.
        job: JobId,
        /// What.
        event: SourceEvent,
    },
    /// The writer of a file that is being fetched answers.
    Sink {
        /// For which job.
        job: JobId,
        /// What.
        event: SinkEvent,
    },
    /// The user wants something.
    Command(Command),
    /// The deadline the core asked for has passed.
    Deadline,
}

/// Why a dial failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DialFailure {
    /// No address could be reached: refused, unreachable, no route.
    Unreachable,
    /// Nothing answered in time. A silent listener that does not accept us looks like this too.
    TimedOut,
    /// The handshake failed.
    Handshake,
    /// This machine refused: too many links or sockets.
    Local,
}

/// What the store answered.
pub enum StoreOutcome {
    /// A put is durable, or was not taken.
    Put(PutOutcome),
    /// What is known of an extent: how many chunks it has and which are present (bit n: chunk n).
    Extent(Option<StoredExtent>),
    /// Chunk bodies in the order asked for; `None` where one is missing or damaged.
    Chunks(Vec<Option<Vec<u8>>>),
    /// Encoded sealed entries with their cursors.
    Entries(Vec<([u8; 16], Vec<u8>)>),
    /// What is kept, and the mark to go on after; none if that was all.
    Held(Vec<HeldThing>, Option<Vec<u8>>),
    /// One number for each location asked about, in that order: 0 for nothing, of an extent which chunks are present, of
    /// entries how many (upper 16 bits) and the sum of their names (lower 48).
    Tallies(Vec<u64>),
    /// Names of entries, ascending: of each the first 8 bytes of what a receipt for it names.
    Names(Vec<u64>),
    /// All descriptors on disk.
    Descriptors(Vec<Vec<u8>>),
    /// Done, nothing to say.
    Done,
    /// The store could not.
    Failed,
}

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// Durable now.
    Stored,
    /// Was already there, durable.
    Already,
    /// There is no room for it.
    NoRoom,
    /// The operator does not want to carry it.
    Refused,
}

/// An extent as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredExtent {
    /// Its references in order.
    pub references: Vec<Reference>,
    /// Which chunks are present.
    pub present: u32,
}

/// What is kept at one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldThing {
    /// Where.
    pub location: Location,
    /// What.
    pub what: HeldWhat,
}

/// An extent, or entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldWhat {
    /// An extent.
    Extent {
        /// Which of its placements.
        placement: Placement,
        /// Its references and which chunks are present.
        extent: StoredExtent,
    },
    /// Entries: one number for all of them, as in `Tallies`.
    Entries {
        /// The number.
        tally: u64,
    },
}

/// What a compute thread answered.
pub enum Computed {
    /// A keyword's token.
    Token(std::sync::Arc<KeywordToken>),
    /// A node's id, derived from its identity key.
    NodeId(NodeId),
    /// A sealed entry with its proof of work.
    Entry(Box<SealedEntry>),
    /// The task could not be done.
    Failed,
}

/// From the encoder of a file.
pub enum SourceEvent {
    /// The next run of sibling chunks.
    Run(Run),
    /// All runs of the file have been handed over. If it has parity, that comes next.
    End {
        /// How to read the file.
        capability: Capability,
        /// Its length in bytes.
        length: u64,
    },
    /// The next run of the file's parity.
    ParityRun(Run),
    /// All runs of the parity have been handed over.
    ParityEnd {
        /// How to read the parity.
        capability: Capability,
        /// Its length in bytes.
        length: u64,
    },
    /// The file could not be read, or changed while it was read.
    Failed,
}

/// From the writer of a file.
pub enum SinkEvent {
    /// That many writes more are done.
    Written {
        /// Writes finished since the last such event.
        writes: u32,
    },
    /// What was to be recovered is written, or could not be.
    Recovered {
        /// Whether what came of it was what the file's tree names; if not, nothing wrong was written.
        right: bool,
    },
    /// The file is complete and in its place.
    Finished {
        /// Its length in bytes.
        length: u64,
    },
    /// The file could not be written.
    Failed,
}
