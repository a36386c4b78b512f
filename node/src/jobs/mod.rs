//! What the user asked for: its state while it runs, and what of it survives the node.
//!
//! Promises: a fetch goes on where its last checkpoint left it, after whatever end; what is kept on disk about jobs and
//! searches is sealed; only so much history is kept. Does not know how jobs are done.

mod files;
mod meter;
mod record;
mod table;

pub(crate) use files::JobFiles;
pub(crate) use record::{FetchRecord, Record};
pub(crate) use table::{Ended, Table, begun};

/// Jobs that ended and are still shown. Beyond it the oldest is forgotten.
const HISTORY_MAX: usize = 100;
