//! How the quota is shared out among everything in the directory: a pure calculation.
//!
//! Promises: the shares add up to no more than the quota, whatever it is.
//!
//! Does not know: what is really used; `shelf` and `disk` compare with that.

use crate::error::CacheError;
use crate::limits::{ENTRIES_SHARE, REFUSALS_MAX};
use crate::refusals;
use crate::slots::{CHUNKS, ENTRIES};

/// What each part of the directory may grow to, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shares {
    /// Slot files of chunks, and of a damaged database for as long as it is kept.
    pub(crate) chunks: u64,
    /// Slot files of entries.
    pub(crate) entries: u64,
    /// The database, from which on it is made anew: what a single batch may add is left off.
    pub(crate) database: u64,
    /// Refused references that fit.
    pub(crate) refusals: usize,
}

/// The database gets a sixteenth of the quota: a full cache of single chunks and entries needs about a third of that.
const DATABASE_SHARE: u64 = 16;

/// What sled needs with a handful of records, several times over.
const DATABASE_MIN: u64 = 8 << 20;

/// More than the database grows by between two looks at it: one batch (128 KiB of changes, and the pages they touch),
/// and the snapshot sled writes when it opens.
const DATABASE_HEADROOM: u64 = 2 << 20;

/// The refusal list gets a 64th, until all its bound allows fits.
const REFUSALS_SHARE: u64 = 64;

/// Lock, schema and mark: a few blocks of the file system.
const SMALL_FILES: u64 = 64 << 10;

/// Fewer chunks than in four extents are no cache.
const CHUNKS_MIN: u64 = 4 * CHUNKS.group_len();

impl Shares {
    /// Shares out `quota` with `reserve` bytes left off.
    pub(crate) fn of(quota: u64, reserve: u64) -> Result<Self, CacheError> {
        let database = (quota / DATABASE_SHARE).max(DATABASE_MIN);
        let entries = (quota / ENTRIES_SHARE).max(ENTRIES.group_len());
        let refusals = (quota / REFUSALS_SHARE).min(refusals::room_for(REFUSALS_MAX));
        let fixed = [reserve, database, entries, refusals, SMALL_FILES];
        let fixed = fixed
            .iter()
            .fold(0u64, |sum, share| sum.saturating_add(*share));
        let chunks = quota.saturating_sub(fixed);
        if chunks < CHUNKS_MIN {
            // what is fixed grows with the quota, by 9/64 of it: reckon it at that quota
            let least = (reserve.saturating_add(DATABASE_MIN + SMALL_FILES + CHUNKS_MIN) / 3)
                .saturating_mul(4);
            return Err(CacheError::QuotaTooSmall { quota, least });
        }
        Ok(Self {
            chunks,
            entries,
            database: database - DATABASE_HEADROOM.max(database / 8),
            refusals: refusals::fit_into(refusals),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_never_exceed_the_quota(quota: u64, shift in 0u32..50, reserve in 0u64..(1 << 26)) {
            let quota = quota >> shift;
            if let Ok(shares) = Shares::of(quota, reserve) {
                let refusals = refusals::room_for(shares.refusals);
                let sum = shares.chunks + shares.entries + shares.database + refusals + reserve;
                prop_assert!(sum <= quota);
                // chunks get all but about a sixth, and what is fixed
                prop_assert!(shares.chunks + reserve + (9 << 20) >= quota - quota / 6);
            }
        }

        #[test]
        fn the_least_quota_named_is_enough(quota in 0u64..(1 << 24), reserve in 0u64..(1 << 26)) {
            if let Err(CacheError::QuotaTooSmall { least, .. }) = Shares::of(quota, reserve) {
                prop_assert!(Shares::of(least, reserve).is_ok());
            }
        }
    }
}
