//! One publication: extents first, placed and sampled; then entries.

use oboro_crypto::entry::{EntryBody, Kind};
use oboro_crypto::eris::Capability;
use oboro_crypto::network::Class;
use oboro_crypto::parity::Scheme;
use oboro_crypto::terms::Term;
use oboro_crypto::token::KeywordToken;

use super::Setting;
use super::announce::Announce;
use super::extents::Extents;
use crate::action::{Action, SourceCommand};
use crate::effect::{Ctx, Effect};
use crate::event::{Computed, SourceEvent};
use crate::exchange::Answer;
use crate::failure::Failure;
use crate::ids::{Counter, JobId};
use crate::peers::Peers;
use crate::report::{Phase, Progress, Report};
use crate::time::Time;

/// What the entry that leads to parity is called: it must be called something.
const PARITY_TITLE: &str = "parity";

/// What is to be published.
pub(crate) struct Wish {
    pub(crate) title: String,
    pub(crate) size: u64,
    pub(crate) kind: Kind,
    pub(crate) terms: Vec<Term>,
    pub(crate) extra: Vec<Term>,
}

/// A publication under way. `Err` from any of its methods ends it.
pub(super) struct PublishJob {
    job: JobId,
    wish: Wish,
    slots: Counter,
    extents: Extents,
    announce: Announce,
    source_asked: bool,
    ended: Option<(Capability, u64)>,
    /// The parity's, if the file has any, once all of it was handed over.
    parity: Option<(Capability, u64)>,
    released: bool,
}

impl PublishJob {
    pub(super) fn new(job: JobId, mut wish: Wish, replicas: u8) -> Self {
        let terms = std::mem::take(&mut wish.terms);
        Self {
            job,
            wish,
            slots: Counter::default(),
            extents: Extents::new(job, replicas),
            announce: Announce::new(job, terms, replicas),
            source_asked: false,
            ended: None,
            parity: None,
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
        if self.extents.advance(&mut self.slots, peers, ctx)? {
            self.progress(Phase::Placing, ctx);
        }
        if !self.has_all() && !self.source_asked && self.extents.has_room() {
            self.source_asked = true;
            ctx.act(Action::Source {
                job: self.job,
                command: SourceCommand::Next,
            });
        }
        if self.extents.is_empty() && !self.released && self.has_all() {
            self.release(setting, ctx);
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
                let class = match Scheme::of_content(self.wish.size) {
                    Some(_) if run.level == 0 => Class::Grouped,
                    _ => Class::Alone,
                };
                self.extents.add(run, class, false, setting, ctx);
            }
            SourceEvent::ParityRun(run) => {
                let class = if run.level == 0 {
                    Class::Grouped
                } else {
                    Class::Alone
                };
                self.extents.add(run, class, true, setting, ctx);
            }
            SourceEvent::End { capability, length } => {
                // On its length depended how many copies were made.
                if length != self.wish.size {
                    return Err(Failure::Source);
                }
                self.ended = Some((capability, length));
            }
            SourceEvent::ParityEnd { capability, length } => {
                self.parity = Some((capability, length));
            }
            SourceEvent::Failed => return Err(Failure::Source),
        }
        Ok(())
    }

    /// A storer answered.
    pub(super) fn answered(
        &mut self,
        slot: u64,
        answer: Answer,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(answer) = self.extents.answered(slot, answer, peers, setting, ctx) {
            self.announce.answered(slot, &answer, setting, peers, ctx);
        }
    }

    /// A token or an entry is ready.
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
        self.extents.deadline()
    }

    /// Drops everything under way.
    pub(super) fn stop(&mut self, ctx: &mut Ctx<'_>) {
        for exchange in self.extents.exchanges().chain(self.announce.exchanges()) {
            ctx.effect(Effect::Abort { exchange });
        }
        ctx.act(Action::Source {
            job: self.job,
            command: SourceCommand::Stop,
        });
    }

    /// Whether the source has handed over everything.
    fn has_all(&self) -> bool {
        let has_parity = Scheme::of_content(self.wish.size).is_some();
        self.ended.is_some() && (self.parity.is_some() || !has_parity)
    }

    /// Everything is placed: the second phase begins.
    fn release(&mut self, setting: &Setting<'_>, ctx: &mut Ctx<'_>) {
        let Some((capability, length)) = self.ended.clone() else {
            return;
        };
        self.released = true;
        if let Some((parity, parity_length)) = self.parity.clone() {
            let token = KeywordToken::of_parity(&setting.network.id(), &capability);
            let day = ctx.now.day();
            let body = EntryBody::new(PARITY_TITLE, parity_length, Kind::File, parity, &[], day);
            let copies = setting.network.params.copies(Class::Alone);
            self.announce.lead_to_parity(token, body, copies);
        }
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

    fn finish(&mut self, ctx: &mut Ctx<'_>) -> Result<bool, Failure> {
        let (announced, receipts) = self.announce.outcome();
        if (announced == 0 && self.announce.count() > 0) || !self.announce.leads_to_parity() {
            return Err(Failure::Refused);
        }
        let mut summary = self.extents.summary;
        summary.terms = announced;
        summary.entries = receipts;
        if let Some((capability, _)) = self.ended.take() {
            let route = ctx.route(self.job);
            ctx.report(
                self.job,
                Report::Published {
                    capability: Box::new(capability),
                    summary,
                    route,
                },
            );
        }
        Ok(true)
    }

    fn progress(&self, phase: Phase, ctx: &mut Ctx<'_>) {
        let progress = Progress {
            phase,
            done: self.extents.done.min(self.wish.size),
            total: Some(self.wish.size),
            transferred: self.extents.transferred,
            resumed: 0,
            retries: self.extents.retries,
        };
        ctx.report(self.job, Report::Progress(progress));
    }
}
