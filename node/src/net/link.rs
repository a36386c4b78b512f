//! One link, one task: opens what comes in, seals what goes out, both in batches.
//!
//! Promises: reading never waits for a slow writer nor writing for a slow reader; while the driver has no room for
//! more, nothing is read; no more is held than [`GRANT`] records each way; `Down` is said once, last. Does not know
//! what is in a record.

use std::io;
use std::time::Duration;

use oboro_core::ids::LinkId;
use oboro_crypto::record::{RECORD_PLAIN, RECORD_WIRE, RecordCipher};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tracing::debug;

use super::Arrival;
use super::buffer::{BATCH, Incoming, Outgoing};

/// Records the core may have given to a link and not yet written: one batch. Told to the core at the start, and again
/// as records are written.
pub(crate) const GRANT: u32 = BATCH as u32;

/// Messages to a link at once: each holds at least one granted record, so it never overflows.
pub(super) const OUTGOING_MAX: usize = GRANT as usize;

/// A link without traffic for this long gives its buffers back.
const RELEASE_AFTER: Duration = Duration::from_secs(2);

/// A link that was closed here may take this long to write the rest and to be closed there. A peer that does not read
/// holds it no longer.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("closed by the other side")]
    Remote,
    #[error("the connection broke: {0}")]
    Socket(#[from] io::Error),
    #[error("a record does not authenticate")]
    Record,
    #[error("the driver is gone")]
    Driver,
}

/// A standing link.
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) stream: TcpStream,
    pub(super) cipher: RecordCipher,
    pub(super) outgoing: mpsc::Receiver<Vec<u8>>,
    pub(super) arrivals: mpsc::Sender<Arrival>,
}

impl Link {
    /// Carries records until either side ends it.
    pub(super) async fn run(self) {
        let (id, arrivals) = (self.id, self.arrivals.clone());
        let mut task = Task::new(self);
        let end = task.carry().await;
        match end {
            Ok(()) => task.close().await,
            Err(end) => debug!(link = id.0, %end, "link ended"),
        }
        drop(task);
        // If the driver is gone, nobody wants to know.
        let _ = arrivals.send(Arrival::Down { link: id }).await;
    }
}

/// A link at work.
struct Task {
    link: Link,
    incoming: Incoming,
    out: Outgoing,
    /// There is something to read, and no place for it yet.
    readable: bool,
    /// Records written and not yet reported as writable.
    freed: u32,
    /// The driver will give nothing more.
    closing: bool,
}

/// What woke a link.
enum Wake<'a> {
    Place(mpsc::Permit<'a, Arrival>),
    Socket { readable: bool },
    Given(Option<Vec<u8>>),
    Idle,
}

impl Task {
    fn new(link: Link) -> Self {
        let (incoming, out) = (Incoming::default(), Outgoing::default());
        Self {
            link,
            incoming,
            out,
            readable: false,
            freed: 0,
            closing: false,
        }
    }

    /// Carries records until the driver has given its last.
    async fn carry(&mut self) -> Result<(), End> {
        loop {
            self.seal_queued()?;
            self.write()?;
            self.report();
            if self.closing {
                return Ok(());
            }
            // The arrivals' queue is borrowed apart from the rest, because its place is used below.
            let arrivals = self.link.arrivals.clone();
            match self.wait(&arrivals).await? {
                Wake::Place(place) => self.use_place(place)?,
                Wake::Socket { readable } => self.readable |= readable,
                Wake::Given(Some(plain)) => self.seal(&plain)?,
                Wake::Given(None) => self.closing = true,
                Wake::Idle => {
                    self.incoming.release();
                    self.out.release();
                }
            }
        }
    }

    /// Waits for one thing.
    async fn wait<'a>(&mut self, arrivals: &'a mpsc::Sender<Arrival>) -> Result<Wake<'a>, End> {
        let Self { link, .. } = self;
        let wants_place = self.readable || self.freed > 0;
        let writing = !self.out.unwritten().is_empty();
        let interest = match (self.readable, writing) {
            (false, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, true) => Some(Interest::WRITABLE),
            (true, false) => None,
        };
        let holds = self.incoming.holds_memory() || self.out.holds_memory();
        tokio::select! {
            place = arrivals.reserve(), if wants_place => place.map(Wake::Place).map_err(|_| End::Driver),
            ready = link.stream.ready(interest.unwrap_or(Interest::READABLE)), if interest.is_some() => {
                Ok(Wake::Socket { readable: ready?.is_readable() })
            }
            plain = link.outgoing.recv() => Ok(Wake::Given(plain)),
            () = tokio::time::sleep(RELEASE_AFTER), if holds => Ok(Wake::Idle),
        }
    }

    /// Seals all that was given: no more than was granted, so all of it fits.
    fn seal_queued(&mut self) -> Result<(), End> {
        loop {
            match self.link.outgoing.try_recv() {
                Ok(plain) => self.seal(&plain)?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => {
                    self.closing = true;
                    return Ok(());
                }
            }
        }
    }

    fn seal(&mut self, plain: &[u8]) -> Result<(), End> {
        let records = plain.len() / RECORD_PLAIN;
        let space = self.out.space();
        space.reserve(records * RECORD_WIRE);
        self.link.cipher.seal(plain, space).map_err(|_| End::Record)
    }

    /// Writes what the socket takes now.
    fn write(&mut self) -> Result<(), End> {
        while !self.out.unwritten().is_empty() {
            match self.link.stream.try_write(self.out.unwritten()) {
                Ok(0) => return Err(End::Remote),
                Ok(bytes) => self.freed += self.out.wrote(bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Tells what was written if there is a place for it now; otherwise one is waited for.
    fn report(&mut self) {
        if self.freed > 0 {
            let report = Arrival::Writable {
                link: self.link.id,
                records: self.freed,
            };
            if self.link.arrivals.try_send(report).is_ok() {
                self.freed = 0;
            }
        }
    }

    /// A place in the driver's queue: what was written first, it lets others go on; else what can be read now.
    fn use_place(&mut self, place: mpsc::Permit<'_, Arrival>) -> Result<(), End> {
        let link = self.link.id;
        if self.freed > 0 {
            place.send(Arrival::Writable {
                link,
                records: self.freed,
            });
            self.freed = 0;
            return Ok(());
        }
        match self.link.stream.try_read_buf(self.incoming.space()) {
            Ok(0) => return Err(End::Remote),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        let whole = self.incoming.whole();
        if !whole.is_empty() {
            let mut plain = Vec::with_capacity(whole.len() / RECORD_WIRE * RECORD_PLAIN);
            self.link
                .cipher
                .open(whole, &mut plain)
                .map_err(|_| End::Record)?;
            self.incoming.take_whole();
            place.send(Arrival::Records { link, plain });
        }
        Ok(())
    }

    /// Writes the rest, says that it was all, and waits a moment for the other side's end, dropping what still comes,
    /// so that the system does not take back what it was given.
    async fn close(&mut self) {
        let stream = &mut self.link.stream;
        let rest = self.out.unwritten();
        let linger = async {
            stream.write_all(rest).await?;
            stream.shutdown().await?;
            let mut sink = [0; 4096];
            while stream.read(&mut sink).await? > 0 {}
            io::Result::Ok(())
        };
        // However it ends, it ends.
        let _ = tokio::time::timeout(CLOSE_TIME, linger).await;
    }
}
