//! Dialling: one attempt for each wish of the core, address after address. When to try again is the core's affair.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use oboro_core::event::DialFailure;
use oboro_core::ids::DialId;
use oboro_crypto::ids::LinkPublic;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use super::link::{Link, OUTGOING_MAX};
use super::shake::{ShakeError, initiate};
use super::{Arrival, Shared};

/// A whole attempt takes no longer.
const DIAL_TIME: Duration = Duration::from_secs(10);

/// One address that does not answer leaves this much of it to the others.
const CONNECT_TIME: Duration = Duration::from_secs(4);

/// Starts an attempt; what comes of it arrives. `done` is held as long as it, or the link that comes of it, lives.
///
/// # Errors
/// [`DialFailure::Local`] if too many are under way; nothing will arrive then.
pub(crate) fn dial(
    shared: &Arc<Shared>,
    dial: DialId,
    remote: LinkPublic,
    addresses: Vec<SocketAddr>,
    done: mpsc::Sender<()>,
) -> Result<(), DialFailure> {
    let slot = Arc::clone(&shared.dials)
        .try_acquire_owned()
        .map_err(|_| DialFailure::Local)?;
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let mut stopping = shared.stopping.subscribe();
        let attempt = tokio::select! {
            attempt = attempt(&shared, dial, &remote, &addresses) => attempt,
            _ = stopping.wait_for(|stopping| *stopping) => Err(DialFailure::Local),
        };
        drop(slot);
        match attempt {
            Ok(link) => link.run().await,
            Err(cause) => {
                debug!(dial = dial.0, ?cause, "dial failed");
                // If the driver is gone, nobody wants to know.
                let _ = shared
                    .arrivals
                    .send(Arrival::DialFailed { dial, cause })
                    .await;
            }
        }
        drop(done);
    });
    Ok(())
}

/// Tries one address after another; the most telling failure counts.
async fn attempt(
    shared: &Shared,
    dial: DialId,
    remote: &LinkPublic,
    addresses: &[SocketAddr],
) -> Result<Link, DialFailure> {
    let end = Instant::now() + DIAL_TIME;
    let mut worst = DialFailure::Unreachable;
    for &address in addresses {
        let one = timeout_at(end, one_address(shared, dial, remote, address)).await;
        match one.unwrap_or(Err(DialFailure::TimedOut)) {
            Ok(link) => return Ok(link),
            Err(cause) => worst = worst.max(cause),
        }
    }
    Err(worst)
}

async fn one_address(
    shared: &Shared,
    dial: DialId,
    remote: &LinkPublic,
    address: SocketAddr,
) -> Result<Link, DialFailure> {
    let connecting = timeout(CONNECT_TIME, TcpStream::connect(address)).await;
    let mut stream = connecting
        .map_err(|_| DialFailure::TimedOut)?
        .map_err(|error| cause(&error))?;
    stream.set_nodelay(true).map_err(|error| cause(&error))?;
    let established = initiate(&mut stream, shared, remote)
        .await
        .map_err(|error| match error {
            ShakeError::Socket(_) | ShakeError::Handshake(_) => DialFailure::Handshake,
            ShakeError::Chance => DialFailure::Local,
        })?;
    let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
    let id = shared.next_link();
    let up = Arrival::Up {
        link: id,
        remote: established.remote,
        address,
        dial: Some(dial),
        outgoing,
    };
    shared
        .arrivals
        .send(up)
        .await
        .map_err(|_| DialFailure::Local)?;
    let (cipher, arrivals) = (established.cipher, shared.arrivals.clone());
    Ok(Link {
        id,
        stream,
        cipher,
        outgoing: queue,
        arrivals,
    })
}

fn cause(error: &io::Error) -> DialFailure {
    /// Out of file descriptors: this process, or the machine.
    const EMFILE: i32 = rustix::io::Errno::MFILE.raw_os_error();
    const ENFILE: i32 = rustix::io::Errno::NFILE.raw_os_error();
    match error.raw_os_error() {
        Some(EMFILE | ENFILE) => DialFailure::Local,
        _ if error.kind() == io::ErrorKind::TimedOut => DialFailure::TimedOut,
        _ => DialFailure::Unreachable,
    }
}
