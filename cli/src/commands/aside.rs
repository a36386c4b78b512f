//! What blocks for as long as somebody else likes: a terminal, stdin, another process.

use std::thread;

use oboro_node::api::{Code, Failure};
use tokio::sync::oneshot;

/// Does something on a thread of its own, which nobody waits for who gives up on it; the process may end meanwhile. The
/// runtime's own blocking threads would hold up its end.
///
/// # Errors
/// No thread could be started, or it broke down.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new()
        .spawn(move || {
            // Whoever asked may have given up.
            let _ = sender.send(work());
        })
        .map_err(|error| Failure::new(Code::Failed, format!("can't start a thread: {error}")))?;
    let broke_down = |_| Failure::new(Code::Failed, "a thread broke down");
    receiver.await.map_err(broke_down)
}
