//! Bytes from and to others: strict readers, plain writers, one file for each family.
//!
//! A reader ends exactly or fails; every count has a bound that is checked before anything is reserved. Integers are
//! big endian. What is legal where is a table in [`allowed`].

pub mod allowed;
pub mod cell;
pub mod codec;
pub mod control;
pub mod descriptor;
pub mod frame;
pub mod invite;
pub(crate) mod listing;
pub mod message;
pub mod placement;

pub use codec::WireError;
