//! The listener: silent to whoever does not prove that he knows this node.
//!
//! Promises: no byte goes out before the first flight proved knowledge of our link key; whoever fails, stalls, ends his
//! side or is replayed sees an open, silent connection that closes at a random time. What that costs is bounded by
//! [`Limits`]. Does not know who is welcome.

use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oboro_crypto::handshake::{Established, ReplayWindow};
use rand_core::RngCore;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{debug, warn};

use super::gate::{Gate, Places};
use super::link::{Link, OUTGOING_MAX};
use super::shake::{ShakeError, respond};
use super::{Arrival, Counts, Shared};
use crate::chance;

/// First flights remembered against replay. Each is 8 bytes; beyond it the oldest is forgotten.
const REPLAYS_MAX: usize = 65_536;

/// Pause after the system refused to accept, e.g. for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often a silent connection is read, and how much of it: 4 KiB every 20 ms keep a flooding stranger slow.
const DISCARD_PAUSE: Duration = Duration::from_millis(20);
const DISCARD_BYTES: usize = 4096;

/// Reads before a silent connection is closed: 1 MiB, more than the system holds for one that is read.
const DISCARDS_AT_END: usize = 256;

/// What strangers may cost.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Places at the door.
    pub(crate) places: Places,
    /// A handshake takes no longer.
    pub(crate) handshake: Duration,
    /// When, after being accepted, a stranger's connection is closed.
    pub(crate) silence: RangeInclusive<Duration>,
    /// Links others made, at once. Beyond it they are closed.
    pub(crate) links: usize,
}

impl Limits {
    /// The limits of a node; on a local network one range may have all places.
    pub(crate) fn of_a_node(local: bool) -> Self {
        let total = 256;
        let per_range = if local { total } else { 16 };
        Self {
            places: Places {
                total,
                per_range,
                silent: 256,
            },
            handshake: Duration::from_secs(10),
            silence: Duration::from_secs(10)..=Duration::from_secs(60),
            links: oboro_core::limits::LINKS_MAX,
        }
    }
}

/// The door of a node, for all addresses it listens on.
pub(crate) struct Listener {
    shared: Arc<Shared>,
    limits: Limits,
    gate: Arc<Gate>,
    replays: Mutex<ReplayWindow>,
    links: Arc<Semaphore>,
    done: mpsc::Sender<()>,
}

impl Listener {
    /// `done` is held as long as any link lives.
    pub(crate) fn new(shared: Arc<Shared>, limits: Limits, done: mpsc::Sender<()>) -> Arc<Self> {
        Arc::new(Self {
            shared,
            gate: Gate::new(limits.places),
            replays: Mutex::new(ReplayWindow::new(REPLAYS_MAX)),
            links: Arc::new(Semaphore::new(limits.links)),
            limits,
            done,
        })
    }

    /// Accepts on one socket until dropped. Strangers are dropped with it, links are not.
    pub(crate) async fn serve(self: Arc<Self>, socket: TcpListener) {
        let mut strangers = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = strangers.join_next() => {}
                accepted = socket.accept() => match accepted {
                    Ok((stream, address)) => self.meet(stream, address, &mut strangers),
                    Err(error) => {
                        warn!(%error, "cannot accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    fn meet(self: &Arc<Self>, stream: TcpStream, address: SocketAddr, strangers: &mut JoinSet<()>) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let Some(pass) = self.gate.enter(address) else {
            Counts::one(&self.shared.counts.crowded);
            return;
        };
        let door = Arc::clone(self);
        strangers.spawn(async move {
            let mut stream = stream;
            let until = Instant::now() + door.silence_time();
            let shaken = door.shake(&mut stream, until).await;
            drop(pass);
            match shaken {
                Ok((established, slot)) => door.welcome(stream, address, established, slot),
                Err(cause) => {
                    Counts::one(cause);
                    keep_silent(&stream, until, door.gate.silence()).await;
                }
            }
        });
    }

    /// Shakes hands in the time there is; the error is the counter of its cause.
    async fn shake(
        &self,
        stream: &mut TcpStream,
        until: Instant,
    ) -> Result<(Box<Established>, OwnedSemaphorePermit), &AtomicU64> {
        let counts = &self.shared.counts;
        let end = until.min(Instant::now() + self.limits.handshake);
        let shaking = timeout_at(end, respond(stream, &self.shared, &self.replays)).await;
        let established = match shaking {
            Ok(Ok(established)) => established,
            Ok(Err(ShakeError::Chance)) => return Err(&counts.full),
            Ok(Err(error)) => {
                debug!(%error, "a stranger was not let in");
                return Err(&counts.silent);
            }
            Err(_) => return Err(&counts.slow),
        };
        let slot = Arc::clone(&self.links).try_acquire_owned();
        slot.map(|slot| (established, slot))
            .map_err(|_| &counts.full)
    }

    /// A neighbour: his link outlives this listener.
    fn welcome(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        established: Box<Established>,
        slot: OwnedSemaphorePermit,
    ) {
        let (shared, done) = (Arc::clone(&self.shared), self.done.clone());
        tokio::spawn(async move {
            if let Ok(link) = announce(&shared, stream, address, *established).await {
                link.run().await;
            }
            drop((slot, done));
        });
    }

    /// A random time within the limits.
    fn silence_time(&self) -> Duration {
        let (least, most) = (*self.limits.silence.start(), *self.limits.silence.end());
        // Without randomness every stranger is closed last: dull, but silent.
        let chance = chance::generator().map_or(u32::MAX, |mut rng| rng.next_u32());
        least + (most.saturating_sub(least)).mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }
}

async fn announce(
    shared: &Shared,
    stream: TcpStream,
    address: SocketAddr,
    established: Established,
) -> Result<Link, io::Error> {
    stream.set_nodelay(true)?;
    let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
    let id = shared.next_link();
    let up = Arrival::Up {
        link: id,
        remote: established.remote,
        address,
        dial: None,
        outgoing,
    };
    shared
        .arrivals
        .send(up)
        .await
        .map_err(|_| io::ErrorKind::BrokenPipe)?;
    let (cipher, arrivals) = (established.cipher, shared.arrivals.clone());
    Ok(Link {
        id,
        stream,
        cipher,
        outgoing: queue,
        arrivals,
    })
}

/// Reads and drops what comes until it is time; says nothing. Unread bytes at the end would make the system answer with
/// a reset.
async fn keep_silent(stream: &TcpStream, until: Instant, mut go: oneshot::Receiver<()>) {
    let discard = async {
        let mut bytes = [0; DISCARD_BYTES];
        loop {
            match stream
                .readable()
                .await
                .and_then(|()| stream.try_read(&mut bytes))
            {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                _ => sleep(DISCARD_PAUSE).await,
            }
        }
    };
    // Who ends his side, or breaks the connection, sees the same time as everybody.
    let discard_forever = async {
        discard.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = sleep_until(until) => {}
        _ = &mut go => {}
        () = discard_forever => {}
    }
    let mut bytes = [0; DISCARD_BYTES];
    for _ in 0..DISCARDS_AT_END {
        if !matches!(stream.try_read(&mut bytes), Ok(1..)) {
            return;
        }
    }
}
