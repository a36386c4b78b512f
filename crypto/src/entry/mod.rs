//! Sealed entries: what is found under a word.
//!
//! Promises: an entry is of one size whatever it says; who does not know the word can neither read nor write nor alter
//! it, but can check where it belongs, how long it lives, that it was written by someone who knows the word, and what
//! work was done for it; whatever bytes are decoded, nothing panics, and each entry has exactly one encoding.
//! Does not know: who stores entries, how many a location holds, or how answers are ranked.
//!
//! # What is inside, and what is not
//! [`EntryBody`] is sealed with XChaCha20-Poly1305 in exactly 1,024 bytes: nonce 24, body 984, tag 16. The terms that can
//! be computed from the title are not repeated in it: a 300-byte Japanese title has 99 of them, the reader has the title,
//! and [`crate::terms::matches`] checks against it. The body carries the further ones only, those of the publisher's own
//! keywords, as many as fit beside the title ([`EntryBody::new`] chooses; about 400 bytes next to the longest title).
//! An entry that lacks some is still found by them, since it lies under each; merely the local check cannot confirm a
//! query of several words by those left out.
//!
//! # What is outside
//! Version, public write key of the term, index of the placement, day of expiry, nonce of the work, and an Ed25519
//! signature under the write key over the network and everything before it and the sealed part. All of fixed size:
//! [`SealedEntry::ENCODED_LEN`] bytes.

mod body;
mod kind;
mod reader;
mod seal;
mod sealed;
#[cfg(test)]
mod tests;

pub use body::{EntryBody, TITLE_MAX, fit_title};
pub use kind::Kind;
pub use seal::{UnworkedEntry, seal};
pub use sealed::{SEALED_LEN, SealedEntry};

use crate::eris::CapabilityError;

/// Why an entry is not accepted or cannot be opened. Towards whoever sent it, all look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not as long as entries are.
    #[error("an entry has {expected} bytes, this has {found}", expected = SealedEntry::ENCODED_LEN)]
    Length {
        /// What it has.
        found: usize,
    },
    /// Of a version that this program does not know.
    #[error("the entry is of version {0}, which this program does not know")]
    Version(u8),
    /// The network does not have that many placements.
    #[error("the entry names placement {0}, which this network does not have")]
    Index(u8),
    /// Its time is over.
    #[error("the entry has expired")]
    Expired,
    /// It claims a longer life than the network grants.
    #[error("the entry claims to live longer than the network grants")]
    TooLongLived,
    /// Too little work was done for it.
    #[error("the entry shows {found} bits of work, {needed} are needed")]
    Work {
        /// What the network asks for.
        needed: u8,
        /// What it shows.
        found: u8,
    },
    /// Not signed by someone who knows the word.
    #[error("the entry's signature is wrong")]
    Signature,
    /// It belongs to another term than the one it is to be opened with.
    #[error("the entry belongs to another term")]
    OtherTerm,
    /// The sealed part was damaged or sealed for other outer fields.
    #[error("the sealed part of the entry is damaged")]
    Seal,
    /// The content breaks a rule.
    #[error("the entry's content is not acceptable: {0}")]
    Body(#[from] BodyError),
}

/// What is wrong with an entry's content: of the publisher's making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Ends early, goes on after its end, or holds a field in a second spelling.
    #[error("it is malformed")]
    Malformed,
    /// The title is empty, too long, or has control characters.
    #[error("the title is empty, longer than {TITLE_MAX} bytes, or not plain text")]
    Title,
    /// The further terms are not terms, not in order, or do not fit.
    #[error("the terms are malformed or do not fit")]
    Terms,
    /// The capability is no capability.
    #[error(transparent)]
    Capability(#[from] CapabilityError),
    /// The network stores 32 KiB blocks only, and content of this size has another number of levels.
    #[error("size and capability contradict each other")]
    Size,
    /// It was made after its own expiry.
    #[error("it is dated after its expiry")]
    Day,
    /// Signed in the name of a publisher who did not sign it.
    #[error("the publisher's signature is wrong")]
    Publisher,
}
