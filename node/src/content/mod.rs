//! Files of the user on their way into and out of the network: a thread for each.
//!
//! Promises: whatever a file does while it is read or written, the job learns it and nothing else suffers; an output
//! appears whole or not at all. Does not know where blocks come from or go to.

mod part;
mod plan;
mod sink;
mod source;

use std::sync::{Arc, OnceLock};

use crate::api::Failure;

pub(crate) use part::{Part, Target};
pub(crate) use plan::{FetchPlan, PublishPlan, Resumed};
pub(crate) use sink::Sink;
pub(crate) use source::{Source, SourceFile};

/// What a content thread found wrong, in the user's terms; the core only learns that it failed.
pub(crate) type Fault = Arc<OnceLock<Failure>>;
