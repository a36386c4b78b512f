//! Ctrl-C.
//!
//! Once a process has asked for it, Ctrl-C no longer ends the process by itself: whoever waits must listen.

use std::future::Future;

use oboro_node::api::{Code, Failure};

use crate::halt::Halt;

/// Completes when the user presses Ctrl-C, or if that can't be noticed.
pub async fn pressed() -> Halt {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Halt::interrupted(),
        Err(error) => Failure::new(Code::Failed, format!("Ctrl-C can't be caught: {error}")).into(),
    }
}

/// `work`, unless the user presses Ctrl-C first.
///
/// # Errors
/// The work's own, and `interrupted`.
pub async fn or<T, E: Into<Halt>>(work: impl Future<Output = Result<T, E>>) -> Result<T, Halt> {
    tokio::select! {
        result = work => result.map_err(Into::into),
        halt = pressed() => Err(halt),
    }
}
