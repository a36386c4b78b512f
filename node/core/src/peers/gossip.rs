//! Comparing views with a neighbour: sums, then the buckets that differ, then the descriptors one side lacks.
//!
//! Pure functions over a view: a message in, messages out. A descriptor is news if it was taken; news is offered to
//! neighbours by name ([`super::rumours`]), and what got lost on the way is found by the next comparison. Nobody is told of
//! newcomers whose ids are not checked ([`super::admission`]).

use super::view::{View, short};
use crate::limits::{BUCKETS_PER_DIGEST, DIGEST_ITEMS_MAX};
use crate::wire::control::{
    BUCKET_ITEMS_MAX, BUCKETS, Control, DESCRIPTORS_MAX, OFFER_MAX, WANT_MAX,
};
use crate::wire::listing::Listing;

/// What to say to a neighbour's sums: our content of the buckets that differ.
///
/// `chance` says where to begin, so that over several rounds all buckets, and all of a full one, get their turn.
pub(super) fn on_digest(view: &View, theirs: &[u64; BUCKETS], chance: u32) -> Vec<Control> {
    let ours = view.sums();
    let [offset, ..] = chance.to_le_bytes();
    // In a large network news on its way makes buckets differ all the time, and full ones cost a record each.
    let mut left = DIGEST_ITEMS_MAX;
    (0..=u8::MAX)
        .map(|step| step.wrapping_add(offset))
        .filter(|&bucket| ours[usize::from(bucket)] != theirs[usize::from(bucket)])
        .take(BUCKETS_PER_DIGEST)
        .map(|bucket| list(view, bucket, chance >> 8))
        .take_while(|answer| {
            let before = left;
            if let Control::Bucket(_, items) = answer {
                left = left.saturating_sub(items.len());
            }
            before > 0
        })
        .collect()
}

/// What to say to a neighbour's list of a bucket: what it lacks, and what we would like.
///
/// Of whom we do not know at all no more than `room` are wanted. How many are, and whether there are more, comes with it.
pub(super) fn on_bucket(
    view: &View,
    bucket: u8,
    theirs: &[(u64, u32)],
    room: usize,
) -> (Vec<Control>, usize, bool) {
    let is_window = theirs.len() >= BUCKET_ITEMS_MAX;
    let mut theirs = theirs.to_vec();
    theirs.sort_by_key(|(id, _)| *id);
    let theirs = last_of_each(theirs.into_iter());
    let ends = match (theirs.first(), theirs.last()) {
        (Some((first, _)), Some((last, _))) if is_window => *first..=*last,
        _ => 0..=u64::MAX,
    };
    let (mut news, mut wanted) = (Vec::new(), Vec::new());
    let (mut asked, mut more) = (0, false);
    let mut want = |id: u64, is_new: bool| {
        if is_new && asked >= room {
            more = true;
        } else {
            asked += usize::from(is_new);
            wanted.push(id);
        }
    };
    let ours = view
        .bucket(bucket)
        .map(|listing| (short(listing.id_bytes()), listing));
    let ours = last_of_each(ours.filter(|(id, _)| ends.contains(id)));
    let mut theirs = theirs.into_iter().peekable();
    for (id, listing) in ours {
        while let Some((new, _)) = theirs.next_if(|(other, _)| *other < id) {
            want(new, true);
        }
        match theirs.next_if(|(other, _)| *other == id) {
            Some((_, issued)) if issued == listing.issued() => {}
            Some((_, issued)) if issued > listing.issued() => want(id, false),
            _ => news.push(listing),
        }
    }
    theirs.for_each(|(id, _)| want(id, true));
    wanted.truncate(WANT_MAX);
    news.retain(|listing| view.may_offer(listing));
    let mut answers = pack(news.into_iter());
    if !wanted.is_empty() {
        answers.push(Control::Want(bucket, wanted));
    }
    (answers, asked, more)
}

/// Of those in a row that are named alike the last.
fn last_of_each<T>(all: impl Iterator<Item = (u64, T)>) -> Vec<(u64, T)> {
    let mut last: Vec<(u64, T)> = Vec::new();
    for one in all {
        match last.last_mut().filter(|before| before.0 == one.0) {
            Some(before) => *before = one,
            None => last.push(one),
        }
    }
    last
}

/// Under which name a descriptor is offered.
pub(super) fn name(listing: &Listing) -> (u64, u32) {
    let [a, b, c, d, e, f, g, h, ..] = *listing.id_bytes();
    (
        u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        listing.issued(),
    )
}

/// All nodes whose ids begin so. Ids are only claimed: there may be several, and one must not hide another.
fn named(view: &View, head: u64) -> impl Iterator<Item = &Listing> {
    view.nodes.headed(head)
}

/// Whether it may be of a node that is not known.
pub(super) fn is_new(view: &View, (head, _): (u64, u32)) -> bool {
    named(view, head).next().is_none()
}

/// Whether exactly this is known. What is older than what is known is asked for too: it may be another node's.
pub(super) fn has(view: &View, (head, issued): (u64, u32)) -> bool {
    named(view, head).any(|listing| listing.issued() == issued)
}

/// What to say to a neighbour that asks for what it was offered: that, or what has replaced it.
pub(super) fn on_ask(view: &View, asked: &[(u64, u32)]) -> Vec<Control> {
    let all = asked.iter().flat_map(|&(head, issued)| {
        named(view, head)
            .filter(move |listing| listing.issued() >= issued && view.may_offer(listing))
    });
    pack(all.take(OFFER_MAX))
}

/// What to say to a neighbour's wishes.
pub(super) fn on_want(view: &View, bucket: u8, wanted: &[u64]) -> Vec<Control> {
    let wanted: std::collections::BTreeSet<u64> = wanted.iter().copied().collect();
    pack(
        view.offered(bucket)
            .filter(|listing| wanted.contains(&short(listing.id_bytes()))),
    )
}

/// Descriptors as messages.
pub(super) fn pack<'v>(listings: impl Iterator<Item = &'v Listing>) -> Vec<Control> {
    let all: Vec<Vec<u8>> = listings.map(|listing| listing.encoded().to_vec()).collect();
    all.chunks(DESCRIPTORS_MAX)
        .map(|some| Control::Descriptors(some.to_vec()))
        .collect()
}

/// A bucket as one message: all of it, or, if it is too full, a window of full size at a place that chance names. Who
/// gets a full message compares within its ends only, so that windows of several rounds cover the bucket.
fn list(view: &View, bucket: u8, chance: u32) -> Control {
    let items: Vec<(u64, u32)> = view
        .offered(bucket)
        .map(|listing| (short(listing.id_bytes()), listing.issued()))
        .collect();
    let beyond = items.len().saturating_sub(BUCKET_ITEMS_MAX);
    // Around a node that chance names, so that those at the ends have their turn as often as others.
    let around = chance as usize % items.len().max(1);
    let start = around.saturating_sub(BUCKET_ITEMS_MAX / 2).min(beyond);
    let end = items.len().min(start + BUCKET_ITEMS_MAX);
    Control::Bucket(bucket, items[start..end].to_vec())
}

#[cfg(test)]
#[path = "gossip_tests.rs"]
mod tests;
