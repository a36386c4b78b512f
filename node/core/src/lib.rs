//! Oboro's protocol as a state machine.
//!
//! [`Node`] takes events and puts actions into an [`Outbox`]. It has no clock, no randomness of its own, no socket, no
//! thread and no file: time is an argument, chance comes from one seed, everything else is an [`Action`]. The same code
//! runs under tokio and in a simulator.

#![forbid(unsafe_code)]

pub mod action;
mod carriage;
mod circuit;
pub mod command;
pub mod config;
mod effect;
pub mod event;
mod exchange;
pub mod failure;
mod fetch;
pub mod ids;
pub mod limits;
mod link;
mod losses;
pub mod node;
mod onion;
mod peers;
mod placement;
mod publish;
mod query;
pub mod report;
mod search;
mod serve;
mod shares;
pub mod stats;
mod stream;
pub mod time;
mod upkeep;
pub mod wire;

pub use action::{Action, Outbox};
pub use command::Command;
pub use config::Config;
pub use event::Event;
pub use failure::Failure;
pub use node::{Node, Why};
pub use report::Report;
pub use time::Time;
