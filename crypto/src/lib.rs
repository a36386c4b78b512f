//! Oboro's cryptography: links, sessions, circuits, content, keywords and keys.
//!
//! Promises: every byte that is sealed, opened, signed, hashed or derived anywhere in Oboro is sealed, opened, signed,
//! hashed or derived by this crate; whatever needs chance takes it from the caller, so the same seed gives the same bytes.
//!
//! Does not know: sockets, files, clocks (days and minutes are arguments), routing, storage, or who asks and why.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

// What everything else stands on.
pub mod aead;
pub mod cost;
pub mod hash;
pub mod ids;
pub mod labels;
pub mod secret;

// Nodes, their keys and their networks.
pub mod keyfile;
pub mod keys;
pub mod network;
pub mod node_id;
pub mod work;

// What two nodes say to each other.
pub mod circuit;
pub mod handshake;
mod noise;
pub mod provider;
pub mod record;
pub mod session;

// Content and keywords.
pub mod entry;
pub mod eris;
pub mod parity;
pub mod terms;
pub mod token;

/// The source of chance every function of this crate takes from its caller: a cryptographic generator, object-safe.
pub use rand_core::CryptoRngCore;

pub use ids::{
    ExtentId, IdentityPublic, LinkPublic, Location, NetworkId, NodeId, OnionPublic, Reference,
    Signature, distance,
};
pub use labels::Label;
pub use secret::{Secret, SecretBytes};
