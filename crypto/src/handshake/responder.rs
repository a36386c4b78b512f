//! The side that listens: silent until the dialler has shown that he knows this node.
//!
//! Promises: no step before a whole, authentic, fresh and new first flight is a `Write`, and none after an error; a
//! half-open handshake holds a fixed amount of memory.
//!
//! Does not know: who may link with us; the caller looks at the key of the established link.

use rand_core::CryptoRngCore;

use super::kem::{self, KEY_LEN};
use super::mask::{Flight, Mask, NONCE_LEN};
use super::replay::{Admission, ReplayWindow};
use super::{
    Established, HandshakeError, LinkContext, ONE_CORE, Step, THREE_CORE, check_len, draw_pad,
    split_pad,
};
use crate::hash::{derive, keyed};
use crate::ids::LinkPublic;
use crate::keys::LinkKey;
use crate::labels;
use crate::noise::{Handshake, Pattern};
use crate::record::RecordCipher;
use crate::secret::Secret;

/// A handshake someone began with us. Advance it with no bytes first.
pub struct Responder {
    context: LinkContext,
    local: LinkPublic,
    replay_key: Secret<32>,
    minute: u32,
    kem_chance: Secret<32>,
    pad: u16,
    state: State,
}

enum State {
    Begin(Handshake),
    ReadOne(Handshake),
    /// The core of the first flight is good; its pad is due.
    ReadOnePad(First),
    AskThree(Handshake, Mask),
    ReadThree(Handshake, Mask),
    /// Message 3 is good; its pad is due.
    ReadThreePad(Box<Established>, Mask, usize),
    Over,
}

/// A first flight that authenticates.
struct First {
    noise: Handshake,
    mask: Mask,
    kem_key: Box<[u8; KEY_LEN]>,
    minute: u32,
    digest: u64,
    pad: usize,
}

impl Responder {
    /// A handshake as the holder of `local`; `minute` counts from 1970-01-01 UTC.
    pub fn new(
        context: &LinkContext,
        local: &LinkKey,
        minute: u32,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Self, HandshakeError> {
        let noise = Handshake::responder(Pattern::Link, &context.network, local.secret(), rng);
        Ok(Self {
            context: context.duplicate(),
            local: local.public(),
            replay_key: derive(labels::LINK_REPLAY_KEY, local.secret(), &[]),
            minute,
            kem_chance: Secret::random(rng),
            pad: draw_pad(rng),
            state: State::Begin(noise.map_err(|_| HandshakeError::NotAKey)?),
        })
    }

    /// Takes what the last step asked for; says what to do next.
    pub fn advance(
        &mut self,
        received: &[u8],
        replay: &mut ReplayWindow,
    ) -> Result<Step, HandshakeError> {
        // An error leaves this in place: nothing will be sent any more.
        match core::mem::replace(&mut self.state, State::Over) {
            State::Begin(noise) => {
                check_len(received, 0)?;
                self.state = State::ReadOne(noise);
                Ok(Step::Read(NONCE_LEN + ONE_CORE))
            }
            State::ReadOne(noise) => {
                check_len(received, NONCE_LEN + ONE_CORE)?;
                let first = self.read_one(noise, received)?;
                if first.pad == 0 {
                    return self.write_two(first, replay);
                }
                let pad = first.pad;
                self.state = State::ReadOnePad(first);
                Ok(Step::Read(pad))
            }
            State::ReadOnePad(first) => {
                check_len(received, first.pad)?;
                if !first.mask.is_pad(Flight::One, ONE_CORE, received) {
                    return Err(HandshakeError::NotForUs);
                }
                self.write_two(first, replay)
            }
            State::AskThree(noise, mask) => {
                check_len(received, 0)?;
                self.state = State::ReadThree(noise, mask);
                Ok(Step::Read(THREE_CORE))
            }
            State::ReadThree(noise, mask) => {
                check_len(received, THREE_CORE)?;
                let (established, pad) = Self::read_three(noise, &mask, received)?;
                if pad == 0 {
                    return Ok(Step::Done(established));
                }
                self.state = State::ReadThreePad(established, mask, pad);
                Ok(Step::Read(pad))
            }
            State::ReadThreePad(established, mask, pad) => {
                check_len(received, pad)?;
                if !mask.is_pad(Flight::Three, THREE_CORE, received) {
                    return Err(HandshakeError::Unauthenticated);
                }
                Ok(Step::Done(established))
            }
            State::Over => Err(HandshakeError::Over),
        }
    }

    fn read_one(&self, noise: Handshake, received: &[u8]) -> Result<First, HandshakeError> {
        let (nonce, core) = received
            .split_first_chunk()
            .ok_or(HandshakeError::WrongLength)?;
        let mask = Mask::new(&self.context, &self.local, nonce);
        let message = mask.uncover(Flight::One, 0, core);
        let (noise, payload) = noise.read(&message).map_err(|_| HandshakeError::NotForUs)?;
        let (rest, pad) = split_pad(&payload)?;
        let (kem_key, minute) = rest.split_last_chunk().ok_or(HandshakeError::Malformed)?;
        let kem_key: [u8; KEY_LEN] = kem_key.try_into().map_err(|_| HandshakeError::Malformed)?;
        // Of the message beneath the mask: whoever knows the link key can put the same message under another mask.
        let [a, b, c, d, e, f, g, h, ..] =
            keyed(labels::LINK_REPLAY, self.replay_key.expose(), &[&message]);
        let digest = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        Ok(First {
            noise,
            mask,
            kem_key: Box::new(kem_key),
            minute: u32::from_le_bytes(*minute),
            digest,
            pad,
        })
    }

    fn write_two(
        &mut self,
        first: First,
        replay: &mut ReplayWindow,
    ) -> Result<Step, HandshakeError> {
        let (ciphertext, shared) =
            kem::encapsulate(&first.kem_key, &self.kem_chance).ok_or(HandshakeError::Malformed)?;
        match replay.admit(first.minute, first.digest, self.minute) {
            Admission::Fresh => {}
            Admission::Stale => return Err(HandshakeError::Stale),
            Admission::Replayed => return Err(HandshakeError::Replayed),
        }
        let payload = [ciphertext.as_slice(), &self.pad.to_le_bytes()].concat();
        let mut flight = Vec::new();
        let noise = first
            .noise
            .write(&payload, &mut flight)
            .map_err(|_| HandshakeError::Malformed)?;
        first
            .mask
            .cover(Flight::Two, &mut flight, 0, self.pad.into());
        let psk = self.context.psk(&shared, noise.hash());
        let noise = noise
            .with_psk(&psk)
            .map_err(|_| HandshakeError::Malformed)?;
        self.state = State::AskThree(noise, first.mask);
        Ok(Step::Write(flight))
    }

    fn read_three(
        noise: Handshake,
        mask: &Mask,
        received: &[u8],
    ) -> Result<(Box<Established>, usize), HandshakeError> {
        let message = mask.uncover(Flight::Three, 0, received);
        let (noise, payload) = noise
            .read(&message)
            .map_err(|_| HandshakeError::Unauthenticated)?;
        let (rest, pad) = split_pad(&payload)?;
        if !rest.is_empty() {
            return Err(HandshakeError::Malformed);
        }
        let (transport, remote) = noise
            .finish()
            .map_err(|_| HandshakeError::Unauthenticated)?;
        let remote = LinkPublic(remote.ok_or(HandshakeError::Unauthenticated)?);
        Ok((
            Box::new(Established {
                remote,
                cipher: RecordCipher::new(transport),
            }),
            pad,
        ))
    }
}
