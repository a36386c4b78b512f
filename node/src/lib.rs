//! Oboro's node: everything around the core that touches the world.
//!
//! Promises: one [`NodeHandle`] is one running node: its links, its store, its jobs, its state directory. Whatever was
//! acknowledged survives a kill; whatever a stranger does costs a fixed amount.
//!
//! Does not know: the protocol (that is `oboro-core`, driven here), the cryptography behind it, terminals, arguments,
//! and how a process starts or ends.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod api;
pub mod config;
pub mod control;
pub mod home;

mod chance;
mod clock;
mod compute;
mod content;
mod driver;
mod fault;
mod handle;
mod jobs;
mod net;
mod start;
mod storage;

pub use config::NodeConfig;
pub use handle::NodeHandle;
pub use oboro_core::wire::invite::{Invite, InviteError};
pub use oboro_crypto::eris;
pub use oboro_crypto::network::Network;
pub use oboro_crypto::secret::SecretBytes;
