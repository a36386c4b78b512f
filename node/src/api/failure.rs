//! What went wrong, in four fields: a word for programs, a number for shells, a sentence for people and the next step.
//!
//! A message may name a path or an option; it never holds a title, a keyword, a URN or a peer's address.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a failure. Each has one exit code; several may share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// Something failed that has no code of its own.
    Failed,
    /// The command or request is not well formed.
    Usage,
    /// A part was done, a part was not.
    Partly,
    /// The search was answered and nothing matched.
    NothingFound,
    /// No node answers at this home.
    NotRunning,
    /// A node already runs at this home.
    AlreadyRunning,
    /// The key file needs a passphrase and none was given.
    PassphraseNeeded,
    /// The passphrase doesn't open the key file.
    WrongPassphrase,
    /// The time given was over.
    TimedOut,
    /// The node has no link to its network.
    NotJoined,
    /// The node is joined but nobody it needs could be reached.
    NoRoute,
    /// Too few nodes are known for the relays of a path and the storer to be different ones.
    TooFewRelays,
    /// The guard does not answer, and is kept.
    GuardAway,
    /// Circuits fail one after another.
    NoCircuit,
    /// This node's or the storers' policy refuses it.
    Refused,
    /// It was found, but too few of its chunks could be had.
    NotRetrievable,
    /// The store on disk is damaged beyond what could be rebuilt.
    StoreDamaged,
    /// The user broke it off.
    Interrupted,
    /// The job was cancelled.
    Cancelled,
    /// There is no such job, search result or path.
    NoSuch,
    /// The output exists and was not to be overwritten.
    Exists,
    /// The disk or the quota is full.
    DiskFull,
    /// A file of the home was written by a newer version.
    NewerVersion,
    /// An invite or home belongs to another network.
    NetworkMismatch,
    /// A URN, an invite, a network file or a configuration can't be read.
    BadInput,
    /// A code this version doesn't know yet.
    #[serde(other)]
    Unknown,
}

impl Code {
    /// Every code, for tables and tests.
    pub const ALL: [Self; 26] = [
        Self::Failed,
        Self::Usage,
        Self::Partly,
        Self::NothingFound,
        Self::NotRunning,
        Self::AlreadyRunning,
        Self::PassphraseNeeded,
        Self::WrongPassphrase,
        Self::TimedOut,
        Self::NotJoined,
        Self::NoRoute,
        Self::TooFewRelays,
        Self::GuardAway,
        Self::NoCircuit,
        Self::Refused,
        Self::NotRetrievable,
        Self::StoreDamaged,
        Self::Interrupted,
        Self::Cancelled,
        Self::NoSuch,
        Self::Exists,
        Self::DiskFull,
        Self::NewerVersion,
        Self::NetworkMismatch,
        Self::BadInput,
        Self::Unknown,
    ];

    /// The process exit code.
    #[must_use]
    pub const fn exit(self) -> u8 {
        match self {
            Self::Failed
            | Self::Cancelled
            | Self::NoSuch
            | Self::Exists
            | Self::DiskFull
            | Self::NewerVersion
            | Self::NetworkMismatch
            | Self::BadInput
            | Self::Unknown => 1,
            Self::Usage => 2,
            Self::Partly => 3,
            Self::NothingFound => 4,
            Self::NotRunning => 10,
            Self::AlreadyRunning => 11,
            Self::PassphraseNeeded | Self::WrongPassphrase => 12,
            Self::TimedOut => 13,
            Self::NotJoined
            | Self::NoRoute
            | Self::TooFewRelays
            | Self::GuardAway
            | Self::NoCircuit => 14,
            Self::Refused => 15,
            Self::NotRetrievable => 16,
            Self::StoreDamaged => 20,
            Self::Interrupted => 130,
        }
    }
}

/// A failure as it crosses the control socket and leaves the command line.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Its kind.
    pub code: Code,
    /// The process exit code; equals `code.exit()` unless a newer node sent a code we don't know.
    pub exit: u8,
    /// One sentence for people, without a full stop.
    pub message: String,
    /// The next step, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            exit: code.exit(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same failure with the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Debug for Failure {
    /// The code only: a message may name a path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({:?})", self.code)
    }
}
