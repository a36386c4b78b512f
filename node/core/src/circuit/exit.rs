//! The last hop of others' circuits: joins a circuit's streams to streams on links to the nodes they lead to. What is
//! in them is sealed between the client and that node.

use std::collections::BTreeMap;

use oboro_crypto::circuit::{BACKWARD_PAYLOAD, CELL_LEN};
use oboro_crypto::ids::NodeId;

use super::Circuits;
use super::end::{End, EndEvent, Side};
use super::relay::{RelayId, Relayed};
use crate::effect::Ctx;
use crate::limits::{
    CIRCUIT_BURST, EXIT_BUFFER, EXIT_STREAMS_MAX, EXIT_STREAMS_PER_CIRCUIT, STREAM_WINDOW,
};
use crate::link::Links;
use crate::peers::View;
use crate::stats::Class;
use crate::stream::StreamId;
use crate::time::Time;
use crate::wire::frame::CloseReason;

/// What an exit knows of one circuit.
pub(super) struct Exit {
    pub(super) end: End,
    /// The streams on links that they lead to. One that is over stays until the client has been sent all of it: what it
    /// holds counts, whoever does not read.
    streams: BTreeMap<u32, StreamId>,
}

impl Default for Exit {
    fn default() -> Self {
        Self {
            end: End::new(Side::Exit, Class::Relay),
            streams: BTreeMap::new(),
        }
    }
}

impl Circuits {
    /// A cell for this exit. False if the circuit is beyond repair.
    pub(super) fn at_exit(
        &mut self,
        id: RelayId,
        mut body: Vec<u8>,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let Some(Relayed {
            exit: Some(exit),
            layers,
            ..
        }) = self.relays.all.get_mut(&id)
        else {
            return false;
        };
        let Ok(payload) = layers.open(&mut body) else {
            return false;
        };
        let Ok(events) = exit.end.read(payload) else {
            return false;
        };
        self.dirty_relays.insert(id);
        for event in events {
            let Some(exit) = exit_of(&mut self.relays.all, id) else {
                return false;
            };
            match event {
                EndEvent::Begun(number, target) => {
                    if !self.open_from_exit(id, number, &target, view, links, ctx) {
                        return false;
                    }
                }
                EndEvent::Readable(number) => exit.push(number, links),
                EndEvent::Closed(number, clean) => {
                    exit.end.discard(number);
                    if let Some(stream) = exit.streams.remove(&number) {
                        self.exit_streams.remove(&stream);
                        let reason = reason(clean);
                        links.close(stream, reason, ctx);
                    }
                }
                EndEvent::Echo(_) => return false,
            }
        }
        true
    }

    /// Opens a stream to a node of the view for a client, and to nothing else (I7). False if the client floods.
    fn open_from_exit(
        &mut self,
        id: RelayId,
        number: u32,
        target: &NodeId,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let full = self.exit_streams.len() >= EXIT_STREAMS_MAX;
        let own = *target == self.own_id;
        let Some(exit) = exit_of(&mut self.relays.all, id) else {
            return false;
        };
        if full || exit.streams.len() >= EXIT_STREAMS_PER_CIRCUIT {
            ctx.stats.refused("exit_streams");
            return exit.end.refuse(number, CloseReason::Busy);
        }
        let way = view.way(target).filter(|_| !own);
        let Some(stream) = way.and_then(|(way, _)| links.open(&way, Class::Relay, ctx)) else {
            ctx.stats.refused("exit_unreachable");
            return exit.end.refuse(number, CloseReason::Failed);
        };
        ctx.stats.circuits.exit_streams += 1;
        exit.streams.insert(number, stream);
        self.exit_streams.insert(stream, (id, number));
        true
    }

    /// Whether a stream on a link is one of an exit here.
    pub(crate) fn is_exits(&self, stream: StreamId) -> bool {
        self.exit_streams.contains_key(&stream)
    }

    /// Bytes have come from the node a stream leads to.
    pub(crate) fn exit_readable(&mut self, stream: StreamId, links: &mut Links, now: Time) {
        let Some(&(id, number)) = self.exit_streams.get(&stream) else {
            return;
        };
        if let Some(relayed) = self.relays.all.get_mut(&id) {
            relayed.moved = now;
            if let Some(exit) = &mut relayed.exit {
                exit.pull(number, EXIT_BUFFER, links);
            }
        }
        self.dirty_relays.insert(id);
    }

    /// Little is left to send to the node a stream leads to.
    pub(crate) fn exit_drained(&mut self, stream: StreamId, links: &mut Links) {
        if let Some(&(id, number)) = self.exit_streams.get(&stream)
            && let Some(exit) = exit_of(&mut self.relays.all, id)
        {
            exit.push(number, links);
            self.dirty_relays.insert(id);
        }
    }

    /// The node a stream leads to has ended it, or cannot be reached.
    pub(crate) fn exit_closed(
        &mut self,
        stream: StreamId,
        clean: bool,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(&(id, number)) = self.exit_streams.get(&stream)
            && let Some(exit) = exit_of(&mut self.relays.all, id)
        {
            // What came before the end is still delivered: it is no more than the stream's window.
            exit.pull(number, EXIT_BUFFER + STREAM_WINDOW as usize, links);
            exit.end.close(number, reason(clean), ctx.now);
            self.dirty_relays.insert(id);
        }
        links.discard(stream, ctx);
    }

    /// The circuit is over: so are its streams.
    pub(super) fn close_exit(&mut self, exit: &mut Exit, links: &mut Links, ctx: &mut Ctx<'_>) {
        for stream in std::mem::take(&mut exit.streams).into_values() {
            self.exit_streams.remove(&stream);
            links.cut(stream, CloseReason::Failed, ctx);
        }
    }

    /// Sends what may be sent towards clients.
    pub(super) fn pump_exits(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        while let Some(id) = self.dirty_relays.pop_first() {
            let Some(Relayed {
                back,
                exit: Some(exit),
                layers,
                ..
            }) = self.relays.all.get_mut(&id)
            else {
                continue;
            };
            let mut holds = true;
            while holds && links.waiting_cells(*back) < CIRCUIT_BURST {
                if !exit.end.has_something() {
                    exit.pull_all(links);
                }
                let Some(payload) = exit.end.pack(BACKWARD_PAYLOAD) else {
                    break;
                };
                let mut cell = Vec::with_capacity(CELL_LEN);
                holds = layers.seal(&payload, &mut cell).is_ok() && links.cell(*back, cell);
                ctx.stats.circuits.cells_relayed += 1;
            }
            if exit.end.has_something() {
                links.ask_hop(*back);
            }
            exit.pull_all(links);
            for stream in exit.forget_ended() {
                self.exit_streams.remove(&stream);
            }
            if !holds {
                self.end_relayed(id, "circuit_queue", links, ctx);
            }
        }
    }
}

impl Exit {
    /// From the client to the node, as long as the node's link takes it.
    fn push(&mut self, number: u32, links: &mut Links) {
        let Some(&stream) = self.streams.get(&number) else {
            return;
        };
        if !self.end.peek(number).is_empty() && !links.ask_for_more(stream) {
            let bytes = self.end.peek(number).to_vec();
            self.end.take(number, bytes.len());
            links.write(stream, bytes);
        }
    }

    /// From the node to the client, up to so many bytes on the way.
    fn pull(&mut self, number: u32, most: usize, links: &mut Links) {
        let Some(&stream) = self.streams.get(&number) else {
            return;
        };
        let room = most.saturating_sub(self.end.unsent(number));
        let waiting = links.peek(stream);
        let bytes = waiting
            .get(..room.min(waiting.len()))
            .unwrap_or_default()
            .to_vec();
        if !bytes.is_empty() {
            links.take(stream, bytes.len());
            self.end.write(number, bytes);
        }
    }

    /// Drops the streams of which nothing is left here. Returns them.
    fn forget_ended(&mut self) -> Vec<StreamId> {
        let mut ended = Vec::new();
        self.streams.retain(|&number, &mut stream| {
            let stays = self.end.has(number);
            if !stays {
                ended.push(stream);
            }
            stays
        });
        ended
    }

    fn pull_all(&mut self, links: &mut Links) {
        let numbers: Vec<u32> = self.streams.keys().copied().collect();
        for number in numbers {
            if self.end.unsent(number) < EXIT_BUFFER / 2 {
                self.pull(number, EXIT_BUFFER, links);
            }
        }
    }
}

fn exit_of(all: &mut BTreeMap<RelayId, Relayed>, id: RelayId) -> Option<&mut Exit> {
    all.get_mut(&id)?.exit.as_mut()
}

const fn reason(clean: bool) -> CloseReason {
    if clean {
        CloseReason::Done
    } else {
        CloseReason::Failed
    }
}
