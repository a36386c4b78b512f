//! What is fuzzed, and with which expectations. Each target takes bytes and panics if a promise is broken; the programs
//! in `fuzz_targets/` hand it what libFuzzer invents, `tests/corpus.rs` what was kept.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod circuit;
pub mod content;
pub mod links;
pub mod node;
pub mod seeds;
pub mod wire;

// The same forger as in the tests of oboro-crypto, which use more of it.
#[allow(dead_code)]
#[path = "../../crypto/tests/inputs/forge.rs"]
mod forge;

/// A function that is fuzzed.
pub type Target = fn(&[u8]);

/// All targets by the names of their programs and of their folders in `corpus/`.
pub const TARGETS: [(&str, Target); 23] = [
    ("handshake_one", links::handshake_one),
    ("handshake_two", links::handshake_two),
    ("handshake_three", links::handshake_three),
    ("records", links::records),
    ("session", links::session),
    ("frames", wire::frames),
    ("cell", wire::cell),
    ("circuit", circuit::run),
    ("control", wire::control),
    ("descriptor", wire::descriptor),
    ("request", wire::request),
    ("reply", wire::reply),
    ("chunk", wire::chunk),
    ("invite", wire::invite),
    ("entry", content::entry),
    ("entry_body", content::entry_body),
    ("capability", content::capability),
    ("tree", content::tree),
    ("network", content::network),
    ("key_file", content::key_file),
    ("text", content::text),
    ("control_request", content::control_request),
    ("node", node::run),
];
