//! Every bound of the cache: name, unit, reason, and what is dropped at it.
//!
//! Does not know: bounds of the network; a caller may be stricter.

/// Bytes in a chunk: one ERIS block of the large size.
pub const CHUNK_LEN: usize = 32_768;

/// Chunks in an extent, and so in one read: 1 MiB, the unit of placement. More is the caller's mistake.
pub const EXTENT_CHUNKS_MAX: usize = 32;

/// Bytes in an entry: a sealed entry of the protocol with its envelope. Longer ones are the caller's mistake.
pub const ENTRY_LEN_MAX: usize = 1_280;

/// Entries at one location, so that a flooded keyword costs a storer 640 KiB. The weakest is dropped.
pub const ENTRIES_PER_LOCATION_MAX: usize = 512;

/// Part of the quota that entries may fill (a sixteenth): what is small and found often must not crowd out chunks.
/// The weakest of a sample is dropped.
pub const ENTRIES_SHARE: u64 = 16;

/// Bytes in a descriptor: twice the protocol's limit, so that a longer one is a mistake and not an attack.
pub const DESCRIPTOR_LEN_MAX: usize = 1_024;

/// Descriptors kept: half of the largest network known (Winny's 450,000), 60 MB. Further ones are dropped; a node learns
/// them again from its neighbours.
pub const DESCRIPTORS_MAX: usize = 262_144;

/// Refused references: what an operator can list by hand or by file, 0.5 MiB in memory. More is an error, never a silent
/// loss.
pub const REFUSALS_MAX: usize = 16_384;

/// Extents or entries looked at to choose one for eviction: enough that the choice is among the worst sixteenth, few
/// enough to cost microseconds.
pub const EVICTION_SAMPLE: usize = 16;

const _: () = assert!(
    EXTENT_CHUNKS_MAX <= u32::BITS as usize,
    "a mask of chunks is one u32"
);
