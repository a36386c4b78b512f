//! One end of a stream, on a link or in a circuit: bytes in order both ways, bounded by credit. Knows no message and no purpose.

use std::collections::VecDeque;

use crate::limits::STREAM_WINDOW;
use crate::stats::Class;
use crate::time::Time;
use crate::wire::frame::{CLOSE_LEN, CloseReason, DATA_HEADER};

/// A stream, own or accepted: on a link, or through a circuit of this node's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StreamId {
    Link(u64),
    Circuit(u64),
}

/// A data frame smaller than this is not begun at the end of a record or cell while more waits.
pub(crate) const SMALLEST_PIECE: usize = 64;

/// What is said of a stream in a record or cell.
pub(crate) enum Say<'a> {
    Begin,
    Credit(u32),
    Data(&'a [u8]),
    Close(CloseReason),
}

/// A stream's two queues and their credit.
pub(crate) struct Stream {
    pub(crate) class: Class,
    /// Whether the other side knows of it yet.
    pub(crate) announced: bool,
    /// Whether it waits in its link's round for a turn to send.
    pub(crate) queued: bool,
    /// What to say when everything is sent.
    pub(crate) closing: Option<CloseReason>,
    /// When that was decided.
    closed: Time,
    /// Whether its feeder wants to hear when little is left to send.
    hungry: bool,
    outgoing: VecDeque<Vec<u8>>,
    /// Bytes of the first outgoing piece already sent.
    sent_of_first: usize,
    unsent: usize,
    may_send: u32,
    incoming: Vec<u8>,
    /// Bytes of `incoming` already taken.
    taken: usize,
    may_receive: u32,
    owed_credit: u32,
}

impl Stream {
    pub(crate) const fn new(class: Class, announced: bool) -> Self {
        Self {
            class,
            announced,
            queued: false,
            closing: None,
            closed: Time(0),
            hungry: false,
            outgoing: VecDeque::new(),
            sent_of_first: 0,
            unsent: 0,
            may_send: STREAM_WINDOW,
            incoming: Vec::new(),
            taken: 0,
            may_receive: STREAM_WINDOW,
            owed_credit: 0,
        }
    }

    /// Ends it once everything is sent; at once if it failed.
    pub(crate) fn close(&mut self, reason: CloseReason, now: Time) {
        self.closing = Some(reason);
        self.closed = now;
        self.incoming = Vec::new();
        self.taken = 0;
        if reason != CloseReason::Done {
            self.drop_unsent();
        }
    }

    /// Ends it at once.
    pub(crate) fn fail(&mut self) {
        self.closing = Some(CloseReason::Failed);
        self.drop_unsent();
    }

    pub(crate) fn drop_unsent(&mut self) {
        self.outgoing = VecDeque::new();
        self.sent_of_first = 0;
        self.unsent = 0;
    }

    /// Since when it is over and waits for the other side to take what is left.
    pub(crate) fn lingers_since(&self) -> Option<Time> {
        (self.closing.is_some() && self.unsent > 0).then_some(self.closed)
    }

    /// Whether it is more than the notice of its end.
    pub(crate) const fn holds(&self) -> bool {
        self.closing.is_none() || self.unsent > 0
    }

    pub(crate) fn write(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.unsent += bytes.len();
            self.outgoing.push_back(bytes);
        }
    }

    pub(crate) const fn unsent(&self) -> usize {
        self.unsent
    }

    /// Asks to be reported once by [`Stream::is_drained`] when less than `low` bytes are unsent.
    pub(crate) const fn ask_for_more(&mut self) {
        self.hungry = true;
    }

    /// Whether the feeder asked to hear and little is left. Says so once.
    pub(crate) const fn is_drained(&mut self, low: usize) -> bool {
        let drained = self.hungry && self.unsent < low;
        if drained {
            self.hungry = false;
        }
        drained
    }

    /// Whether a frame could be sent now.
    pub(crate) const fn has_turn(&self) -> bool {
        !self.announced
            || self.owed_credit > 0
            || (self.unsent > 0 && self.may_send > 0)
            || (self.unsent == 0 && self.closing.is_some())
    }

    /// Its share of a record or cell that ends at `end`: what must be said first, then data as far as they go. `say`
    /// writes a frame. True if nothing is left to be said of it.
    pub(crate) fn pack(
        &mut self,
        out: &mut Vec<u8>,
        end: usize,
        mut say: impl FnMut(&mut Vec<u8>, Say<'_>),
    ) -> bool {
        self.queued = false;
        if !self.announced {
            self.announced = true;
            say(out, Say::Begin);
        }
        if let Some(due) = self.credit_due() {
            say(out, Say::Credit(due));
        }
        // Room for a close is kept, so that a stream's last record can carry it.
        let close = if self.closing.is_some() { CLOSE_LEN } else { 0 };
        loop {
            let room = end.saturating_sub(out.len() + DATA_HEADER + close);
            let piece = self.next_piece(room);
            if piece.is_empty() || (room < SMALLEST_PIECE && piece.len() == room) {
                break;
            }
            let length = piece.len();
            say(out, Say::Data(piece));
            self.sent(length);
        }
        match self.closing {
            Some(reason) if self.unsent == 0 => {
                say(out, Say::Close(reason));
                true
            }
            _ => false,
        }
    }

    /// Takes up to `room` bytes that may be sent now.
    fn next_piece(&mut self, room: usize) -> &[u8] {
        let Some(first) = self.outgoing.front() else {
            return &[];
        };
        let left = first.len() - self.sent_of_first;
        let take = left.min(room).min(self.may_send as usize);
        let start = self.sent_of_first;
        // The piece is accounted for by `sent`, which the caller calls with the length of what it took.
        &first[start..start + take]
    }

    /// Accounts for a piece of this length that was sent.
    fn sent(&mut self, length: usize) {
        self.unsent -= length;
        self.may_send = self
            .may_send
            .saturating_sub(u32::try_from(length).unwrap_or(u32::MAX));
        self.sent_of_first += length;
        if self
            .outgoing
            .front()
            .is_some_and(|first| self.sent_of_first >= first.len())
        {
            self.outgoing.pop_front();
            self.sent_of_first = 0;
        }
    }

    /// The other side grants more. False if that exceeds any sense.
    pub(crate) const fn granted(&mut self, bytes: u32) -> bool {
        match self.may_send.checked_add(bytes) {
            Some(sum) if sum <= STREAM_WINDOW => {
                self.may_send = sum;
                true
            }
            _ => false,
        }
    }

    /// Bytes arrive. False if they exceed what was granted.
    pub(crate) fn received(&mut self, bytes: &[u8]) -> bool {
        let Some(left) = u32::try_from(bytes.len())
            .ok()
            .and_then(|length| self.may_receive.checked_sub(length))
        else {
            return false;
        };
        self.may_receive = left;
        self.incoming.extend_from_slice(bytes);
        true
    }

    /// What has arrived and was not taken.
    pub(crate) fn peek(&self) -> &[u8] {
        &self.incoming[self.taken..]
    }

    /// Takes bytes from the front; credit for them is owed in steps of a quarter window.
    pub(crate) fn take(&mut self, length: usize) {
        self.taken += length;
        if self.taken >= self.incoming.len() {
            self.incoming.clear();
            self.taken = 0;
        } else if self.taken > STREAM_WINDOW as usize / 2 {
            self.incoming.drain(..self.taken);
            self.taken = 0;
        }
        let held = u32::try_from(self.incoming.len() - self.taken).unwrap_or(u32::MAX);
        let due = STREAM_WINDOW
            .saturating_sub(held)
            .saturating_sub(self.may_receive);
        if due >= STREAM_WINDOW / 4 {
            self.owed_credit = due;
        }
    }

    /// Credit to announce now, once.
    const fn credit_due(&mut self) -> Option<u32> {
        if self.owed_credit == 0 {
            return None;
        }
        let due = self.owed_credit;
        self.owed_credit = 0;
        self.may_receive += due;
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn more_than_was_granted_is_refused() {
        let mut stream = Stream::new(Class::Own, true);
        assert!(stream.received(&vec![0; STREAM_WINDOW as usize]));
        assert!(!stream.received(&[0]));
        assert!(
            !stream.granted(1),
            "credit beyond a whole window makes no sense"
        );
    }

    proptest! {
        #[test]
        fn bytes_arrive_in_order_whatever_the_pieces(
            pieces in proptest::collection::vec(1usize..40_000, 1..60), room in 1usize..5_000, take in 1usize..70_000
        ) {
            let (mut from, mut to) = (Stream::new(Class::Own, true), Stream::new(Class::Own, true));
            let total: usize = pieces.iter().sum();
            let all: Vec<u8> = (0..total).map(|i| (i % 251) as u8).collect();
            let mut rest = all.as_slice();
            for piece in pieces {
                let (head, tail) = rest.split_at(piece);
                from.write(head.to_vec());
                rest = tail;
            }
            let mut got = Vec::new();
            let mut idle = 0;
            while got.len() < total {
                let piece = from.next_piece(room).to_vec();
                from.sent(piece.len());
                prop_assert!(to.received(&piece), "credit keeps the sender within the window");
                idle = if piece.is_empty() { idle + 1 } else { 0 };
                prop_assert!(idle < 3, "the sender is never stuck while the receiver takes");
                if idle > 0 || to.peek().len() > take {
                    got.extend_from_slice(to.peek());
                    let length = to.peek().len();
                    to.take(length);
                    if let Some(due) = to.credit_due() {
                        prop_assert!(from.granted(due));
                    }
                }
            }
            prop_assert_eq!(got, all);
            prop_assert_eq!(from.unsent(), 0);
        }
    }
}
