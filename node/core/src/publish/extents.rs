//! The first phase of publishing: each extent to its storers, with receipts, and a sample of them read back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use oboro_crypto::eris::Run;
use oboro_crypto::ids::NodeId;
use oboro_crypto::network::Class;
use rand_core::RngCore;

use super::Setting;
use super::placing::{Placing, State};
use crate::effect::{Body, Ctx, Effect, Owner};
use crate::exchange::Answer;
use crate::failure::Failure;
use crate::ids::{Counter, ExchangeId, JobId};
use crate::limits::{PLACING_MAX, PUBLISH_LANES, VERIFY_ONE_IN};
use crate::peers::Peers;
use crate::report::PublishSummary;
use crate::serve::is_word_of;
use crate::serve::put::paid;
use crate::time::Time;
use crate::wire::message::{Receipt, Refusal, Reply, Request};
use crate::wire::placement::Placement;

/// Chunks given to an exchange at once: a storer is never waited for longer than these take.
const CHUNKS_AT_ONCE: usize = 8;

/// What a request was for.
#[derive(Clone, Copy)]
enum What {
    Put { extent: u64, spot: usize },
    Verify { extent: u64 },
}

/// All extents being placed, and what has become of those that were.
pub(super) struct Extents {
    job: JobId,
    /// Copies that a network is expected to have nodes for.
    replicas: u8,
    what: BTreeMap<u64, What>,
    placing: BTreeMap<u64, Placing>,
    numbers: Counter,
    refused_any: bool,
    /// Requests lost with their circuits.
    lost: u32,
    /// How well it went so far; terms and entries are not known here.
    pub(super) summary: PublishSummary,
    /// Content bytes placed.
    pub(super) done: u64,
    /// Chunk bytes sent.
    pub(super) transferred: u64,
    /// Requests that had to be made again elsewhere.
    pub(super) retries: u64,
}

impl Extents {
    pub(super) fn new(job: JobId, replicas: u8) -> Self {
        Self {
            job,
            replicas,
            what: BTreeMap::new(),
            placing: BTreeMap::new(),
            numbers: Counter::default(),
            refused_any: false,
            lost: 0,
            summary: PublishSummary::default(),
            done: 0,
            transferred: 0,
            retries: 0,
        }
    }

    /// Whether one more may be placed beside those under way.
    pub(super) fn has_room(&self) -> bool {
        self.placing.len() < PLACING_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.placing.is_empty()
    }

    /// Takes an extent to place.
    pub(super) fn add(
        &mut self,
        run: Run,
        class: Class,
        parity: bool,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        // The root comes alone; a single leaf at the end may too, and deserves the look as much.
        let verify = run.blocks.len() == 1 || ctx.rng.next_u32().is_multiple_of(VERIFY_ONE_IN);
        let params = &setting.network.params;
        let placing = Placing::new(
            run,
            &setting.network.id(),
            params.copies(class),
            params.put_work,
            verify,
            parity,
        );
        self.placing.insert(self.numbers.next(), placing);
    }

    /// Asks for whatever is due; says whether an extent was completed.
    pub(super) fn advance(
        &mut self,
        slots: &mut Counter,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) -> Result<bool, Failure> {
        let mut completed = false;
        for extent in self.placing.keys().copied().collect::<Vec<_>>() {
            self.ask_due(extent, slots, peers, ctx);
            completed |= self.settle(extent, slots, peers, ctx)?;
        }
        Ok(completed)
    }

    /// A storer answered. Gives the answer back if it was not for one of ours.
    pub(super) fn answered(
        &mut self,
        slot: u64,
        answer: Answer,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Option<Answer> {
        match self.what.get(&slot).copied() {
            Some(What::Put { extent, spot }) => {
                self.put_answered(slot, (extent, spot), &answer, peers, setting, ctx);
                None
            }
            Some(What::Verify { extent }) => {
                self.verify_answered(slot, extent, &answer, peers, ctx);
                None
            }
            None => Some(answer),
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.placing.values().filter_map(Placing::deadline).min()
    }

    pub(super) fn exchanges(&self) -> impl Iterator<Item = ExchangeId> + '_ {
        self.placing.values().flat_map(Placing::exchanges)
    }

    fn ask_due(&mut self, extent: u64, slots: &mut Counter, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        let Some(placing) = self.placing.get_mut(&extent) else {
            return;
        };
        for spot in 0..placing.spots.len() {
            if placing.is_due(spot, ctx.now)
                && let Some(node) = placing.choose(spot, peers.view(), &peers.unasked(), ctx.now)
            {
                let slot = slots.next();
                self.what.insert(slot, What::Put { extent, spot });
                ask_put(
                    Owner::Publish {
                        job: self.job,
                        slot,
                    },
                    placing,
                    spot,
                    node,
                    ctx,
                );
                peers.rely_on(&node, ctx);
            }
        }
    }

    /// Closes an extent when all its placements are settled and, if it is one of the sample, one was read back.
    fn settle(
        &mut self,
        extent: u64,
        slots: &mut Counter,
        peers: &Peers,
        ctx: &mut Ctx<'_>,
    ) -> Result<bool, Failure> {
        let Some(placing) = self.placing.get_mut(&extent) else {
            return Ok(false);
        };
        if !placing.is_settled() || placing.verifying.is_some() {
            return Ok(false);
        }
        let receipts = placing.receipts();
        if receipts == 0 {
            return Err(if self.refused_any {
                Failure::Refused
            } else {
                peers.no_route(ctx.route(self.job).hops, self.lost)
            });
        }
        if placing.verify {
            let slot = slots.next();
            self.what.insert(slot, What::Verify { extent });
            ask_back(
                Owner::Publish {
                    job: self.job,
                    slot,
                },
                placing,
                ctx,
            );
            return Ok(false);
        }
        self.done += placing.content();
        self.summary.extents += 1;
        self.summary.receipts += receipts as u64;
        self.summary.parity += u64::from(placing.parity && placing.level == 0);
        // Where nodes are fewer than the copies of what nothing stands in for, that each has one is as good as it gets.
        let nodes = u8::try_from(peers.storers_to_ask()).unwrap_or(u8::MAX);
        let wanted = placing.copies().min(nodes.max(self.replicas));
        let had = u8::try_from(receipts).unwrap_or(u8::MAX);
        let lacked = self.summary.fewest_of.saturating_sub(self.summary.fewest);
        if self.summary.fewest_of == 0 || wanted.saturating_sub(had) > lacked {
            (self.summary.fewest, self.summary.fewest_of) = (had, wanted);
        }
        self.placing.remove(&extent);
        Ok(true)
    }

    fn put_answered(
        &mut self,
        slot: u64,
        (extent, spot): (u64, usize),
        answer: &Answer,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(placing) = self.placing.get_mut(&extent) else {
            return;
        };
        let Some((exchange, node)) = placing.asked(spot) else {
            return;
        };
        match answer {
            Answer::Reply(Reply::Send(mask)) if placing.will_send(spot, *mask) => {
                self.transferred += send_some(placing, spot, ctx);
                return;
            }
            Answer::Drained => {
                self.transferred += send_some(placing, spot, ctx);
                return;
            }
            Answer::Reply(Reply::Receipt(receipt)) => {
                if is_genuine(receipt, placing, spot, &node, peers, setting, ctx) {
                    placing.stored(spot, node);
                    peers.succeeded(&node);
                } else {
                    ctx.stats.violated("receipt");
                    placing.failed(spot);
                }
            }
            Answer::Reply(Reply::Refused(cause, price)) => {
                self.refused_any = true;
                self.retries += 1;
                match cause {
                    Refusal::Price => placing.pay(spot, *price, ctx.now),
                    Refusal::Busy => placing.wait(spot, ctx.now),
                    _ => placing.failed(spot),
                }
            }
            Answer::Failed(trouble) if trouble.is_of_the_way() => {
                self.retries += 1;
                self.lost += 1;
                placing.lost(spot, *trouble, ctx.now);
            }
            // Answers to what was not asked, and chunks wanted twice, are as bad as none.
            Answer::Reply(_) | Answer::Chunk(..) | Answer::Failed(_) => {
                peers.failed(&node, ctx.now);
                self.retries += 1;
                placing.troubled(spot);
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
        let Some(placing) = self.placing.get_mut(&extent) else {
            return;
        };
        let Some((exchange, spot, index)) = placing.verifying else {
            return;
        };
        if let Answer::Failed(trouble) = answer
            && trouble.is_of_the_way()
            && placing.unread.again(*trouble)
        {
            // None of the storer's fault: another look, by another way.
            placing.verifying = None;
            self.what.remove(&slot);
            ctx.effect(Effect::Finish { exchange });
            return;
        }
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
}

fn is_genuine(
    receipt: &Receipt,
    placing: &Placing,
    spot: usize,
    by: &NodeId,
    peers: &Peers,
    setting: &Setting<'_>,
    ctx: &Ctx<'_>,
) -> bool {
    let (Some(place), Some(identity)) = (placing.spots.get(spot), peers.view().identity(by)) else {
        return false;
    };
    let (network, digest) = (setting.network.id(), placing.extent().0);
    receipt.until_day > ctx.now.day()
        && is_word_of(
            &identity,
            receipt,
            &network,
            &place.location,
            &digest,
            setting.provider,
        )
}

fn ask_put(owner: Owner, placing: &mut Placing, spot: usize, node: NodeId, ctx: &mut Ctx<'_>) {
    let (references, copies) = (placing.references.clone(), placing.copies());
    let Some(place) = placing.spots.get_mut(spot) else {
        return;
    };
    let placement = Placement::new(place.index, copies);
    let day = ctx.now.day();
    let put = paid(&place.location, placement, day, references, place.price);
    let lane = ctx.rng.next_u32() % PUBLISH_LANES;
    let exchange = ctx.ask(owner, lane, node, Request::Put(put));
    place.state = State::Busy {
        exchange,
        node,
        told: false,
        unsent: VecDeque::new(),
    };
}

/// Asks one of the storers for one chunk of what it has just promised to keep.
fn ask_back(owner: Owner, placing: &mut Placing, ctx: &mut Ctx<'_>) {
    let stored: Vec<(usize, NodeId)> = placing
        .spots
        .iter()
        .enumerate()
        .filter_map(|(spot, place)| {
            if let State::Stored(node) = place.state {
                Some((spot, node))
            } else {
                None
            }
        })
        .collect();
    let Some(&(spot, node)) = stored.get(ctx.rng.next_u32() as usize % stored.len().max(1)) else {
        return;
    };
    let Some(place) = placing.spots.get(spot) else {
        return;
    };
    let index = (ctx.rng.next_u32() as usize % placing.blocks.len().max(1)) as u8;
    let request = Request::Get {
        location: place.location,
        wanted: 1 << index,
    };
    placing.verifying = Some((ctx.ask(owner, PUBLISH_LANES, node, request), spot, index));
}

/// Gives an exchange its next chunks and asks to be told when there is room for more. Says how many bytes.
fn send_some(placing: &mut Placing, spot: usize, ctx: &mut Ctx<'_>) -> u64 {
    let blocks = Arc::clone(&placing.blocks);
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
        let body = Body::Shared(Arc::clone(&blocks), usize::from(index));
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
