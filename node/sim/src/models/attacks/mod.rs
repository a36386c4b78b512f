//! Published attacks, each against a model of the network it was published against, and against what Oboro's rules let
//! the same attacker observe.
//!
//! In both columns the attacker's own statistic decides: for Oboro it is computed from the observations its rules
//! produce, not assumed to fail.

pub(super) mod levine;
pub(super) mod oneswarm;
pub(super) mod takagi;
pub(super) mod tian;
pub(super) mod unasked;
pub(super) mod winny;
mod winny_world;

/// Nodes that hold a placement: nearest to locations that nobody chose.
const PLACEMENTS: usize = 4;
