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
    /// Too few other nodes are known for guard, middle, exit and storer to be four.
    #[error("too few nodes for {hops} hops: {missing} more must be known")]
    TooFewRelays {
        /// How many more must be known.
        missing: u32,
        /// Relays that a path of this network has.
        hops: u8,
    },
    /// The guard does not answer. It is kept on purpose: whoever could make a node change its guard could choose it.
    #[error(
        "the guard does not answer; another stands in for it when it has been away for {wait_secs} s more"
    )]
    GuardAway {
        /// Seconds until a standby stands in.
        wait_secs: u32,
    },
    /// Circuits fail one after another.
    #[error("no circuit holds: {tried} were tried")]
    NoCircuit {
        /// Circuits tried.
        tried: u32,
    },
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
