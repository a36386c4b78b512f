//! The private half of [`Links`]: how streams find their links, and what a record does.

use super::{
    Action, Class, CloseReason, Control, Counter, Ctx, DIALS_MAX, DialId, Frame, Frames, LinkEvent,
    LinkId, LinkPublic, Links, Phase, Place, Stream, StreamId, Time, Way, allowed,
};
use crate::limits::{STREAM_LOW_WATER, STREAMS_PER_LINK_MAX};
use crate::wire::WireError;

/// What a peer did wrong, as a name for counters.
type Violation = &'static str;

impl Links {
    pub(super) fn stream(&mut self, link: LinkId, number: u32) -> Option<&mut Stream> {
        self.links
            .get_mut(&link)
            .and_then(|link| link.streams.get_mut(&number))
    }

    pub(super) fn touch(&mut self, link: LinkId, number: u32) {
        if let Some(entry) = self.links.get_mut(&link) {
            entry.touch(number);
            self.touched.insert(link);
        }
    }

    /// Dials unless that is under way already. `None` if too much is.
    pub(super) fn dial(&mut self, way: &Way, ctx: &mut Ctx<'_>) -> Option<()> {
        if self.dialing.contains_key(&way.link) {
            return Some(());
        }
        if self.dials.len() >= DIALS_MAX || way.addresses.is_empty() || way.link == self.own {
            ctx.stats.dropped("dial");
            return None;
        }
        let dial = DialId(Counter::next(&mut self.dial_names));
        self.dials.insert(dial, way.link);
        self.dialing.insert(way.link, dial);
        ctx.stats.dialed += 1;
        ctx.act(Action::Dial {
            dial,
            remote: way.link,
            addresses: way.addresses.clone(),
        });
        Some(())
    }

    pub(super) fn attach(
        &mut self,
        id: StreamId,
        link: LinkId,
        class: Class,
        (written, hungry): (Vec<Vec<u8>>, bool),
        now: Time,
    ) -> Option<()> {
        let entry = self.links.get_mut(&link)?;
        let number = entry.number()?;
        let mut stream = Stream::new(class, false);
        if hungry {
            stream.ask_for_more();
        }
        written.into_iter().for_each(|bytes| stream.write(bytes));
        entry.streams.insert(number, stream);
        entry.used = now;
        self.streams.insert(id, Place::On(link, number));
        self.numbers.insert((link, number), id);
        self.touch(link, number);
        Some(())
    }

    /// The same for a stream that waits for its link.
    pub(super) fn ask_waiting(&mut self, id: StreamId) -> bool {
        let Some(Place::Waiting(_, _, written, hungry)) = self.streams.get_mut(&id) else {
            return true;
        };
        *hungry = written.iter().map(Vec::len).sum::<usize>() >= STREAM_LOW_WATER;
        *hungry
    }

    pub(super) fn attach_waiting(&mut self, remote: LinkPublic, link: LinkId, now: Time) {
        let waiting: Vec<StreamId> = self
            .streams
            .iter()
            .filter(|(_, place)| matches!(place, Place::Waiting(to, ..) if *to == remote))
            .map(|(&id, _)| id)
            .collect();
        for id in waiting {
            if let Some(Place::Waiting(_, class, written, hungry)) = self.streams.remove(&id) {
                let _ = self.attach(id, link, class, (written, hungry), now);
            }
        }
    }

    /// Removes a stream's name. Its link may still have bytes of it to send.
    pub(super) fn forget(&mut self, id: StreamId, ctx: &mut Ctx<'_>) -> Option<Place> {
        let place = self.streams.remove(&id)?;
        ctx.stats.streams_active = ctx.stats.streams_active.saturating_sub(1);
        if let Place::On(link, number) = &place {
            self.numbers.remove(&(*link, *number));
            if let Some(entry) = self.links.get_mut(link) {
                entry.used = ctx.now;
            }
        }
        Some(place)
    }

    /// Everything in one record.
    pub(super) fn record(
        &mut self,
        link: LinkId,
        record: &[u8],
        events: &mut Vec<LinkEvent>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Violation> {
        let mut frames = Frames::new(record);
        while let Some(frame) = frames.next_frame().map_err(malformed)? {
            let entry = self.links.get_mut(&link).ok_or("gone")?;
            if !allowed::frame(entry.phase, &frame) {
                return Err("illegal_now");
            }
            let class = match &frame {
                Frame::Control(_) => Class::Control,
                Frame::Open(_) => Class::Storage,
                Frame::Data(number, _) | Frame::Credit(number, _) | Frame::Close(number, _) => {
                    entry
                        .streams
                        .get(number)
                        .map_or(Class::Control, |stream| stream.class)
                }
                Frame::Create(..) => Class::Relay,
                Frame::Created(number, _) | Frame::Cell(number, _) | Frame::Destroy(number) => {
                    entry
                        .hops
                        .get(number)
                        .map_or(Class::Control, |queue| queue.class)
                }
            };
            let traffic = ctx.stats.class(class);
            traffic.bytes_in += frame.encoded_len() as u64;
            traffic.frames_in += 1;
            match frame {
                Frame::Control(body) => self.control(link, body, events, ctx)?,
                Frame::Open(number) => self.opened(link, number, events, ctx)?,
                Frame::Data(number, data) => self.data(link, number, data, events)?,
                Frame::Credit(number, bytes) => {
                    // Credit may cross a close; then there is nothing to grant it to.
                    if let Some(stream) = entry.streams.get_mut(&number)
                        && !stream.granted(bytes)
                    {
                        return Err("credit");
                    }
                    self.touch(link, number);
                }
                Frame::Close(number, reason) => self.ended(link, number, reason, events, ctx),
                Frame::Create(number, body) => self.hop_opened(link, number, body, events, ctx)?,
                // Either may cross our notice that the circuit is over; then there is nobody to tell.
                Frame::Created(number, body) => {
                    if let Some(&hop) = self.hop_numbers.get(&(link, number)) {
                        let body = body.to_vec();
                        events.push(LinkEvent::Created { hop, body });
                    }
                }
                Frame::Cell(number, body) => {
                    if let Some(&hop) = self.hop_numbers.get(&(link, number)) {
                        let body = body.to_vec();
                        events.push(LinkEvent::Cell { hop, body });
                    }
                }
                Frame::Destroy(number) => self.hop_ended(link, number, events),
            }
        }
        Ok(())
    }

    fn control(
        &mut self,
        link: LinkId,
        body: &[u8],
        events: &mut Vec<LinkEvent>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Violation> {
        let message = Control::decode(body).map_err(malformed)?;
        let entry = self.links.get_mut(&link).ok_or("gone")?;
        let greets = entry.phase == Phase::New;
        entry.phase = Phase::Greeted;
        match message {
            Control::Ping(nonce) => self.send(link, &Control::Pong(nonce), ctx),
            Control::Pong(nonce) => {
                if let Some((asked, at)) = entry.pinged
                    && asked == nonce
                {
                    entry.pinged = None;
                    entry.rtt_micros = u64::try_from(ctx.now.since(at).as_micros()).ok();
                }
            }
            message => events.push(LinkEvent::Control { link, message }),
        }
        if greets {
            self.ping(link, ctx);
        }
        Ok(())
    }

    fn opened(
        &mut self,
        link: LinkId,
        number: u32,
        events: &mut Vec<LinkEvent>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Violation> {
        let entry = self.links.get_mut(&link).ok_or("gone")?;
        if !entry.is_theirs(number) || entry.streams.contains_key(&number) {
            return Err("stream_number");
        }
        let theirs = entry.theirs().count();
        let mut stream = Stream::new(Class::Storage, true);
        if theirs >= STREAMS_PER_LINK_MAX || !self.has_room_for_stream() {
            ctx.stats.refused("streams");
            if theirs >= 2 * STREAMS_PER_LINK_MAX {
                // Not even the notices are being read.
                return Err("streams");
            }
            stream.close(CloseReason::Busy, ctx.now);
            if let Some(entry) = self.links.get_mut(&link) {
                entry.streams.insert(number, stream);
            }
            self.touch(link, number);
            return Ok(());
        }
        let entry = self.links.get_mut(&link).ok_or("gone")?;
        entry.streams.insert(number, stream);
        entry.used = ctx.now;
        ctx.stats.streams_accepted += 1;
        ctx.stats.streams_active += 1;
        let id = StreamId::Link(self.names.next());
        self.streams.insert(id, Place::On(link, number));
        self.numbers.insert((link, number), id);
        events.push(LinkEvent::Accepted(id));
        Ok(())
    }

    fn data(
        &mut self,
        link: LinkId,
        number: u32,
        data: &[u8],
        events: &mut Vec<LinkEvent>,
    ) -> Result<(), Violation> {
        let named = self.numbers.get(&(link, number)).copied();
        // Data may cross our close of the stream: it was granted, so it is no fault, but nobody reads it.
        let (Some(stream), Some(id)) = (self.stream(link, number), named) else {
            return Ok(());
        };
        if !stream.received(data) {
            return Err("credit");
        }
        if !matches!(events.last(), Some(LinkEvent::Readable(last)) if *last == id) {
            events.push(LinkEvent::Readable(id));
        }
        Ok(())
    }

    fn ended(
        &mut self,
        link: LinkId,
        number: u32,
        reason: CloseReason,
        events: &mut Vec<LinkEvent>,
        ctx: &mut Ctx<'_>,
    ) {
        // What has arrived may not have been read yet, so the reader hears of it before the stream's buffer goes.
        if let Some(&id) = self.numbers.get(&(link, number)) {
            events.push(LinkEvent::Readable(id));
            events.push(LinkEvent::Closed {
                stream: id,
                clean: reason == CloseReason::Done,
            });
            if reason != CloseReason::Done {
                ctx.stats.streams_failed += 1;
            }
        } else if let Some(entry) = self.links.get_mut(&link) {
            entry.streams.remove(&number);
        }
    }
}

const fn malformed(error: WireError) -> Violation {
    match error {
        WireError::Truncated => "truncated",
        WireError::Trailing => "trailing",
        WireError::TooLong => "too_long",
        WireError::Unknown => "unknown",
        WireError::Invalid => "invalid",
    }
}
