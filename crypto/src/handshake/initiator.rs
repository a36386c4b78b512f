//! The side that dials: it knows the responder's link key.
//!
//! Promises: all chance is drawn when it is made; after an error every step is refused.
//!
//! Does not know: how the responder's key and address were found.

use rand_core::CryptoRngCore;

use super::kem::KemSecret;
use super::mask::{Flight, Mask, NONCE_LEN};
use super::{
    Established, HandshakeError, LinkContext, Step, TWO_CORE, check_len, draw_pad, split_pad,
};
use crate::ids::LinkPublic;
use crate::keys::LinkKey;
use crate::noise::{Handshake, Pattern};
use crate::record::RecordCipher;
use crate::secret::Secret;

/// A handshake we began. Advance it with no bytes first.
pub struct Initiator {
    context: LinkContext,
    remote: LinkPublic,
    mask: Mask,
    kem: KemSecret,
    last_pad: u16,
    state: State,
}

enum State {
    Begin(Handshake, Vec<u8>),
    AskTwo(Handshake),
    ReadTwo(Handshake),
    /// Message 2 is good; its pad and then message 3 are due.
    ReadPad(Handshake, usize),
    Finish(Box<Established>),
    Over,
}

impl Initiator {
    /// A handshake with the holder of `remote`; `minute` counts from 1970-01-01 UTC.
    pub fn new(
        context: &LinkContext,
        local: &LinkKey,
        remote: &LinkPublic,
        minute: u32,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Self, HandshakeError> {
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let (kem, kem_public) = KemSecret::from_seed(&Secret::random(rng));
        let (first_pad, last_pad) = (draw_pad(rng), draw_pad(rng));
        let mask = Mask::new(context, remote, &nonce);

        let payload = [
            kem_public.as_slice(),
            &minute.to_le_bytes(),
            &first_pad.to_le_bytes(),
        ]
        .concat();
        let mut flight = nonce.to_vec();
        let noise = Handshake::initiator(
            Pattern::Link,
            &context.network,
            Some(local.secret()),
            remote.as_bytes(),
            rng,
        )
        .and_then(|noise| noise.write(&payload, &mut flight))
        .map_err(|_| HandshakeError::NotAKey)?;
        mask.cover(Flight::One, &mut flight, NONCE_LEN, first_pad.into());

        let (context, remote) = (context.duplicate(), *remote);
        Ok(Self {
            context,
            remote,
            mask,
            kem,
            last_pad,
            state: State::Begin(noise, flight),
        })
    }

    /// Takes what the last step asked for; says what to do next.
    pub fn advance(&mut self, received: &[u8]) -> Result<Step, HandshakeError> {
        // An error leaves this in place: the handshake is over.
        match core::mem::replace(&mut self.state, State::Over) {
            State::Begin(noise, flight) => {
                check_len(received, 0)?;
                self.state = State::AskTwo(noise);
                Ok(Step::Write(flight))
            }
            State::AskTwo(noise) => {
                check_len(received, 0)?;
                self.state = State::ReadTwo(noise);
                Ok(Step::Read(TWO_CORE))
            }
            State::ReadTwo(noise) => {
                check_len(received, TWO_CORE)?;
                let (noise, pad) = self.read_two(noise, received)?;
                if pad == 0 {
                    return self.write_three(noise);
                }
                self.state = State::ReadPad(noise, pad);
                Ok(Step::Read(pad))
            }
            State::ReadPad(noise, pad) => {
                check_len(received, pad)?;
                if !self.mask.is_pad(Flight::Two, TWO_CORE, received) {
                    return Err(HandshakeError::Unauthenticated);
                }
                self.write_three(noise)
            }
            State::Finish(established) => {
                check_len(received, 0)?;
                Ok(Step::Done(established))
            }
            State::Over => Err(HandshakeError::Over),
        }
    }

    fn read_two(
        &self,
        noise: Handshake,
        received: &[u8],
    ) -> Result<(Handshake, usize), HandshakeError> {
        let message = self.mask.uncover(Flight::Two, 0, received);
        let (noise, payload) = noise
            .read(&message)
            .map_err(|_| HandshakeError::Unauthenticated)?;
        let (ciphertext, pad) = split_pad(&payload)?;
        let ciphertext = ciphertext
            .try_into()
            .map_err(|_| HandshakeError::Malformed)?;
        let psk = self
            .context
            .psk(&self.kem.decapsulate(ciphertext), noise.hash());
        Ok((
            noise
                .with_psk(&psk)
                .map_err(|_| HandshakeError::Malformed)?,
            pad,
        ))
    }

    fn write_three(&mut self, noise: Handshake) -> Result<Step, HandshakeError> {
        let mut flight = Vec::new();
        let noise = noise
            .write(&self.last_pad.to_le_bytes(), &mut flight)
            .map_err(|_| HandshakeError::NotAKey)?;
        self.mask
            .cover(Flight::Three, &mut flight, 0, self.last_pad.into());
        let (transport, _) = noise.finish().map_err(|_| HandshakeError::Malformed)?;
        let established = Established {
            remote: self.remote,
            cipher: RecordCipher::new(transport),
        };
        self.state = State::Finish(Box::new(established));
        Ok(Step::Write(flight))
    }
}
