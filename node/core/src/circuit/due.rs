//! When circuits want to be looked at: what time alone brings about, and nothing else, so that a quiet node sleeps.
//!
//! What is due is reckoned anew at each look. Between two looks it can only be found earlier ([`Circuits::soon`]): who
//! begins something that time can end says so, and whoever puts an end off says nothing.

use core::time::Duration;

use oboro_crypto::ids::LinkPublic;

use super::{Circuits, path};
use crate::effect::Ctx;
use crate::ids::JobId;
use crate::limits::{CIRCUITS_READY, GUARD_RETRY};
use crate::link::Links;
use crate::peers::View;
use crate::time::Time;

/// How soon something that waits for its turn is looked at.
pub(super) const NOW: Duration = Duration::from_millis(50);
/// How soon a job that has circuits is asked whether it still is, and the view what it has news of.
pub(super) const SOON: Duration = Duration::from_millis(500);
/// The longest without a look: guards can leave the view without a word.
const LONGEST: Duration = Duration::from_secs(30);

impl Circuits {
    pub(crate) fn deadline(&self) -> Option<Time> {
        let idle = self.hops == 0 && self.relays.all.is_empty() && self.relays.creates.len() == 0;
        (!idle).then_some(self.next_tick)
    }

    /// Asks for a look at that time at the latest.
    pub(super) fn soon(&mut self, at: Time) {
        self.next_tick = self.next_tick.min(at);
    }

    /// The view may have what there was too little of.
    pub(crate) fn view_changed(&mut self, view: &View, now: Time) {
        if self.wanting && self.relays_seen != view.relays() {
            self.relays_seen = view.relays();
            self.soon(now + SOON);
        }
    }

    pub(crate) fn linked(&mut self, remote: &LinkPublic, view: &View, now: Time) {
        if self.guards.reached(remote, view) {
            self.soon(now + NOW);
        }
    }

    pub(crate) fn unlinked(&mut self, remote: &LinkPublic, view: &View, now: Time) {
        if self.guards.is_one(remote, view) {
            self.soon(now + SOON);
        }
    }

    pub(crate) fn unreachable(&mut self, remote: &LinkPublic, view: &View, now: Time) {
        if self.guards.unreachable(remote, view, now) {
            self.soon(now + SOON);
        }
    }

    /// Whatever is due. `alive`: whether a job still is.
    pub(crate) fn tick(
        &mut self,
        alive: &dyn Fn(JobId) -> bool,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        self.fewer.retain(|&job| alive(job));
        self.open_creates(view, links, ctx);
        self.tick_relays(links, ctx);
        if self.hops > 0 {
            self.tick_guards(view, links, ctx);
            self.tick_own(alive, view, links, ctx);
        }
        self.next_tick = self.reckon(view, links, ctx.now);
    }

    fn tick_guards(&mut self, view: &View, links: &mut Links, ctx: &mut Ctx<'_>) {
        let enough = path::relays(view, &self.own_id) >= 2;
        let settled = enough && view.is_settled();
        self.guards
            .tick(ctx.now, view, &self.own_id, settled, ctx.rng);
        if let Some(bytes) = self.guards.news() {
            ctx.act(crate::action::Action::Guards(bytes));
        }
        let wait = ctx.now.since(self.guard_tried) < GUARD_RETRY;
        for node in self.guards.wanted(ctx.now) {
            let Some((way, _)) = view.way(&node) else {
                continue;
            };
            if links.is_linked(&way.link) {
                self.guards.reached(&way.link, view);
                links.retain(&way.link);
            } else if !wait && !links.is_dialing(&way.link) {
                self.guard_tried = ctx.now;
                links.keep(&way, ctx);
            }
        }
    }

    /// When the next thing is due.
    fn reckon(&mut self, view: &View, links: &Links, now: Time) -> Time {
        let mut next = now + LONGEST;
        if self.relays.creates.len() > 0 || !self.pending.is_empty() {
            next = now + NOW;
        }
        if let Some(due) = self.relays_due() {
            // Nobody waits for the end of another's circuit to the second.
            next = next.min(due.max(now + Duration::from_secs(1)));
        }
        if self.hops > 0 {
            for own in self.own.values() {
                next = next.min(own.due_at());
                if own.session.is_some() {
                    next = next.min(now + SOON);
                }
            }
            next = next.min(self.guards_due(view, links, now));
            next = next.min(self.ahead_due(view, links, now));
        }
        next.max(now + NOW)
    }

    fn guards_due(&self, view: &View, links: &Links, now: Time) -> Time {
        let tomorrow = Time::from_secs((u64::from(now.day()) + 1) * 86_400);
        let mut next = self.guards.due(now).map_or(tomorrow, |at| at.min(tomorrow));
        let relays = path::relays(view, &self.own_id);
        if self.guards.are_few(relays)
            && let Some(at) = view.settles().filter(|&at| at > now)
        {
            next = next.min(at);
        }
        for node in self.guards.wanted(now) {
            // One that is being dialled is heard of.
            if let Some(link) = view.get(&node).map(|listing| listing.link())
                && !links.is_linked(&link)
                && !links.is_dialing(&link)
            {
                next = next.min((self.guard_tried + GUARD_RETRY).max(now + SOON));
            }
        }
        next
    }

    /// When circuits are to be built beforehand. Notes whether there is too little of something for it.
    fn ahead_due(&mut self, view: &View, links: &Links, now: Time) -> Time {
        let relays = path::relays(view, &self.own_id);
        let free = self.own.values().filter(|own| own.session.is_none());
        let lacking = free.count() < CIRCUITS_READY;
        self.wanting = lacking || self.guards.are_few(relays) || !self.pending.is_empty();
        self.relays_seen = view.relays();
        let never = now + LONGEST;
        let Some(guard) = self.guards.in_use(now).filter(|_| lacking) else {
            return never;
        };
        let linked = view.get(&guard.node).map(|listing| listing.link());
        match view.settles() {
            Some(settles) if linked.is_some_and(|link| links.is_linked(&link)) => {
                settles.max(self.build_again)
            }
            _ => never,
        }
    }
}
