//! Giving a node what it lacks: an extent as a publisher would give it, its chunks read from the store as they are sent.

use std::collections::VecDeque;

use oboro_crypto::ids::{ExtentId, IdentityPublic, Location, NodeId};

use super::shares::Shares;
use super::{Answer, Ctx, Effect, ExchangeId, Request, State, StoreOutcome, Thing, Upkeep, Why};
use crate::action::StoreRequest;
use crate::effect::Body;
use crate::limits::{
    PRICE_MAX, PRICE_RAISES, READ_BATCH, UPKEEP_BYTES_PER_SECOND, UPKEEP_FAILURES, UPKEEP_PUTS,
};
use crate::serve::is_word_of;
use crate::serve::put::{all_of, paid};
use crate::wire::message::{CHUNK, Receipt, Refusal, Reply};
use crate::wire::placement::Placement;

/// Something on its way to one node.
pub(super) struct Sending {
    pub(super) want: u64,
    pub(super) target: NodeId,
    /// The exchange under way.
    pub(super) exchange: Option<ExchangeId>,
    pub(super) load: Load,
}

pub(super) enum Load {
    Extent {
        price: u8,
        raised: u32,
        /// Whether the node has said which chunks it wants: that it may do once.
        told: bool,
        unsent: VecDeque<u8>,
        reading: bool,
    },
    Entries(Shares),
}

/// What is to become of something on its way after the last thing that happened to it.
pub(super) enum Next {
    GoOn,
    Done,
    /// The node wants no more now.
    Again,
    /// The node does not want it.
    PassOver,
    /// The node does not do as it should.
    Fault,
    /// It is not here any more.
    Lost,
}

impl Upkeep {
    /// Begins to send what is missing, as much as may be under way.
    pub(super) fn send_due(&mut self, ctx: &mut Ctx<'_>) {
        while self.sending.len() < UPKEEP_PUTS && self.paced <= ctx.now {
            // One thing to a node at a time: a slow one holds one place, not all.
            let free = |node: &NodeId| self.sending.values().all(|other| other.target != *node);
            let next = self.wants.iter().find_map(|(&id, want)| match want.state {
                State::Missing(target) if free(&target) => Some((id, target)),
                _ => None,
            });
            let Some((id, target)) = next else { return };
            let Some(want) = self.wants.get_mut(&id) else {
                return;
            };
            want.state = State::Sent;
            let load = match &*want.thing {
                Thing::Extent { .. } => Load::Extent {
                    price: self.network.params.put_work,
                    raised: 0,
                    told: false,
                    unsent: VecDeque::new(),
                    reading: false,
                },
                Thing::Entries { .. } => Load::Entries(Shares::default()),
            };
            let mut sending = Sending {
                want: id,
                target,
                exchange: None,
                load,
            };
            let slot = self.names.next();
            self.open(slot, &mut sending, ctx);
            self.sending.insert(slot, sending);
        }
    }

    /// Makes the first request for something, or the same at another price.
    fn open(&self, slot: u64, sending: &mut Sending, ctx: &mut Ctx<'_>) {
        let Some(want) = self.wants.get(&sending.want) else {
            return;
        };
        let request = match (&*want.thing, &sending.load) {
            (
                Thing::Extent {
                    references,
                    locations,
                    ..
                },
                Load::Extent { price, .. },
            ) => {
                let day = ctx.now.day();
                let copies = u8::try_from(locations.len()).unwrap_or(u8::MAX);
                let put = paid(
                    &want.location(),
                    Placement::new(want.number, copies),
                    day,
                    references.clone(),
                    *price,
                );
                Request::Put(put)
            }
            _ => Request::Names(want.location()),
        };
        sending.exchange = Some(Self::request(slot, sending.target, request, ctx));
    }

    /// A node answered.
    pub(super) fn sent(
        &mut self,
        slot: u64,
        mut sending: Sending,
        answer: Answer,
        identity: Option<IdentityPublic>,
        ctx: &mut Ctx<'_>,
    ) {
        let next = match sending.load {
            Load::Extent { .. } => self.extent_answered(slot, &mut sending, answer, identity, ctx),
            Load::Entries(_) => self.share_answered(slot, &mut sending, answer, identity, ctx),
        };
        self.after(slot, sending, next, ctx);
    }

    /// The store answered.
    pub(super) fn read(
        &mut self,
        slot: u64,
        mut sending: Sending,
        outcome: StoreOutcome,
        ctx: &mut Ctx<'_>,
    ) {
        let next = match outcome {
            StoreOutcome::Chunks(chunks) => send_chunks(&mut sending, chunks, ctx),
            StoreOutcome::Entries(page) => self.share_page(slot, &mut sending, page, ctx),
            _ => Next::Lost,
        };
        self.after(slot, sending, next, ctx);
    }

    fn after(&mut self, slot: u64, sending: Sending, next: Next, ctx: &mut Ctx<'_>) {
        let (want, target) = (sending.want, sending.target);
        if matches!(next, Next::GoOn) {
            self.sending.insert(slot, sending);
            return;
        }
        if let Some(exchange) = sending.exchange {
            Self::finish(exchange, ctx);
        }
        match next {
            Next::Done => {
                self.memory.succeeded(&target);
                match self.wants.get(&want).map(|want| want.why) {
                    Some(Why::Handover) => ctx.stats.upkeep.handed_over += 1,
                    Some(Why::Repair) => ctx.stats.upkeep.repaired += 1,
                    Some(Why::Share) | None => {}
                }
                self.settled(want, &target, ctx);
            }
            Next::Again => self.again(want, ctx),
            Next::PassOver => self.passed_over(want, target, ctx),
            Next::Fault => {
                ctx.stats.upkeep.failed += 1;
                // One that takes all its time over each thing must not do so for all: once is enough.
                self.memory.failed(&target, UPKEEP_FAILURES, ctx.now);
                self.passed_over(want, target, ctx);
            }
            Next::Lost | Next::GoOn => drop(self.wants.remove(&want)),
        }
    }

    fn extent_answered(
        &mut self,
        slot: u64,
        sending: &mut Sending,
        answer: Answer,
        identity: Option<IdentityPublic>,
        ctx: &mut Ctx<'_>,
    ) -> Next {
        let Some(want) = self.wants.get(&sending.want) else {
            return Next::Lost;
        };
        let Thing::Extent {
            here, references, ..
        } = &*want.thing
        else {
            return Next::Lost;
        };
        let all = all_of(references.len());
        match answer {
            Answer::Reply(Reply::Receipt(receipt)) => {
                let digest = ExtentId::of(references).0;
                let genuine = receipt.until_day > ctx.now.day()
                    && self.is_genuine(&receipt, identity, &want.location(), &digest);
                if genuine {
                    return Next::Done;
                }
                ctx.stats.violated("receipt");
                Next::Fault
            }
            Answer::Reply(Reply::Send(mask)) => {
                if !sending.will_send(mask, all) {
                    return Next::Fault;
                }
                let bytes = mask.count_ones() as usize * CHUNK;
                let here = *here;
                self.pace(bytes, ctx);
                read_on(slot, sending, here, ctx);
                Next::GoOn
            }
            Answer::Drained => {
                read_on(slot, sending, *here, ctx);
                Next::GoOn
            }
            Answer::Reply(Reply::Refused(cause, price)) => {
                ctx.stats.upkeep.refused += 1;
                match cause {
                    Refusal::Busy => Next::Again,
                    Refusal::Price if sending.pays(price) => {
                        if let Some(exchange) = sending.exchange.take() {
                            Self::finish(exchange, ctx);
                        }
                        self.open(slot, sending, ctx);
                        Next::GoOn
                    }
                    _ => Next::PassOver,
                }
            }
            Answer::Reply(_) | Answer::Chunk(..) | Answer::Failed(_) => Next::Fault,
        }
    }

    pub(super) fn is_genuine(
        &self,
        receipt: &Receipt,
        by: Option<IdentityPublic>,
        location: &Location,
        digest: &[u8; 32],
    ) -> bool {
        let network = self.network.id();
        let provider = &*self.provider;
        by.is_some_and(|by| is_word_of(&by, receipt, &network, location, digest, provider))
    }

    /// Counts bytes that are sent: nothing new is begun before their time is over.
    pub(super) fn pace(&mut self, bytes: usize, ctx: &mut Ctx<'_>) {
        let bytes = bytes as u64;
        ctx.stats.upkeep.bytes += bytes;
        let micros = bytes.saturating_mul(1_000_000) / UPKEEP_BYTES_PER_SECOND;
        self.paced = self.paced.max(ctx.now) + core::time::Duration::from_micros(micros);
    }
}

impl Sending {
    /// The node wants these chunks. False if it has said so before, or wants what there is not.
    fn will_send(&mut self, mask: u32, all: u32) -> bool {
        match &mut self.load {
            Load::Extent { told, unsent, .. } if !*told && mask & !all == 0 => {
                *told = true;
                *unsent = (0..32u8).filter(|index| mask & (1 << index) != 0).collect();
                true
            }
            _ => false,
        }
    }

    /// The node names a price. Whether it is one that is paid.
    fn pays(&mut self, asked: u8) -> bool {
        match &mut self.load {
            Load::Extent {
                price,
                raised,
                told: false,
                ..
            } if asked > *price && asked <= PRICE_MAX && *raised < PRICE_RAISES => {
                *price = asked;
                *raised += 1;
                true
            }
            _ => false,
        }
    }
}

/// Reads the next chunks, if any are left and none are being read.
fn read_on(slot: u64, sending: &mut Sending, here: Location, ctx: &mut Ctx<'_>) {
    let Load::Extent {
        unsent, reading, ..
    } = &mut sending.load
    else {
        return;
    };
    if *reading || unsent.is_empty() {
        return;
    }
    *reading = true;
    let request = StoreRequest::Copy {
        location: here,
        indexes: unsent.iter().take(READ_BATCH).copied().collect(),
    };
    ctx.store(Upkeep::waiting(slot), request);
}

fn send_chunks(sending: &mut Sending, chunks: Vec<Option<Vec<u8>>>, ctx: &mut Ctx<'_>) -> Next {
    let (
        Load::Extent {
            unsent, reading, ..
        },
        Some(exchange),
    ) = (&mut sending.load, sending.exchange)
    else {
        return Next::Lost;
    };
    *reading = false;
    for chunk in chunks {
        let (Some(body), Some(index)) = (chunk, unsent.pop_front()) else {
            return Next::Lost;
        };
        let body = Body::Own(body);
        ctx.effect(Effect::Chunk {
            exchange,
            index,
            body,
        });
    }
    if !unsent.is_empty() {
        ctx.effect(Effect::More { exchange });
    }
    Next::GoOn
}
