//! Serving others: what a storer does with requests. Its answers depend only on messages from others (I1).
//!
//! One machine for each kind of request; this file keeps count of them. It does not know who asks.

mod gets;
pub(crate) mod put;
mod puts;
mod tell;

use std::collections::BTreeMap;

use oboro_crypto::ids::Location;
use oboro_crypto::network::Network;
use oboro_crypto::provider::Provider;

use self::put::Putting;
pub(crate) use self::puts::is_word_of;
use crate::action::StoreRequest;
use crate::effect::{Ctx, Effect, Waiting};
use crate::event::StoreOutcome;
use crate::exchange::Ask;
use crate::ids::{ExchangeId, LinkId};
use crate::limits::STORE_WAITING_MAX;
use crate::peers::Peers;
use crate::wire::message::{ENTRIES_MAX, Refusal, Reply, Request};

/// What is being done in one served exchange.
enum Serving {
    /// A get: waiting to hear what is there.
    Looking { location: Location, wanted: u32 },
    /// A get: chunks are being read and sent.
    Sending {
        location: Location,
        left: Vec<u8>,
        reading: bool,
    },
    /// A put.
    Putting(Box<Putting>),
    /// An entry is being kept.
    Keeping {
        location: Location,
        digest: [u8; 32],
        until_day: u32,
    },
    /// A page of entries is being read.
    Listing { max: usize },
    /// Another storer is told what is kept where.
    Telling { link: LinkId },
}

/// All requests being served. Bounded by the exchanges they ride on; puts have bounds of their own.
pub(crate) struct Serve {
    network: Network,
    storage: bool,
    serving: BTreeMap<ExchangeId, Serving>,
    /// Puts being received, by the link they come over.
    puts: BTreeMap<LinkId, usize>,
    /// Storers being told what is kept where, by the link they ask over.
    telling: BTreeMap<LinkId, usize>,
    /// Requests to the store that are not answered, also for clients that are gone meanwhile.
    waiting: usize,
}

impl Serve {
    pub(crate) const fn new(network: Network, storage: bool) -> Self {
        Self {
            network,
            storage,
            serving: BTreeMap::new(),
            puts: BTreeMap::new(),
            telling: BTreeMap::new(),
            waiting: 0,
        }
    }

    /// How many extents are being received.
    pub(crate) fn puts(&self) -> usize {
        self.puts.values().sum()
    }

    /// Something arrived in a served exchange.
    pub(crate) fn asked(
        &mut self,
        id: ExchangeId,
        link: Option<LinkId>,
        ask: Ask,
        peers: &mut Peers,
        provider: &dyn Provider,
        ctx: &mut Ctx<'_>,
    ) {
        match ask {
            Ask::Request(request) => {
                if let Err((cause, price)) = self.request(id, link, request, peers, ctx) {
                    ctx.stats.refused(cause.name());
                    ctx.effect(Effect::Answer {
                        exchange: id,
                        reply: Reply::Refused(cause, price),
                    });
                    ctx.effect(Effect::Finish { exchange: id });
                }
            }
            Ask::Chunk(index, body) => self.chunk(id, index, body, peers.id(), provider, ctx),
            Ask::Drained => self.read_on(id, ctx),
            Ask::Gone => self.gone(id),
        }
    }

    /// The store answered.
    pub(crate) fn stored(
        &mut self,
        id: ExchangeId,
        outcome: StoreOutcome,
        peers: &Peers,
        ctx: &mut Ctx<'_>,
    ) {
        self.waiting = self.waiting.saturating_sub(1);
        let Some(serving) = self.serving.get_mut(&id) else {
            return;
        };
        match (serving, outcome) {
            (Serving::Looking { location, wanted }, StoreOutcome::Extent(found)) => {
                let present = found.map_or(0, |extent| extent.present) & *wanted;
                let location = *location;
                self.found(id, location, present, ctx);
            }
            (Serving::Sending { left, reading, .. }, StoreOutcome::Chunks(chunks)) => {
                *reading = false;
                let indexes: Vec<u8> = left.drain(..chunks.len().min(left.len())).collect();
                self.send(id, &indexes, chunks, ctx);
            }
            (Serving::Putting(putting), StoreOutcome::Extent(found)) => {
                let have = found.map_or(0, |extent| extent.present);
                if have == putting.all() {
                    self.receipt(id, peers, ctx);
                } else {
                    let wanted = putting.all();
                    ctx.effect(Effect::Answer {
                        exchange: id,
                        reply: Reply::Send(wanted),
                    });
                }
            }
            (Serving::Putting(_) | Serving::Keeping { .. }, StoreOutcome::Put(outcome)) => {
                self.put_done(id, outcome, peers, ctx);
            }
            (Serving::Listing { max }, StoreOutcome::Entries(entries)) => {
                let max = *max;
                self.list(id, entries, max, ctx);
            }
            (Serving::Telling { .. }, StoreOutcome::Tallies(tallies)) => {
                self.told(id, Reply::Tallies(tallies), ctx);
            }
            (Serving::Telling { .. }, StoreOutcome::Names(names)) => {
                self.told(id, Reply::Names(names), ctx);
            }
            (_, _) => self.refuse(id, Refusal::Busy, ctx),
        }
    }

    /// Begins to serve a request, or says why not.
    fn request(
        &mut self,
        id: ExchangeId,
        link: Option<LinkId>,
        request: Request,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), (Refusal, u8)> {
        if !self.storage {
            return Err((Refusal::NotMine, 0));
        }
        if self.waiting >= STORE_WAITING_MAX {
            return Err((Refusal::Busy, 0));
        }
        match request {
            Request::Get { location, wanted } => {
                self.serving
                    .insert(id, Serving::Looking { location, wanted });
                self.store(id, StoreRequest::Extent(location), ctx);
                Ok(())
            }
            Request::Put(put) => self.put(id, link, put, peers, ctx),
            Request::PutEntry(bytes) => self.put_entry(id, bytes, peers, ctx),
            Request::Query {
                location,
                after,
                max,
            } => {
                let max = usize::from(max).min(ENTRIES_MAX);
                self.serving.insert(id, Serving::Listing { max });
                let request = StoreRequest::Entries {
                    location,
                    after,
                    max: max + 1,
                };
                self.store(id, request, ctx);
                Ok(())
            }
            Request::Tally(locations) => self.tell(id, link, StoreRequest::Tally(locations), ctx),
            Request::Names(location) => self.tell(id, link, StoreRequest::Names(location), ctx),
        }
    }

    /// The client is gone. An extent that is on its way to the disk keeps its place until it is there, and so does a
    /// question that the store is looking into: whoever hangs up must not be able to ask more than who waits.
    fn gone(&mut self, id: ExchangeId) {
        let at_work = match self.serving.get(&id) {
            Some(Serving::Putting(putting)) => putting.is_whole(),
            Some(Serving::Telling { .. }) => true,
            _ => false,
        };
        if !at_work {
            self.done(id);
        }
    }

    fn store(&mut self, id: ExchangeId, request: StoreRequest, ctx: &mut Ctx<'_>) {
        self.waiting += 1;
        ctx.store(Waiting::Served(id), request);
    }

    fn refuse(&mut self, id: ExchangeId, cause: Refusal, ctx: &mut Ctx<'_>) {
        ctx.stats.refused(cause.name());
        self.done(id);
        ctx.effect(Effect::Answer {
            exchange: id,
            reply: Reply::Refused(cause, 0),
        });
        ctx.effect(Effect::Finish { exchange: id });
    }

    fn done(&mut self, id: ExchangeId) {
        let (places, link) = match self.serving.remove(&id) {
            Some(Serving::Putting(putting)) => (&mut self.puts, putting.link),
            Some(Serving::Telling { link }) => (&mut self.telling, link),
            _ => return,
        };
        if let Some(count) = places.get_mut(&link) {
            *count -= 1;
            if *count == 0 {
                places.remove(&link);
            }
        }
    }
}
