//! Guards: the one node every circuit begins at, its standbys, and the few nodes that stand in the middle.
//!
//! Only time and a long absence change a guard (I4): whoever could make it change by failing, delaying or flooding
//! could make it change until it is one of his own. A standby stands in while a guard has been away for ten minutes,
//! and no longer.
//!
//! A guard is chosen once it has shown that it carries circuits: one that drops everything would otherwise be kept for
//! months. Until an answer has come back over it, it is on trial, and another is drawn after so many circuits that did
//! not hold that an honest one is hardly ever lost to others on the way. From then on nothing it does changes it.

use oboro_crypto::ids::{LinkPublic, NodeId};
use rand_core::RngCore;

use super::path;
use crate::limits::{
    GUARD_ABSENT_DAYS, GUARD_AWAY, GUARD_DAYS, GUARDS, GUARDS_ALL_AWAY, GUARDS_MAX, MIDDLE_DAYS,
    MIDDLES, TRIAL_BUILDS, TRIAL_FALLS,
};
use crate::peers::View;
use crate::time::Time;
use crate::wire::WireError;
use crate::wire::codec::Reader;
use crate::wire::listing::Listing;

const VERSION: u8 = 2;
/// The version before guards were on trial: theirs are taken as proven.
const VERSION_UNTRIED: u8 = 1;

struct Guard {
    node: NodeId,
    /// The day it was first used, and the day it is given up. 0 and 0: it has only stood by, and its time has not begun:
    /// standbys that aged while they wait would bring more and more nodes before this one in a year.
    since: u32,
    until: u32,
    /// Since which day it is in no view; 0: it is in ours.
    absent: u32,
    /// Whether an answer has come back over it.
    proven: bool,
    /// Circuits over it that were built and did not hold, and that were not built, before that. Not kept on disk.
    fell: u32,
    unbuilt: u32,
    /// Since when it cannot be reached. Not kept on disk: a restart tries anew.
    away: Option<Time>,
}

/// A node's guard, standbys and middles.
#[derive(Default)]
pub(super) struct Guards {
    guards: Vec<Guard>,
    middles: Vec<(NodeId, u32)>,
    changed: bool,
    /// The day of the last addition. Not kept on disk.
    added: u32,
}

/// The guard in use.
#[derive(Clone, Copy)]
pub(super) struct InUse {
    pub(super) node: NodeId,
    pub(super) since: u32,
    pub(super) standby: bool,
    /// Whether it was lately found away: nothing is begun over it before it is back.
    pub(super) away: bool,
}

impl Guards {
    /// The guard that circuits begin at now.
    pub(super) fn in_use(&self, now: Time) -> Option<InUse> {
        let place = |(index, guard): (usize, &Guard)| InUse {
            node: guard.node,
            since: if guard.since == 0 {
                now.day()
            } else {
                guard.since
            },
            standby: index > 0,
            away: guard.away.is_some(),
        };
        let mut all = self.guards.iter().enumerate();
        all.clone()
            .find(|(_, guard)| guard.is_here(now))
            .or_else(|| all.next())
            .map(place)
    }

    /// For how long the first guard has been away, if it is.
    pub(super) fn away_for(&self, now: Time) -> Option<core::time::Duration> {
        let away = self.guards.first()?.away?;
        Some(now.since(away))
    }

    /// Guards to which a link is to be tried: the one in use and all before it.
    pub(super) fn wanted(&self, now: Time) -> Vec<NodeId> {
        let last = self.guards.iter().position(|guard| guard.is_here(now));
        let count = last.map_or(self.guards.len(), |index| index + 1);
        self.guards
            .iter()
            .take(count)
            .map(|guard| guard.node)
            .collect()
    }

    /// Whether a node is a guard of which it is not known yet whether it carries circuits.
    pub(super) fn is_on_trial(&self, node: &NodeId) -> bool {
        self.guards
            .iter()
            .any(|guard| guard.node == *node && !guard.proven)
    }

    /// An answer came back over a guard.
    pub(super) fn held(&mut self, node: &NodeId) {
        for guard in &mut self.guards {
            if guard.node == *node && !guard.proven {
                guard.proven = true;
                self.changed = true;
            }
        }
    }

    /// A circuit over a guard came to nothing, for which its link is not to blame. Says whether the guard is given up:
    /// only one on trial is.
    pub(super) fn fell(&mut self, node: &NodeId, built: bool) -> bool {
        let Some(index) = self.guards.iter().position(|guard| guard.node == *node) else {
            return false;
        };
        let guard = &mut self.guards[index];
        if built {
            guard.fell += 1;
        } else {
            guard.unbuilt += 1;
        }
        let over = !guard.proven && (guard.fell >= TRIAL_FALLS || guard.unbuilt >= TRIAL_BUILDS);
        if over {
            self.guards.remove(index);
            self.changed = true;
        }
        over
    }

    /// Guards and middles: those on whose ids much depends.
    pub(super) fn standing(&self) -> Vec<NodeId> {
        let guards = self.guards.iter().map(|guard| guard.node);
        guards.chain(self.middles()).collect()
    }

    pub(super) fn middles(&self) -> Vec<NodeId> {
        self.middles.iter().map(|(node, _)| *node).collect()
    }

    /// A node cannot be reached. Whether it is a guard.
    pub(super) fn unreachable(&mut self, remote: &LinkPublic, view: &View, now: Time) -> bool {
        let guard = self.of(remote, view);
        guard.map(|guard| guard.away.get_or_insert(now)).is_some()
    }

    /// A link to a node is up. Whether it is a guard.
    pub(super) fn reached(&mut self, remote: &LinkPublic, view: &View) -> bool {
        let guard = self.of(remote, view);
        guard.map(|guard| guard.away = None).is_some()
    }

    pub(super) fn is_one(&self, remote: &LinkPublic, view: &View) -> bool {
        let node = view.node_of(remote);
        node.is_some_and(|node| self.guards.iter().any(|guard| guard.node == node))
    }

    /// When the next guard has been away for so long that its standby's turn has come.
    pub(super) fn due(&self, now: Time) -> Option<Time> {
        let ends = self.guards.iter().filter_map(|guard| guard.away);
        ends.map(|away| away + GUARD_AWAY)
            .filter(|&at| at > now)
            .min()
    }

    /// Whether more are to be chosen, among so many relays.
    pub(super) fn are_few(&self, relays: usize) -> bool {
        self.guards.len() < GUARDS || (self.middles.len() < MIDDLES && relays > 2 * MIDDLES)
    }

    fn of(&mut self, remote: &LinkPublic, view: &View) -> Option<&mut Guard> {
        let node = view.node_of(remote)?;
        self.guards.iter_mut().find(|guard| guard.node == node)
    }

    /// Gives up those whose time is over and chooses others in their place, if `settled`.
    pub(super) fn tick(
        &mut self,
        now: Time,
        view: &View,
        own: &NodeId,
        settled: bool,
        rng: &mut dyn RngCore,
    ) {
        let today = now.day();
        for guard in &mut self.guards {
            let listed = path::may_relay(view, &guard.node);
            let absent = match (listed, guard.absent) {
                (true, _) => 0,
                (false, 0) => today,
                (false, since) => since,
            };
            self.changed |= absent != guard.absent;
            guard.absent = absent;
            if absent != 0 {
                // Who is in no view cannot be reached either, so that its standby has its turn in time.
                guard.away.get_or_insert(now);
            }
        }
        let before = self.guards.len() + self.middles.len();
        self.guards.retain(|guard| {
            (guard.since == 0 || today < guard.until)
                && (guard.absent == 0 || today < guard.absent.saturating_add(GUARD_ABSENT_DAYS))
        });
        // An unsettled view does not know yet who is still there: after a start nobody is.
        self.middles
            .retain(|(node, until)| today < *until && (!settled || path::may_relay(view, node)));
        self.changed |= before != self.guards.len() + self.middles.len();
        if !settled {
            return;
        }
        while self.guards.len() < GUARDS || self.is_one_more_due(now) {
            let Some(node) = self.draw(view, own, rng) else {
                break;
            };
            self.added = today;
            self.guards.push(Guard {
                node,
                since: 0,
                until: 0,
                absent: 0,
                proven: false,
                fell: 0,
                unbuilt: 0,
                away: None,
            });
            self.changed = true;
        }
        let here = self.guards.iter().position(|guard| guard.is_here(now));
        if let Some(guard) = self.guards.get_mut(here.unwrap_or(0))
            && guard.since == 0
        {
            let days = GUARD_DAYS.0 + rng.next_u32() % (GUARD_DAYS.1 + 1);
            (guard.since, guard.until) = (today, today.saturating_add(days));
            self.changed = true;
        }
        // While there is no choice among middles, a set of them would only fix the exits.
        while self.middles.len() < MIDDLES && path::relays(view, own) > 2 * MIDDLES {
            let Some(node) = self.draw(view, own, rng) else {
                break;
            };
            let days = MIDDLE_DAYS.0 + rng.next_u32() % (MIDDLE_DAYS.1 + 1);
            self.middles.push((node, today.saturating_add(days)));
            self.changed = true;
        }
    }

    /// Whether all have been away for so long that another is added.
    fn is_one_more_due(&self, now: Time) -> bool {
        let all_away = self.guards.iter().all(|guard| {
            guard
                .away
                .is_some_and(|since| now.since(since) >= GUARDS_ALL_AWAY)
        });
        all_away && self.guards.len() < GUARDS_MAX && self.added < now.day()
    }

    /// A node that is neither guard nor middle yet, in an address range of its own.
    fn draw(&self, view: &View, own: &NodeId, rng: &mut dyn RngCore) -> Option<NodeId> {
        let taken = |node: &NodeId| {
            let guards = self.guards.iter().map(|guard| &guard.node);
            let mut all = guards.chain(self.middles.iter().map(|(node, _)| node));
            all.any(|other| other == node || view.share_network(other, node))
        };
        let fits = |listing: &Listing| {
            let node = listing.id();
            node != *own && !taken(&node) && !view.suspects(&node)
        };
        view.draw_relay(rng, &fits).map(Listing::id)
    }

    // Disk

    /// What is to be kept, if it has changed since it was last asked for.
    pub(super) fn news(&mut self) -> Option<Vec<u8>> {
        core::mem::take(&mut self.changed).then(|| self.encode())
    }

    /// Version `u8`, count `u8`, guards (node id, since `u32`, until `u32`, absent `u32`, proven `u8` 0 or 1), count `u8`, middles (node id,
    /// until `u32`); days since the epoch.
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, u8::try_from(self.guards.len()).unwrap_or(u8::MAX)];
        for guard in &self.guards {
            out.extend_from_slice(guard.node.as_bytes());
            for day in [guard.since, guard.until, guard.absent] {
                out.extend_from_slice(&day.to_be_bytes());
            }
            out.push(u8::from(guard.proven));
        }
        out.push(u8::try_from(self.middles.len()).unwrap_or(u8::MAX));
        for (node, until) in &self.middles {
            out.extend_from_slice(node.as_bytes());
            out.extend_from_slice(&until.to_be_bytes());
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8()?;
        if ![VERSION, VERSION_UNTRIED].contains(&version) {
            return Err(WireError::Unknown);
        }
        let mut all = Self::default();
        for _ in 0..reader.count8(GUARDS_MAX)? {
            let node = NodeId(reader.array()?);
            let (since, until, absent) = (reader.u32()?, reader.u32()?, reader.u32()?);
            let proven = match version {
                VERSION_UNTRIED => true,
                _ => match reader.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(WireError::Invalid),
                },
            };
            all.guards.push(Guard {
                node,
                since,
                until,
                absent,
                proven,
                fell: 0,
                unbuilt: 0,
                away: None,
            });
        }
        for _ in 0..reader.count8(MIDDLES)? {
            all.middles.push((NodeId(reader.array()?), reader.u32()?));
        }
        reader.end()?;
        Ok(all)
    }
}

impl Guard {
    fn is_here(&self, now: Time) -> bool {
        self.away.is_none_or(|since| now.since(since) < GUARD_AWAY)
    }
}
