//! The one interface of the cache: extents, entries, descriptors, refusals.
//!
//! Promises: two implementations, on disk and in memory, that pass the same tests. Nothing is acknowledged before
//! [`Store::flush`] has returned: callers put as much as they like and flush once.
//!
//! Does not know: how either keeps its data.

use oboro_crypto::{Location, NodeId, Reference};

use crate::entry_list;
use crate::error::CacheError;

/// A page of a location's entries: each with the cursor to go on after it.
pub type EntryPage = Vec<([u8; 16], Vec<u8>)>;

/// What a node keeps for others.
///
/// Damaged data is never an error of reading: it is dropped, counted in [`CacheStats::damaged`] and answered as absent.
pub trait Store: Send {
    /// Keeps an extent, evicting what is worth less. Chunks that are missing or damaged in an extent already held are
    /// written again; the rest stays as it is.
    fn put_extent(&mut self, put: PutExtent) -> Result<Put, CacheError>;

    /// What is held at a location, without reading chunks. `None` also where damage has torn a hole into the list of
    /// references, until the extent is put again; its other chunks are served all the same.
    fn extent(&mut self, location: &Location) -> Result<Option<ExtentInfo>, CacheError>;

    /// Chunks of an extent by index, in the order asked; `None` for those not held. At most
    /// [`EXTENT_CHUNKS_MAX`](crate::limits::EXTENT_CHUNKS_MAX) indexes.
    fn read(
        &mut self,
        location: &Location,
        indexes: &[u8],
    ) -> Result<Vec<Option<Vec<u8>>>, CacheError>;

    /// The same without counting as a request: for whoever passes things on. What only its storer reads is not in demand.
    fn copy(
        &mut self,
        location: &Location,
        indexes: &[u8],
    ) -> Result<Vec<Option<Vec<u8>>>, CacheError>;

    /// Keeps an entry. At a full location, or with all entries' share of the quota full, the weakest by work, then age,
    /// then chance gives way; if that is the new one, it is [`Put::NoRoom`].
    fn put_entry(&mut self, put: PutEntry) -> Result<Put, CacheError>;

    /// Up to `max` entries of a location after a cursor, in an order that has nothing to do with when they came.
    fn entries(
        &mut self,
        location: &Location,
        after: Option<[u8; 16]>,
        max: usize,
    ) -> Result<EntryPage, CacheError>;

    /// Up to `max` of the locations at which something is held, in an order that has nothing to do with them or with when
    /// they came, after a mark that an earlier page ended with. What is put or goes meanwhile may or may not be shown; all
    /// else is shown once.
    fn held(&mut self, after: Option<&[u8]>, max: usize) -> Result<HeldPage, CacheError>;

    /// The [names](entry_list::name) of all entries of a location, ascending.
    fn names(&mut self, location: &Location) -> Result<Vec<u64>, CacheError>;

    /// One number for what is held at a location, 0 for nothing: of an extent which chunks are here, of entries the
    /// [tally](entry_list::tally) of their names. Reads no chunk and no entry.
    fn tally(&mut self, location: &Location) -> Result<u64, CacheError> {
        if let Some(extent) = self.extent(location)? {
            return Ok(extent.present.into());
        }
        Ok(entry_list::tally(&self.names(location)?))
    }

    /// Keeps descriptors by node, replacing older ones. Those beyond the bound are dropped; says how many are kept.
    /// They survive restarts, but not a damaged database.
    fn put_descriptors(&mut self, descriptors: &[(NodeId, Vec<u8>)]) -> Result<usize, CacheError>;

    /// Every descriptor held, in no meaningful order.
    fn descriptors(&mut self) -> Result<Vec<Vec<u8>>, CacheError>;

    /// Drops the descriptors of these nodes.
    fn forget_descriptors(&mut self, nodes: &[NodeId]) -> Result<(), CacheError>;

    /// From now on refuses every extent with one of these references, and removes those held. Durable when it returns.
    fn refuse(&mut self, references: &[Reference]) -> Result<(), CacheError>;

    /// Takes references off the refusal list. Durable when it returns.
    fn allow(&mut self, references: &[Reference]) -> Result<(), CacheError>;

    /// The refusal list, sorted.
    fn refused(&self) -> Vec<Reference>;

    /// Whether a reference is on the refusal list.
    fn is_refused(&self, reference: &Reference) -> bool;

    /// Removes entries whose last day is before `today` (days since the Unix epoch). Says how many.
    fn expire(&mut self, today: u32) -> Result<u64, CacheError>;

    /// Makes everything put so far durable.
    fn flush(&mut self) -> Result<(), CacheError>;

    /// Counters and gauges.
    fn stats(&self) -> CacheStats;

    /// Flushes and closes. Dropping without it loses what was not flushed, nothing else.
    fn close(self: Box<Self>) -> Result<(), CacheError>;
}

/// An extent to keep. The caller has verified chunks against references, and references and index against the location.
pub struct PutExtent {
    /// Where it belongs.
    pub location: Location,
    /// Which of its placements this is.
    pub index: u8,
    /// Names of all its chunks, in order; 1 to [`EXTENT_CHUNKS_MAX`](crate::limits::EXTENT_CHUNKS_MAX).
    pub references: Vec<Reference>,
    /// As many chunks of exactly [`CHUNK_LEN`](crate::limits::CHUNK_LEN) bytes.
    pub chunks: Vec<Vec<u8>>,
    /// From the location to this node's id; the furthest is evicted first.
    pub distance: [u8; 32],
    /// Days since the Unix epoch.
    pub today: u32,
}

/// An entry to keep. The caller has checked it.
pub struct PutEntry {
    /// Where it belongs.
    pub location: Location,
    /// At most [`ENTRY_LEN_MAX`](crate::limits::ENTRY_LEN_MAX) bytes.
    pub bytes: Vec<u8>,
    /// The last day it is kept, in days since the Unix epoch.
    pub expires_day: u32,
    /// Bits of work in it.
    pub work: u8,
    /// Days since the Unix epoch; an entry that has expired is [`Put::NoRoom`].
    pub today: u32,
}

/// What became of a put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// Kept, in whole.
    Stored,
    /// Was kept already, in whole.
    Already,
    /// Everything held is worth more, or the disk is full.
    NoRoom,
    /// The operator refuses it.
    Refused,
}

/// What is held of an extent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtentInfo {
    /// Names of all its chunks, in order.
    pub references: Vec<Reference>,
    /// Bit `i` (of value `1 << i`) is set if chunk `i` is held.
    pub present: u32,
}

/// A page of what is held.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeldPage {
    /// What lies where.
    pub held: Vec<Held>,
    /// Where to go on; `None` if there is no more. Means something to this store only, and is not to leave the machine.
    pub next: Option<Vec<u8>>,
}

/// What is held at one location.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Where.
    pub location: Location,
    /// What.
    pub what: HeldWhat,
}

/// An extent, or entries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeldWhat {
    /// An extent.
    Extent {
        /// Which of its placements.
        index: u8,
        /// Names of its chunks and which are held.
        info: ExtentInfo,
    },
    /// Entries.
    Entries {
        /// One number for all of them, never 0.
        tally: u64,
    },
}

/// Counters (since the store was opened) and gauges. None names anything held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CacheStats {
    /// Gauge: bytes of all files in the directory.
    pub used: u64,
    /// Gauge: bytes the directory may grow to.
    pub quota: u64,
    /// Gauge: chunks held.
    pub chunks: u64,
    /// Gauge: extents held, in whole or in part.
    pub extents: u64,
    /// Gauge: entries held.
    pub entries: u64,
    /// Gauge: descriptors held.
    pub descriptors: u64,
    /// Chunks asked for and served.
    pub hits: u64,
    /// Chunks asked for and not held.
    pub misses: u64,
    /// Extents and entries that gave way to others.
    pub evictions: u64,
    /// Chunks, entries, refusals and records found unreadable, and dropped.
    pub damaged: u64,
    /// Puts refused because of the refusal list.
    pub refused: u64,
}
