//! The mask: makes every flight of a handshake look like random bytes of random length.
//!
//! Whoever doesn't know the responder's link key, the network's id and (on a private network) its secret sees nothing
//! that looks like a key; whoever does can take the mask off, so it hides the protocol and protects nothing else: what
//! protects is the Noise message beneath it.
//!
//! Promises: each flight and each handshake has a keystream of its own; padding comes out as zeros, so a change of any
//! byte on the line is noticed, even of padding.
//!
//! Does not know: what is inside a flight.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};

use super::LinkContext;
use crate::hash::hash;
use crate::ids::LinkPublic;
use crate::labels;
use crate::secret::Secret;

/// Random bytes at the front of the first flight, which make this handshake's mask its own.
pub(super) const NONCE_LEN: usize = 24;

/// One message of a handshake.
#[derive(Clone, Copy)]
pub(super) enum Flight {
    One = 1,
    Two = 2,
    Three = 3,
}

/// The mask of one handshake.
pub(super) struct Mask(Secret<32>);

impl Mask {
    pub(super) fn new(
        context: &LinkContext,
        responder: &LinkPublic,
        nonce: &[u8; NONCE_LEN],
    ) -> Self {
        let parts: [&[u8]; 4] = [
            responder.as_bytes(),
            context.network.as_bytes(),
            nonce,
            context.secret_bytes(),
        ];
        Self(Secret::from_bytes(hash(labels::LINK_MASK, &parts)))
    }

    /// Puts the mask on: appends `pad` zeros to `message` and covers all from `start` on.
    pub(super) fn cover(&self, flight: Flight, message: &mut Vec<u8>, start: usize, pad: usize) {
        message.resize(message.len() + pad, 0);
        self.apply(flight, 0, message.get_mut(start..).unwrap_or_default());
    }

    /// Takes the mask off `bytes`, which lie `offset` bytes into what [`Self::cover`] covered.
    pub(super) fn uncover(&self, flight: Flight, offset: usize, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        self.apply(flight, offset, &mut bytes);
        bytes
    }

    /// Whether `bytes`, `offset` bytes into the flight, are padding, whole and unchanged.
    pub(super) fn is_pad(&self, flight: Flight, offset: usize, bytes: &[u8]) -> bool {
        self.uncover(flight, offset, bytes)
            .into_iter()
            .fold(0, |all, byte| all | byte)
            == 0
    }

    fn apply(&self, flight: Flight, offset: usize, bytes: &mut [u8]) {
        let mut nonce = [0; 12];
        nonce[0] = flight as u8;
        let mut stream = ChaCha20::new(self.0.expose().into(), &nonce.into());
        stream.seek(offset as u64);
        stream.apply_keystream(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::NetworkId;

    fn context(secret: Option<u8>) -> LinkContext {
        LinkContext {
            network: NetworkId([1; 32]),
            secret: secret.map(|byte| Secret::from_bytes([byte; 32])),
        }
    }

    fn covered(mask: &Mask, flight: Flight) -> Vec<u8> {
        let mut message = b"head-core".to_vec();
        mask.cover(flight, &mut message, 5, 40);
        message
    }

    #[test]
    fn what_was_covered_is_uncovered_in_pieces() {
        let mask = Mask::new(&context(None), &LinkPublic([2; 32]), &[3; NONCE_LEN]);
        let message = covered(&mask, Flight::Two);
        assert_eq!(message.len(), 49);
        assert_eq!(&message[..5], b"head-");
        assert_ne!(&message[5..9], b"core");
        assert_eq!(mask.uncover(Flight::Two, 0, &message[5..9]), b"core");
        assert!(mask.is_pad(Flight::Two, 4, &message[9..]));
        assert!(mask.is_pad(Flight::Two, 4, &[]));
        for at in 9..49 {
            let mut damaged = message.clone();
            damaged[at] ^= 0x10;
            assert!(!mask.is_pad(Flight::Two, 4, &damaged[9..]), "byte {at}");
        }
    }

    #[test]
    fn every_input_and_flight_has_a_keystream_of_its_own() {
        let (link, nonce) = (LinkPublic([2; 32]), [3; NONCE_LEN]);
        let base = Mask::new(&context(None), &link, &nonce);
        let elsewhere = LinkContext {
            network: NetworkId([9; 32]),
            secret: None,
        };
        let mut all = vec![
            covered(&base, Flight::One),
            covered(&base, Flight::Two),
            covered(&base, Flight::Three),
            covered(&Mask::new(&context(Some(0)), &link, &nonce), Flight::One),
            covered(&Mask::new(&context(Some(1)), &link, &nonce), Flight::One),
            covered(&Mask::new(&elsewhere, &link, &nonce), Flight::One),
            covered(
                &Mask::new(&context(None), &LinkPublic([9; 32]), &nonce),
                Flight::One,
            ),
            covered(
                &Mask::new(&context(None), &link, &[9; NONCE_LEN]),
                Flight::One,
            ),
        ];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 8);
    }
}
