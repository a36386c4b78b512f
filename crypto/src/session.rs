//! Sessions: an anonymous client and a storer, end to end, `Noise_NK_25519_ChaChaPoly_BLAKE2s` with the storer's onion
//! key. The request rides in the first message, so a question costs one round trip.
//!
//! Promises: only the holder of the onion key reads the request; nobody between changes a byte unnoticed; from the second
//! message on, not even that holder's key, stolen later, opens what was said; after one error a session refuses
//! everything.
//!
//! Not promised: that a request is fresh. Whoever carries message 1 can carry it twice, so requests must be such that
//! asking twice does no harm.
//!
//! Does not know: requests, replies, or the circuit they travel through.

use rand_core::CryptoRngCore;

use crate::aead::TAG_LEN;
use crate::ids::{NetworkId, OnionPublic};
use crate::keys::OnionKey;
use crate::noise::{Handshake, Pattern, Transport};

/// Most bytes in any message of a session.
pub const MESSAGE_MAX: usize = crate::noise::MESSAGE_MAX;
/// Bytes message 1 is longer than the request: an ephemeral key and a tag.
pub const MSG1_OVERHEAD: usize = 32 + TAG_LEN;
/// Bytes message 2 is longer than its payload.
pub const MSG2_OVERHEAD: usize = 32 + TAG_LEN;
/// Bytes a sealed message is longer than its plaintext.
pub const SEAL_OVERHEAD: usize = TAG_LEN;

/// Why a session could not be, or is no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SessionError {
    /// The caller's fault: more than a message holds.
    #[error("too long for one message of a session")]
    TooLong,
    /// The fault of whoever published it: that onion key is no key.
    #[error("the onion key is not a usable key")]
    NotAKey,
    /// The peer's fault, or ours for knowing an old key of his: message 1 is under none of these keys.
    #[error("the first message is not for any of our keys")]
    NotForUs,
    /// The peer's fault, or the carriers': a message does not authenticate.
    #[error("a message of the session does not authenticate")]
    Unauthenticated,
    /// An error has ended this session before.
    #[error("the session's keys are gone after an earlier error")]
    Gone,
}

/// A session that waits for message 2.
pub struct Opened(Handshake);

/// Begins a session with the holder of `to`; returns message 1, with `request` in it.
pub fn open(
    to: &OnionPublic,
    network: &NetworkId,
    request: &[u8],
    rng: &mut dyn CryptoRngCore,
) -> Result<(Opened, Vec<u8>), SessionError> {
    check_fits(request, MSG1_OVERHEAD)?;
    let mut msg1 = Vec::new();
    let handshake = Handshake::initiator(Pattern::Session, network, None, to.as_bytes(), rng);
    // Of all that can go wrong here, what depends on the peer is an agreement that comes to zero.
    let handshake = handshake
        .and_then(|handshake| handshake.write(request, &mut msg1))
        .map_err(|_| SessionError::NotAKey)?;
    Ok((Opened(handshake), msg1))
}

impl Opened {
    /// Reads message 2; returns the session and what came with it.
    pub fn finish(self, msg2: &[u8]) -> Result<(EndToEnd, Vec<u8>), SessionError> {
        let (handshake, mut payload) = self
            .0
            .read(msg2)
            .map_err(|_| SessionError::Unauthenticated)?;
        Ok((EndToEnd::after(handshake)?, core::mem::take(&mut *payload)))
    }
}

/// A session whose message 2 is not written yet.
pub struct Accepted(Handshake);

/// Reads message 1 with whichever of `keys` fits; returns the request.
pub fn accept(
    keys: &[&OnionKey],
    network: &NetworkId,
    msg1: &[u8],
    rng: &mut dyn CryptoRngCore,
) -> Result<(Accepted, Vec<u8>), SessionError> {
    for key in keys {
        let handshake = Handshake::responder(Pattern::Session, network, key.secret(), rng);
        if let Ok((handshake, mut request)) = handshake.and_then(|handshake| handshake.read(msg1)) {
            return Ok((Accepted(handshake), core::mem::take(&mut *request)));
        }
    }
    Err(SessionError::NotForUs)
}

impl Accepted {
    /// Writes message 2 with `payload` in it; returns the session and the message.
    pub fn reply(self, payload: &[u8]) -> Result<(EndToEnd, Vec<u8>), SessionError> {
        check_fits(payload, MSG2_OVERHEAD)?;
        let mut msg2 = Vec::new();
        let handshake = self
            .0
            .write(payload, &mut msg2)
            .map_err(|_| SessionError::Unauthenticated)?;
        Ok((EndToEnd::after(handshake)?, msg2))
    }
}

/// An established session: messages in order, each direction with its own key.
pub struct EndToEnd(Option<Transport>);

impl EndToEnd {
    fn after(handshake: Handshake) -> Result<Self, SessionError> {
        let (transport, _) = handshake
            .finish()
            .map_err(|_| SessionError::Unauthenticated)?;
        Ok(Self(Some(transport)))
    }

    /// Seals `plain` and appends it, [`SEAL_OVERHEAD`] longer, to `out`.
    pub fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        let mut transport = self.0.take().ok_or(SessionError::Gone)?;
        check_fits(plain, SEAL_OVERHEAD)?;
        let start = out.len();
        out.resize(start + plain.len() + SEAL_OVERHEAD, 0);
        if transport
            .seal(plain, out.get_mut(start..).unwrap_or_default())
            .is_err()
        {
            out.truncate(start);
            return Err(SessionError::Gone);
        }
        self.0 = Some(transport);
        Ok(())
    }

    /// Opens `message` and appends its plaintext to `out`; appends nothing on an error.
    pub fn open(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        let mut transport = self.0.take().ok_or(SessionError::Gone)?;
        let len = message
            .len()
            .checked_sub(SEAL_OVERHEAD)
            .ok_or(SessionError::Unauthenticated)?;
        let start = out.len();
        out.resize(start + len, 0);
        if transport
            .open(message, out.get_mut(start..).unwrap_or_default())
            .is_err()
        {
            out.truncate(start);
            return Err(SessionError::Unauthenticated);
        }
        self.0 = Some(transport);
        Ok(())
    }
}

fn check_fits(payload: &[u8], overhead: usize) -> Result<(), SessionError> {
    if payload.len() + overhead <= MESSAGE_MAX {
        Ok(())
    } else {
        Err(SessionError::TooLong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::NodeKeys;
    use crate::secret::Secret;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    const NETWORK: NetworkId = NetworkId([5; 32]);

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    fn onion(seed: u8) -> OnionKey {
        OnionKey::from_secret(Secret::from_bytes([seed; 32]))
    }

    fn established() -> (EndToEnd, EndToEnd) {
        let key = onion(1);
        let (opened, msg1) = open(&key.public(), &NETWORK, b"request", &mut rng(1)).unwrap();
        let (accepted, _) = accept(&[&key], &NETWORK, &msg1, &mut rng(2)).unwrap();
        let (server, msg2) = accepted.reply(b"reply").unwrap();
        (opened.finish(&msg2).unwrap().0, server)
    }

    #[test]
    fn a_question_costs_one_round_trip() {
        let key = onion(1);
        let (opened, msg1) = open(&key.public(), &NETWORK, b"request", &mut rng(1)).unwrap();
        assert_eq!(msg1.len(), 7 + MSG1_OVERHEAD);
        let (accepted, request) = accept(&[&key], &NETWORK, &msg1, &mut rng(2)).unwrap();
        assert_eq!(request, b"request");
        let (mut server, msg2) = accepted.reply(b"reply").unwrap();
        assert_eq!(msg2.len(), 5 + MSG2_OVERHEAD);
        let (mut client, reply) = opened.finish(&msg2).unwrap();
        assert_eq!(reply, b"reply");
        let (mut wire, mut out) = (Vec::new(), Vec::new());
        server.seal(b"more", &mut wire).unwrap();
        assert_eq!(wire.len(), 4 + SEAL_OVERHEAD);
        client.open(&wire, &mut out).unwrap();
        wire.clear();
        client.seal(b"", &mut wire).unwrap();
        server.open(&wire, &mut out).unwrap();
        assert_eq!(out, b"more");
    }

    #[test]
    fn a_session_has_fixed_bytes() {
        let key = onion(1);
        let (_, msg1) = open(&key.public(), &NETWORK, b"request", &mut rng(1)).unwrap();
        assert_eq!(
            HEXLOWER.encode(&msg1),
            "d53b9fea1dd4d570dbe38180767c236456ca6633f103f1aa0637e7b613d25274924f98cd23e9548735d3a9a0e8573954de6ad349073ada"
        );
        let (accepted, _) = accept(&[&key], &NETWORK, &msg1, &mut rng(2)).unwrap();
        assert_eq!(
            HEXLOWER.encode(&accepted.reply(b"reply").unwrap().1),
            "c5c4aede10f07dc551ae692813183793bbcc96f56020f8e11dcb8e482487133806ac2e25450b0457dfeb1957d3f0e1bec01670d892"
        );
    }

    #[test]
    fn yesterdays_onion_key_is_accepted_and_a_strangers_is_not() {
        let mut keys = NodeKeys::generate(100, &mut rng(3));
        let known = keys.onion.public();
        keys.rotate_onion(101, &mut rng(4));
        let (_, msg1) = open(&known, &NETWORK, b"request", &mut rng(1)).unwrap();
        assert!(accept(&keys.onion_keys(), &NETWORK, &msg1, &mut rng(2)).is_ok());
        keys.rotate_onion(102, &mut rng(5));
        assert_eq!(
            accept(&keys.onion_keys(), &NETWORK, &msg1, &mut rng(2)).err(),
            Some(SessionError::NotForUs)
        );
        assert_eq!(
            accept(&[], &NETWORK, &msg1, &mut rng(2)).err(),
            Some(SessionError::NotForUs)
        );
    }

    #[test]
    fn another_network_does_not_understand() {
        let key = onion(1);
        let (_, msg1) = open(&key.public(), &NETWORK, b"request", &mut rng(1)).unwrap();
        assert_eq!(
            accept(&[&key], &NetworkId([6; 32]), &msg1, &mut rng(2)).err(),
            Some(SessionError::NotForUs)
        );
    }

    #[test]
    fn an_onion_key_of_small_order_is_refused() {
        assert_eq!(
            open(&OnionPublic([0; 32]), &NETWORK, b"", &mut rng(1)).err(),
            Some(SessionError::NotAKey)
        );
    }

    #[test]
    fn what_does_not_fit_a_message_is_refused() {
        let key = onion(1);
        let most = vec![0; MESSAGE_MAX - MSG1_OVERHEAD];
        let (_, msg1) = open(&key.public(), &NETWORK, &most, &mut rng(1)).unwrap();
        assert_eq!(msg1.len(), MESSAGE_MAX);
        let (accepted, request) = accept(&[&key], &NETWORK, &msg1, &mut rng(2)).unwrap();
        assert_eq!(request, most);
        let more = vec![0; MESSAGE_MAX - MSG1_OVERHEAD + 1];
        assert_eq!(
            open(&key.public(), &NETWORK, &more, &mut rng(1)).err(),
            Some(SessionError::TooLong)
        );
        assert_eq!(accepted.reply(&more).err(), Some(SessionError::TooLong));
        let (mut client, mut server) = established();
        let mut out = Vec::new();
        client
            .seal(&vec![0; MESSAGE_MAX - SEAL_OVERHEAD], &mut out)
            .unwrap();
        assert_eq!(server.open(&out, &mut Vec::new()), Ok(()));
        assert_eq!(
            client.seal(&vec![0; MESSAGE_MAX - SEAL_OVERHEAD + 1], &mut out),
            Err(SessionError::TooLong)
        );
    }

    #[test]
    fn after_an_error_a_session_refuses_everything() {
        let (mut client, mut server) = established();
        let mut wire = Vec::new();
        client.seal(b"good", &mut wire).unwrap();
        let mut out = b"kept".to_vec();
        assert_eq!(
            server.open(&wire[..3], &mut out),
            Err(SessionError::Unauthenticated)
        );
        assert_eq!(server.open(&wire, &mut out), Err(SessionError::Gone));
        assert_eq!(server.seal(b"x", &mut out), Err(SessionError::Gone));
        assert_eq!(out, b"kept");
    }

    proptest! {
        #[test]
        fn one_changed_byte_of_any_message_is_noticed(at: prop::sample::Index, change in 1u8..) {
            let damage = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                let at = at.index(bytes.len());
                bytes[at] ^= change;
                bytes
            };
            let key = onion(1);
            let (opened, msg1) = open(&key.public(), &NETWORK, b"request", &mut rng(1)).unwrap();
            prop_assert_eq!(accept(&[&key], &NETWORK, &damage(&msg1), &mut rng(2)).err(), Some(SessionError::NotForUs));
            let (accepted, _) = accept(&[&key], &NETWORK, &msg1, &mut rng(2)).unwrap();
            let (_, msg2) = accepted.reply(b"reply").unwrap();
            prop_assert_eq!(opened.finish(&damage(&msg2)).err(), Some(SessionError::Unauthenticated));
            let (mut client, mut server) = established();
            let mut wire = Vec::new();
            client.seal(b"message", &mut wire).unwrap();
            prop_assert_eq!(server.open(&damage(&wire), &mut Vec::new()), Err(SessionError::Unauthenticated));
        }

        #[test]
        fn arbitrary_bytes_never_pass_nor_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let key = onion(1);
            prop_assert!(accept(&[&key], &NETWORK, &bytes, &mut rng(2)).is_err());
            let (opened, _) = open(&key.public(), &NETWORK, b"", &mut rng(1)).unwrap();
            prop_assert!(opened.finish(&bytes).is_err());
            prop_assert!(established().1.open(&bytes, &mut Vec::new()).is_err());
        }
    }
}
