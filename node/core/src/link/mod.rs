//! Links and what is on them: streams and circuits. Who is linked, what is queued, what arrived.
//!
//! Streams are named by a number of this node's own ([`StreamId`]), one side of a circuit by a [`HopId`]; which link
//! carries one is nobody's business above. Nothing here knows what a stream is for or what a cell holds.

mod hops;
mod inner;
mod mux;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use oboro_crypto::ids::LinkPublic;
use oboro_crypto::record::RECORD_PLAIN;

pub(crate) use self::hops::HopId;
use self::hops::HopPlace;
#[cfg(test)]
pub(crate) use self::hops::hop_for_tests;
use self::mux::Link;
use crate::action::Action;
use crate::effect::Ctx;
use crate::ids::{Counter, DialId, LinkId};
use crate::limits::{DIALS_MAX, LINKS_PER_NODE_MAX, STREAM_LOW_WATER};
use crate::stats::Class;
use crate::stream::{Stream, StreamId};
use crate::time::Time;
use crate::wire::allowed::{self, Phase};
use crate::wire::control::Control;
use crate::wire::frame::{CloseReason, Frame, Frames};

/// Where a node can be reached.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) link: LinkPublic,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// What happened on links.
pub(crate) enum LinkEvent {
    /// A link is up.
    Up {
        link: LinkId,
        address: SocketAddr,
        dialed: bool,
    },
    /// A link is gone.
    Down { remote: LinkPublic },
    /// A control message arrived.
    Control { link: LinkId, message: Control },
    /// The other side opened a stream.
    Accepted(StreamId),
    /// Bytes have arrived on a stream.
    Readable(StreamId),
    /// Little is left to send on a stream whose feeder asked to hear.
    Drained(StreamId),
    /// A stream is over. `clean`: the other side said it was done.
    Closed { stream: StreamId, clean: bool },
    /// The other side begins a circuit.
    Create {
        hop: HopId,
        link: LinkId,
        body: Vec<u8>,
    },
    /// A circuit reaches to its end.
    Created { hop: HopId, body: Vec<u8> },
    /// A cell arrived.
    Cell { hop: HopId, body: Vec<u8> },
    /// Few cells wait on a circuit whose feeder asked to hear.
    HopDrained(HopId),
    /// The other side ended a circuit.
    Destroyed(HopId),
    /// A circuit's link is gone, or could not be had.
    Cut(HopId),
    /// A node could not be reached; all streams that waited for it are closed too.
    Unreachable(LinkPublic),
}

enum Place {
    On(LinkId, u32),
    /// Written before its link is up; and whether its feeder waits to hear that more can be.
    Waiting(LinkPublic, Class, Vec<Vec<u8>>, bool),
}

/// All links and streams of a node.
pub(crate) struct Links {
    links: BTreeMap<LinkId, Link>,
    by_remote: BTreeMap<LinkPublic, Vec<LinkId>>,
    dials: BTreeMap<DialId, LinkPublic>,
    dialing: BTreeMap<LinkPublic, DialId>,
    streams: BTreeMap<StreamId, Place>,
    numbers: BTreeMap<(LinkId, u32), StreamId>,
    hops: BTreeMap<HopId, HopPlace>,
    hop_numbers: BTreeMap<(LinkId, u32), HopId>,
    hop_names: Counter,
    /// Cells waiting on all links.
    cells_queued: usize,
    /// Links to look at before this event is over.
    touched: BTreeSet<LinkId>,
    kept: BTreeSet<LinkPublic>,
    names: Counter,
    dial_names: Counter,
    own: LinkPublic,
    /// Nothing is due before this.
    due: Option<Time>,
}

impl Links {
    pub(crate) fn new(own: LinkPublic) -> Self {
        Self {
            links: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            dials: BTreeMap::new(),
            dialing: BTreeMap::new(),
            streams: BTreeMap::new(),
            numbers: BTreeMap::new(),
            hops: BTreeMap::new(),
            hop_numbers: BTreeMap::new(),
            hop_names: Counter::default(),
            cells_queued: 0,
            touched: BTreeSet::new(),
            kept: BTreeSet::new(),
            names: Counter::default(),
            dial_names: Counter::default(),
            own,
            due: None,
        }
    }

    // Streams

    /// Opens a stream to a node, over its link or over one that is dialled for it. `None` if too much is being dialled.
    pub(crate) fn open(&mut self, way: &Way, class: Class, ctx: &mut Ctx<'_>) -> Option<StreamId> {
        let id = StreamId::Link(self.names.next());
        let up = self
            .by_remote
            .get(&way.link)
            .and_then(|links| links.first().copied());
        if let Some(link) = up {
            self.attach(id, link, class, (Vec::new(), false), ctx.now)?;
        } else {
            self.dial(way, ctx)?;
            self.streams
                .insert(id, Place::Waiting(way.link, class, Vec::new(), false));
        }
        ctx.stats.streams_opened += 1;
        ctx.stats.streams_active += 1;
        Some(id)
    }

    pub(crate) fn write(&mut self, id: StreamId, bytes: Vec<u8>) {
        match self.streams.get_mut(&id) {
            Some(Place::On(link, number)) => {
                let (link, number) = (*link, *number);
                if let Some(stream) = self.stream(link, number) {
                    stream.write(bytes);
                }
                self.touch(link, number);
            }
            Some(Place::Waiting(_, _, written, _)) => written.push(bytes),
            None => {}
        }
    }

    /// Asks for a [`LinkEvent::Drained`] once little is left to send. False if little is left already.
    pub(crate) fn ask_for_more(&mut self, id: StreamId) -> bool {
        let (link, number) = match self.streams.get(&id) {
            Some(&Place::On(link, number)) => (link, number),
            _ => return self.ask_waiting(id),
        };
        let Some(stream) = self.stream(link, number) else {
            return true;
        };
        if stream.unsent() < STREAM_LOW_WATER {
            return false;
        }
        stream.ask_for_more();
        true
    }

    /// What has arrived on a stream and was not taken.
    pub(crate) fn peek(&self, id: StreamId) -> &[u8] {
        match self.streams.get(&id) {
            Some(Place::On(link, number)) => self
                .links
                .get(link)
                .and_then(|link| link.streams.get(number))
                .map_or(&[], Stream::peek),
            _ => &[],
        }
    }

    pub(crate) fn take(&mut self, id: StreamId, length: usize) {
        if let Some(&Place::On(link, number)) = self.streams.get(&id) {
            if let Some(stream) = self.stream(link, number) {
                stream.take(length);
            }
            self.touch(link, number);
        }
    }

    /// Ends a stream once everything written is sent; nothing more is heard of it. If it failed, what is not sent yet
    /// is dropped.
    pub(crate) fn close(&mut self, id: StreamId, reason: CloseReason, ctx: &mut Ctx<'_>) {
        if let Some(Place::On(link, number)) = self.forget(id, ctx) {
            if let Some(stream) = self.stream(link, number) {
                stream.close(reason, ctx.now);
            }
            self.touch(link, number);
        }
    }

    /// Ends a stream of which nothing written matters any more.
    pub(crate) fn cut(&mut self, id: StreamId, reason: CloseReason, ctx: &mut Ctx<'_>) {
        if let Some(&Place::On(link, number)) = self.streams.get(&id)
            && let Some(stream) = self.stream(link, number)
        {
            stream.drop_unsent();
        }
        self.close(id, reason, ctx);
    }

    /// Drops a stream the other side has ended.
    pub(crate) fn discard(&mut self, id: StreamId, ctx: &mut Ctx<'_>) {
        if let Some(Place::On(link, number)) = self.forget(id, ctx)
            && let Some(entry) = self.links.get_mut(&link)
        {
            entry.streams.remove(&number);
            self.look_if_idle(link);
        }
    }

    /// The link an accepted stream came over, for limits per link.
    pub(crate) fn carrier(&self, id: StreamId) -> Option<LinkId> {
        match self.streams.get(&id) {
            Some(Place::On(link, _)) => Some(*link),
            _ => None,
        }
    }

    // Links

    /// Keeps a link to this node warm: dials if there is none, never closes it for being idle.
    pub(crate) fn keep(&mut self, way: &Way, ctx: &mut Ctx<'_>) {
        self.kept.insert(way.link);
        if !self.is_linked(&way.link) {
            let _ = self.dial(way, ctx);
        }
    }

    /// Keeps the link that there is to a node warm.
    pub(crate) fn retain(&mut self, remote: &LinkPublic) {
        self.kept.insert(*remote);
    }

    /// No longer keeps a link warm.
    pub(crate) fn release(&mut self, remote: &LinkPublic) {
        self.kept.remove(remote);
        for link in self.by_remote.get(remote).cloned().unwrap_or_default() {
            self.look_if_idle(link);
        }
    }

    pub(crate) fn is_linked(&self, remote: &LinkPublic) -> bool {
        self.by_remote.contains_key(remote)
    }

    pub(crate) fn is_dialing(&self, remote: &LinkPublic) -> bool {
        self.dialing.contains_key(remote)
    }

    /// The key of a link's other end.
    pub(crate) fn remote(&self, link: LinkId) -> Option<LinkPublic> {
        self.links.get(&link).map(|link| link.remote)
    }

    /// All links that have greeted, with the other side's key.
    pub(crate) fn greeted(&self) -> impl Iterator<Item = (LinkId, LinkPublic)> + '_ {
        self.links
            .iter()
            .filter(|(_, link)| link.phase == Phase::Greeted)
            .map(|(&id, link)| (id, link.remote))
    }

    pub(crate) fn send(&mut self, link: LinkId, message: &Control, ctx: &mut Ctx<'_>) {
        self.send_encoded(link, message.encode(), ctx);
    }

    /// The same for a message that is encoded already.
    pub(crate) fn send_encoded(&mut self, link: LinkId, message: Vec<u8>, ctx: &mut Ctx<'_>) {
        if let Some(entry) = self.links.get_mut(&link) {
            entry.control(message, ctx.stats);
            self.touched.insert(link);
        }
    }

    // What the shell says

    pub(crate) fn up(
        &mut self,
        link: LinkId,
        remote: LinkPublic,
        address: SocketAddr,
        dial: Option<DialId>,
        ctx: &mut Ctx<'_>,
    ) -> Vec<LinkEvent> {
        if let Some(remote) = dial.and_then(|dial| self.dials.remove(&dial)) {
            self.dialing.remove(&remote);
        } else {
            ctx.stats.accepted += 1;
        }
        let existing = self.by_remote.get(&remote).map_or(0, Vec::len);
        if remote == self.own || existing >= LINKS_PER_NODE_MAX || !self.make_room(ctx) {
            ctx.stats.dropped("link_refused");
            ctx.act(Action::Close { link });
            return Vec::new();
        }
        let dialed = dial.is_some();
        let entry = Link::new(remote, address, dialed, ctx.now);
        self.look_by(entry.due_at());
        self.links.insert(link, entry);
        self.look_if_idle(link);
        self.by_remote.entry(remote).or_default().push(link);
        self.attach_waiting(remote, link, ctx.now);
        self.attach_waiting_hops(remote, link, ctx);
        vec![LinkEvent::Up {
            link,
            address,
            dialed,
        }]
    }

    pub(crate) fn dial_failed(&mut self, dial: DialId, ctx: &mut Ctx<'_>) -> Vec<LinkEvent> {
        ctx.stats.dials_failed += 1;
        let Some(remote) = self.dials.remove(&dial) else {
            return Vec::new();
        };
        self.dialing.remove(&remote);
        if self.is_linked(&remote) {
            return Vec::new();
        }
        let waiting: Vec<StreamId> = self
            .streams
            .iter()
            .filter(|(_, place)| matches!(place, Place::Waiting(to, ..) if *to == remote))
            .map(|(&id, _)| id)
            .collect();
        let mut events = vec![LinkEvent::Unreachable(remote)];
        events.extend(self.fail_waiting_hops(&remote));
        for stream in waiting {
            self.forget(stream, ctx);
            ctx.stats.streams_failed += 1;
            events.push(LinkEvent::Closed {
                stream,
                clean: false,
            });
        }
        events
    }

    pub(crate) fn down(&mut self, link: LinkId, ctx: &mut Ctx<'_>) -> Vec<LinkEvent> {
        let Some(entry) = self.links.remove(&link) else {
            return Vec::new();
        };
        self.touched.remove(&link);
        if let Some(all) = self.by_remote.get_mut(&entry.remote) {
            all.retain(|&other| other != link);
            if all.is_empty() {
                self.by_remote.remove(&entry.remote);
            }
        }
        let mut events = Vec::new();
        for number in entry.streams.keys() {
            if let Some(&stream) = self.numbers.get(&(link, *number)) {
                self.forget(stream, ctx);
                ctx.stats.streams_failed += 1;
                events.push(LinkEvent::Closed {
                    stream,
                    clean: false,
                });
            }
        }
        let hops: Vec<(u32, usize)> = entry
            .hops
            .iter()
            .map(|(&number, queue)| (number, queue.cells()))
            .collect();
        events.extend(self.forget_hops(link, &hops));
        if !self.is_linked(&entry.remote) {
            events.push(LinkEvent::Down {
                remote: entry.remote,
            });
        }
        events
    }

    pub(crate) fn writable(&mut self, link: LinkId, records: u32) {
        if let Some(entry) = self.links.get_mut(&link) {
            entry.grant(records);
            self.touched.insert(link);
        }
    }

    /// Records arrive. A link that breaks the protocol is closed.
    pub(crate) fn records(
        &mut self,
        link: LinkId,
        plain: &[u8],
        ctx: &mut Ctx<'_>,
    ) -> Vec<LinkEvent> {
        let mut events = Vec::new();
        for record in plain.chunks(RECORD_PLAIN) {
            let Some(entry) = self.links.get_mut(&link) else {
                break;
            };
            if entry.closing {
                break;
            }
            entry.heard = ctx.now;
            entry.records_in += 1;
            ctx.stats.records_in += 1;
            if let Err(kind) = self.record(link, record, &mut events, ctx) {
                ctx.stats.violated(kind);
                self.shut(link, ctx);
            }
        }
        events
    }

    // Sending

    /// Hands over what may be sent, and says which streams want more. To be called when an event has been dealt with.
    pub(crate) fn flush(&mut self, ctx: &mut Ctx<'_>) -> Vec<LinkEvent> {
        let mut events = Vec::new();
        while let Some(link) = self.touched.pop_first() {
            let Some(entry) = self.links.get_mut(&link) else {
                continue;
            };
            let (plain, ended, cells) = entry.pack(ctx.now, ctx.stats);
            self.cells_queued -= cells;
            for number in ended {
                self.numbers.remove(&(link, number));
            }
            if let Some(stuck) = entry.stuck_at() {
                self.due = Some(self.due.map_or(stuck, |due| due.min(stuck)));
            }
            if plain.is_empty() {
                self.look_if_idle(link);
                continue;
            }
            ctx.act(Action::Send { link, plain });
            for (number, stream) in &mut entry.streams {
                if stream.is_drained(STREAM_LOW_WATER)
                    && let Some(&id) = self.numbers.get(&(link, *number))
                {
                    events.push(LinkEvent::Drained(id));
                }
            }
            for (number, queue) in &mut entry.hops {
                if queue.is_drained()
                    && let Some(&id) = self.hop_numbers.get(&(link, *number))
                {
                    events.push(LinkEvent::HopDrained(id));
                }
            }
            if entry.wants_turn() {
                self.touched.insert(link);
            }
            self.look_if_idle(link);
        }
        events
    }

    /// Closes a link for good.
    pub(crate) fn shut(&mut self, link: LinkId, ctx: &mut Ctx<'_>) {
        if let Some(entry) = self.links.get_mut(&link)
            && !entry.closing
        {
            entry.closing = true;
            ctx.act(Action::Close { link });
        }
    }
}
