//! Serving others: what a storer does with requests. Its answers depend only on messages from others (I1).
//!
//! One machine for each kind of request; this file keeps count of them. It does not know who asks.

pub(crate) mod put;

use std::collections::BTreeMap;

use oboro_crypto::entry::SealedEntry;
use oboro_crypto::hash::hash;
use oboro_crypto::ids::{ExtentId, Location, NodeId, distance};
use oboro_crypto::labels;
use oboro_crypto::network::Network;

use self::put::Putting;
use crate::action::StoreRequest;
use crate::effect::{Body, Ctx, Effect, Waiting};
use crate::event::{PutOutcome, StoreOutcome};
use crate::exchange::Ask;
use crate::ids::{ExchangeId, LinkId};
use crate::limits::{EXTENT_DAYS, PUTS_AT_ONCE_MAX, PUTS_PER_LINK_MAX, READ_BATCH};
use crate::peers::Peers;
use crate::placement::is_responsible;
use crate::wire::message::{ENTRIES_MAX, Put, Receipt, Refusal, Reply, Request};

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
}

/// All requests being served. Bounded by the exchanges they ride on; puts have bounds of their own.
pub(crate) struct Serve {
    network: Network,
    storage: bool,
    serving: BTreeMap<ExchangeId, Serving>,
    /// Puts being received, by the link they come over.
    puts: BTreeMap<LinkId, usize>,
}

impl Serve {
    pub(crate) const fn new(network: Network, storage: bool) -> Self {
        Self {
            network,
            storage,
            serving: BTreeMap::new(),
            puts: BTreeMap::new(),
        }
    }

    /// Something arrived in a served exchange.
    pub(crate) fn asked(
        &mut self,
        id: ExchangeId,
        link: Option<LinkId>,
        ask: Ask,
        peers: &Peers,
        provider: &dyn oboro_crypto::provider::Provider,
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
            Ask::Gone => self.done(id),
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
            (_, _) => self.refuse(id, Refusal::Busy, ctx),
        }
    }

    /// Begins to serve a request, or says why not.
    fn request(
        &mut self,
        id: ExchangeId,
        link: Option<LinkId>,
        request: Request,
        peers: &Peers,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), (Refusal, u8)> {
        if !self.storage {
            return Err((Refusal::NotMine, 0));
        }
        match request {
            Request::Get { location, wanted } => {
                self.serving
                    .insert(id, Serving::Looking { location, wanted });
                ctx.store(Waiting::Served(id), StoreRequest::Extent(location));
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
                ctx.store(Waiting::Served(id), request);
                Ok(())
            }
        }
    }

    // Gets

    fn found(&mut self, id: ExchangeId, location: Location, present: u32, ctx: &mut Ctx<'_>) {
        if present == 0 {
            ctx.stats.misses += 1;
            self.done(id);
            ctx.effect(Effect::Answer {
                exchange: id,
                reply: Reply::Nothing,
            });
            ctx.effect(Effect::Finish { exchange: id });
            return;
        }
        ctx.stats.hits += 1;
        ctx.stats.extents_served += 1;
        let left = (0..32u8)
            .filter(|index| present & (1 << index) != 0)
            .collect();
        self.serving.insert(
            id,
            Serving::Sending {
                location,
                left,
                reading: false,
            },
        );
        ctx.effect(Effect::Answer {
            exchange: id,
            reply: Reply::Have(present),
        });
        self.read_on(id, ctx);
    }

    fn read_on(&mut self, id: ExchangeId, ctx: &mut Ctx<'_>) {
        let Some(Serving::Sending {
            location,
            left,
            reading,
        }) = self.serving.get_mut(&id)
        else {
            return;
        };
        if *reading {
            return;
        }
        if left.is_empty() {
            self.done(id);
            ctx.effect(Effect::Finish { exchange: id });
            return;
        }
        *reading = true;
        let indexes = left[..left.len().min(READ_BATCH)].to_vec();
        ctx.store(
            Waiting::Served(id),
            StoreRequest::Read {
                location: *location,
                indexes,
            },
        );
    }

    fn send(
        &mut self,
        id: ExchangeId,
        indexes: &[u8],
        chunks: Vec<Option<Vec<u8>>>,
        ctx: &mut Ctx<'_>,
    ) {
        for (&index, chunk) in indexes.iter().zip(chunks) {
            let Some(body) = chunk else {
                // Lost since we said we had it. The client asks elsewhere for what does not come.
                ctx.stats.dropped("chunk_lost");
                self.done(id);
                ctx.effect(Effect::Finish { exchange: id });
                return;
            };
            ctx.stats.chunks_served += 1;
            ctx.effect(Effect::Chunk {
                exchange: id,
                index,
                body: Body::Own(body),
            });
        }
        if matches!(self.serving.get(&id), Some(Serving::Sending { left, .. }) if left.is_empty()) {
            self.done(id);
            ctx.effect(Effect::Finish { exchange: id });
        } else {
            ctx.effect(Effect::More { exchange: id });
        }
    }

    // Puts

    fn put(
        &mut self,
        id: ExchangeId,
        link: Option<LinkId>,
        put: Put,
        peers: &Peers,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), (Refusal, u8)> {
        let total: usize = self.puts.values().sum();
        let price = self.price(total);
        let link = link.ok_or((Refusal::Invalid, 0))?;
        if total >= PUTS_AT_ONCE_MAX
            || self.puts.get(&link).copied().unwrap_or(0) >= PUTS_PER_LINK_MAX
        {
            return Err((Refusal::Busy, price));
        }
        if put.index >= self.network.params.replicas || put.day.abs_diff(ctx.now.day()) > 1 {
            return Err((Refusal::Invalid, 0));
        }
        let location = Location::of_extent(
            &self.network.id(),
            &ExtentId::of(&put.references),
            put.index,
        );
        if !put::is_paid(&location, &put, price) {
            return Err((Refusal::Price, price));
        }
        if !is_responsible(peers.view(), &peers.id(), &location, put.index) {
            return Err((Refusal::NotMine, 0));
        }
        *self.puts.entry(link).or_default() += 1;
        self.serving.insert(
            id,
            Serving::Putting(Box::new(Putting::new(location, put, link))),
        );
        ctx.store(Waiting::Served(id), StoreRequest::Extent(location));
        Ok(())
    }

    /// The price of a put in bits of work: two bits more when half of the places are taken.
    const fn price(&self, under_way: usize) -> u8 {
        if under_way * 2 >= PUTS_AT_ONCE_MAX {
            self.network.params.put_work.saturating_add(2)
        } else {
            self.network.params.put_work
        }
    }

    fn chunk(
        &mut self,
        id: ExchangeId,
        index: u8,
        body: Vec<u8>,
        own: NodeId,
        provider: &dyn oboro_crypto::provider::Provider,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(Serving::Putting(putting)) = self.serving.get_mut(&id) else {
            ctx.stats.violated("unasked_chunk");
            self.done(id);
            ctx.effect(Effect::Abort { exchange: id });
            return;
        };
        match putting.received(index, body, provider) {
            Ok(None) => {}
            Ok(Some((references, chunks))) => {
                let location = putting.location;
                ctx.stats.extents_stored += 1;
                ctx.stats.chunks_stored += chunks.len() as u64;
                let request = StoreRequest::PutExtent {
                    location,
                    index: putting.index,
                    references,
                    chunks,
                    distance: distance(own.as_bytes(), location.as_bytes()),
                    today: ctx.now.day(),
                };
                ctx.store(Waiting::Served(id), request);
            }
            Err(kind) => {
                ctx.stats.violated(kind);
                self.refuse(id, Refusal::Invalid, ctx);
            }
        }
    }

    fn put_entry(
        &mut self,
        id: ExchangeId,
        bytes: Vec<u8>,
        peers: &Peers,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), (Refusal, u8)> {
        let price = self.network.params.entry_work;
        let entry = SealedEntry::decode(&bytes).map_err(|_| (Refusal::Invalid, 0))?;
        let work = entry
            .check(&self.network, ctx.now.day())
            .map_err(|_| (Refusal::Invalid, price))?;
        let location = entry.location(&self.network.id());
        if !is_responsible(peers.view(), &peers.id(), &location, entry.index) {
            return Err((Refusal::NotMine, 0));
        }
        let (digest, expires_day) = (hash(labels::RECEIPT, &[&bytes]), entry.expires_day);
        self.serving.insert(
            id,
            Serving::Keeping {
                location,
                digest,
                until_day: expires_day,
            },
        );
        let request = StoreRequest::PutEntry {
            location,
            bytes,
            expires_day,
            work,
            today: ctx.now.day(),
        };
        ctx.store(Waiting::Served(id), request);
        Ok(())
    }

    fn put_done(&mut self, id: ExchangeId, outcome: PutOutcome, peers: &Peers, ctx: &mut Ctx<'_>) {
        match outcome {
            PutOutcome::Stored | PutOutcome::Already => self.receipt(id, peers, ctx),
            PutOutcome::NoRoom => self.refuse(id, Refusal::Full, ctx),
            PutOutcome::Refused => self.refuse(id, Refusal::Policy, ctx),
        }
    }

    fn receipt(&mut self, id: ExchangeId, peers: &Peers, ctx: &mut Ctx<'_>) {
        let (location, digest, until_day) = match self.serving.get(&id) {
            Some(Serving::Putting(putting)) => (
                putting.location,
                putting.digest(),
                ctx.now.day().saturating_add(EXTENT_DAYS),
            ),
            Some(Serving::Keeping {
                location,
                digest,
                until_day,
            }) => {
                ctx.stats.entries_stored += 1;
                (*location, *digest, *until_day)
            }
            _ => return,
        };
        let parts = receipt_parts(&self.network.id().0, &location, &digest, until_day);
        let signature = peers.sign(labels::RECEIPT, &parts.each_ref().map(Vec::as_slice));
        self.done(id);
        ctx.effect(Effect::Answer {
            exchange: id,
            reply: Reply::Receipt(Receipt {
                until_day,
                signature,
            }),
        });
        ctx.effect(Effect::Finish { exchange: id });
    }

    // Queries

    fn list(
        &mut self,
        id: ExchangeId,
        mut entries: Vec<([u8; 16], Vec<u8>)>,
        max: usize,
        ctx: &mut Ctx<'_>,
    ) {
        let more = entries.len() > max;
        entries.truncate(max);
        let cursor = if more {
            entries.last().map(|(cursor, _)| *cursor)
        } else {
            None
        };
        ctx.stats.queries_served += 1;
        ctx.stats.entries_served += entries.len() as u64;
        self.done(id);
        let reply = if entries.is_empty() {
            Reply::Nothing
        } else {
            Reply::Entries(
                entries.into_iter().map(|(_, bytes)| bytes).collect(),
                cursor,
            )
        };
        ctx.effect(Effect::Answer {
            exchange: id,
            reply,
        });
        ctx.effect(Effect::Finish { exchange: id });
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
        if let Some(Serving::Putting(putting)) = self.serving.remove(&id)
            && let Some(count) = self.puts.get_mut(&putting.link)
        {
            *count -= 1;
            if *count == 0 {
                self.puts.remove(&putting.link);
            }
        }
    }
}

/// What a receipt's signature is over.
pub(crate) fn receipt_parts(
    network: &[u8; 32],
    location: &Location,
    digest: &[u8; 32],
    until_day: u32,
) -> [Vec<u8>; 4] {
    [
        network.to_vec(),
        location.0.to_vec(),
        digest.to_vec(),
        until_day.to_be_bytes().to_vec(),
    ]
}
