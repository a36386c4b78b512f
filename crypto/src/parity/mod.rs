//! Parity across the leaf extents of a file: what makes it whole again when some of them are gone altogether.
//!
//! Promises: any `k` of a group's `k + m` extents give the group back, byte for byte; a block that is recovered is handed
//! out only if, encrypted under the key the tree gives, it is the one its reference names; memory for one group's parity
//! and one column, whatever the file's length.
//! Does not know: where extents are kept, who asks for them, files, ERIS but for what a leaf is.
//!
//! In short: the leaf extents of a file (1 MiB each, as in a [`crate::eris::Run`]) are divided into groups of up to 32;
//! column `j` of a group is leaf `j` (32 KiB of plaintext, padded as ERIS pads, zeros where the file has ended) of each of
//! its extents. Reed-Solomon over each column by itself gives leaf `j` of each of the group's parity extents. All parity
//! extents one after another are a stream of bytes, encoded with ERIS like any content, under a secret of its own.

mod decoder;
mod encoder;
mod scheme;

pub use decoder::{Missing, RecoverError, recover};
pub use encoder::{ParityStream, fill_leaf};
pub use scheme::{EXTENTS_MIN, GROUP_MAX, Group, PARITY_MAX, Scheme};

/// Fills in bytes of an offset, or a leaf of a number.
pub type Read<'a, E> = dyn FnMut(u64, &mut [u8]) -> Result<(), E> + 'a;
/// Takes a leaf of a number.
pub type Write<'a, E> = dyn FnMut(u64, &[u8]) -> Result<(), E> + 'a;

/// Bytes of one leaf: a symbol of the code.
const LEAF: usize = crate::eris::BlockSize::Large.bytes();

/// Leaves of one extent: columns of a group.
const COLUMNS: usize = crate::eris::RUN_MAX;
