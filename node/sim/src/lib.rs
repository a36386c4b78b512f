//! A simulator for Oboro: the real core in a world of discrete events, hostile nodes beside it, and small models of its
//! ancestors to compare with.

#![forbid(unsafe_code)]

pub mod attacks;
pub mod cheap;
pub mod measured;
pub mod models;
pub mod report;
pub mod scenario;
pub mod world;

pub use report::Report;
pub use scenario::Scenario;
pub use world::World;
