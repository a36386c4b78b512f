//! One publication: extents first, placed and sampled; then entries.

use std::collections::{BTreeMap, VecDeque};

use oboro_crypto::entry::{EntryBody, Kind};
use oboro_crypto::eris::{Capability, Run};
use oboro_crypto::ids::NodeId;
use oboro_crypto::network::Network;
use oboro_crypto::provider::Provider;
use oboro_crypto::terms::Term;
use oboro_crypto::{labels, work};
use rand_core::RngCore;

use super::announce::Announce;
use super::placing::{Placing, State};
use crate::action::{Action, SourceCommand};
use crate::effect::{Body, Ctx, Effect, Owner};
use crate::event::{Computed, SourceEvent};
use crate::exchange::Answer;
use crate::failure::Failure;
use crate::ids::{Counter, JobId};
use crate::limits::{PLACING_MAX, PRICE_MAX, VERIFY_ONE_IN};
use crate::peers::Peers;
use crate::report::{Phase, Progress, PublishSummary, Report};
use crate::serve::put::{all_of, work_context};
use crate::serve::receipt_parts;
use crate::time::Time;
use crate::wire::message::{Put, Refusal, Reply, Request};

/// Chunks given to an exchange at once: a storer is never waited for longer than these take.
const CHUNKS_AT_ONCE: usize = 8;

/// What a job needs to know of the node it runs in.
pub(super) struct Setting<'a> {
    pub(super) network: &'a Network,
    pub(super) provider: &'a dyn Provider,
}

/// What is to be published.
pub(super) struct Wish {
    pub(super) title: String,
    pub(super) size: u64,
    pub(super) kind: Kind,
    pub(super) terms: Vec<Term>,
    pub(super) extra: Vec<Term>,
}

#[derive(Clone, Copy)]
enum What {
    Put { extent: u64, spot: usize },
    Verify { extent: u64 },
}

/// A publication under way. `Err` from any of its methods ends it.
pub(super) struct PublishJob {
    job: JobId,
    wish: Wish,
    slots: Counter,
    what: BTreeMap<u64, What>,
    extents: BTreeMap<u64, Placing>,
    numbers: Counter,
    source_asked: bool,
    ended: Option<(Capability, u64)>,
    announce: Announce,
    summary: PublishSummary,
    done: u64,
    transferred: u64,
    retries: u64,
    refused_any: bool,
    released: bool,
}

impl PublishJob {
    pub(super) fn new(job: JobId, mut wish: Wish, replicas: u8) -> Self {
        let announce = Announce::new(job, std::mem::take(&mut wish.terms), replicas);
        Self {
            job,
            wish,
            slots: Counter::default(),
            what: BTreeMap::new(),
            extents: BTreeMap::new(),
            numbers: Counter::default(),
            source_asked: false,
            ended: None,
            announce,
            summary: PublishSummary {
                fewest: u8::MAX,
                ..PublishSummary::default()
            },
            done: 0,
            transferred: 0,
            retries: 0,
            refused_any: false,
            released: false,
        }
    }

    /// Starts as much as may be under way; reports when all is done. `Ok(true)`: it is.
    pub(super) fn fill(
        &mut self,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<bool, Failure> {
        if !peers.knows_others() {
            return Err(Failure::NotJoined);
        }
        for extent in self.extents.keys().copied().collect::<Vec<_>>() {
            self.advance(extent, peers, setting, ctx)?;
        }
        if self.ended.is_none() && !self.source_asked && self.extents.len() < PLACING_MAX {
            self.source_asked = true;
            ctx.act(Action::Source {
                job: self.job,
                command: SourceCommand::Next,
            });
        }
        if self.extents.is_empty()
            && !self.released
            && let Some((capability, length)) = self.ended.clone()
        {
            self.released = true;
            let Wish {
                title, kind, extra, ..
            } = &self.wish;
            self.announce.release(EntryBody::new(
                title,
                length,
                *kind,
                capability,
                extra,
                ctx.now.day(),
            ));
            self.progress(Phase::Announcing, ctx);
        }
        self.announce.fill(setting.network, &mut self.slots, ctx);
        if self.announce.is_over() {
            self.finish(ctx)
        } else {
            Ok(false)
        }
    }

    /// The encoder brings something.
    pub(super) fn source(
        &mut self,
        event: SourceEvent,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Failure> {
        self.source_asked = false;
        match event {
            SourceEvent::Run(run) => {
                self.place(run, setting, ctx);
                Ok(())
            }
            SourceEvent::End { capability, length } => {
                self.ended = Some((capability, length));
                Ok(())
            }
            SourceEvent::Failed => Err(Failure::Source),
        }
    }

    /// A storer answered.
    pub(super) fn answered(
        &mut self,
        slot: u64,
        answer: Answer,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Failure> {
        match self.what.get(&slot).copied() {
            Some(What::Put { extent, spot }) => {
                self.put_answered(slot, extent, spot, &answer, peers, setting, ctx)
            }
            Some(What::Verify { extent }) => {
                self.verify_answered(slot, extent, &answer, peers, ctx)
            }
            None => {
                self.announce.answered(
                    slot,
                    &answer,
                    setting.network,
                    setting.provider,
                    peers,
                    ctx,
                );
            }
        }
        Ok(())
    }

    pub(super) fn computed(
        &mut self,
        slot: u64,
        outcome: Computed,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        self.announce
            .computed(slot, outcome, setting.network, peers, ctx);
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.extents.values().filter_map(Placing::deadline).min()
    }

    pub(super) fn stop(&mut self, ctx: &mut Ctx<'_>) {
        let all = self
            .extents
            .values()
            .flat_map(Placing::exchanges)
            .chain(self.announce.exchanges());
        for exchange in all {
            ctx.effect(Effect::Abort { exchange });
        }
        ctx.act(Action::Source {
            job: self.job,
            command: SourceCommand::Stop,
        });
    }

    fn place(&mut self, run: Run, setting: &Setting<'_>, ctx: &mut Ctx<'_>) {
        // The root comes last and alone; it can't be told from a single leaf here, and both deserve the look.
        let verify = run.blocks.len() == 1 || ctx.rng.next_u32() % VERIFY_ONE_IN == 0;
        let params = &setting.network.params;
        let placing = Placing::new(
            run,
            &setting.network.id(),
            params.replicas,
            params.put_work,
            verify,
        );
        self.extents.insert(self.numbers.next(), placing);
    }

    /// Asks for the placements of an extent that are due; closes it when all is settled.
    fn advance(
        &mut self,
        extent: u64,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Failure> {
        let Some(placing) = self.extents.get_mut(&extent) else {
            return Ok(());
        };
        for spot in 0..placing.spots.len() {
            let due = matches!(placing.spots.get(spot), Some(place) if matches!(place.state, State::Wanted(at) if at <= ctx.now));
            if due && let Some(node) = placing.choose(spot, peers.view(), &peers.id()) {
                let slot = self.slots.next();
                self.what.insert(slot, What::Put { extent, spot });
                ask_put(self.job, slot, placing, spot, node, ctx);
                peers.rely_on(&node, ctx);
            }
        }
        if !placing.is_settled() || placing.verifying.is_some() {
            return Ok(());
        }
        if placing.receipts() == 0 {
            return Err(if self.refused_any {
                Failure::Refused
            } else {
                Failure::NoRoute
            });
        }
        if placing.verify {
            let slot = self.slots.next();
            self.what.insert(slot, What::Verify { extent });
            ask_back(self.job, slot, placing, ctx);
            return Ok(());
        }
        let receipts = placing.receipts();
        self.done += placing.content();
        self.summary.extents += 1;
        self.summary.receipts += receipts as u64;
        self.summary.fewest = self
            .summary
            .fewest
            .min(u8::try_from(receipts).unwrap_or(u8::MAX));
        self.extents.remove(&extent);
        self.progress(Phase::Placing, ctx);
        let _ = setting;
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call from one place; a struct would only rename them"
    )]
    fn put_answered(
        &mut self,
        slot: u64,
        extent: u64,
        spot: usize,
        answer: &Answer,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(placing) = self.extents.get_mut(&extent) else {
            return;
        };
        let digest = placing.extent();
        let references = placing.references.len();
        let Some(place) = placing.spots.get_mut(spot) else {
            return;
        };
        let State::Busy {
            exchange,
            node,
            unsent,
        } = &mut place.state
        else {
            return;
        };
        let (exchange, node) = (*exchange, *node);
        match answer {
            Answer::Reply(Reply::Send(mask)) if mask & !all_of(references) == 0 => {
                *unsent = (0..32u8).filter(|index| mask & (1 << index) != 0).collect();
                self.transferred += send_some(placing, spot, ctx);
                return;
            }
            Answer::Drained => {
                self.transferred += send_some(placing, spot, ctx);
                return;
            }
            Answer::Reply(Reply::Receipt(receipt)) => {
                let parts = receipt_parts(
                    &setting.network.id().0,
                    &place.location,
                    &digest.0,
                    receipt.until_day,
                );
                let parts = parts.each_ref().map(Vec::as_slice);
                let identity = peers.view().identity(&node);
                if receipt.until_day > ctx.now.day()
                    && identity.is_some_and(|by| {
                        setting
                            .provider
                            .verify(&by, labels::RECEIPT, &parts, &receipt.signature)
                    })
                {
                    place.state = State::Stored(node);
                    peers.succeeded(&node);
                } else {
                    ctx.stats.violated("receipt");
                    placing.failed(spot);
                }
            }
            Answer::Reply(Reply::Refused(Refusal::Price, price))
                if *price > place.price && *price <= PRICE_MAX =>
            {
                place.price = *price;
                place.state = State::Wanted(ctx.now);
            }
            Answer::Reply(Reply::Refused(Refusal::Busy, _)) => placing.wait(spot, ctx.now),
            Answer::Reply(_) => {
                self.refused_any = true;
                placing.failed(spot);
                self.retries += 1;
            }
            Answer::Chunk(..) | Answer::Failed(_) => {
                peers.failed(&node, ctx.now);
                placing.failed(spot);
                self.retries += 1;
            }
        }
        ctx.effect(Effect::Finish { exchange });
        self.what.remove(&slot);
    }

    fn verify_answered(
        &mut self,
        slot: u64,
        extent: u64,
        answer: &Answer,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(placing) = self.extents.get_mut(&extent) else {
            return;
        };
        let Some((exchange, spot, index)) = placing.verifying else {
            return;
        };
        let right = match answer {
            Answer::Reply(Reply::Have(_)) | Answer::Drained => return,
            Answer::Chunk(at, body) => {
                *at == index && placing.blocks.get(usize::from(index)) == Some(body)
            }
            _ => false,
        };
        placing.verifying = None;
        self.what.remove(&slot);
        ctx.effect(Effect::Finish { exchange });
        if right {
            placing.verify = false;
            self.summary.verified += 1;
        } else {
            // It gave a receipt and does not have it: its placement goes to another, which is then looked at too.
            if let Some(State::Stored(node)) = placing.spots.get(spot).map(|spot| &spot.state) {
                peers.failed(node, ctx.now);
            }
            ctx.stats.violated("receipt_without_data");
            placing.failed(spot);
            self.retries += 1;
        }
    }

    fn finish(&mut self, ctx: &mut Ctx<'_>) -> Result<bool, Failure> {
        let (announced, receipts) = self.announce.outcome();
        if announced == 0 && self.announce.count() > 0 {
            return Err(Failure::Refused);
        }
        self.summary.terms = announced;
        self.summary.entries = receipts;
        if let Some((capability, _)) = self.ended.take() {
            ctx.report(
                self.job,
                Report::Published {
                    capability: Box::new(capability),
                    summary: self.summary,
                },
            );
        }
        Ok(true)
    }

    fn progress(&self, phase: Phase, ctx: &mut Ctx<'_>) {
        let progress = Progress {
            phase,
            done: self.done.min(self.wish.size),
            total: Some(self.wish.size),
            transferred: self.transferred,
            resumed: 0,
            retries: self.retries,
        };
        ctx.report(self.job, Report::Progress(progress));
    }
}

fn ask_put(
    job: JobId,
    slot: u64,
    placing: &mut Placing,
    spot: usize,
    node: NodeId,
    ctx: &mut Ctx<'_>,
) {
    let references = placing.references.clone();
    let Some(place) = placing.spots.get_mut(spot) else {
        return;
    };
    let day = ctx.now.day();
    let context = work_context(&place.location, day, &references);
    let put = Put {
        index: place.index,
        day,
        work: work::solve(&context, place.price, 0),
        references,
    };
    let exchange = ctx.ask(Owner::Publish { job, slot }, node, Request::Put(put));
    place.state = State::Busy {
        exchange,
        node,
        unsent: VecDeque::new(),
    };
}

/// Asks one of the storers for one chunk of what it has just promised to keep.
fn ask_back(job: JobId, slot: u64, placing: &mut Placing, ctx: &mut Ctx<'_>) {
    let stored: Vec<usize> = (0..placing.spots.len())
        .filter(|spot| {
            placing
                .spots
                .get(*spot)
                .is_some_and(|spot| matches!(spot.state, State::Stored(_)))
        })
        .collect();
    let Some(&spot) = stored.get(ctx.rng.next_u32() as usize % stored.len().max(1)) else {
        return;
    };
    let index = (ctx.rng.next_u32() as usize % placing.blocks.len().max(1)) as u8;
    let Some(place) = placing.spots.get(spot) else {
        return;
    };
    if let State::Stored(node) = place.state {
        let request = Request::Get {
            location: place.location,
            wanted: 1 << index,
        };
        let exchange = ctx.ask(Owner::Publish { job, slot }, node, request);
        placing.verifying = Some((exchange, spot, index));
    }
}

/// Gives an exchange its next chunks and asks to be told when there is room for more. Says how many bytes.
fn send_some(placing: &mut Placing, spot: usize, ctx: &mut Ctx<'_>) -> u64 {
    let blocks = std::sync::Arc::clone(&placing.blocks);
    let Some(place) = placing.spots.get_mut(spot) else {
        return 0;
    };
    let State::Busy {
        exchange, unsent, ..
    } = &mut place.state
    else {
        return 0;
    };
    let mut bytes = 0;
    for index in unsent.drain(..unsent.len().min(CHUNKS_AT_ONCE)) {
        let body = Body::Shared(std::sync::Arc::clone(&blocks), usize::from(index));
        bytes += body.bytes().len() as u64;
        ctx.effect(Effect::Chunk {
            exchange: *exchange,
            index,
            body,
        });
    }
    if !unsent.is_empty() {
        ctx.effect(Effect::More {
            exchange: *exchange,
        });
    }
    bytes
}
