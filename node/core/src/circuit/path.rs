//! Which nodes a circuit leads over: a pure choice over a view.

use std::collections::BTreeSet;

use oboro_crypto::ids::NodeId;
use rand_core::RngCore;

use crate::peers::{View, weight};
use crate::wire::listing::Listing;

/// What a path must be like.
pub(super) struct Wish<'a> {
    pub(super) own: NodeId,
    /// Relays in all, the guard among them: 1 to 3.
    pub(super) hops: u8,
    pub(super) guard: NodeId,
    /// Who stands in the middle, unless all of them are in doubt.
    pub(super) middles: &'a [NodeId],
    /// Who may not be on it: where its streams lead.
    pub(super) avoid: &'a BTreeSet<NodeId>,
    /// Who had better not be on it.
    pub(super) doubted: &'a dyn Fn(&NodeId) -> bool,
}

/// A path, the guard first; `None` if the view has none. No node is on it twice, nor are two of one address range, nor
/// this node itself.
pub(super) fn choose(view: &View, wish: &Wish<'_>, rng: &mut dyn RngCore) -> Option<Vec<NodeId>> {
    if wish.avoid.contains(&wish.guard) || !may_relay(view, &wish.guard) {
        return None;
    }
    let mut path = vec![wish.guard];
    if wish.hops >= 2 {
        path.push(draw(view, wish, &path, None, rng)?);
    }
    if wish.hops >= 3 {
        let middle = draw(view, wish, &path, Some(wish.middles), rng)
            .or_else(|| draw(view, wish, &path, None, rng))?;
        path.insert(1, middle);
    }
    Some(path)
}

/// How many other nodes could be on paths.
pub(super) fn relays(view: &View, own: &NodeId) -> usize {
    view.relays()
        .saturating_sub(usize::from(may_relay(view, own)))
}

pub(super) fn may_relay(view: &View, node: &NodeId) -> bool {
    view.get(node).is_some_and(|listing| listing.roles().relay)
}

/// One more node for a path, by chance and capacity; of those not in doubt if there is one.
fn draw(
    view: &View,
    wish: &Wish<'_>,
    path: &[NodeId],
    among: Option<&[NodeId]>,
    rng: &mut dyn RngCore,
) -> Option<NodeId> {
    let fits = |node: &NodeId| {
        *node != wish.own
            && !wish.avoid.contains(node)
            && may_relay(view, node)
            && path
                .iter()
                .all(|other| other != node && !view.share_network(other, node))
    };
    let Some(few) = among else {
        let trusted = |listing: &Listing| {
            let node = listing.id();
            fits(&node) && !(wish.doubted)(&node)
        };
        let drawn = view.draw_relay(rng, &trusted);
        let drawn = drawn.or_else(|| view.draw_relay(rng, &|listing| fits(&listing.id())));
        return drawn.map(Listing::id);
    };
    // When none of the few can be relied on, another serves better than one that is known not to.
    let trusted = few
        .iter()
        .copied()
        .filter(|node| fits(node) && !(wish.doubted)(node));
    weighted(view, &trusted.collect::<Vec<_>>(), rng)
}

/// One of these few, by chance and capacity.
fn weighted(view: &View, nodes: &[NodeId], rng: &mut dyn RngCore) -> Option<NodeId> {
    let weight = |node: &NodeId| {
        view.get(node)
            .map_or(0, |listing| u64::from(weight(listing)))
    };
    let total: u64 = nodes.iter().map(weight).sum();
    let mut left = rng.next_u64().checked_rem(total)?;
    nodes.iter().copied().find(|node| {
        let weight = weight(node);
        let found = left < weight;
        left = left.saturating_sub(weight);
        found
    })
}
