//! Oboro's cache: what a node keeps for others.
//!
//! Promises: what was put and flushed survives `kill -9`; what is read is what was put, or nothing; the whole directory
//! stays within its quota at every moment; whoever takes the disk learns neither names nor contents.
//!
//! Does not know: the network, links, protocols, who asks, or what this node's own user publishes and fetches.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod codec;
mod db;
mod disk;
pub mod entry_list;
mod error;
pub mod evict;
mod files;
mod free;
mod header;
mod heat;
mod home;
mod index;
pub mod limits;
mod memory;
mod record;
mod refusals;
mod schema;
mod sealing;
mod shares;
mod shelf;
mod slots;
mod store;
mod validate;

pub use disk::{CacheConfig, OpenReport, SledStore};
pub use error::CacheError;
pub use memory::MemoryStore;
pub use store::{
    CacheStats, EntryPage, ExtentInfo, Held, HeldPage, HeldWhat, Put, PutEntry, PutExtent, Store,
};
