//! Hostile input to every decoder of this crate: no panic, bounded memory, nothing accepted that is not canonical.
//!
//! A few seconds by default. `OBORO_INPUTS=2000000 cargo test --release -p oboro-crypto --test inputs -- --nocapture`
//! feeds that many to each decoder and prints time and memory.

#![allow(
    clippy::print_stderr,
    reason = "figures of a run are for whoever asked for them"
)]

mod circuits;
mod content;
mod forge;
mod harness;
mod insider;
mod keys;
mod links;
