//! One fetch: unfolds the tree, keeps several storers busy, verifies every chunk, hands leaves to the sink in runs.

use std::collections::BTreeMap;

use oboro_crypto::eris::Capability;
use oboro_crypto::ids::NodeId;
use oboro_crypto::network::{Class, Network};
use oboro_crypto::provider::Provider;
use rand_core::RngCore;

use super::done::Done;
use super::part::{Active, Arrival};
use super::recovery::{Recovery, Stage};
use super::sources::{self, Record};
use super::tree::{Part, Tree};
use super::writing::write_leaves;
use crate::action::{Action, SinkCommand};
use crate::effect::{Ctx, Effect, Owner};
use crate::exchange::{Answer, Trouble};
use crate::failure::Failure;
use crate::ids::{Counter, JobId};
use crate::limits::{
    CHECKPOINT_PARTS, FETCH_LANES, FETCH_PARTS, FETCH_ROUND_WAIT, FETCH_ROUNDS, SINK_WRITES_MAX,
};
use crate::losses::Losses;
use crate::peers::Peers;
use crate::report::{Phase, Progress, Report};
use crate::time::Time;
use crate::wire::message::{CHUNK, EXTENT_CHUNKS_MAX, Reply, Request};

/// What a job needs to know of the node it runs in.
pub(super) struct Setting<'a> {
    pub(super) network: &'a Network,
    pub(super) provider: &'a dyn Provider,
}

/// A fetch under way. `Err` from any of its methods ends it.
pub(super) struct FetchJob {
    pub(super) job: JobId,
    pub(super) capability: Capability,
    pub(super) tree: Tree,
    pub(super) recovery: Recovery,
    pub(super) done: Done,
    pub(super) active: BTreeMap<u64, Active>,
    pub(super) slots: Counter,
    pub(super) records: BTreeMap<NodeId, Record>,
    writes: u32,
    parts_since_checkpoint: u32,
    finishing: bool,
    /// Parts asked for at once: more as they come, fewer when they do not come in time, so that on a slow line what is
    /// asked for last is not given up for standing behind what was asked for first.
    pub(super) width: usize,
    resumed: u64,
    transferred: u64,
    retries: u64,
    reached_any: bool,
}

impl FetchJob {
    pub(super) fn new(job: JobId, capability: &Capability, done: Done) -> Self {
        Self {
            job,
            capability: capability.clone(),
            tree: Tree::new(capability),
            recovery: Recovery::new(),
            resumed: done.count() * (EXTENT_CHUNKS_MAX * CHUNK) as u64,
            done,
            active: BTreeMap::new(),
            slots: Counter::default(),
            records: BTreeMap::new(),
            writes: 0,
            parts_since_checkpoint: 0,
            finishing: false,
            width: FETCH_PARTS / 2,
            transferred: 0,
            retries: 0,
            reached_any: false,
        }
    }

    /// Asks for as much as may be under way.
    pub(super) fn fill(
        &mut self,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Failure> {
        let idle: Vec<u64> = self
            .active
            .iter()
            .filter(|(_, active)| {
                active.asked.is_none() && active.wait_until.is_none_or(|until| until <= ctx.now)
            })
            .map(|(&slot, _)| slot)
            .collect();
        for slot in idle {
            self.ask(slot, peers, setting, ctx)?;
        }
        loop {
            while self.active.len() < self.width
                && self.writes < SINK_WRITES_MAX
                && !self.finishing
                && let Some(part) = self.tree.next()
            {
                self.begin(part, false, peers, setting, ctx)?;
            }
            let fetched = self.tree.is_empty() && self.active.values().all(|active| active.parity);
            if !fetched || self.finishing {
                return Ok(());
            }
            if self.recovery.is_empty() {
                self.finishing = true;
                self.sink(SinkCommand::Finish, ctx);
                self.progress(Phase::Finishing, ctx);
                return Ok(());
            }
            if !self.recover(peers, setting, ctx)? {
                return Ok(());
            }
        }
    }

    pub(super) fn begin(
        &mut self,
        part: Part,
        parity: bool,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Failure> {
        let slot = self.slots.next();
        self.active.insert(slot, Active::new(part, parity));
        self.ask(slot, peers, setting, ctx)
    }

    /// Something came of a request.
    pub(super) fn answered(
        &mut self,
        slot: u64,
        answer: Answer,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Failure> {
        if let Stage::Finding(finding) = &mut self.recovery.stage
            && finding.has(slot)
        {
            finding.answered(slot, &answer, setting.network, &mut self.slots, peers, ctx);
            return self.fill(peers, setting, ctx);
        }
        let Some(active) = self.active.get_mut(&slot) else {
            return Ok(());
        };
        match answer {
            Answer::Reply(Reply::Have(mask)) => {
                self.reached_any = true;
                if !active.will_have(mask) {
                    self.gave_up(slot, Outcome::Failed, peers, ctx);
                }
            }
            Answer::Chunk(index, body) => {
                self.transferred += body.len() as u64;
                match active.arrived(index, body, setting.provider) {
                    Arrival::Pending => {}
                    Arrival::Verified(batch) => self.verified(slot, batch, peers, ctx)?,
                    Arrival::Wrong => {
                        ctx.stats.violated("chunk_wrong");
                        self.gave_up(slot, Outcome::Wrong, peers, ctx);
                    }
                }
            }
            Answer::Reply(Reply::Nothing) => {
                self.reached_any = true;
                self.gave_up(slot, Outcome::Lacked, peers, ctx);
            }
            Answer::Reply(_) => {
                self.reached_any = true;
                self.gave_up(slot, Outcome::Failed, peers, ctx);
            }
            Answer::Drained => {}
            Answer::Failed(trouble) if trouble.is_of_the_way() => {
                let again = active.lost.again(trouble);
                let lost = active.lost.count();
                self.gave_up(slot, Outcome::Lost, peers, ctx);
                if !again {
                    return Err(peers.no_route(ctx.route(self.job).hops, lost));
                }
            }
            Answer::Failed(trouble) => {
                if trouble == Trouble::Silent {
                    self.width = (self.width / 2).max(1);
                }
                self.reached_any |= trouble == Trouble::Broken;
                self.gave_up(slot, Outcome::Failed, peers, ctx);
            }
        }
        self.fill(peers, setting, ctx)
    }

    /// The sink has written.
    pub(super) fn written(&mut self, writes: u32) {
        self.writes = self.writes.saturating_sub(writes);
    }

    /// When a part that waits is to be asked for again.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.active
            .values()
            .filter(|active| active.asked.is_none())
            .filter_map(|active| active.wait_until)
            .min()
    }

    /// Drops everything under way.
    pub(super) fn stop(&mut self, keep: bool, ctx: &mut Ctx<'_>) {
        for active in self.active.values() {
            if let Some(asked) = &active.asked {
                ctx.effect(Effect::Abort {
                    exchange: asked.exchange,
                });
            }
        }
        self.active.clear();
        if let Stage::Finding(finding) = &self.recovery.stage {
            finding.stop(ctx);
        }
        if keep {
            self.sink(SinkCommand::Checkpoint(self.done.encode()), ctx);
        }
        self.sink(SinkCommand::Stop { keep }, ctx);
    }

    pub(super) fn ask(
        &mut self,
        slot: u64,
        peers: &mut Peers,
        setting: &Setting<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Failure> {
        let has_parity = self.scheme().is_some();
        let Some(active) = self.active.get_mut(&slot) else {
            return Ok(());
        };
        active.wait_until = None;
        if active.candidates.is_empty() {
            let extent = active.part.extent();
            let grouped = active.part.level == 0 && (active.parity || has_parity);
            let class = if grouped {
                Class::Grouped
            } else {
                Class::Alone
            };
            active.candidates = sources::all(
                peers.view(),
                &setting.network.id(),
                &extent,
                setting.network.params.copies(class),
                &peers.unasked(),
            );
        }
        let chance = ctx.rng.next_u32();
        match sources::choose(
            &active.candidates,
            &active.tried,
            &self.records,
            peers.view(),
            chance,
        ) {
            Ok(candidate) => {
                let owner = Owner::Fetch {
                    job: self.job,
                    slot,
                };
                let request = Request::Get {
                    location: candidate.location,
                    wanted: active.missing,
                };
                let lane = self.lane(ctx.rng.next_u32());
                let Some(active) = self.active.get_mut(&slot) else {
                    return Ok(());
                };
                let exchange = ctx.ask(owner, lane, candidate.node, request);
                active.ask(exchange, candidate, lane);
                self.records.entry(candidate.node).or_default().asked += 1;
                peers.rely_on(&candidate.node, ctx);
                Ok(())
            }
            // All who may have it are busy with other parts: their next answer brings us back here.
            Err(true) => Ok(()),
            Err(false) if active.part.level == 0 && active.parity => {
                // Another extent of its group does as well.
                self.active.remove(&slot);
                Ok(())
            }
            Err(false) if active.part.level == 0 && has_parity && self.recovery.takes() => {
                if let Some(active) = self.active.remove(&slot) {
                    self.recovery.set_aside(active.part);
                }
                Ok(())
            }
            Err(false) => {
                active.rounds += 1;
                active.tried.clear();
                // The view may have grown meanwhile.
                active.candidates.clear();
                active.wait_until = Some(ctx.now + FETCH_ROUND_WAIT);
                let last = if active.parity && self.recovery.has_more() {
                    1
                } else {
                    FETCH_ROUNDS
                };
                if active.rounds < last {
                    Ok(())
                } else if active.parity {
                    self.parity_failed(ctx);
                    Ok(())
                } else {
                    Err(self.hopeless(peers, ctx))
                }
            }
        }
    }

    /// The lane with the fewest parts under way, by chance among equals: a slow one gets less.
    fn lane(&self, chance: u32) -> u32 {
        let busy = |lane: u32| {
            let asked = self
                .active
                .values()
                .filter_map(|active| active.asked.as_ref());
            asked.filter(|asked| asked.lane == lane).count()
        };
        let lanes = (0..FETCH_LANES).map(|lane| (lane.wrapping_add(chance)) % FETCH_LANES);
        lanes.min_by_key(|&lane| busy(lane)).unwrap_or(0)
    }

    /// Nobody has it: says what that means.
    fn hopeless(&self, peers: &Peers, ctx: &Ctx<'_>) -> Failure {
        if !peers.knows_others() {
            Failure::NotJoined
        } else if self.reached_any {
            let tried = self.active.values().filter(|active| active.rounds > 0);
            // What was set aside and not asked for again yet is missing no less.
            let missing = match self.recovery.stage {
                Stage::Over => tried.count() + self.tree.leaf_parts(),
                _ => tried.count(),
            };
            Failure::NotRetrievable {
                missing: u32::try_from(missing).unwrap_or(u32::MAX),
            }
        } else {
            peers.no_route(ctx.route(self.job).hops, 0)
        }
    }

    fn verified(
        &mut self,
        slot: u64,
        batch: Vec<(u8, Vec<u8>)>,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Failure> {
        let Some(active) = self.active.get_mut(&slot) else {
            return Ok(());
        };
        if active.part.level == 0 && !active.parity {
            self.writes += write_leaves(self.job, &active.part, batch, ctx);
        } else {
            for (index, block) in batch {
                if let Some(place) = active.blocks.get_mut(usize::from(index)) {
                    *place = block;
                }
            }
        }
        if active.missing == 0 {
            self.gave_up(slot, Outcome::Had, peers, ctx);
            if let Some(active) = self.active.remove(&slot) {
                self.part_done(active, ctx)?;
            }
        } else if active.is_settled() {
            self.gave_up(slot, Outcome::Had, peers, ctx);
        }
        Ok(())
    }

    fn part_done(&mut self, active: Active, ctx: &mut Ctx<'_>) -> Result<(), Failure> {
        self.width = (self.width + 1).min(FETCH_PARTS);
        if active.parity {
            self.parity_done(active, ctx);
            return Ok(());
        }
        if active.part.level > 0 {
            return self
                .tree
                .unfold(&active.part, active.blocks, &self.done)
                .map_err(|_| Failure::Damaged);
        }
        self.done.insert(active.part.number());
        self.parts_since_checkpoint += 1;
        if self.parts_since_checkpoint >= CHECKPOINT_PARTS {
            self.parts_since_checkpoint = 0;
            self.sink(SinkCommand::Checkpoint(self.done.encode()), ctx);
        }
        self.progress(Phase::Fetching, ctx);
        Ok(())
    }

    /// The present request for a part is over, one way or another.
    fn gave_up(&mut self, slot: u64, outcome: Outcome, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        let Some(asked) = self
            .active
            .get_mut(&slot)
            .and_then(|active| active.asked.take())
        else {
            return;
        };
        ctx.effect(Effect::Finish {
            exchange: asked.exchange,
        });
        let record = self.records.entry(asked.node).or_default();
        record.asked = record.asked.saturating_sub(1);
        match outcome {
            Outcome::Had => {
                record.had += 1;
                if let Some(active) = self.active.get_mut(&slot) {
                    active.lost = Losses::default();
                }
                peers.succeeded(&asked.node);
                return;
            }
            Outcome::Lost => {
                // It is asked again, by another way, when that has had time to be found.
                if let Some(active) = self.active.get_mut(&slot) {
                    active.tried.pop();
                    // A guard may have been chosen meanwhile: it is not asked.
                    active.candidates.clear();
                    active.wait_until = Some(ctx.now + active.lost.wait());
                }
            }
            Outcome::Lacked => record.lacked += 1,
            Outcome::Failed => {
                record.failed += 1;
                peers.failed(&asked.node, ctx.now);
            }
            Outcome::Wrong => {
                record.failed += 8;
                peers.failed(&asked.node, ctx.now);
            }
        }
        self.retries += 1;
    }

    pub(super) fn sink(&self, command: SinkCommand, ctx: &mut Ctx<'_>) {
        ctx.act(Action::Sink {
            job: self.job,
            command,
        });
    }

    pub(super) fn progress(&self, phase: Phase, ctx: &mut Ctx<'_>) {
        let part = (EXTENT_CHUNKS_MAX * CHUNK) as u64;
        let total = self.tree.leaves().map(|leaves| leaves * CHUNK as u64);
        let done = (self.done.count() * part).min(total.unwrap_or(u64::MAX));
        let progress = Progress {
            phase,
            done,
            total,
            transferred: self.transferred,
            resumed: self.resumed,
            retries: self.retries,
        };
        ctx.report(self.job, Report::Progress(progress));
    }
}

/// How a request ended.
#[derive(Clone, Copy)]
enum Outcome {
    Had,
    Lacked,
    /// The circuit to it failed.
    Lost,
    Failed,
    Wrong,
}
