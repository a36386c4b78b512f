//! The stream interface of own circuits: the same as that of links.

use oboro_crypto::ids::NodeId;

use super::own::Session;
use super::pool::Pending;
use super::{CircuitEvent, Circuits};
use crate::effect::Ctx;
use crate::ids::JobId;
use crate::limits::STREAM_LOW_WATER;
use crate::link::Links;
use crate::peers::View;
use crate::stream::StreamId;
use crate::wire::frame::CloseReason;

impl Circuits {
    /// Opens a stream to a node of the view for a job, through a circuit of that lane.
    pub(crate) fn open(
        &mut self,
        job: JobId,
        lane: u32,
        target: NodeId,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) -> StreamId {
        let stream = StreamId::Circuit(self.stream_names.next());
        let session = Session { job, lane };
        let written = Vec::new();
        self.pending.insert(
            stream,
            Pending {
                session,
                target,
                written,
            },
        );
        ctx.stats.streams_opened += 1;
        ctx.stats.streams_active += 1;
        self.place(stream, view, links, ctx);
        stream
    }

    pub(crate) fn write(&mut self, stream: StreamId, bytes: Vec<u8>) {
        if let Some(pending) = self.pending.get_mut(&stream) {
            pending.written.push(bytes);
        } else if let Some(&(id, number)) = self.streams.get(&stream)
            && let Some(own) = self.own.get_mut(&id)
        {
            own.end.write(number, bytes);
            self.dirty.insert(id);
        }
    }

    pub(crate) fn ask_for_more(&mut self, stream: StreamId) -> bool {
        if let Some(pending) = self.pending.get(&stream) {
            let written: usize = pending.written.iter().map(Vec::len).sum();
            return written >= STREAM_LOW_WATER;
        }
        match self.streams.get(&stream) {
            Some((id, number)) => self
                .own
                .get_mut(id)
                .is_none_or(|own| own.end.ask_for_more(*number)),
            None => true,
        }
    }

    pub(crate) fn peek(&self, stream: StreamId) -> &[u8] {
        self.streams
            .get(&stream)
            .and_then(|(id, number)| Some(self.own.get(id)?.end.peek(*number)))
            .unwrap_or_default()
    }

    pub(crate) fn take(&mut self, stream: StreamId, length: usize) {
        if let Some(&(id, number)) = self.streams.get(&stream)
            && let Some(own) = self.own.get_mut(&id)
        {
            own.end.take(number, length);
            self.dirty.insert(id);
        }
    }

    /// Ends a stream once everything written is sent; nothing more is heard of it. `cut`: what is written does not matter.
    pub(crate) fn close(
        &mut self,
        stream: StreamId,
        reason: CloseReason,
        cut: bool,
        ctx: &mut Ctx<'_>,
    ) {
        if self.pending.remove(&stream).is_some() {
            ctx.stats.streams_active = ctx.stats.streams_active.saturating_sub(1);
        } else if let Some((id, number)) = self.forget(stream, ctx)
            && let Some(own) = self.own.get_mut(&id)
        {
            if cut {
                own.end.drop_unsent(number);
            }
            own.end.close(number, reason, ctx.now);
            self.dirty.insert(id);
        }
    }

    /// Drops a stream that its other end, or its circuit's failure, has ended.
    pub(crate) fn discard(&mut self, stream: StreamId, ctx: &mut Ctx<'_>) {
        if let Some((id, number)) = self.forget(stream, ctx)
            && let Some(own) = self.own.get_mut(&id)
        {
            own.end.discard(number);
        }
    }

    /// Whether a stream still waits for its circuit: then its node has not been asked yet.
    pub(crate) fn is_waiting(&self, stream: StreamId) -> bool {
        self.pending.contains_key(&stream)
            || self
                .streams
                .get(&stream)
                .is_some_and(|(id, _)| self.own.get(id).is_none_or(super::Own::is_building))
    }

    /// Sends what may be sent, and says what happened since it was last asked.
    pub(crate) fn flush(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) -> Vec<CircuitEvent> {
        self.pump_own(links, ctx);
        self.pump_exits(links, ctx);
        core::mem::take(&mut self.events)
    }

    /// What happened since it was last asked.
    pub(crate) fn events(&mut self) -> Vec<CircuitEvent> {
        core::mem::take(&mut self.events)
    }

    fn forget(
        &mut self,
        stream: StreamId,
        ctx: &mut Ctx<'_>,
    ) -> Option<(super::own::CircuitId, u32)> {
        let place = self.streams.remove(&stream)?;
        ctx.stats.streams_active = ctx.stats.streams_active.saturating_sub(1);
        if let Some(own) = self.own.get_mut(&place.0) {
            own.streams.remove(&place.1);
        }
        Some(place)
    }
}
