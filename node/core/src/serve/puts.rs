//! Taking extents and entries: paid, ours, whole, right, durable; then a receipt.

use oboro_crypto::entry::{EntryError, SealedEntry};
use oboro_crypto::hash::hash;
use oboro_crypto::ids::{ExtentId, IdentityPublic, Location, NetworkId, NodeId, distance};
use oboro_crypto::labels;
use oboro_crypto::provider::Provider;

use super::put::{self, Putting};
use super::{Serve, Serving};
use crate::action::StoreRequest;
use crate::effect::{Ctx, Effect, Took};
use crate::event::PutOutcome;
use crate::ids::{ExchangeId, LinkId};
use crate::limits::{EXTENT_DAYS, PUTS_AT_ONCE_MAX, PUTS_PER_LINK_MAX};
use crate::peers::Peers;
use crate::wire::message::{Put, Receipt, Refusal, Reply};

impl Serve {
    pub(super) fn put(
        &mut self,
        id: ExchangeId,
        link: Option<LinkId>,
        put: Put,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), (Refusal, u8)> {
        let total = self.puts();
        let price = self.price(total);
        let link = link.ok_or((Refusal::Invalid, 0))?;
        let has = self.puts.get(&link).copied().unwrap_or(0);
        if has >= PUTS_PER_LINK_MAX {
            return Err((Refusal::Busy, price));
        }
        let known = put.placement.copies(&self.network.params).is_some();
        if !known || put.day.abs_diff(ctx.now.day()) > 1 {
            return Err((Refusal::Invalid, 0));
        }
        let location = Location::of_extent(
            &self.network.id(),
            &ExtentId::of(&put.references),
            put.placement.index(),
        );
        if !put::is_paid(&location, &put, price) {
            return Err((Refusal::Price, price));
        }
        if !peers.is_mine(&location, put.placement.index(), ctx) {
            return Err((Refusal::NotMine, 0));
        }
        if total >= PUTS_AT_ONCE_MAX && !self.give_way(has, ctx) {
            return Err((Refusal::Busy, price));
        }
        *self.puts.entry(link).or_default() += 1;
        let putting = Putting::new(location, put, link, ctx.now);
        self.serving.insert(id, Serving::Putting(Box::new(putting)));
        self.store(id, StoreRequest::Extent(location), ctx);
        Ok(())
    }

    /// Frees a place for a link that has so many: the link that has most loses the one that has waited longest for a
    /// chunk, if it still has more than the other then.
    fn give_way(&mut self, has: usize, ctx: &mut Ctx<'_>) -> bool {
        let greediest = self.puts.iter().max_by_key(|(_, count)| **count);
        let Some((&link, _)) = greediest.filter(|(_, count)| **count > has + 1) else {
            return false;
        };
        let stalest = self
            .serving
            .iter()
            .filter_map(|(id, serving)| match serving {
                Serving::Putting(putting) if putting.link == link && !putting.is_whole() => {
                    Some((putting.moved, *id))
                }
                _ => None,
            })
            .min();
        let Some((_, loser)) = stalest else {
            return false;
        };
        ctx.stats.dropped("put_share");
        self.refuse(loser, Refusal::Busy, ctx);
        true
    }

    /// The price of a put in bits of work: two bits more when half of the places are taken.
    const fn price(&self, under_way: usize) -> u8 {
        if under_way * 2 >= PUTS_AT_ONCE_MAX {
            self.network.params.put_work.saturating_add(2)
        } else {
            self.network.params.put_work
        }
    }

    pub(super) fn chunk(
        &mut self,
        id: ExchangeId,
        index: u8,
        body: Vec<u8>,
        own: NodeId,
        provider: &dyn Provider,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(Serving::Putting(putting)) = self.serving.get_mut(&id) else {
            ctx.stats.violated("unasked_chunk");
            self.done(id);
            ctx.effect(Effect::Abort { exchange: id });
            return;
        };
        match putting.received(index, body, provider, ctx.now) {
            Ok(None) => {}
            Ok(Some((references, chunks))) => {
                let location = putting.location;
                ctx.stats.extents_stored += 1;
                ctx.stats.chunks_stored += chunks.len() as u64;
                let request = StoreRequest::PutExtent {
                    location,
                    placement: putting.placement,
                    references,
                    chunks,
                    distance: distance(own.as_bytes(), location.as_bytes()),
                    today: ctx.now.day(),
                };
                self.store(id, request, ctx);
            }
            Err(kind) => {
                ctx.stats.violated(kind);
                self.refuse(id, Refusal::Invalid, ctx);
            }
        }
    }

    pub(super) fn put_entry(
        &mut self,
        id: ExchangeId,
        bytes: Vec<u8>,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), (Refusal, u8)> {
        let price = self.network.params.entry_work;
        let entry = SealedEntry::decode(&bytes).map_err(|_| (Refusal::Invalid, 0))?;
        let work = entry
            .check(&self.network, ctx.now.day())
            .map_err(|error| match error {
                EntryError::Work { .. } => (Refusal::Price, price),
                _ => (Refusal::Invalid, 0),
            })?;
        let location = entry.location(&self.network.id());
        if !peers.is_mine(&location, entry.index, ctx) {
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
        self.store(id, request, ctx);
        Ok(())
    }

    pub(super) fn put_done(
        &mut self,
        id: ExchangeId,
        outcome: PutOutcome,
        peers: &Peers,
        ctx: &mut Ctx<'_>,
    ) {
        match outcome {
            PutOutcome::Stored => {
                self.took(id, ctx);
                self.receipt(id, peers, ctx);
            }
            PutOutcome::Already => self.receipt(id, peers, ctx),
            PutOutcome::NoRoom => self.refuse(id, Refusal::Full, ctx),
            PutOutcome::Refused => self.refuse(id, Refusal::Policy, ctx),
        }
    }

    /// Tells of what is new here.
    fn took(&self, id: ExchangeId, ctx: &mut Ctx<'_>) {
        let took = match self.serving.get(&id) {
            Some(Serving::Putting(putting)) => Took::Extent {
                location: putting.location,
                placement: putting.placement,
                references: putting.references().to_vec(),
            },
            Some(&Serving::Keeping { location, .. }) => Took::Entry { location },
            _ => return,
        };
        ctx.effect(Effect::Took(took));
    }

    pub(super) fn receipt(&mut self, id: ExchangeId, peers: &Peers, ctx: &mut Ctx<'_>) {
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
}

/// Whether a receipt is the word of this identity for what has this digest at a location.
pub(crate) fn is_word_of(
    by: &IdentityPublic,
    receipt: &Receipt,
    network: &NetworkId,
    location: &Location,
    digest: &[u8; 32],
    provider: &dyn Provider,
) -> bool {
    let parts = receipt_parts(&network.0, location, digest, receipt.until_day);
    let parts = parts.each_ref().map(Vec::as_slice);
    provider.verify(by, labels::RECEIPT, &parts, &receipt.signature)
}

/// What a receipt's signature is over.
fn receipt_parts(
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
