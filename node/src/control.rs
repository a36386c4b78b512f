//! The control socket: the node's public interface as HTTP/1.1 and JSON over a Unix socket of its own user.
//!
//! Promises: nobody but the user (and root) gets an answer; whatever a program sends costs a fixed amount of memory and
//! time; every refusal is a [`Failure`](crate::api::Failure) in JSON. It knows the interface in [`crate::api`] and not
//! who implements it; it reads no file of the home and starts no node.

mod request;
mod routes;
mod server;
mod socket;

pub use request::check_request;
pub use server::{Ended, serve};
pub use socket::{Socket, locate};

/// What every request must name as its host; a browser talked into connecting here would name another.
pub const HOST: &str = "oboro";

#[cfg(test)]
mod tests;
