//! Giving a node the entries of a location that it lacks: which those are its names tell, so that none is sent for nothing.

use std::collections::VecDeque;

use oboro_crypto::entry::SealedEntry;
use oboro_crypto::hash::hash;
use oboro_crypto::ids::IdentityPublic;
use oboro_crypto::labels;

use super::sending::{Load, Next, Sending};
use super::{Answer, Ctx, Request, Upkeep};
use crate::action::StoreRequest;
use crate::wire::message::{Cursor, NAMES_MAX, Refusal, Reply};

/// Entries read from the store at once.
const PAGE: usize = 8;

/// The entries of one location on their way to one node.
#[derive(Default)]
pub(super) struct Shares {
    /// What the node has, once it has said so.
    names: Option<Vec<u64>>,
    after: Option<Cursor>,
    page: VecDeque<Vec<u8>>,
    last: bool,
}

impl Upkeep {
    /// A node says which entries it has, or what becomes of the one it was sent.
    pub(super) fn share_answered(
        &mut self,
        slot: u64,
        sending: &mut Sending,
        answer: Answer,
        identity: Option<IdentityPublic>,
        ctx: &mut Ctx<'_>,
    ) -> Next {
        let Load::Entries(shares) = &mut sending.load else {
            return Next::Lost;
        };
        match (answer, shares.names.is_some()) {
            (Answer::Reply(Reply::Names(names)), false) => {
                // It has as many as it will ever have: what is weaker would be sent for nothing, again and again.
                if names.len() >= NAMES_MAX {
                    return Next::Done;
                }
                shares.names = Some(names);
            }
            (Answer::Reply(Reply::Receipt(receipt)), true) => {
                let entry = shares.page.pop_front().unwrap_or_default();
                let Ok(read) = SealedEntry::decode(&entry) else {
                    return Next::Lost;
                };
                let location = read.location(&self.network.id());
                let digest = hash(labels::RECEIPT, &[&entry]);
                let genuine = receipt.until_day >= read.expires_day
                    && self.is_genuine(&receipt, identity, &location, &digest);
                if !genuine {
                    ctx.stats.violated("receipt");
                    return Next::Fault;
                }
                ctx.stats.upkeep.entries += 1;
            }
            (Answer::Reply(Reply::Refused(cause, _)), begun) => {
                ctx.stats.upkeep.refused += 1;
                match cause {
                    Refusal::Busy => return Next::Again,
                    Refusal::NotMine => return Next::PassOver,
                    _ if !begun => return Next::PassOver,
                    // This one it will not have; perhaps the next.
                    _ => drop(shares.page.pop_front()),
                }
            }
            _ => return Next::Fault,
        }
        self.share_on(slot, sending, ctx)
    }

    /// The next entry, or the next page of them.
    fn share_on(&mut self, slot: u64, sending: &mut Sending, ctx: &mut Ctx<'_>) -> Next {
        let Load::Entries(shares) = &mut sending.load else {
            return Next::Lost;
        };
        if let Some(exchange) = sending.exchange.take() {
            Self::finish(exchange, ctx);
        }
        if let Some(entry) = shares.page.front() {
            let request = Request::PutEntry(entry.clone());
            sending.exchange = Some(Self::request(slot, sending.target, request, ctx));
            self.pace(SealedEntry::ENCODED_LEN, ctx);
            return Next::GoOn;
        }
        if shares.last {
            return Next::Done;
        }
        let Some(want) = self.wants.get(&sending.want) else {
            return Next::Lost;
        };
        let request = StoreRequest::Entries {
            location: want.location(),
            after: shares.after,
            max: PAGE,
        };
        ctx.store(Self::waiting(slot), request);
        Next::GoOn
    }

    /// A page has come: what the node has is left out.
    pub(super) fn share_page(
        &mut self,
        slot: u64,
        sending: &mut Sending,
        page: Vec<(Cursor, Vec<u8>)>,
        ctx: &mut Ctx<'_>,
    ) -> Next {
        let Load::Entries(shares) = &mut sending.load else {
            return Next::Lost;
        };
        let Some(names) = &shares.names else {
            return Next::Lost;
        };
        shares.last = page.len() < PAGE;
        shares.after = page.last().map(|(cursor, _)| *cursor);
        let lacking = page
            .into_iter()
            .map(|(_, entry)| entry)
            .filter(|entry| names.binary_search(&name(entry)).is_err());
        shares.page = lacking.collect();
        self.share_on(slot, sending, ctx)
    }
}

/// The short name of an entry.
fn name(entry: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = hash(labels::RECEIPT, &[entry]);
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
