//! Why a command stops early.

use oboro_node::api::{Code, Failure};

/// The two ways.
#[derive(Debug)]
pub enum Halt {
    /// Something failed, the user's interruption included.
    Failure(Failure),
    /// Nobody reads stdout any more: the command ends without a word.
    Closed,
}

impl Halt {
    /// The user pressed Ctrl-C.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::Failure(Failure::new(Code::Interrupted, "interrupted"))
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}
