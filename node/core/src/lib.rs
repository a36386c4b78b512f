//! Oboro's protocol as a state machine.
//!
//! [`Node`] takes events and puts actions into an [`Outbox`]. It has no clock, no randomness of its own, no socket, no
//! thread and no file: time is an argument, chance comes from one seed, everything else is an [`Action`]. The same code
//! runs under tokio and in a simulator.

#![forbid(unsafe_code)]

pub mod action;
pub mod command;
pub mod config;
pub mod event;
pub mod failure;
pub mod ids;
pub mod report;
pub mod stats;
pub mod time;

pub use action::{Action, Outbox};
pub use command::Command;
pub use config::Config;
pub use event::Event;
pub use failure::Failure;
pub use report::Report;
pub use time::Time;
