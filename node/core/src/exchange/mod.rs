//! Exchanges: one request and its answer in a Noise NK session over a stream.
//!
//! A client's exchange opens a stream, sends message 1 with the request in it, and hands every message that comes back
//! to its owner. A served exchange does the opposite. What the messages mean is not known here, nor how a stream gets
//! to its node.

mod client;
mod framing;
mod patience;
mod served;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oboro_crypto::ids::{NetworkId, NodeId};
use oboro_crypto::provider::Provider;

use self::client::Client;
use self::served::Served;
use crate::carriage::Carriage;
use crate::circuit::Loss;
use crate::effect::{Body, Ctx, Owner};
use crate::ids::ExchangeId;
use crate::onion::OnionKeys;
use crate::stream::StreamId;
use crate::time::Time;
use crate::wire::frame::CloseReason;
use crate::wire::message::{Reply, Request, encode_chunk};

/// Whom a client asks, and by which of its job's ways.
#[derive(Clone, Copy)]
pub(crate) struct To {
    pub(crate) target: NodeId,
    pub(crate) lane: u32,
}

/// What came of a client's exchange.
pub(crate) enum Answer {
    /// A reply.
    Reply(Reply),
    /// A chunk that belongs to it.
    Chunk(u8, Vec<u8>),
    /// More can be sent.
    Drained,
    /// It is over without a last word: unreachable, silent, broken or busy.
    Failed(Trouble),
}

/// Why an exchange ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The node could not be reached.
    Unreachable,
    /// It did not answer in time.
    Silent,
    /// The circuit to it failed: it may be none of its fault.
    Lost(Loss),
    /// It ended the stream too early, or what it sent was no session.
    Broken,
}

impl Trouble {
    /// Whether the way failed and not the node.
    pub(crate) const fn is_of_the_way(self) -> bool {
        matches!(self, Self::Lost(_))
    }
}

/// What a served exchange brings.
pub(crate) enum Ask {
    /// A request; the first thing always.
    Request(Request),
    /// A chunk.
    Chunk(u8, Vec<u8>),
    /// More can be sent.
    Drained,
    /// The client is gone.
    Gone,
}

/// For whom something happened.
pub(crate) enum ExchangeEvent {
    Client {
        exchange: ExchangeId,
        owner: Owner,
        answer: Answer,
    },
    Served {
        exchange: ExchangeId,
        ask: Ask,
    },
}

enum Side {
    Client(Client),
    Served(Served),
}

struct Exchange {
    stream: StreamId,
    began: Time,
    moved: Time,
    side: Side,
}

/// All exchanges of a node.
pub(crate) struct Exchanges {
    network: NetworkId,
    provider: Arc<dyn Provider>,
    onions: Arc<OnionKeys>,
    exchanges: BTreeMap<ExchangeId, Exchange>,
    by_stream: BTreeMap<StreamId, ExchangeId>,
    /// Clients' exchanges that failed and whose owners have not been told yet.
    failed: BTreeSet<ExchangeId>,
    serving: usize,
}

impl Exchanges {
    pub(crate) fn new(
        network: NetworkId,
        provider: Arc<dyn Provider>,
        onions: Arc<OnionKeys>,
    ) -> Self {
        let (exchanges, by_stream) = (BTreeMap::new(), BTreeMap::new());
        Self {
            network,
            provider,
            onions,
            exchanges,
            by_stream,
            failed: BTreeSet::new(),
            serving: 0,
        }
    }

    /// Begins a client's exchange.
    pub(crate) fn ask(
        &mut self,
        exchange: ExchangeId,
        owner: Owner,
        to: To,
        request: &Request,
        streams: &mut Carriage<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Option<ExchangeEvent> {
        let failed = |all: &mut Self, trouble| {
            all.failed.insert(exchange);
            Some(ExchangeEvent::Client {
                exchange,
                owner,
                answer: Answer::Failed(trouble),
            })
        };
        let Some((_, onion)) = streams.view.way(&to.target) else {
            return failed(self, Trouble::Unreachable);
        };
        let Ok((client, first)) =
            Client::open(owner, &onion, &self.network, request, &*self.provider, ctx)
        else {
            return failed(self, Trouble::Broken);
        };
        let stream = match owner.job() {
            Some(job) => streams.open(job, to.lane, to.target, ctx),
            None => streams.open_as_storer(to.target, ctx),
        };
        let Some(stream) = stream else {
            return failed(self, Trouble::Unreachable);
        };
        streams.write(stream, first);
        self.by_stream.insert(stream, exchange);
        self.exchanges.insert(
            exchange,
            Exchange {
                stream,
                began: ctx.now,
                moved: ctx.now,
                side: Side::Client(client),
            },
        );
        None
    }

    /// A stream was opened to us.
    pub(crate) fn accepted(
        &mut self,
        stream: StreamId,
        streams: &mut Carriage<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Vec<ExchangeEvent> {
        let mut events = Vec::new();
        if !self.has_room_for(stream, &mut events, streams, ctx) {
            ctx.stats.refused("busy");
            streams.close(stream, CloseReason::Busy, ctx);
            return events;
        }
        self.serving += 1;
        let exchange = ExchangeId(ctx.exchanges.next());
        self.by_stream.insert(stream, exchange);
        self.exchanges.insert(
            exchange,
            Exchange {
                stream,
                began: ctx.now,
                moved: ctx.now,
                side: Side::Served(Served::new()),
            },
        );
        events
    }

    /// How many there are, and how many of them are served.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.exchanges.len(), self.serving)
    }

    /// Whether an event still concerns anybody. Several messages may arrive at once: what its owner has ended after the
    /// first of them, it does not hear of again, and takes for no other exchange's.
    pub(crate) fn concerns(&mut self, event: &ExchangeEvent) -> bool {
        match event {
            ExchangeEvent::Client {
                exchange,
                answer: Answer::Failed(_),
                ..
            } => self.failed.remove(exchange),
            ExchangeEvent::Served { ask: Ask::Gone, .. } => true,
            ExchangeEvent::Client { exchange, .. } | ExchangeEvent::Served { exchange, .. } => {
                self.exchanges.contains_key(exchange)
            }
        }
    }

    /// The stream under a served exchange, for limits per link.
    pub(crate) fn stream(&self, exchange: ExchangeId) -> Option<StreamId> {
        self.exchanges
            .get(&exchange)
            .map(|exchange| exchange.stream)
    }

    /// Bytes have arrived on a stream.
    pub(crate) fn readable(
        &mut self,
        stream: StreamId,
        streams: &mut Carriage<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Vec<ExchangeEvent> {
        let mut events = Vec::new();
        while let Some(&id) = self.by_stream.get(&stream) {
            let Some(exchange) = self.exchanges.get_mut(&id) else {
                break;
            };
            let message = match framing::message(streams.peek(stream)) {
                Some(Ok(message)) => message,
                Some(Err(_)) => {
                    self.broken(id, &mut events, streams, ctx);
                    break;
                }
                None => break,
            };
            let taken = message.len() + framing::LENGTH;
            exchange.moved = ctx.now;
            let read = match &mut exchange.side {
                Side::Client(client) => client.read(id, message, ctx),
                Side::Served(served) => {
                    let keys = self.onions.all();
                    served.read(id, message, &keys, &self.network, &*self.provider, ctx)
                }
            };
            streams.take(stream, taken);
            match read {
                Ok(event) => events.push(event),
                Err(_) => self.broken(id, &mut events, streams, ctx),
            }
        }
        events
    }

    /// Little is left to send.
    pub(crate) fn drained(&mut self, stream: StreamId) -> Option<ExchangeEvent> {
        let exchange = *self.by_stream.get(&stream)?;
        Some(match &self.exchanges.get(&exchange)?.side {
            Side::Client(client) => ExchangeEvent::Client {
                exchange,
                owner: client.owner,
                answer: Answer::Drained,
            },
            Side::Served(_) => ExchangeEvent::Served {
                exchange,
                ask: Ask::Drained,
            },
        })
    }

    /// The stream under an exchange is gone.
    pub(crate) fn closed(&mut self, stream: StreamId, trouble: Trouble) -> Option<ExchangeEvent> {
        let exchange = *self.by_stream.get(&stream)?;
        let gone = self.remove(exchange)?;
        Some(self.over(exchange, &gone.side, trouble))
    }

    /// Sends a chunk. `false` if the exchange is gone. Asks to be told when more can be sent.
    pub(crate) fn chunk(
        &mut self,
        id: ExchangeId,
        index: u8,
        body: &Body,
        streams: &mut Carriage<'_>,
        now: Time,
    ) -> bool {
        self.say(id, &encode_chunk(index, body.bytes()), streams, now)
    }

    /// Wants to hear when more can be sent: at once if that is so now.
    pub(crate) fn more(
        &mut self,
        id: ExchangeId,
        streams: &mut Carriage<'_>,
    ) -> Option<ExchangeEvent> {
        let exchange = self.exchanges.get(&id)?;
        let stream = exchange.stream;
        if streams.ask_for_more(stream) {
            None
        } else {
            self.drained(stream)
        }
    }

    /// Answers in a served exchange: the first answer completes the handshake.
    pub(crate) fn answer(
        &mut self,
        id: ExchangeId,
        reply: &Reply,
        streams: &mut Carriage<'_>,
        now: Time,
    ) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        let Side::Served(served) = &mut exchange.side else {
            return;
        };
        match served.first_answer(reply) {
            Some(Ok(message)) => {
                exchange.moved = now;
                streams.write(exchange.stream, message);
            }
            Some(Err(_)) => {}
            None => {
                self.say(id, &reply.encode(), streams, now);
            }
        }
    }

    /// Ends an exchange. What was given to it is still sent if it is served; a client that ends has heard all it wants.
    pub(crate) fn end(
        &mut self,
        id: ExchangeId,
        reason: CloseReason,
        streams: &mut Carriage<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        self.failed.remove(&id);
        if let Some(exchange) = self.remove(id) {
            match exchange.side {
                Side::Client(_) => streams.cut(exchange.stream, reason, ctx),
                Side::Served(_) => streams.close(exchange.stream, reason, ctx),
            }
        }
    }

    fn say(&mut self, id: ExchangeId, plain: &[u8], streams: &mut Carriage<'_>, now: Time) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return false;
        };
        exchange.moved = now;
        let session = match &mut exchange.side {
            Side::Client(client) => client.session(),
            Side::Served(served) => served.session(),
        };
        match session.map(|session| framing::seal(session, plain)) {
            Some(Ok(message)) => {
                streams.write(exchange.stream, message);
                true
            }
            _ => false,
        }
    }

    fn broken(
        &mut self,
        id: ExchangeId,
        events: &mut Vec<ExchangeEvent>,
        streams: &mut Carriage<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        ctx.stats.violated("session");
        if let Some(exchange) = self.remove(id) {
            streams.close(exchange.stream, CloseReason::Failed, ctx);
            events.push(self.over(id, &exchange.side, Trouble::Broken));
        }
    }

    fn over(&mut self, exchange: ExchangeId, side: &Side, trouble: Trouble) -> ExchangeEvent {
        match side {
            Side::Client(client) => {
                self.failed.insert(exchange);
                ExchangeEvent::Client {
                    exchange,
                    owner: client.owner,
                    answer: Answer::Failed(trouble),
                }
            }
            Side::Served(_) => ExchangeEvent::Served {
                exchange,
                ask: Ask::Gone,
            },
        }
    }

    fn remove(&mut self, id: ExchangeId) -> Option<Exchange> {
        let exchange = self.exchanges.remove(&id)?;
        self.by_stream.remove(&exchange.stream);
        if matches!(exchange.side, Side::Served(_)) {
            self.serving = self.serving.saturating_sub(1);
        }
        Some(exchange)
    }
}
