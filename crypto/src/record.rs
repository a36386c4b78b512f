//! Records: what a link carries after its handshake, all of one size.
//!
//! Promises: each record is one sealed message without a length; batches are sealed and opened without an allocation
//! per record; both directions change their key after every [`REKEY_EVERY`] records, counted, so both ends do it at
//! the same record; after one error, of either side, the keys are gone and everything is refused.
//!
//! Does not know: what is in a record, or when to send one.

use rand_core::CryptoRngCore;

use crate::aead::{Backend, TAG_LEN};
use crate::noise::{Refused, Transport};

/// Bytes a record carries: a 32 KiB chunk with all its overhead fits exactly eight.
pub const RECORD_PLAIN: usize = 4176;
/// Bytes of a record on the wire.
pub const RECORD_WIRE: usize = RECORD_PLAIN + TAG_LEN;
/// Records under one key: 4 GiB, so that a key that leaks opens no more.
pub const REKEY_EVERY: u64 = 1 << 20;

const _: () = assert!(RECORD_WIRE == 4192 && 8 * RECORD_PLAIN >= 32 * 1024 + 512);

/// Why records are refused from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    /// The caller's fault: not a whole number of records.
    #[error("not a whole number of records")]
    NotWhole,
    /// The peer's fault, or the line's: a record does not authenticate.
    #[error("a record does not authenticate")]
    Unauthenticated,
    /// An error has ended this cipher before.
    #[error("the link's keys are gone after an earlier error")]
    Gone,
}

/// One end of a link: seals what it sends, opens what it receives.
pub struct RecordCipher {
    /// None after an error.
    transport: Option<Transport>,
    rekey_every: u64,
}

impl RecordCipher {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            transport: Some(transport),
            rekey_every: REKEY_EVERY,
        }
    }

    /// Two ends that belong together, with no peer authenticated: for tests, measurements and simulations.
    /// `rekey_every` counts from 1.
    #[must_use]
    pub fn pair(backend: Backend, rekey_every: u64, rng: &mut dyn CryptoRngCore) -> (Self, Self) {
        let (one, two) =
            Transport::pair(backend, rng).expect("two ends in one place understand each other");
        let end = |transport| Self {
            transport: Some(transport),
            rekey_every: rekey_every.max(1),
        };
        (end(one), end(two))
    }

    /// Seals `plain`, any number of records of [`RECORD_PLAIN`] bytes, and appends them to `out`.
    pub fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        self.batch(
            plain,
            RECORD_PLAIN,
            RECORD_WIRE,
            out,
            |transport, rekey_every, plain, wire| {
                transport.seal(plain, wire)?;
                if transport.sealed() % rekey_every == 0 {
                    transport.rekey_sealing();
                }
                Ok(())
            },
        )
    }

    /// Opens `wire`, any number of records of [`RECORD_WIRE`] bytes, and appends their plaintext to `out`.
    /// On an error nothing is appended, not even what came before the bad record.
    pub fn open(&mut self, wire: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        self.batch(
            wire,
            RECORD_WIRE,
            RECORD_PLAIN,
            out,
            |transport, rekey_every, wire, plain| {
                transport.open(wire, plain)?;
                if transport.opened() % rekey_every == 0 {
                    transport.rekey_opening();
                }
                Ok(())
            },
        )
    }

    fn batch(
        &mut self,
        from: &[u8],
        from_size: usize,
        to_size: usize,
        out: &mut Vec<u8>,
        each: impl Fn(&mut Transport, u64, &[u8], &mut [u8]) -> Result<(), Refused>,
    ) -> Result<(), RecordError> {
        // Taken out and put back only if all goes well: an error drops it, and its keys.
        let mut transport = self.transport.take().ok_or(RecordError::Gone)?;
        let records = from.chunks_exact(from_size);
        if !records.remainder().is_empty() {
            return Err(RecordError::NotWhole);
        }
        let start = out.len();
        out.resize(start + records.len() * to_size, 0);
        let places = out
            .get_mut(start..)
            .unwrap_or_default()
            .chunks_exact_mut(to_size);
        for (record, place) in records.zip(places) {
            if each(&mut transport, self.rekey_every, record, place).is_err() {
                out.truncate(start);
                return Err(RecordError::Unauthenticated);
            }
        }
        self.transport = Some(transport);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn pair(rekey_every: u64) -> (RecordCipher, RecordCipher) {
        RecordCipher::pair(
            Backend::fastest(),
            rekey_every,
            &mut ChaCha20Rng::from_seed([1; 32]),
        )
    }

    fn records(n: usize) -> Vec<u8> {
        (0..n * RECORD_PLAIN).map(|i| (i / 7) as u8).collect()
    }

    fn sealed(cipher: &mut RecordCipher, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        cipher.seal(plain, &mut out).unwrap();
        out
    }

    #[test]
    fn a_batch_opens_to_what_was_sealed_however_it_is_split() {
        let (mut a, mut b) = pair(REKEY_EVERY);
        let plain = records(7);
        let wire = sealed(&mut a, &plain);
        assert_eq!(wire.len(), 7 * RECORD_WIRE);
        let mut out = b"before".to_vec();
        for part in [
            &wire[..RECORD_WIRE],
            &wire[RECORD_WIRE..RECORD_WIRE],
            &wire[RECORD_WIRE..5 * RECORD_WIRE],
            &wire[5 * RECORD_WIRE..],
        ] {
            b.open(part, &mut out).unwrap();
        }
        assert_eq!(&out[..6], b"before");
        assert!(out[6..] == plain);
    }

    #[test]
    fn directions_have_keys_of_their_own() {
        let (mut a, mut b) = pair(REKEY_EVERY);
        let plain = records(1);
        assert_ne!(sealed(&mut a, &plain), sealed(&mut b, &plain));
        let (mut a, _) = pair(REKEY_EVERY);
        let mine = sealed(&mut a, &plain);
        assert_eq!(
            a.open(&mine, &mut Vec::new()),
            Err(RecordError::Unauthenticated)
        );
    }

    #[test]
    fn both_ends_change_keys_at_the_same_record() {
        let (mut a, mut b) = pair(3);
        let (mut never_a, _) = pair(u64::MAX);
        let plain = records(1);
        let mut out = Vec::new();
        for i in 0..10 {
            let (rekeyed, plainly) = (sealed(&mut a, &plain), sealed(&mut never_a, &plain));
            assert_eq!(rekeyed == plainly, i < 3, "record {i}");
            b.open(&rekeyed, &mut out).unwrap();
            let back = sealed(&mut b, &plain);
            a.open(&back, &mut out).unwrap();
        }
        let mut wire = Vec::new();
        a.seal(&records(11), &mut wire).unwrap();
        out.clear();
        b.open(&wire, &mut out).unwrap();
        assert!(out == records(11));
    }

    #[test]
    fn an_end_that_changes_keys_elsewhere_is_not_understood() {
        let (mut a, _) = pair(3);
        let (_, mut b) = pair(4);
        let wire = sealed(&mut a, &records(4));
        assert!(b.open(&wire[..3 * RECORD_WIRE], &mut Vec::new()).is_ok());
        assert_eq!(
            b.open(&wire[3 * RECORD_WIRE..], &mut Vec::new()),
            Err(RecordError::Unauthenticated)
        );
    }

    #[test]
    fn after_a_garbage_record_everything_is_refused_for_good() {
        let (mut a, mut b) = pair(REKEY_EVERY);
        let good = sealed(&mut a, &records(2));
        let mut out = b"kept".to_vec();
        let mut bad = good.clone();
        bad[RECORD_WIRE + 99] ^= 1;
        assert_eq!(b.open(&bad, &mut out), Err(RecordError::Unauthenticated));
        assert_eq!(out, b"kept");
        assert_eq!(b.open(&good, &mut out), Err(RecordError::Gone));
        assert_eq!(b.seal(&records(1), &mut out), Err(RecordError::Gone));
        assert_eq!(out, b"kept");
    }

    #[test]
    fn a_part_of_a_record_is_refused_for_good() {
        for end in 0..2 {
            let (mut a, mut b) = pair(REKEY_EVERY);
            let cipher = if end == 0 { &mut a } else { &mut b };
            assert_eq!(
                cipher.seal(&records(1)[1..], &mut Vec::new()),
                Err(RecordError::NotWhole)
            );
            assert_eq!(
                cipher.seal(&records(1), &mut Vec::new()),
                Err(RecordError::Gone)
            );
        }
        let (_, mut b) = pair(REKEY_EVERY);
        assert_eq!(
            b.open(&[0; RECORD_WIRE + 1], &mut Vec::new()),
            Err(RecordError::NotWhole)
        );
    }

    #[test]
    fn records_out_of_order_lost_or_repeated_do_not_open() {
        let orders: [&[usize]; 3] = [&[1, 0], &[0, 2], &[0, 0]];
        for order in orders {
            let (mut a, mut b) = pair(REKEY_EVERY);
            let wire = sealed(&mut a, &records(3));
            let wrong: Vec<u8> = order
                .iter()
                .flat_map(|i| wire[i * RECORD_WIRE..(i + 1) * RECORD_WIRE].to_vec())
                .collect();
            assert_eq!(
                b.open(&wrong, &mut Vec::new()),
                Err(RecordError::Unauthenticated),
                "{order:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn one_changed_byte_anywhere_does_not_open(at in 0..2 * RECORD_WIRE, change in 1u8..) {
            let (mut a, mut b) = pair(REKEY_EVERY);
            let mut wire = sealed(&mut a, &records(2));
            wire[at] ^= change;
            prop_assert_eq!(b.open(&wire, &mut Vec::new()), Err(RecordError::Unauthenticated));
        }

        #[test]
        fn arbitrary_bytes_never_open(wire in prop::collection::vec(any::<u8>(), 1..2 * RECORD_WIRE)) {
            let (_, mut b) = pair(REKEY_EVERY);
            prop_assert!(b.open(&wire, &mut Vec::new()).is_err());
        }
    }
}
