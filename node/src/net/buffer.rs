//! The bytes of one link on their way in and out: whole records, and the rest of one.
//!
//! Promises: what comes in holds at most [`BATCH`] records, what goes out what it is given; an idle link holds nothing.
//! Does not know sockets.

use oboro_crypto::record::RECORD_WIRE;

/// Records read or written with one call: 64 of them are about 256 KiB, where batching stops to pay.
pub(super) const BATCH: usize = 64;

/// Records a link reads at once before it has shown that it carries more.
const BATCH_FIRST: usize = 4;

/// Sealed records that came in.
#[derive(Default)]
pub(super) struct Incoming {
    bytes: Vec<u8>,
}

impl Incoming {
    /// Where to read into: the free part of what is returned, at least one byte of it.
    pub(super) fn space(&mut self) -> &mut Vec<u8> {
        let wanted = match self.bytes.capacity() / RECORD_WIRE {
            0 => BATCH_FIRST,
            _ if self.bytes.len() < self.bytes.capacity() => return &mut self.bytes,
            _ => BATCH,
        };
        self.bytes
            .reserve_exact(wanted * RECORD_WIRE - self.bytes.len());
        &mut self.bytes
    }

    /// All whole records.
    pub(super) fn whole(&self) -> &[u8] {
        &self.bytes[..self.bytes.len() - self.bytes.len() % RECORD_WIRE]
    }

    /// Forgets the whole records; makes room for more if they filled it.
    pub(super) fn take_whole(&mut self) {
        let filled = self.bytes.len() == self.bytes.capacity();
        let whole = self.whole().len();
        let rest = self.bytes.len() - whole;
        self.bytes.copy_within(whole.., 0);
        self.bytes.truncate(rest);
        if filled && self.bytes.capacity() < BATCH * RECORD_WIRE {
            self.bytes.reserve_exact(BATCH * RECORD_WIRE - rest);
        }
    }

    /// Gives memory back if nothing is in it.
    pub(super) fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }

    /// Whether it holds memory that could be given back.
    pub(super) fn holds_memory(&self) -> bool {
        self.bytes.capacity() > 0 && self.bytes.is_empty()
    }
}

/// Sealed records that go out.
#[derive(Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
    reported: usize,
}

impl Outgoing {
    /// Where to seal into: at the end.
    pub(super) fn space(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What is still to be written.
    pub(super) fn unwritten(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Notes that so many bytes were written; says how many records that finished.
    pub(super) fn wrote(&mut self, bytes: usize) -> u32 {
        self.written = (self.written + bytes).min(self.bytes.len());
        let whole = self.written / RECORD_WIRE;
        let finished = whole - self.reported;
        self.reported = whole;
        if self.written == self.bytes.len() {
            self.bytes.clear();
            (self.written, self.reported) = (0, 0);
        }
        u32::try_from(finished).unwrap_or(u32::MAX)
    }

    /// Gives memory back if nothing is in it.
    pub(super) fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }

    /// Whether it holds memory that could be given back.
    pub(super) fn holds_memory(&self) -> bool {
        self.bytes.capacity() > 0 && self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn take_in(incoming: &mut Incoming, mut bytes: &[u8], at_once: usize) -> Vec<u8> {
        let mut whole = Vec::new();
        while !bytes.is_empty() {
            let space = incoming.space();
            let n = bytes.len().min(at_once).min(space.capacity() - space.len());
            assert!(n > 0);
            space.extend_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            whole.extend_from_slice(incoming.whole());
            incoming.take_whole();
        }
        whole
    }

    #[test]
    fn a_busy_link_gets_a_full_batch_of_memory_and_an_idle_one_none() {
        let mut incoming = Incoming::default();
        let stream = vec![7; 300 * RECORD_WIRE];
        take_in(&mut incoming, &stream, usize::MAX);
        assert_eq!(incoming.bytes.capacity(), BATCH * RECORD_WIRE);
        assert!(incoming.holds_memory());
        incoming.release();
        assert_eq!(incoming.bytes.capacity(), 0);
    }

    #[test]
    fn a_quiet_link_keeps_little_memory() {
        let mut incoming = Incoming::default();
        for _ in 0..10 {
            take_in(&mut incoming, &[1; RECORD_WIRE], usize::MAX);
        }
        assert_eq!(incoming.bytes.capacity(), BATCH_FIRST * RECORD_WIRE);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn records_come_out_as_they_went_in_however_they_are_cut(
            records in 1usize..20,
            rest in 0..RECORD_WIRE,
            at_once in 1usize..20_000,
        ) {
            let stream: Vec<u8> = (0..records * RECORD_WIRE + rest).map(|i| (i % 251) as u8).collect();
            let mut incoming = Incoming::default();
            let whole = take_in(&mut incoming, &stream, at_once);
            prop_assert_eq!(&whole, &stream[..records * RECORD_WIRE]);
            prop_assert_eq!(&incoming.bytes, &stream[records * RECORD_WIRE..]);
        }

        #[test]
        fn every_record_written_is_reported_once_and_none_before(cuts in prop::collection::vec(1usize..9_000, 1..60)) {
            let mut outgoing = Outgoing::default();
            let (mut given, mut reported, mut written) = (0, 0, 0);
            for cut in cuts {
                if outgoing.unwritten().len() < BATCH * RECORD_WIRE {
                    outgoing.space().extend_from_slice(&[0; RECORD_WIRE]);
                    given += 1;
                }
                let n = cut.min(outgoing.unwritten().len());
                written += n;
                reported += outgoing.wrote(n) as usize;
                prop_assert_eq!(reported, written / RECORD_WIRE);
            }
            reported += outgoing.wrote(outgoing.unwritten().len()) as usize;
            prop_assert_eq!(reported, given);
            prop_assert!(outgoing.holds_memory());
        }
    }
}
