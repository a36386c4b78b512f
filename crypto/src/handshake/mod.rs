//! The handshake of a link: `Noise_XKpsk3_25519_ChaChaPoly_BLAKE2s` with ML-KEM-768, masked and padded. Sans-io: the
//! caller reads and writes as each [`Step`] says.
//!
//! ```text
//! → 24 random bytes ‖ mask( e, es, [KEM key 1184 ‖ unix minute u32 ‖ pad length u16] ‖ pad )
//! ← mask( e, ee, [KEM ciphertext 1088 ‖ pad length u16] ‖ pad )
//! → mask( s, se, psk, [pad length u16] ‖ pad )
//! ```
//! Square brackets are sealed; integers are little-endian; a pad is 0 to 511 zeros under the mask. The psk is derived
//! from the KEM's secret, the network's secret and the handshake hash after message 2. So confidentiality holds against
//! a quantum computer from message 3 on, and authentication as long as X25519 does.
//!
//! Promises: the responder's side yields nothing to send until the other has shown that he knows the link key, the
//! network and its secret, and nothing ever after an error; a first flight is answered once, and only within an hour
//! of its time; the peer's key is handed out only when the handshake is complete.
//!
//! Does not know: sockets or time-outs. After an error the caller keeps reading and closes at a random time, as he would
//! with any stranger.

mod initiator;
mod kem;
mod mask;
mod replay;
mod responder;

pub use initiator::Initiator;
pub use replay::{Admission, ReplayWindow, SKEW_MINUTES};
pub use responder::Responder;

use rand_core::CryptoRngCore;

use crate::aead::TAG_LEN;
use crate::hash::derive;
use crate::ids::{LinkPublic, NetworkId};
use crate::labels;
use crate::network::Network;
use crate::record::RecordCipher;
use crate::secret::Secret;

/// Most bytes of padding at the end of a flight.
pub const PAD_MAX: usize = 511;

const ONE_PAYLOAD: usize = kem::KEY_LEN + 4 + 2;
const TWO_PAYLOAD: usize = kem::CIPHERTEXT_LEN + 2;
const THREE_PAYLOAD: usize = 2;
const ONE_CORE: usize = 32 + ONE_PAYLOAD + TAG_LEN;
const TWO_CORE: usize = 32 + TWO_PAYLOAD + TAG_LEN;
const THREE_CORE: usize = 32 + TAG_LEN + THREE_PAYLOAD + TAG_LEN;

/// The network a link belongs to.
pub struct LinkContext {
    /// Its id.
    pub network: NetworkId,
    /// Its secret, if it is private.
    pub secret: Option<Secret<32>>,
}

impl LinkContext {
    /// The context of links on `network`.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        Self {
            network: network.id(),
            secret: network.secret().map(Secret::duplicate),
        }
    }

    fn secret_bytes(&self) -> &[u8] {
        self.secret
            .as_ref()
            .map(|secret| secret.expose().as_slice())
            .unwrap_or_default()
    }

    fn psk(&self, kem: &Secret<32>, handshake_hash: &[u8]) -> Secret<32> {
        derive(
            labels::LINK_PSK,
            kem,
            &[self.secret_bytes(), handshake_hash],
        )
    }

    fn duplicate(&self) -> Self {
        Self {
            network: self.network,
            secret: self.secret.as_ref().map(Secret::duplicate),
        }
    }
}

/// What the caller does next.
pub enum Step {
    /// Read exactly this many bytes from the line, then advance with them.
    Read(usize),
    /// Write these bytes to the line, then advance with none.
    Write(Vec<u8>),
    /// The link is up.
    Done(Box<Established>),
}

/// A link that is up.
pub struct Established {
    /// Who is at the other end: he has proved that he holds this key.
    pub remote: LinkPublic,
    /// Seals and opens its records.
    pub cipher: RecordCipher,
}

/// Why a handshake is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The fault of whoever published it: that link key is no key.
    #[error("the link key is not a usable key")]
    NotAKey,
    /// A stranger, or a node that knows another key, network or secret: the first flight is not for us.
    #[error("the first flight is not for this node on this network")]
    NotForUs,
    /// The peer's clock, or ours, is more than an hour off; or a flight was recorded and sent later.
    #[error("the first flight is more than an hour off our clock")]
    Stale,
    /// Somebody sent a recorded flight again.
    #[error("the first flight was seen before")]
    Replayed,
    /// The peer's fault: a message that authenticates and yet breaks the protocol.
    #[error("the peer broke the protocol")]
    Malformed,
    /// The peer's fault, or the line's: a message does not authenticate.
    #[error("a message of the handshake does not authenticate")]
    Unauthenticated,
    /// The caller's fault: not as many bytes as the last step asked for.
    #[error("not as many bytes as were asked for")]
    WrongLength,
    /// The handshake has ended before, well or not.
    #[error("the handshake is over")]
    Over,
}

fn check_len(received: &[u8], expected: usize) -> Result<(), HandshakeError> {
    if received.len() == expected {
        Ok(())
    } else {
        Err(HandshakeError::WrongLength)
    }
}

fn draw_pad(rng: &mut dyn CryptoRngCore) -> u16 {
    // PAD_MAX is one less than a power of two, so every length is equally likely.
    (rng.next_u32() & PAD_MAX as u32) as u16
}

/// Splits off the pad length every payload ends with.
fn split_pad(payload: &[u8]) -> Result<(&[u8], usize), HandshakeError> {
    let (rest, pad) = payload
        .split_last_chunk()
        .ok_or(HandshakeError::Malformed)?;
    let pad = usize::from(u16::from_le_bytes(*pad));
    if pad <= PAD_MAX {
        Ok((rest, pad))
    } else {
        Err(HandshakeError::Malformed)
    }
}
