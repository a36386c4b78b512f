//! What carries streams: a link for those of others, an own circuit for this node's own. One interface for both, so
//! that whoever speaks over a stream need not know.

use oboro_crypto::ids::NodeId;

use crate::circuit::Circuits;
use crate::effect::Ctx;
use crate::ids::{JobId, LinkId};
use crate::link::Links;
use crate::peers::View;
use crate::stats::Class;
use crate::stream::StreamId;
use crate::wire::frame::CloseReason;

/// Links and circuits together.
pub(crate) struct Carriage<'a> {
    pub(crate) links: &'a mut Links,
    pub(crate) circuits: &'a mut Circuits,
    pub(crate) view: &'a View,
}

impl Carriage<'_> {
    /// Opens a stream to a node for a job. It goes straight there only where the network, or the user for this job, has
    /// said that no relays are wanted. `None` if the node cannot be reached.
    pub(crate) fn open(
        &mut self,
        job: JobId,
        lane: u32,
        target: NodeId,
        ctx: &mut Ctx<'_>,
    ) -> Option<StreamId> {
        if self.circuits.hops_of(job, self.view) == 0 {
            let (way, _) = self.view.way(&target)?;
            return self.links.open(&way, Class::Own, ctx);
        }
        let stream = self
            .circuits
            .open(job, lane, target, self.view, self.links, ctx);
        Some(stream)
    }

    /// Opens a stream straight to a node, as one storer to another: for nothing that this node's user asked for.
    pub(crate) fn open_as_storer(&mut self, target: NodeId, ctx: &mut Ctx<'_>) -> Option<StreamId> {
        let (way, _) = self.view.way(&target)?;
        self.links.open(&way, Class::Storage, ctx)
    }

    pub(crate) fn write(&mut self, stream: StreamId, bytes: Vec<u8>) {
        match stream {
            StreamId::Link(_) => self.links.write(stream, bytes),
            StreamId::Circuit(_) => self.circuits.write(stream, bytes),
        }
    }

    /// Asks to hear once little is left to send. False if little is left already.
    pub(crate) fn ask_for_more(&mut self, stream: StreamId) -> bool {
        match stream {
            StreamId::Link(_) => self.links.ask_for_more(stream),
            StreamId::Circuit(_) => self.circuits.ask_for_more(stream),
        }
    }

    /// What has arrived and was not taken.
    pub(crate) fn peek(&self, stream: StreamId) -> &[u8] {
        match stream {
            StreamId::Link(_) => self.links.peek(stream),
            StreamId::Circuit(_) => self.circuits.peek(stream),
        }
    }

    pub(crate) fn take(&mut self, stream: StreamId, length: usize) {
        match stream {
            StreamId::Link(_) => self.links.take(stream, length),
            StreamId::Circuit(_) => self.circuits.take(stream, length),
        }
    }

    /// Ends a stream once everything written is sent.
    pub(crate) fn close(&mut self, stream: StreamId, reason: CloseReason, ctx: &mut Ctx<'_>) {
        match stream {
            StreamId::Link(_) => self.links.close(stream, reason, ctx),
            StreamId::Circuit(_) => self.circuits.close(stream, reason, false, ctx),
        }
    }

    /// Ends a stream of which nothing written matters any more.
    pub(crate) fn cut(&mut self, stream: StreamId, reason: CloseReason, ctx: &mut Ctx<'_>) {
        match stream {
            StreamId::Link(_) => self.links.cut(stream, reason, ctx),
            StreamId::Circuit(_) => self.circuits.close(stream, reason, true, ctx),
        }
    }

    /// The link an accepted stream came over, for limits per link.
    pub(crate) fn carrier(&self, stream: StreamId) -> Option<LinkId> {
        match stream {
            StreamId::Link(_) => self.links.carrier(stream),
            StreamId::Circuit(_) => None,
        }
    }

    /// Whether a stream still waits for its circuit.
    pub(crate) fn is_waiting(&self, stream: StreamId) -> bool {
        match stream {
            StreamId::Link(_) => false,
            StreamId::Circuit(_) => self.circuits.is_waiting(stream),
        }
    }
}
