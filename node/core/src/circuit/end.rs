//! One end of a circuit, the client's or the exit's: its streams, packed into cells, within a window of cells.
//!
//! Knows no relay, no link and no key.

use std::collections::{BTreeMap, VecDeque};

use oboro_crypto::ids::NodeId;

use crate::limits::{CIRCUIT_WINDOW, CIRCUIT_WINDOW_MAX, STREAM_LOW_WATER};
use crate::stats::Class;
use crate::stream::{SMALLEST_PIECE, Say, Stream};
use crate::time::Time;
use crate::wire::WireError;
use crate::wire::cell::{CellFrame, CellFrames};
use crate::wire::frame::{CloseReason, DATA_HEADER};

/// Frames that say something about a stream other than data: begin 37, credit 9, close 6.
const STREAM_NOTICES: usize = 52;
/// Echoes and notices that wait to be sent. Beyond it the other side floods.
const URGENT_MAX: usize = 128;

/// Which end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Client,
    Exit,
}

/// What arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EndEvent {
    /// The client wants a stream to a node.
    Begun(u32, NodeId),
    /// Bytes of a stream.
    Readable(u32),
    /// A stream is over; what has arrived of it can still be read until it is dropped.
    Closed(u32, bool),
    /// The circuit holds.
    Echo(u64),
}

enum Urgent {
    Window(u32),
    Probe(u64),
    Echo(u64),
    Close(u32, CloseReason),
}

/// One end.
pub(super) struct End {
    side: Side,
    streams: BTreeMap<u32, Stream>,
    /// Where a client's streams lead, until that is said.
    targets: BTreeMap<u32, NodeId>,
    round: VecDeque<u32>,
    urgent: VecDeque<Urgent>,
    next: u32,
    /// Cells with data that we may send.
    may_send: u32,
    /// Cells with data that the other side may send.
    may_receive: u32,
    /// Cells with data that the other side may have on the way.
    window: u32,
    class: Class,
}

impl End {
    pub(super) const fn new(side: Side, class: Class) -> Self {
        Self {
            side,
            streams: BTreeMap::new(),
            targets: BTreeMap::new(),
            round: VecDeque::new(),
            urgent: VecDeque::new(),
            next: 1,
            may_send: CIRCUIT_WINDOW,
            may_receive: CIRCUIT_WINDOW,
            window: CIRCUIT_WINDOW,
            class,
        }
    }

    // Streams

    /// A client opens a stream.
    pub(super) fn open(&mut self, target: NodeId) -> u32 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.streams.insert(number, Stream::new(self.class, false));
        self.targets.insert(number, target);
        self.touch(number);
        number
    }

    /// The streams that are open.
    pub(super) fn count(&self) -> usize {
        self.streams
            .values()
            .filter(|stream| stream.closing.is_none())
            .count()
    }

    /// Whether there is anything of a stream.
    pub(super) fn has(&self, number: u32) -> bool {
        self.streams.contains_key(&number)
    }

    pub(super) fn write(&mut self, number: u32, bytes: Vec<u8>) {
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.write(bytes);
        }
        self.touch(number);
    }

    pub(super) fn unsent(&self, number: u32) -> usize {
        self.streams.get(&number).map_or(0, Stream::unsent)
    }

    /// Asks for the stream to be among [`End::drained`] once little is left. False if little is left already.
    pub(super) fn ask_for_more(&mut self, number: u32) -> bool {
        match self.streams.get_mut(&number) {
            Some(stream) if stream.unsent() < STREAM_LOW_WATER => false,
            Some(stream) => {
                stream.ask_for_more();
                true
            }
            None => true,
        }
    }

    pub(super) fn peek(&self, number: u32) -> &[u8] {
        self.streams.get(&number).map_or(&[], Stream::peek)
    }

    pub(super) fn take(&mut self, number: u32, length: usize) {
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.take(length);
        }
        self.touch(number);
    }

    /// Ends a stream once everything written is sent; at once if it failed.
    pub(super) fn close(&mut self, number: u32, reason: CloseReason, now: Time) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        if !stream.announced && self.side == Side::Client {
            // The other side never heard of it.
            self.streams.remove(&number);
            self.targets.remove(&number);
            return;
        }
        stream.close(reason, now);
        self.touch(number);
    }

    pub(super) fn drop_unsent(&mut self, number: u32) {
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.drop_unsent();
        }
    }

    /// Forgets a stream the other side has ended.
    pub(super) fn discard(&mut self, number: u32) {
        self.streams.remove(&number);
    }

    /// Streams whose feeder asked to hear and of which little is left.
    pub(super) fn drained(&mut self) -> Vec<u32> {
        self.streams
            .iter_mut()
            .filter_map(|(&number, stream)| stream.is_drained(STREAM_LOW_WATER).then_some(number))
            .collect()
    }

    /// Bytes held: unsent, and unread.
    pub(super) fn held(&self) -> (usize, usize) {
        self.streams
            .values()
            .fold((0, 0), |(unsent, unread), stream| {
                (unsent + stream.unsent(), unread + stream.peek().len())
            })
    }

    // The circuit itself

    pub(super) fn probe(&mut self, nonce: u64) {
        self.urgent.push_back(Urgent::Probe(nonce));
    }

    /// Lets the other side have twice as much on the way, up to the bound.
    pub(super) fn widen(&mut self) {
        self.window = (self.window * 2).min(CIRCUIT_WINDOW_MAX);
        self.grant();
    }

    pub(super) const fn window(&self) -> u32 {
        self.window
    }

    fn grant(&mut self) {
        let due = self.window.saturating_sub(self.may_receive);
        if due >= self.window / 4 {
            self.may_receive += due;
            let waiting = self.urgent.iter_mut().find_map(|urgent| match urgent {
                Urgent::Window(cells) => Some(cells),
                _ => None,
            });
            match waiting {
                Some(cells) => *cells += due,
                None => self.urgent.push_back(Urgent::Window(due)),
            }
        }
    }

    fn touch(&mut self, number: u32) {
        if let Some(stream) = self.streams.get_mut(&number)
            && !stream.queued
            && stream.has_turn()
        {
            stream.queued = true;
            self.round.push_back(number);
        }
    }

    /// Whether a cell could be packed now.
    pub(super) fn has_something(&self) -> bool {
        !self.urgent.is_empty() || (self.may_send > 0 && !self.round.is_empty())
    }

    /// The payload of one cell, at most `room` bytes; `None` if there is nothing to say.
    pub(super) fn pack(&mut self, room: usize) -> Option<Vec<u8>> {
        if !self.has_something() {
            return None;
        }
        let mut out = Vec::with_capacity(room);
        while let Some(urgent) = self.urgent.pop_front() {
            let frame = match urgent {
                Urgent::Window(cells) => CellFrame::Window(cells),
                Urgent::Probe(nonce) => CellFrame::Probe(nonce),
                Urgent::Echo(nonce) => CellFrame::Echo(nonce),
                Urgent::Close(number, reason) => CellFrame::Close(number, reason),
            };
            frame.write(&mut out);
            if room - out.len() < STREAM_NOTICES {
                return Some(out);
            }
        }
        let mut counted = false;
        while self.may_send > 0 && room - out.len() >= STREAM_NOTICES + DATA_HEADER + SMALLEST_PIECE
        {
            let Some(number) = self.round.pop_front() else {
                break;
            };
            counted |= self.pack_stream(number, room, &mut out);
        }
        if counted {
            self.may_send -= 1;
        }
        Some(out)
    }

    /// One stream's share of a cell. True if that makes the cell count in the window.
    fn pack_stream(&mut self, number: u32, room: usize, out: &mut Vec<u8>) -> bool {
        let Some(stream) = self.streams.get_mut(&number) else {
            return false;
        };
        let mut counted = false;
        let over = stream.pack(out, room, |out, say| {
            let frame = match say {
                Say::Begin => match self.targets.remove(&number) {
                    Some(target) => CellFrame::Begin(number, target),
                    None => return,
                },
                Say::Credit(due) => CellFrame::Credit(number, due),
                Say::Data(piece) => CellFrame::Data(number, piece),
                Say::Close(reason) => CellFrame::Close(number, reason),
            };
            counted |= frame.is_counted();
            frame.write(out);
        });
        if over {
            self.streams.remove(&number);
        } else {
            self.touch(number);
        }
        counted
    }

    /// Takes the payload of a cell. An error ends the circuit.
    pub(super) fn read(&mut self, payload: &[u8]) -> Result<Vec<EndEvent>, WireError> {
        let mut frames = CellFrames::new(payload);
        let mut events = Vec::new();
        let mut counted = false;
        while let Some(frame) = frames.next_frame()? {
            let wrong_side = match self.side {
                Side::Client => frame.is_clients(),
                Side::Exit => frame.is_exits(),
            };
            if wrong_side {
                return Err(WireError::Invalid);
            }
            counted |= frame.is_counted();
            self.frame(frame, &mut events)?;
        }
        if counted {
            self.may_receive = self.may_receive.checked_sub(1).ok_or(WireError::TooLong)?;
            self.grant();
        }
        Ok(events)
    }

    fn frame(&mut self, frame: CellFrame<'_>, events: &mut Vec<EndEvent>) -> Result<(), WireError> {
        match frame {
            CellFrame::Begin(number, target) => {
                // Numbers are used once, in order: none can be taken for an older one.
                if number < self.next {
                    return Err(WireError::Invalid);
                }
                self.next = number.checked_add(1).ok_or(WireError::Invalid)?;
                self.streams.insert(number, Stream::new(self.class, true));
                events.push(EndEvent::Begun(number, target));
            }
            CellFrame::Data(number, data) => {
                // Data may cross our close of the stream: it was granted, but nobody reads it.
                if let Some(stream) = self.streams.get_mut(&number)
                    && stream.closing.is_none()
                {
                    if !stream.received(data) {
                        return Err(WireError::TooLong);
                    }
                    if events.last() != Some(&EndEvent::Readable(number)) {
                        events.push(EndEvent::Readable(number));
                    }
                }
            }
            CellFrame::Credit(number, bytes) => {
                if let Some(stream) = self.streams.get_mut(&number) {
                    if !stream.granted(bytes) {
                        return Err(WireError::TooLong);
                    }
                    self.touch(number);
                }
            }
            CellFrame::Close(number, reason) => {
                let open = self
                    .streams
                    .get(&number)
                    .is_some_and(|stream| stream.closing.is_none());
                if open {
                    events.push(EndEvent::Readable(number));
                    events.push(EndEvent::Closed(number, reason == CloseReason::Done));
                } else {
                    self.streams.remove(&number);
                }
            }
            CellFrame::Window(cells) => {
                let sum = self.may_send.checked_add(cells).ok_or(WireError::TooLong)?;
                if sum > CIRCUIT_WINDOW_MAX {
                    return Err(WireError::TooLong);
                }
                self.may_send = sum;
            }
            CellFrame::Probe(nonce) => {
                if self.urgent.len() >= URGENT_MAX {
                    return Err(WireError::TooLong);
                }
                self.urgent.push_back(Urgent::Echo(nonce));
            }
            CellFrame::Echo(nonce) => events.push(EndEvent::Echo(nonce)),
        }
        Ok(())
    }

    /// Refuses a stream that was begun. False if the other side does not read the refusals.
    pub(super) fn refuse(&mut self, number: u32, reason: CloseReason) -> bool {
        self.streams.remove(&number);
        let room = self.urgent.len() < URGENT_MAX;
        self.urgent.push_back(Urgent::Close(number, reason));
        room
    }
}

#[cfg(test)]
#[path = "end_tests.rs"]
mod tests;
