//! The handshake on a socket: reads what the state machine asks for, writes what it gives, nothing else.

use std::io;
use std::sync::Mutex;

use oboro_crypto::handshake::{
    Established, HandshakeError, Initiator, ReplayWindow, Responder, Step,
};
use oboro_crypto::ids::LinkPublic;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Shared;
use crate::chance;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShakeError {
    /// The socket failed or ended.
    #[error("the connection broke: {0}")]
    Socket(#[from] io::Error),
    /// The other side is not who it should be, or does not know who we are.
    #[error("the handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    /// This machine has no randomness.
    #[error("no randomness")]
    Chance,
}

/// Shakes hands as the one who dialled.
pub(super) async fn initiate(
    stream: &mut TcpStream,
    shared: &Shared,
    remote: &LinkPublic,
) -> Result<Box<Established>, ShakeError> {
    let mut rng = chance::generator().map_err(|_| ShakeError::Chance)?;
    let minute = shared.clock.minute();
    let mut machine = Initiator::new(&shared.context, &shared.key, remote, minute, &mut rng)?;
    converse(stream, |input| machine.advance(input)).await
}

/// Shakes hands as the one who was dialled. After an error nothing has been and nothing may be written any more.
pub(super) async fn respond(
    stream: &mut TcpStream,
    shared: &Shared,
    replays: &Mutex<ReplayWindow>,
) -> Result<Box<Established>, ShakeError> {
    let mut rng = chance::generator().map_err(|_| ShakeError::Chance)?;
    let minute = shared.clock.minute();
    let mut machine = Responder::new(&shared.context, &shared.key, minute, &mut rng)?;
    converse(stream, |input| {
        // A thread that panicked while holding it left a window that is merely stricter or laxer by one flight.
        let mut replays = replays
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        machine.advance(input, &mut replays)
    })
    .await
}

async fn converse(
    stream: &mut TcpStream,
    mut advance: impl FnMut(&[u8]) -> Result<Step, HandshakeError>,
) -> Result<Box<Established>, ShakeError> {
    let mut input = Vec::new();
    loop {
        match advance(&input)? {
            Step::Read(bytes) => {
                input.resize(bytes, 0);
                stream.read_exact(&mut input).await?;
            }
            Step::Write(bytes) => {
                stream.write_all(&bytes).await?;
                input.clear();
            }
            Step::Done(established) => return Ok(established),
        }
    }
}
