//! Ctrl-C.

use std::future::Future;

use oboro_node::api::{Code, Failure};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::halt::Halt;

/// Ctrl-C, as long as this exists: it no longer ends the process by itself, and none is lost between two waits.
pub struct Interrupts(Signal);

impl Interrupts {
    /// Takes Ctrl-C over.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen() -> Result<Self, Failure> {
        let taken = signal(SignalKind::interrupt());
        taken
            .map(Self)
            .map_err(|error| Failure::new(Code::Failed, format!("Ctrl-C can't be caught: {error}")))
    }

    /// Completes when the user has pressed it.
    pub async fn pressed(&mut self) {
        // The stream ends with the runtime, and this with it.
        let _ = self.0.recv().await;
    }

    /// `work`, unless the user presses Ctrl-C first.
    ///
    /// # Errors
    /// The work's own, and `interrupted`.
    pub async fn or<T, E: Into<Halt>>(
        &mut self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Halt> {
        tokio::select! {
            result = work => result.map_err(Into::into),
            () = self.pressed() => Err(Halt::interrupted()),
        }
    }
}
