//! Comparing views with a neighbour: sums, then the buckets that differ, then the descriptors one side lacks.
//!
//! Pure functions over a view: a message in, messages out. A descriptor is news if it was taken; news is told to all
//! neighbours at once, and what got lost on the way is found by the next comparison.

use std::collections::BTreeMap;

use super::view::{Known, View, short};
use crate::limits::BUCKETS_PER_DIGEST;
use crate::wire::control::{BUCKET_ITEMS_MAX, BUCKETS, Control, DESCRIPTORS_MAX, WANT_MAX};

/// What to say to a neighbour's sums: our content of the buckets that differ.
///
/// `chance` says where to begin, so that over several rounds all buckets, and all of a full one, get their turn.
pub(super) fn on_digest(view: &View, theirs: &[u64; BUCKETS], chance: u32) -> Vec<Control> {
    let ours = view.sums();
    let [offset, ..] = chance.to_le_bytes();
    (0..=u8::MAX)
        .map(|step| step.wrapping_add(offset))
        .filter(|&bucket| ours[usize::from(bucket)] != theirs[usize::from(bucket)])
        .take(BUCKETS_PER_DIGEST)
        .map(|bucket| list(view, bucket, chance >> 8))
        .collect()
}

/// What to say to a neighbour's list of a bucket: what it lacks, and what we would like.
pub(super) fn on_bucket(view: &View, bucket: u8, theirs: &[(u64, u32)]) -> Vec<Control> {
    let is_window = theirs.len() >= BUCKET_ITEMS_MAX;
    let theirs: BTreeMap<u64, u32> = theirs.iter().copied().collect();
    let ends = match (theirs.first_key_value(), theirs.last_key_value()) {
        (Some((first, _)), Some((last, _))) if is_window => *first..=*last,
        _ => 0..=u64::MAX,
    };
    let ours: BTreeMap<u64, &Known> = view
        .bucket(bucket)
        .map(|known| (short(&known.descriptor.id), known))
        .filter(|(id, _)| ends.contains(id))
        .collect();
    let newer = ours.iter().filter(|(id, known)| {
        theirs
            .get(id)
            .is_none_or(|issued| *issued < known.descriptor.issued)
    });
    let mut answers = pack(newer.map(|(_, known)| known.encoded.clone()).collect());
    let wanted: Vec<u64> = theirs
        .iter()
        .filter(|(id, issued)| {
            ours.get(id)
                .is_none_or(|known| known.descriptor.issued < **issued)
        })
        .map(|(id, _)| *id)
        .take(WANT_MAX)
        .collect();
    if !wanted.is_empty() {
        answers.push(Control::Want(bucket, wanted));
    }
    answers
}

/// What to say to a neighbour's wishes.
pub(super) fn on_want(view: &View, bucket: u8, wanted: &[u64]) -> Vec<Control> {
    let wanted: std::collections::BTreeSet<u64> = wanted.iter().copied().collect();
    pack(
        view.bucket(bucket)
            .filter(|known| wanted.contains(&short(&known.descriptor.id)))
            .map(|known| known.encoded.clone())
            .collect(),
    )
}

/// Descriptors as messages.
pub(super) fn pack(descriptors: Vec<Vec<u8>>) -> Vec<Control> {
    descriptors
        .chunks(DESCRIPTORS_MAX)
        .map(|some| Control::Descriptors(some.to_vec()))
        .collect()
}

/// A bucket as one message: all of it, or, if it is too full, a window of full size at a place that chance names. Who
/// gets a full message compares within its ends only, so that windows of several rounds cover the bucket.
fn list(view: &View, bucket: u8, chance: u32) -> Control {
    let items: Vec<(u64, u32)> = view
        .bucket(bucket)
        .map(|known| (short(&known.descriptor.id), known.descriptor.issued))
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
