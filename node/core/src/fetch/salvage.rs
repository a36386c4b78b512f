//! What a fetch does about extents that nobody has: it looks for the file's parity, fetches as much of it as it takes, and
//! has the sink recover group after group.

use oboro_crypto::parity::Scheme;

use super::done::Done;
use super::finding::Finding;
use super::job::{FetchJob, Setting};
use super::part::Active;
use super::recovery::{Stage, Step};
use crate::action::SinkCommand;
use crate::effect::{Ctx, Effect};
use crate::failure::Failure;
use crate::peers::Peers;
use crate::report::Phase;

impl FetchJob {
    /// All that somebody has is here: goes on with what parity gives back. True if there is no hope of that, and what was
    /// set aside is to be asked for again.
    pub(super) fn recover(
        &mut self,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<bool, Failure> {
        let Some(scheme) = self.scheme() else {
            self.recovery.give_up(&mut self.tree);
            return Ok(true);
        };
        if matches!(self.recovery.stage, Stage::Idle) {
            let (content, slots) = (&self.capability, &mut self.slots);
            let finding = Finding::begin(
                self.job,
                content,
                scheme,
                setting.network,
                slots,
                peers,
                ctx,
            );
            self.recovery.stage = Stage::Finding(finding);
        }
        if let Stage::Finding(finding) = &self.recovery.stage {
            if !finding.is_over() {
                return Ok(false);
            }
            if let Stage::Finding(finding) =
                core::mem::replace(&mut self.recovery.stage, Stage::Over)
            {
                self.recovery.found(finding.outcome(), scheme);
            }
        }
        while self.active.len() < self.width {
            if matches!(self.recovery.stage, Stage::Over) {
                self.drop_parity(ctx);
                self.recovery.give_up(&mut self.tree);
                return Ok(true);
            }
            let leaves = self.active.values().filter(|active| active.part.level == 0);
            let leaves = leaves.count();
            match self.recovery.step(self.active.len() - leaves, leaves) {
                Step::Ask(part) => self.begin(part, true, peers, setting, ctx)?,
                Step::Wait => break,
                Step::Recover(recover) => {
                    self.sink(SinkCommand::Recover(recover), ctx);
                    break;
                }
                Step::Failed => self.recovery.next_parity(scheme),
            }
        }
        Ok(false)
    }

    /// The sink has recovered a group, or what came of it was wrong.
    pub(super) fn recovered(
        &mut self,
        right: bool,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Failure> {
        let (Some(scheme), Stage::Decoding(group)) = (self.scheme(), &self.recovery.stage) else {
            return Ok(());
        };
        if right {
            let group = *group;
            for extent in self.recovery.recovered(&group) {
                self.done.insert(extent);
                ctx.stats.extents_recovered += 1;
            }
            self.sink(SinkCommand::Checkpoint(self.done.encode()), ctx);
            self.progress(Phase::Fetching, ctx);
            self.recovery.next_group(scheme);
        } else {
            ctx.stats.violated("parity_wrong");
            self.recovery.next_parity(scheme);
        }
        self.fill(peers, setting, ctx)
    }

    /// The file's groups; none if it has no parity. Exact once all its nodes are here; whether there are any is known
    /// before its leaves are.
    pub(super) fn scheme(&self) -> Option<Scheme> {
        self.tree.leaves().and_then(Scheme::of_leaves)
    }

    /// Drops what is under way of parity.
    pub(super) fn drop_parity(&mut self, ctx: &mut Ctx<'_>) {
        let records = &mut self.records;
        self.active.retain(|_, active| {
            if let Some(asked) = active.asked.as_ref().filter(|_| active.parity) {
                let record = records.entry(asked.node).or_default();
                record.asked = record.asked.saturating_sub(1);
                ctx.effect(Effect::Abort {
                    exchange: asked.exchange,
                });
            }
            !active.parity
        });
    }

    /// A part of parity is here.
    pub(super) fn parity_done(&mut self, active: Active, ctx: &mut Ctx<'_>) {
        if active.part.level == 0 {
            self.recovery.arrived(active);
        } else if let Stage::Fetching(fetching) = &mut self.recovery.stage {
            let unfolded = fetching
                .tree
                .unfold(&active.part, active.blocks, &Done::default());
            if unfolded.is_err() {
                ctx.stats.violated("parity_wrong");
                self.parity_failed(ctx);
            }
        }
    }

    /// The present parity is of no use.
    pub(super) fn parity_failed(&mut self, ctx: &mut Ctx<'_>) {
        self.drop_parity(ctx);
        if let Some(scheme) = self.scheme() {
            self.recovery.next_parity(scheme);
        }
    }
}
