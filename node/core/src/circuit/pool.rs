//! Which own circuit carries which stream: circuits are built beforehand, given to one job each, replaced when they
//! fail, closed when nobody needs them.

use std::collections::{BTreeMap, BTreeSet};

use oboro_crypto::circuit::Hop;
use oboro_crypto::ids::NodeId;
use rand_core::RngCore;

use super::due::{NOW, SOON};
use super::own::{CircuitId, Due, Own, Session};
use super::{Cause, CircuitEvent, Circuits, Holder, Loss, path};
use crate::effect::Ctx;
use crate::ids::JobId;
use crate::limits::{CIRCUITS_PER_JOB_MAX, CIRCUITS_READY, DOUBT, DOUBTS_MAX, OWN_CIRCUITS_MAX};
use crate::link::Links;
use crate::peers::View;
use crate::stats::Class;
use crate::stream::StreamId;
use crate::time::Time;

/// How long building beforehand rests after a failure.
const REST: core::time::Duration = core::time::Duration::from_secs(5);

/// A stream that waits for a circuit.
pub(super) struct Pending {
    pub(super) session: Session,
    pub(super) target: NodeId,
    pub(super) written: Vec<Vec<u8>>,
}

/// Why a stream has no circuit.
enum Without {
    /// There is none yet.
    Later,
    /// There can be none: the view has no path to its node.
    Never,
}

impl Circuits {
    /// Puts a stream on a circuit, or has it wait for one, or gives it up.
    pub(super) fn place(
        &mut self,
        stream: StreamId,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(pending) = self.pending.get(&stream) else {
            return;
        };
        let (session, target) = (pending.session, pending.target);
        match self.find(session, &target, view, links, ctx) {
            Ok(id) => self.put(stream, id, ctx.now),
            Err(Without::Never) => {
                self.pending.remove(&stream);
                count(ctx, "no_path");
                self.events.push(CircuitEvent::Lost {
                    stream,
                    how: Loss::Circuit,
                });
            }
            Err(Without::Later) => self.soon(ctx.now + NOW),
        }
    }

    fn put(&mut self, stream: StreamId, id: CircuitId, now: Time) {
        if let Some(pending) = self.pending.remove(&stream)
            && let Some(own) = self.own.get_mut(&id)
        {
            let number = own.end.open(pending.target);
            for bytes in pending.written {
                own.end.write(number, bytes);
            }
            own.streams.insert(number, stream);
            self.streams.insert(stream, (id, number));
            self.dirty.insert(id);
            // A circuit that was quiet is asked whether it holds, and its job is looked after from now on.
            let due = own.due_at().max(now + NOW).min(now + SOON);
            self.soon(due);
        }
    }

    /// A circuit for a stream: of its lane, of those built beforehand, or a new one.
    fn find(
        &mut self,
        session: Session,
        target: &NodeId,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) -> Result<CircuitId, Without> {
        let hops = self.hops_of(session.job, view);
        let fits = |own: &Own| own.path.len() == usize::from(hops) && own.may_take(target, ctx.now);
        let of_lane = self
            .own
            .iter()
            .filter(|(_, own)| own.session == Some(session) && fits(own))
            .min_by_key(|(_, own)| own.end.count());
        if let Some((&id, _)) = of_lane {
            return Ok(id);
        }
        let of_job = || {
            let all = self.own.iter();
            all.filter(|(_, own)| own.session.is_some_and(|other| other.job == session.job))
        };
        if of_job().count() >= CIRCUITS_PER_JOB_MAX {
            let other = of_job().find(|(_, own)| fits(own)).map(|(&id, _)| id);
            return other.ok_or(Without::Never);
        }
        let ready = self
            .own
            .iter()
            .find(|(_, own)| own.session.is_none() && fits(own))
            .map(|(&id, _)| id);
        if let Some(id) = ready {
            if let Some(own) = self.own.get_mut(&id) {
                own.session = Some(session);
            }
            return Ok(id);
        }
        self.build(Some(session), hops, Some(target), view, links, ctx)
    }

    /// Begins a new circuit.
    fn build(
        &mut self,
        session: Option<Session>,
        hops: u8,
        target: Option<&NodeId>,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) -> Result<CircuitId, Without> {
        let Some(guard) = self.guards.in_use(ctx.now) else {
            return Err(Without::Later);
        };
        if self.own.len() >= OWN_CIRCUITS_MAX || guard.away {
            return Err(Without::Later);
        }
        let avoid: BTreeSet<NodeId> = target.copied().into_iter().collect();
        // What the middles do must not decide about a guard on trial: they are few, and some may be hostile.
        let trial = self.guards.is_on_trial(&guard.node);
        let middles = if trial { vec![] } else { self.guards.middles() };
        let now = ctx.now;
        let doubted = |node: &NodeId| {
            view.suspects(node) || self.doubts.get(node).is_some_and(|&until| until > now)
        };
        let wish = path::Wish {
            own: self.own_id,
            hops,
            guard: guard.node,
            middles: &middles,
            avoid: &avoid,
            doubted: &doubted,
        };
        let Some(path) = path::choose(view, &wish, ctx.rng) else {
            let hopeless = view.is_settled() && path::may_relay(view, &guard.node);
            return Err(if hopeless {
                Without::Never
            } else {
                Without::Later
            });
        };
        let known = |node: &NodeId| {
            let (way, onion) = view.way(node)?;
            Some((way, Hop { node: *node, onion }))
        };
        let hops: Vec<_> = path.iter().filter_map(known).collect();
        let Some((way, _)) = hops.first() else {
            return Err(Without::Later);
        };
        links.ask(&way.link, ctx);
        let keys: Vec<Hop> = hops.iter().map(|(_, hop)| *hop).collect();
        let minute = u32::try_from(ctx.now.secs() / 60).unwrap_or(u32::MAX);
        let created = self.provider.create(&keys, &self.network, minute, ctx.rng);
        let Ok((building, body)) = created else {
            count(ctx, "bad_key");
            self.doubt(path.get(1..).unwrap_or_default(), ctx.now);
            return Err(Without::Later);
        };
        let Some(hop) = links.create(way, Class::Own, body, ctx) else {
            return Err(Without::Later);
        };
        let id = CircuitId(self.names.next());
        self.holders.insert(hop, Holder::Own(id));
        let own = Own::new(path, hop, building, session, ctx.now);
        self.soon(own.due_at());
        self.own.insert(id, own);
        Ok(id)
    }

    /// An own circuit failed: its streams are lost. Whoever wants them opens others, a bounded number of times.
    pub(super) fn fail(
        &mut self,
        id: CircuitId,
        cause: Cause,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(mut own) = self.own.remove(&id) else {
            return;
        };
        let how = match cause {
            Cause::GuardLink => Loss::Guard,
            _ if own.is_building() => Loss::Build,
            _ => Loss::Circuit,
        };
        count(
            ctx,
            if how == Loss::Build {
                "build"
            } else {
                cause.name()
            },
        );
        self.holders.remove(&own.hop);
        links.destroy(own.hop);
        self.dirty.remove(&id);
        if let Some(guard) = own.path.first()
            && how != Loss::Guard
            && !own.is_proven()
        {
            self.guards.fell(guard, how == Loss::Circuit);
        }
        if how != Loss::Guard {
            self.doubt(own.path.get(1..).unwrap_or_default(), ctx.now);
            self.build_again = ctx.now + REST;
        }
        self.soon(ctx.now + REST);
        for stream in core::mem::take(&mut own.streams).into_values() {
            self.streams.remove(&stream);
            self.events.push(CircuitEvent::Lost { stream, how });
        }
    }

    fn doubt(&mut self, nodes: &[NodeId], now: Time) {
        for node in nodes {
            self.doubts.insert(*node, now + DOUBT);
        }
        self.doubts.retain(|_, until| *until > now);
        while self.doubts.len() > DOUBTS_MAX {
            let oldest = self.doubts.iter().min_by_key(|(_, until)| **until);
            if let Some(node) = oldest.map(|(node, _)| *node) {
                self.doubts.remove(&node);
            }
        }
    }

    /// Closes a circuit nobody needs.
    fn close_own(&mut self, id: CircuitId, links: &mut Links) {
        if let Some(own) = self.own.remove(&id) {
            self.holders.remove(&own.hop);
            self.dirty.remove(&id);
            links.destroy(own.hop);
            for stream in own.streams.into_values() {
                self.streams.remove(&stream);
                self.events.push(CircuitEvent::Lost {
                    stream,
                    how: Loss::Circuit,
                });
            }
        }
    }

    /// Looks after own circuits: those that do not hold, those that are not needed, streams that wait, and enough ready.
    pub(super) fn tick_own(
        &mut self,
        alive: &dyn Fn(JobId) -> bool,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        let dues: Vec<(CircuitId, Due)> = self
            .own
            .iter()
            .map(|(&id, own)| {
                let over = own.session.is_some_and(|session| !alive(session.job));
                let done = over && own.streams.is_empty() && !own.end.has_something();
                (id, if done { Due::Close } else { own.due(ctx.now) })
            })
            .collect();
        for (id, due) in dues {
            match due {
                Due::Nothing => {}
                Due::Fail(Cause::Silent) if self.guard_is_silent(id, view, links, ctx) => {
                    self.fail(id, Cause::GuardLink, links, ctx);
                }
                Due::Fail(cause) => self.fail(id, cause, links, ctx),
                Due::Close => self.close_own(id, links),
                Due::Probe => {
                    let nonce = ctx.rng.next_u64();
                    if let Some(own) = self.own.get_mut(&id) {
                        own.probe(nonce, ctx.now);
                        self.dirty.insert(id);
                        if let Some(known) = own.path.first().and_then(|node| view.get(node)) {
                            links.ask(&known.link(), ctx);
                        }
                    }
                }
            }
        }
        let waiting: Vec<StreamId> = self.pending.keys().copied().collect();
        for stream in waiting {
            self.place(stream, view, links, ctx);
        }
        self.build_ahead(view, links, ctx);
    }

    /// Whether it is the guard that says nothing, and no relay behind it: then its link is closed, to be dialled anew.
    fn guard_is_silent(
        &self,
        id: CircuitId,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let Some(own) = self.own.get(&id) else {
            return false;
        };
        let Some(link) = own
            .path
            .first()
            .and_then(|node| view.get(node))
            .map(crate::wire::listing::Listing::link)
        else {
            return false;
        };
        let silent = links
            .heard(&link)
            .is_some_and(|heard| heard <= own.waits_since());
        if silent {
            links.shut_all(&link, ctx);
        }
        silent
    }

    /// Builds circuits for whoever comes.
    fn build_ahead(&mut self, view: &View, links: &mut Links, ctx: &mut Ctx<'_>) {
        if self.missing(view) > 0 || !view.is_settled() || ctx.now < self.build_again {
            return;
        }
        let Some(guard) = self.guards.in_use(ctx.now) else {
            return;
        };
        let linked = view
            .get(&guard.node)
            .is_some_and(|listing| links.is_linked(&listing.link()));
        let free = self
            .own
            .values()
            .filter(|own| own.session.is_none())
            .count();
        if linked && free < CIRCUITS_READY {
            for _ in free..CIRCUITS_READY {
                if self.build(None, self.hops, None, view, links, ctx).is_err() {
                    // There is no path now, or too much under way.
                    self.build_again = ctx.now + REST;
                    break;
                }
            }
        }
    }

    /// Sends what may be sent on own circuits.
    pub(super) fn pump_own(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        while let Some(id) = self.dirty.pop_first() {
            let Some(own) = self.own.get_mut(&id) else {
                continue;
            };
            match own.pump(links, ctx.now) {
                Some(sent) => {
                    ctx.stats.circuits.cells_out += sent;
                    let streams: &BTreeMap<u32, StreamId> = &own.streams;
                    let drained = own.end.drained().into_iter();
                    let drained = drained.filter_map(|number| streams.get(&number).copied());
                    self.events.extend(drained.map(CircuitEvent::Drained));
                }
                None => self.fail(id, Cause::Broken, links, ctx),
            }
        }
    }
}

fn count(ctx: &mut Ctx<'_>, cause: &'static str) {
    *ctx.stats.circuits.failures.entry(cause).or_default() += 1;
}
