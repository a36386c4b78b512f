//! One link: its control queue, its streams and circuits, and how they are packed into records. Knows no peer and no
//! purpose.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use oboro_crypto::ids::LinkPublic;
use oboro_crypto::record::RECORD_PLAIN;

use super::hops::{HopQueue, Item};
use crate::limits::{CONTROL_QUEUE_MAX, LINK_SILENT, LINK_STUCK, PING_EVERY, RECORDS_PER_SEND_MAX};
use crate::stats::{Class, Stats};
use crate::stream::{SMALLEST_PIECE, Say, Stream};
use crate::time::Time;
use crate::wire::allowed::Phase;
use crate::wire::frame::{DATA_HEADER, Frame};

/// Frames that say something about a stream other than data: open 5, credit 9, close 6.
const STREAM_NOTICES: usize = 20;

/// Whose turn it is in a link's round: one record each.
#[derive(Clone, Copy)]
enum Turn {
    Stream(u32),
    Hop(u32),
}

/// One link's state.
pub(super) struct Link {
    pub(super) remote: LinkPublic,
    pub(super) address: SocketAddr,
    pub(super) dialed: bool,
    pub(super) phase: Phase,
    pub(super) since: Time,
    pub(super) heard: Time,
    pub(super) used: Time,
    /// When it was last asked whether it lives.
    pub(super) asked: Time,
    pub(super) pinged: Option<(u64, Time)>,
    pub(super) rtt_micros: Option<u64>,
    pub(super) closing: bool,
    pub(super) records_in: u64,
    pub(super) records_out: u64,
    pub(super) streams: BTreeMap<u32, Stream>,
    pub(super) hops: BTreeMap<u32, HopQueue>,
    /// Records the shell can take.
    credit: u32,
    /// Since when it could take nothing although there was something.
    stuck: Option<Time>,
    control: VecDeque<Vec<u8>>,
    round: VecDeque<Turn>,
    next_number: u32,
}

impl Link {
    pub(super) fn new(remote: LinkPublic, address: SocketAddr, dialed: bool, now: Time) -> Self {
        Self {
            remote,
            address,
            dialed,
            phase: Phase::New,
            since: now,
            heard: now,
            used: now,
            asked: now,
            pinged: None,
            rtt_micros: None,
            closing: false,
            records_in: 0,
            records_out: 0,
            streams: BTreeMap::new(),
            hops: BTreeMap::new(),
            credit: 0,
            stuck: None,
            control: VecDeque::new(),
            round: VecDeque::new(),
            // Both sides name streams and circuits; odd numbers belong to the dialler.
            next_number: if dialed { 1 } else { 2 },
        }
    }

    /// A number for a stream or circuit that this side opens; `None` when the numbers are used up.
    pub(super) fn number(&mut self) -> Option<u32> {
        let number = self.next_number;
        self.next_number = self.next_number.checked_add(2)?;
        Some(number)
    }

    /// Whether the other side may name a stream or circuit so.
    pub(super) const fn is_theirs(&self, number: u32) -> bool {
        (number % 2 == 1) != self.dialed
    }

    /// Whether no stream and no circuit is on it.
    pub(super) fn carries_nothing(&self) -> bool {
        self.streams.is_empty() && self.hops.is_empty()
    }

    /// How many circuits the other side began.
    pub(super) fn their_hops(&self) -> usize {
        let numbers = self.hops.keys();
        numbers.filter(|&&number| self.is_theirs(number)).count()
    }

    /// The numbers of streams the other side opened.
    pub(super) fn theirs(&self) -> impl Iterator<Item = u32> + '_ {
        let numbers = self.streams.keys().copied();
        numbers.filter(|&number| self.is_theirs(number))
    }

    /// Those of them that hold more than the notice of their end.
    pub(super) fn theirs_held(&self) -> impl Iterator<Item = u32> + '_ {
        self.theirs()
            .filter(|number| self.streams.get(number).is_some_and(Stream::holds))
    }

    /// Those of them that are over and wait for the other side to read.
    pub(super) fn lingering(&self) -> impl Iterator<Item = u32> + '_ {
        self.theirs().filter(|number| {
            let stream = self.streams.get(number);
            stream.is_some_and(|stream| stream.lingers_since().is_some())
        })
    }

    /// When it must be looked at again: to be asked whether it lives, or because it does not.
    pub(super) fn due_at(&self) -> Time {
        self.ask_at().min(self.dead_at())
    }

    /// When it is to be asked whether it lives. Who was heard lives, so that of two quiet ends only one asks.
    pub(super) fn ask_at(&self) -> Time {
        self.asked.max(self.heard) + PING_EVERY
    }

    /// When it counts as stuck, if it takes nothing.
    pub(super) fn stuck_at(&self) -> Option<Time> {
        self.stuck.map(|since| since + LINK_STUCK)
    }

    /// Whether nothing comes from it, or it takes nothing.
    pub(super) fn is_dead(&self, now: Time) -> bool {
        self.dead_at() <= now
    }

    fn dead_at(&self) -> Time {
        let silent = self.heard + LINK_SILENT;
        self.stuck_at().map_or(silent, |stuck| silent.min(stuck))
    }

    /// Queues a control message; the oldest waiting one goes when there are too many.
    pub(super) fn control(&mut self, message: Vec<u8>, stats: &mut Stats) {
        if self.control.len() >= CONTROL_QUEUE_MAX {
            self.control.pop_front();
            stats.dropped("control_queue");
        }
        self.control.push_back(message);
    }

    /// Bytes of control messages waiting.
    pub(super) fn waiting_control(&self) -> usize {
        self.control.iter().map(Vec::len).sum()
    }

    pub(super) fn grant(&mut self, records: u32) {
        self.credit = self.credit.saturating_add(records);
        self.stuck = None;
    }

    /// Puts a stream into the round if it has something to send.
    pub(super) fn touch(&mut self, number: u32) {
        if let Some(stream) = self.streams.get_mut(&number)
            && !stream.queued
            && stream.has_turn()
        {
            stream.queued = true;
            self.round.push_back(Turn::Stream(number));
        }
    }

    /// Puts a circuit into the round if there is something to say of it.
    pub(super) fn touch_hop(&mut self, number: u32) {
        if let Some(queue) = self.hops.get_mut(&number)
            && !queue.queued
            && !queue.items.is_empty()
        {
            queue.queued = true;
            self.round.push_back(Turn::Hop(number));
        }
    }

    /// Packs what may be sent now; empty if nothing. Returns with it streams that ended, and how many cells went.
    pub(super) fn pack(&mut self, now: Time, stats: &mut Stats) -> (Vec<u8>, Vec<u32>, usize) {
        let mut out = Vec::new();
        let mut ended = Vec::new();
        let mut cells = 0;
        let mut records = 0;
        while self.credit > 0 && records < RECORDS_PER_SEND_MAX && self.has_something() {
            let end = out.len() + RECORD_PLAIN;
            out.reserve_exact(RECORD_PLAIN);
            cells += usize::from(self.pack_record(&mut out, end, stats, &mut ended));
            stats.padding_out += (end - out.len()) as u64;
            out.resize(end, 0);
            records += 1;
            self.credit -= 1;
        }
        if self.credit == 0 && self.has_something() {
            self.stuck.get_or_insert(now);
        }
        self.records_out += u64::from(records);
        stats.records_out += u64::from(records);
        (out, ended, cells)
    }

    /// Whether a further `pack` would send something.
    pub(super) fn wants_turn(&self) -> bool {
        self.credit > 0 && self.has_something()
    }

    fn has_something(&self) -> bool {
        !self.control.is_empty() || !self.round.is_empty()
    }

    /// Fills one record. True if with a cell.
    fn pack_record(
        &mut self,
        out: &mut Vec<u8>,
        end: usize,
        stats: &mut Stats,
        ended: &mut Vec<u32>,
    ) -> bool {
        let start = out.len();
        while let Some(message) = self.control.front() {
            if out.len() + 3 + message.len() > end {
                return false;
            }
            let frame = Frame::Control(message);
            count_out(stats, Class::Control, frame.encoded_len());
            frame.write(out);
            self.control.pop_front();
        }
        while end - out.len() >= STREAM_NOTICES + DATA_HEADER + SMALLEST_PIECE {
            match self.round.pop_front() {
                None => return false,
                Some(Turn::Stream(number)) => self.pack_turn(number, out, end, stats, ended),
                Some(Turn::Hop(number)) => {
                    let Some(queue) = self.hops.get_mut(&number) else {
                        continue;
                    };
                    let Some(item) = queue.items.front() else {
                        queue.queued = false;
                        continue;
                    };
                    let frame = item.frame(number);
                    if out.len() + frame.encoded_len() > end {
                        // A cell needs a record of its own: the next one.
                        debug_assert!(out.len() > start, "every item fits an empty record");
                        self.round.push_front(Turn::Hop(number));
                        return false;
                    }
                    write_counted(&frame, queue.class, out, stats);
                    let over = matches!(item, Item::Destroy);
                    let cell = queue.pop();
                    queue.queued = false;
                    if over {
                        self.hops.remove(&number);
                    } else {
                        self.touch_hop(number);
                    }
                    if cell {
                        return true;
                    }
                }
            }
        }
        false
    }

    fn pack_turn(
        &mut self,
        number: u32,
        out: &mut Vec<u8>,
        end: usize,
        stats: &mut Stats,
        ended: &mut Vec<u32>,
    ) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let class = stream.class;
        let over = stream.pack(out, end, |out, say| {
            let frame = match say {
                Say::Begin => Frame::Open(number),
                Say::Credit(due) => Frame::Credit(number, due),
                Say::Data(piece) => Frame::Data(number, piece),
                Say::Close(reason) => Frame::Close(number, reason),
            };
            write_counted(&frame, class, out, stats);
        });
        if over {
            self.streams.remove(&number);
            ended.push(number);
        } else {
            self.touch(number);
        }
    }
}

fn write_counted(frame: &Frame<'_>, class: Class, out: &mut Vec<u8>, stats: &mut Stats) {
    count_out(stats, class, frame.encoded_len());
    frame.write(out);
}

fn count_out(stats: &mut Stats, class: Class, bytes: usize) {
    let traffic = stats.class(class);
    traffic.bytes_out += bytes as u64;
    traffic.frames_out += 1;
}
