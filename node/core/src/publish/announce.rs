//! The second phase of publishing: for each term a sealed entry at each of its locations.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use oboro_crypto::entry::{EntryBody, SealedEntry};
use oboro_crypto::hash::hash;
use oboro_crypto::ids::{Location, NodeId};
use oboro_crypto::labels;
use oboro_crypto::network::Network;
use oboro_crypto::terms::Term;
use oboro_crypto::token::KeywordToken;
use rand_core::RngCore;

use super::Setting;
use crate::action::Task;
use crate::effect::{Ctx, Effect, Owner, Waiting};
use crate::event::Computed;
use crate::exchange::Answer;
use crate::ids::{Counter, ExchangeId, JobId};
use crate::limits::{ANNOUNCING_MAX, PLACEMENT_TRIES, PUBLISH_LANES, SEARCH_LANES, TOKENS_AT_ONCE};
use crate::losses::Losses;
use crate::peers::Peers;
use crate::placement::candidates;
use crate::serve::is_word_of;
use crate::wire::message::{Reply, Request};

/// One entry on its way.
struct Announcing {
    term: usize,
    index: u8,
    entry: Option<Entry>,
    exchange: Option<(ExchangeId, NodeId)>,
    tried: Vec<NodeId>,
    /// Circuits that failed under it.
    lost: Losses,
}

struct Entry {
    location: Location,
    bytes: Vec<u8>,
    expires_day: u32,
}

/// All entries of one publication.
pub(super) struct Announce {
    job: JobId,
    terms: Vec<Term>,
    tokens: Vec<Option<Arc<KeywordToken>>>,
    next_token: usize,
    tokens_under_way: BTreeMap<u64, usize>,
    waiting: VecDeque<(usize, u8)>,
    active: BTreeMap<u64, Announcing>,
    used: BTreeMap<usize, Vec<NodeId>>,
    receipts: Vec<u32>,
    body: Option<Arc<EntryBody>>,
    /// What lies under the token after those of the words, if the file has parity.
    parity: Option<Arc<EntryBody>>,
    failed_tokens: usize,
}

impl Announce {
    pub(super) fn new(job: JobId, terms: Vec<Term>, replicas: u8) -> Self {
        // Placement by placement rather than term by term: every term is findable early.
        let waiting = (0..replicas)
            .flat_map(|index| (0..terms.len()).map(move |term| (term, index)))
            .collect();
        Self {
            job,
            tokens: terms.iter().map(|_| None).collect(),
            receipts: vec![0; terms.len()],
            terms,
            next_token: 0,
            tokens_under_way: BTreeMap::new(),
            waiting,
            active: BTreeMap::new(),
            used: BTreeMap::new(),
            body: None,
            parity: None,
            failed_tokens: 0,
        }
    }

    /// Says what is to be announced; from now on entries are released.
    pub(super) fn release(&mut self, body: EntryBody) {
        self.body = Some(Arc::new(body));
    }

    /// Adds what leads to the parity, as if it were one word more. Its token is there already.
    pub(super) fn lead_to_parity(&mut self, token: KeywordToken, body: EntryBody, copies: u8) {
        self.parity = Some(Arc::new(body));
        self.tokens.push(Some(Arc::new(token)));
        self.receipts.push(0);
        let number = self.terms.len();
        let waiting = (0..copies).map(|index| (number, index));
        self.waiting.extend(waiting);
    }

    /// Whether there is no parity, or somebody keeps what leads to it.
    pub(super) fn leads_to_parity(&self) -> bool {
        self.parity.is_none()
            || self
                .receipts
                .get(self.terms.len())
                .is_some_and(|got| *got > 0)
    }

    /// Terms with at least one receipt, and receipts for them in all.
    pub(super) fn outcome(&self) -> (u32, u32) {
        let receipts = self.receipts.iter().take(self.terms.len());
        let announced = receipts.clone().filter(|count| **count > 0).count();
        (u32::try_from(announced).unwrap_or(u32::MAX), receipts.sum())
    }

    pub(super) fn is_over(&self) -> bool {
        self.body.is_some() && self.waiting.is_empty() && self.active.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.terms.len()
    }

    /// Starts what may be under way: tokens from the beginning, entries once there is something to announce.
    pub(super) fn fill(&mut self, network: &Network, slots: &mut Counter, ctx: &mut Ctx<'_>) {
        while self.tokens_under_way.len() < TOKENS_AT_ONCE
            && let Some(term) = self.terms.get(self.next_token)
        {
            let slot = slots.next();
            self.tokens_under_way.insert(slot, self.next_token);
            self.next_token += 1;
            ctx.compute(Waiting::Client(self.owner(slot)), Task::Token(term.clone()));
        }
        let Some(body) = self.body.clone() else {
            return;
        };
        for _ in 0..self.waiting.len() {
            if self.active.len() >= ANNOUNCING_MAX {
                break;
            }
            let Some((term, index)) = self.waiting.pop_front() else {
                break;
            };
            let Some(token) = self.tokens.get(term).cloned().flatten() else {
                // Its token is still being derived, or never will be.
                if term >= self.next_token
                    || self.tokens_under_way.values().any(|other| *other == term)
                {
                    self.waiting.push_back((term, index));
                }
                continue;
            };
            let slot = slots.next();
            let mut seed = [0; 32];
            ctx.rng.fill_bytes(&mut seed);
            let expires_day = body
                .day
                .saturating_add(u32::from(network.params.entry_days));
            self.active.insert(
                slot,
                Announcing {
                    term,
                    index,
                    entry: None,
                    exchange: None,
                    tried: Vec::new(),
                    lost: Losses::default(),
                },
            );
            let task = Task::Entry {
                token,
                body: if term < self.terms.len() {
                    Arc::clone(&body)
                } else {
                    Arc::clone(self.parity.as_ref().unwrap_or(&body))
                },
                index,
                expires_day,
                seed,
            };
            ctx.compute(Waiting::Client(self.owner(slot)), task);
        }
    }

    /// A token or an entry is ready.
    pub(super) fn computed(
        &mut self,
        slot: u64,
        outcome: Computed,
        network: &Network,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(term) = self.tokens_under_way.remove(&slot) {
            match outcome {
                Computed::Token(token) => self.tokens[term] = Some(token),
                _ => self.failed_tokens += 1,
            }
            return;
        }
        let Some(active) = self.active.get_mut(&slot) else {
            return;
        };
        match outcome {
            Computed::Entry(entry) => {
                active.entry = Some(prepare(&entry, network));
                self.ask(slot, peers, ctx);
            }
            _ => {
                self.active.remove(&slot);
            }
        }
    }

    /// A storer answered. `true` if this slot was one of ours.
    pub(super) fn answered(
        &mut self,
        slot: u64,
        answer: &Answer,
        setting: &Setting<'_>,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let Some(active) = self.active.get_mut(&slot) else {
            return false;
        };
        let Some((exchange, node)) = active.exchange.take() else {
            return true;
        };
        ctx.effect(Effect::Finish { exchange });
        let receipt = match (answer, &active.entry) {
            (Answer::Reply(Reply::Receipt(receipt)), Some(entry)) => {
                let digest = hash(labels::RECEIPT, &[&entry.bytes]);
                receipt.until_day >= entry.expires_day
                    && peers.view().identity(&node).is_some_and(|identity| {
                        is_word_of(
                            &identity,
                            receipt,
                            &setting.network.id(),
                            &entry.location,
                            &digest,
                            setting.provider,
                        )
                    })
            }
            _ => false,
        };
        if receipt {
            peers.succeeded(&node);
            self.receipts[active.term] += 1;
            self.active.remove(&slot);
        } else {
            let lost = match &answer {
                Answer::Failed(trouble) if trouble.is_of_the_way() => Some(*trouble),
                _ => None,
            };
            if !lost.is_some_and(|trouble| active.lost.again(trouble)) {
                if matches!(answer, Answer::Failed(_)) && lost.is_none() {
                    peers.failed(&node, ctx.now);
                }
                active.tried.push(node);
            }
            if let Some(used) = self.used.get_mut(&active.term) {
                used.retain(|other| *other != node);
            }
            self.ask(slot, peers, ctx);
        }
        true
    }

    pub(super) fn exchanges(&self) -> impl Iterator<Item = ExchangeId> + '_ {
        self.active
            .values()
            .filter_map(|active| active.exchange.map(|(exchange, _)| exchange))
    }

    fn ask(&mut self, slot: u64, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        let owner = self.owner(slot);
        let Some(active) = self.active.get_mut(&slot) else {
            return;
        };
        let Some(entry) = &active.entry else { return };
        let used = self.used.entry(active.term).or_default();
        let unasked = peers.unasked();
        let without =
            |node: &NodeId| unasked.has(node) || active.tried.contains(node) || used.contains(node);
        let choice = candidates(peers.view(), &entry.location, active.index, &without)
            .first()
            .copied();
        let Some(node) = choice.filter(|_| active.tried.len() < PLACEMENT_TRIES) else {
            self.active.remove(&slot);
            return;
        };
        used.push(node);
        // A word's entries go by a way of their own, so that no exit sees the words of one thing together.
        let lane = PUBLISH_LANES + 1 + u32::try_from(active.term).unwrap_or(0) % SEARCH_LANES;
        let exchange = ctx.ask(owner, lane, node, Request::PutEntry(entry.bytes.clone()));
        active.exchange = Some((exchange, node));
        peers.rely_on(&node, ctx);
    }

    const fn owner(&self, slot: u64) -> Owner {
        Owner::Publish {
            job: self.job,
            slot,
        }
    }
}

fn prepare(entry: &SealedEntry, network: &Network) -> Entry {
    Entry {
        location: entry.location(&network.id()),
        bytes: entry.encode(),
        expires_day: entry.expires_day,
    }
}
