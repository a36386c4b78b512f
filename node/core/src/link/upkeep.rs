//! What time and scarcity do to links and streams: pings, patience, room for new ones. Knows no peer's merit.

use super::mux::Link;
use oboro_crypto::ids::LinkPublic;
use oboro_crypto::record::RECORD_PLAIN;

use super::{Control, Ctx, LinkId, Links, Place, Stream, Time};
use crate::limits::{LINK_IDLE, LINKS_MAX, PING_TOGETHER, STREAM_LINGER, STREAMS_ACCEPTED_MAX};
use crate::stats::Held;

/// A link over which something came, or was asked for, within this is not asked again.
const ASK_AGAIN: core::time::Duration = core::time::Duration::from_secs(1);

impl Links {
    /// When something is due: reckoned at each look, and between two looks only found earlier ([`Links::look_by`]). Who
    /// puts something off, as whatever is heard does, says nothing.
    pub(crate) const fn deadline(&self) -> Option<Time> {
        self.due
    }

    /// Asks for a look at that time at the latest.
    pub(super) fn look_by(&mut self, at: Time) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Asks for a look when a link is to be closed for being idle, if it carries nothing now.
    pub(super) fn look_if_idle(&mut self, link: LinkId) {
        let idle = self.links.get(&link).and_then(|link| self.idle_at(link));
        if let Some(at) = idle {
            self.look_by(at);
        }
    }

    /// Closes links that are silent, stuck or idle, asks the others whether they live.
    pub(crate) fn tick(&mut self, ctx: &mut Ctx<'_>) {
        let mut shut = Vec::new();
        let mut quiet = Vec::new();
        let soon = ctx.now + PING_TOGETHER;
        for (&id, link) in self.links.iter().filter(|(_, link)| !link.closing) {
            let idle = self.idle_at(link).is_some_and(|at| at <= ctx.now);
            if idle || link.is_dead(ctx.now) {
                shut.push(id);
            } else if link.ask_at() <= soon {
                quiet.push(id);
            }
        }
        shut.into_iter().for_each(|id| self.shut(id, ctx));
        quiet.into_iter().for_each(|id| self.ping(id, ctx));
        let links = self.links.iter();
        let full = links.filter(|(_, link)| !link.streams.is_empty());
        let full: Vec<LinkId> = full.map(|(&id, _)| id).collect();
        for id in full {
            self.give_up_lingering(id, ctx);
        }
        let open = self.links.values().filter(|link| !link.closing);
        let due = open.map(|link| {
            let due = link.due_at();
            self.idle_at(link).map_or(due, |idle| idle.min(due))
        });
        self.due = due.min();
    }

    /// Asks a node over its links whether it lives, if nothing was heard of it and it was not asked lately.
    pub(crate) fn ask(&mut self, remote: &LinkPublic, ctx: &mut Ctx<'_>) {
        for id in self.by_remote.get(remote).cloned().unwrap_or_default() {
            let quiet = self.links.get(&id).is_some_and(|link| {
                let last = link.heard.max(link.asked);
                !link.closing && ctx.now.since(last) >= ASK_AGAIN
            });
            if quiet {
                self.ping(id, ctx);
            }
        }
    }

    /// When a node was last heard over a link.
    pub(crate) fn heard(&self, remote: &LinkPublic) -> Option<Time> {
        let all = self.by_remote.get(remote)?.iter();
        all.filter_map(|id| Some(self.links.get(id)?.heard)).max()
    }

    /// Closes all links to a node.
    pub(crate) fn shut_all(&mut self, remote: &LinkPublic, ctx: &mut Ctx<'_>) {
        for id in self.by_remote.get(remote).cloned().unwrap_or_default() {
            self.shut(id, ctx);
        }
    }

    pub(super) fn ping(&mut self, link: LinkId, ctx: &mut Ctx<'_>) {
        let nonce = rand_core::RngCore::next_u64(ctx.rng);
        if let Some(entry) = self.links.get_mut(&link) {
            entry.pinged = Some((nonce, ctx.now));
            entry.asked = ctx.now;
        }
        self.send(link, &Control::Ping(nonce), ctx);
    }

    /// Makes room for one more link by closing the one that is least missed. False if all are in use.
    pub(super) fn make_room(&mut self, ctx: &mut Ctx<'_>) -> bool {
        if self.links.len() < LINKS_MAX {
            return true;
        }
        let idle = self
            .links
            .iter()
            .filter(|(_, link)| {
                link.carries_nothing() && !link.closing && !self.kept.contains(&link.remote)
            })
            .min_by_key(|(_, link)| link.used)
            .map(|(&id, _)| id);
        if let Some(id) = idle {
            self.shut(id, ctx);
        }
        idle.is_some()
    }

    /// Whether one more stream of others may hold something here. If need be, what one that is over has not sent yet is
    /// dropped for it: one of the link that has most of those.
    pub(super) fn has_room_for_stream(&mut self) -> bool {
        let held: usize = self
            .links
            .values()
            .map(|link| link.theirs_held().count())
            .sum();
        if held < STREAMS_ACCEPTED_MAX {
            return true;
        }
        let most = self
            .links
            .iter()
            .max_by_key(|(_, link)| link.lingering().count())
            .and_then(|(&id, link)| Some((id, link.lingering().next()?)));
        let Some((link, number)) = most else {
            return false;
        };
        if let Some(stream) = self.stream(link, number) {
            stream.fail();
        }
        self.touch(link, number);
        true
    }

    /// How each link stands.
    pub(crate) fn standing(
        &self,
    ) -> impl Iterator<Item = (LinkPublic, crate::stats::PeerStanding)> + '_ {
        self.links.values().map(|link| {
            let standing = crate::stats::PeerStanding {
                node: None,
                address: link.address,
                dialed: link.dialed,
                rtt_micros: link.rtt_micros,
                bytes_in: link.records_in * RECORD_PLAIN as u64,
                bytes_out: link.records_out * RECORD_PLAIN as u64,
                since: link.since,
            };
            (link.remote, standing)
        })
    }

    /// How much is held for others.
    pub(crate) fn held(&self) -> Held {
        let streams = || self.links.values().flat_map(|link| link.streams.values());
        let controls: usize = self.links.values().map(Link::waiting_control).sum();
        let early = self.streams.values().map(|place| match place {
            Place::Waiting(_, _, written, _) => written.iter().map(Vec::len).sum(),
            Place::On(..) => 0,
        });
        Held {
            links: self.links.len(),
            dials: self.dials.len(),
            streams: streams().count(),
            hops: self.links.values().map(|link| link.hops.len()).sum(),
            cells: self.cells_queued,
            unsent: streams().map(Stream::unsent).sum::<usize>() + controls + early.sum::<usize>(),
            unread: streams().map(|stream| stream.peek().len()).sum(),
            ..Held::default()
        }
    }

    /// When a link counts as idle, if it may be closed for that: only whoever dialled does so.
    fn idle_at(&self, link: &Link) -> Option<Time> {
        let may_close = link.dialed && link.carries_nothing() && !self.kept.contains(&link.remote);
        may_close.then(|| link.used + LINK_IDLE)
    }

    /// Drops what streams that ended long ago have still not sent.
    fn give_up_lingering(&mut self, link: LinkId, ctx: &mut Ctx<'_>) {
        let Some(entry) = self.links.get(&link) else {
            return;
        };
        let late: Vec<u32> = entry
            .streams
            .iter()
            .filter(|(_, stream)| {
                stream
                    .lingers_since()
                    .is_some_and(|since| since + STREAM_LINGER <= ctx.now)
            })
            .map(|(&number, _)| number)
            .collect();
        for number in late {
            ctx.stats.dropped("stream_unread");
            if let Some(stream) = self.stream(link, number) {
                stream.fail();
            }
            self.touch(link, number);
        }
    }
}
