//! What can happen to the node, as a fuzzer invents it.

use arbitrary::Arbitrary;

/// The number that means all there are.
pub(super) const ALL: u8 = u8::MAX;

/// One thing that happens.
#[derive(Arbitrary, Debug)]
pub(super) enum Step {
    /// A stranger has dialled the node.
    Up { stranger: u8 },
    /// A link is gone.
    Down { link: u8 },
    /// The line takes more records.
    Grant { link: u8, records: u8 },
    /// A record of any bytes.
    Raw { link: u8, bytes: Vec<u8> },
    /// A record of frames.
    Say { link: u8, frames: Vec<Say> },
    /// Messages of a session on a stream that the stranger opened.
    Ask {
        link: u8,
        stream: u8,
        open: bool,
        words: Vec<Word>,
    },
    /// Messages of a session on a stream that the node opened.
    Answer { which: u8, words: Vec<Word> },
    /// The best answer a stranger can give to what the node asked of him.
    Oblige { which: u8 },
    /// Something that the node asked of its shell is done.
    Done { which: u8, how: Outcome },
    /// Time passes.
    Wait { millis: u16 },
    /// Much time passes.
    Rest { minutes: u8 },
    /// The user wants something.
    Want(Want),
}

/// One frame.
#[derive(Arbitrary, Debug)]
pub(super) enum Say {
    Hello { stranger: Option<u8> },
    Digest { fill: u64 },
    Bucket { bucket: u8, items: Vec<(u64, u32)> },
    Descriptors(Vec<Described>),
    WantAll { bucket: u8, ids: Vec<u64> },
    Ping(u64),
    Pong(u64),
    Control(Vec<u8>),
    Open(u8),
    Data { stream: u8, bytes: Vec<u8> },
    Credit { stream: u8, bytes: u32 },
    Close { stream: u8, reason: u8 },
    Offer(Vec<(u64, u32)>),
    Ask(Vec<(u64, u32)>),
}

/// A descriptor.
#[derive(Arbitrary, Debug)]
pub(super) struct Described {
    pub(super) stranger: u8,
    pub(super) id: u8,
    pub(super) age_secs: i16,
    pub(super) storage: bool,
    pub(super) address: [u8; 4],
    pub(super) genuine: bool,
}

/// A message inside a session.
#[derive(Arbitrary, Debug)]
pub(super) enum Word {
    Get {
        extent: u8,
        wanted: u32,
    },
    Put {
        index: u8,
        chunks: u8,
        fill: u8,
        day: i8,
    },
    PutEntry {
        index: u8,
        damage: Option<u16>,
    },
    Query {
        location: u8,
        after: Option<[u8; 16]>,
        max: u8,
    },
    Chunk {
        index: u8,
        fill: u8,
        first: bool,
    },
    /// All chunks of a put with this fill, in order.
    Chunks {
        count: u8,
        fill: u8,
    },
    Have {
        mask: u32,
        first: bool,
    },
    Send {
        mask: u32,
        first: bool,
    },
    Receipt {
        genuine: bool,
        first: bool,
    },
    Entries {
        count: u8,
        more: bool,
        first: bool,
    },
    Refused {
        cause: u8,
        price: u8,
        first: bool,
    },
    Nothing {
        first: bool,
    },
    Garbage {
        bytes: Vec<u8>,
        framed: bool,
    },
}

/// How the shell comes back to the node.
#[derive(Arbitrary, Debug)]
pub(super) enum Outcome {
    /// Well, with something: `amount` says how much of it.
    Well { amount: u8 },
    /// With nothing.
    Empty,
    /// Badly.
    Failed,
}

/// A wish of the user.
#[derive(Arbitrary, Debug)]
pub(super) enum Want {
    Publish {
        terms: u8,
    },
    Search {
        word: u8,
        patience_secs: u8,
    },
    Fetch {
        honest: bool,
        level: u8,
        resume: Option<Vec<u8>>,
    },
    Cancel {
        job: u8,
        keep: bool,
    },
    Join {
        stranger: u8,
    },
}
