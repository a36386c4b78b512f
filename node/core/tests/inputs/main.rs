//! Hostile input to every decoder of the core: no panic, bounded memory, nothing accepted that is not canonical.
//!
//! A few seconds by default. `OBORO_INPUTS=2000000 cargo test --release -p oboro-core --test inputs -- --nocapture`
//! feeds that many to each decoder and prints time and memory.

#![allow(
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a run is timed, and its figures are for whoever asked for them"
)]

// One harness for the decoders of both packages.
#[path = "../../../../crypto/tests/inputs/harness.rs"]
mod harness;
mod node;
mod wire;
