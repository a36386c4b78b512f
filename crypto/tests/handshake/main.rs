//! The handshake of a link as its callers see it.

mod damage;
mod passage;
mod scene;
mod shape;
