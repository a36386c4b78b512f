//! Answering gets and queries: read a little, send it, read on when it is sent.

use oboro_crypto::ids::Location;

use super::{Serve, Serving};
use crate::action::StoreRequest;
use crate::effect::{Body, Ctx, Effect};
use crate::ids::ExchangeId;
use crate::limits::READ_BATCH;
use crate::wire::message::Reply;

impl Serve {
    pub(super) fn found(
        &mut self,
        id: ExchangeId,
        location: Location,
        present: u32,
        ctx: &mut Ctx<'_>,
    ) {
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

    pub(super) fn read_on(&mut self, id: ExchangeId, ctx: &mut Ctx<'_>) {
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
        let request = StoreRequest::Read {
            location: *location,
            indexes: left[..left.len().min(READ_BATCH)].to_vec(),
        };
        self.store(id, request, ctx);
    }

    pub(super) fn send(
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
        // Also after the last: the place is given up when little is left to send, so that who does not read keeps it.
        ctx.effect(Effect::More { exchange: id });
    }

    pub(super) fn list(
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
}
