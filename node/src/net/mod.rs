//! Links: how they come about, what they carry, how they end.
//!
//! Promises: one task a link; whatever a stranger does costs a fixed number of sockets and bytes for a fixed time;
//! nobody who does not prove to know this node gets a byte. Does not know what is in a record, or why a link is wanted.

mod buffer;
mod dialer;
mod gate;
mod link;
mod listener;
mod shake;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oboro_core::event::DialFailure;
use oboro_core::ids::{DialId, LinkId};
use oboro_crypto::handshake::LinkContext;
use oboro_crypto::ids::LinkPublic;
use oboro_crypto::keys::LinkKey;
use tokio::sync::{Semaphore, mpsc, watch};

pub(crate) use dialer::dial;
pub(crate) use link::GRANT;
pub(crate) use listener::{Limits, Listener};

use crate::clock::Clock;

/// Messages of all links waiting for the driver. Each holds at most [`link::BATCH`] records, so all of them 8 MiB. A
/// link that finds no place here is not read.
pub(crate) const ARRIVALS_MAX: usize = 32;

/// Dials under way at once: as many as the core asks for. Beyond it a dial fails at once.
const DIALS_MAX: usize = oboro_core::limits::DIALS_MAX;

/// What links tell the driver. Of one link: `Up` first, `Down` last, each once.
pub(crate) enum Arrival {
    /// A link stands.
    Up {
        link: LinkId,
        remote: LinkPublic,
        address: SocketAddr,
        dial: Option<DialId>,
        /// Takes whole records to send; dropping it closes the link once everything given is written.
        outgoing: mpsc::Sender<Vec<u8>>,
    },
    /// A dial came to nothing.
    DialFailed { dial: DialId, cause: DialFailure },
    /// Opened records.
    Records { link: LinkId, plain: Vec<u8> },
    /// So many records more may be given to it.
    Writable { link: LinkId, records: u32 },
    /// A link is gone.
    Down { link: LinkId },
}

/// What all links of a node share.
pub(crate) struct Shared {
    context: LinkContext,
    key: LinkKey,
    clock: Arc<Clock>,
    arrivals: mpsc::Sender<Arrival>,
    links: AtomicU64,
    dials: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
    pub(crate) counts: Counts,
}

impl Shared {
    pub(crate) fn new(
        context: LinkContext,
        key: LinkKey,
        clock: Arc<Clock>,
        arrivals: mpsc::Sender<Arrival>,
    ) -> Self {
        Self {
            context,
            key,
            clock,
            arrivals,
            links: AtomicU64::new(0),
            dials: Arc::new(Semaphore::new(DIALS_MAX)),
            stopping: watch::Sender::new(false),
            counts: Counts::default(),
        }
    }

    /// Ends all dials under way, and those to come.
    pub(crate) fn stop_dialling(&self) {
        self.stopping.send_replace(true);
    }

    fn next_link(&self) -> LinkId {
        LinkId(self.links.fetch_add(1, Ordering::Relaxed))
    }
}

/// Attempts that got no link, by cause.
#[derive(Default)]
pub(crate) struct Counts {
    /// Strangers who did not prove that they know this node.
    pub(crate) silent: AtomicU64,
    /// Strangers who did not finish in time.
    pub(crate) slow: AtomicU64,
    /// Turned away because too many from their range, or in all, were at the door.
    pub(crate) crowded: AtomicU64,
    /// Proved themselves, but there were too many links.
    pub(crate) full: AtomicU64,
}

impl Counts {
    /// Counts one.
    fn one(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
