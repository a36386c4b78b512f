//! Accepting connections on the control socket: from whom, how many, for how long.
//!
//! One request a connection, so no connection is ever idle and each has an end.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::routes::router;
use super::socket::Socket;
use crate::api::NodeApi;

/// Connections served at once; more wait in the system's backlog. A person needs a handful, each costs some 40 KiB.
const CONNECTIONS_MAX: usize = 64;

/// Largest head of a request in bytes.
const HEAD_MAX: usize = 16 * 1024;

/// A client that takes longer to send a request's head is given up.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// No connection lives longer: the longest search and then some, for a client that doesn't read its answer.
const CONNECTION_TIME: Duration = Duration::from_secs(660);

/// How long answers under way may take after the end was asked for; what takes longer is broken off.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Pause after the system refused to accept, e.g. for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why [`serve`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The `stop` future completed.
    Stopped,
    /// A client asked the node to end.
    Asked,
}

/// Serves `api` on `socket` until `stop` completes or a client asks for the end, then lets answers under way out for
/// a moment and removes the socket. Ending the node itself is left to the caller.
pub async fn serve<A: NodeApi>(api: A, socket: Socket, stop: impl Future<Output = ()>) -> Ended {
    let asked = Arc::new(Notify::new());
    let service = router(api, Arc::clone(&asked));
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (closing, closed) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    let ended = loop {
        tokio::select! {
            () = &mut stop => break Ended::Stopped,
            () = asked.notified() => break Ended::Asked,
            Some(_) = connections.join_next() => {}
            (stream, slot) = accept(&socket.listener, &slots) => {
                connections.spawn(converse(stream, service.clone(), closed.clone(), slot));
            }
        }
    };
    drop(socket);
    // Nobody listening any more is as good as everybody told.
    let _ = closing.send(());
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIME, all).await.is_err() {
        debug!("broke off control connections at the end");
    }
    ended
}

/// The next connection of someone who may speak, once there is a slot for it.
async fn accept(
    listener: &UnixListener,
    slots: &Arc<Semaphore>,
) -> (UnixStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed; were it, serving without a slot beats serving nobody.
    let slot = Arc::clone(slots).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match may_speak(&stream) {
                Ok(true) => return (stream, slot),
                Ok(false) => warn!("turned another user away from the control socket"),
                Err(error) => debug!(%error, "can't tell who opened a control connection"),
            },
            Err(error) => {
                warn!(%error, "can't accept on the control socket");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn may_speak(stream: &UnixStream) -> io::Result<bool> {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().map(|peer| is_owner(peer.uid(), own))
}

/// Root could read everything anyway; everyone else has no business here.
fn is_owner(uid: u32, own: u32) -> bool {
    uid == own || uid == 0
}

/// Answers one request.
async fn converse(
    stream: UnixStream,
    service: Router,
    mut closed: watch::Receiver<()>,
    slot: Option<OwnedSemaphorePermit>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let conversation = async {
        tokio::select! {
            result = &mut connection => result,
            _ = closed.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    match tokio::time::timeout(CONNECTION_TIME, conversation).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a control connection broke"),
        Err(_) => debug!("a control connection took too long"),
    }
    drop(slot);
}

#[cfg(test)]
mod tests {
    use super::is_owner;

    #[test]
    fn the_user_and_root_may_speak_and_others_not() {
        assert!(is_owner(1000, 1000) && is_owner(0, 1000));
        assert!(!is_owner(1001, 1000) && !is_owner(1000, 0));
    }
}
