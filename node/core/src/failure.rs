//! Why a job cannot be done, in the user's terms.

/// The cause of a failed job. Each has its own exit code and its own next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// This node knows no other.
    #[error("not joined: this node knows no other node yet")]
    NotJoined,
    /// Others are known, none could be reached.
    #[error("no route: none of the nodes responsible could be reached")]
    NoRoute,
    /// Nothing is there under that name.
    #[error("nothing found")]
    NotFound,
    /// Found, but chunks are missing everywhere.
    #[error("found but not retrievable: {missing} of its parts could not be had from any storer")]
    NotRetrievable {
        /// Parts tried in vain before giving up.
        missing: u32,
    },
    /// Storers do not take it.
    #[error("refused: storers would not take it")]
    Refused,
    /// The capability leads to blocks that are not a file.
    #[error("damaged: what was published under this name is not a whole file")]
    Damaged,
    /// The file could not be read while it was published.
    #[error("the file could not be read, or changed while it was being published")]
    Source,
    /// The file could not be written while it was fetched.
    #[error("the file could not be written")]
    Sink,
    /// Too many jobs of this kind are under way.
    #[error("too many jobs at once")]
    Busy,
    /// No searchable word was given.
    #[error("no searchable word")]
    NoTerms,
    /// The user stopped it.
    #[error("cancelled")]
    Cancelled,
}
