//! The node's public interface: what any program may ask of a running node, and the JSON shapes of the answers.
//!
//! The control socket, the command line and the node handle all speak in these types and in nothing else. Fields may be
//! added, never removed or given another meaning, while [`SCHEMA`] stands. This module knows no transport, no terminal
//! and no protocol of the network.
//!
//! `Debug` of everything that can carry a title, a word, a URN or an address prints the type's name only.

mod content;
mod failure;
mod path;
mod route;
mod status;

use std::future::Future;

pub use content::{
    FetchRequest, Job, JobKind, JobState, PublishRequest, SearchHit, SearchRequest, SearchResults,
};
pub use failure::{Code, Failure};
pub use route::{HOPS_FULL, Route};
pub(crate) use route::{guard_age, hops_and_limit};
pub use status::{
    CacheUse, CacheWork, Circuits, ClassTraffic, Classes, Direction, Guard, Handshakes, Latency,
    NodeState, Peer, PeerState, Served, Stats, Status, Stored, Streams, Upkept,
};

/// Version of the JSON shapes in this module.
pub const SCHEMA: u32 = 1;

/// Number of a job; never used twice by one home.
pub type JobId = u64;

/// Everything a running node can be asked. The node handle is the real one; tests bring their own.
///
/// Dropping a returned future gives up waiting; it cancels searches and leaves jobs running.
pub trait NodeApi: Clone + Send + Sync + 'static {
    /// One screen about the node.
    fn status(&self) -> impl Future<Output = Result<Status, Failure>> + Send;

    /// Relay statistics since the node started.
    fn stats(&self) -> impl Future<Output = Result<Stats, Failure>> + Send;

    /// The links and the nodes being dialed.
    fn peers(&self) -> impl Future<Output = Result<Vec<Peer>, Failure>> + Send;

    /// One text line that lets another node join this one's network through this one. A secret on a private network.
    fn invite(&self) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Remembers an invite's node and dials it; returns when the invite is kept, not when the link stands.
    fn join(&self, invite: String) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Starts to publish a file.
    fn publish(
        &self,
        request: PublishRequest,
    ) -> impl Future<Output = Result<JobId, Failure>> + Send;

    /// Asks the network; returns when every storer asked has answered or the time is over. The results become the
    /// ones [`FetchRequest::n`] counts, unless there are none.
    fn search(
        &self,
        request: SearchRequest,
    ) -> impl Future<Output = Result<SearchResults, Failure>> + Send;

    /// The results [`FetchRequest::n`] counts: those of the last search that found something, `None` before there was
    /// one. A search that finds nothing leaves them as they are; they are kept, sealed, over a restart.
    fn last_search(&self) -> impl Future<Output = Result<Option<SearchResults>, Failure>> + Send;

    /// Starts to fetch a file.
    fn fetch(&self, request: FetchRequest) -> impl Future<Output = Result<JobId, Failure>> + Send;

    /// A job's state: at once when it has ended, else when it changes or after `wait_ms` milliseconds.
    fn job(&self, id: JobId, wait_ms: u64) -> impl Future<Output = Result<Job, Failure>> + Send;

    /// All jobs that run, and those that ended lately.
    fn jobs(&self) -> impl Future<Output = Result<Vec<Job>, Failure>> + Send;

    /// Ends a job; what it fetched so far is dropped.
    fn cancel(&self, id: JobId) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Refuses to keep or serve what these URNs name, from now on; all of them or none.
    fn refuse(&self, urns: Vec<String>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Takes refusals back; all of them or none.
    fn allow(&self, urns: Vec<String>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Ends the node: everything acknowledged is on disk when this returns.
    fn shutdown(&self) -> impl Future<Output = ()> + Send;
}

#[cfg(test)]
mod tests;
