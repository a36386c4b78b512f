//! Listed nodes in an order: by id, or by link key, read where it lies, so that a place in an order is one pointer.

use std::borrow::Borrow;
use std::cmp::Ordering;

use crate::wire::listing::Listing;

/// A node in the order of ids, or, if `LINK`, of link keys.
pub(super) struct By<const LINK: bool>(pub(super) Listing);

impl<const LINK: bool> By<LINK> {
    fn key(&self) -> &[u8; 32] {
        if LINK {
            self.0.link_bytes()
        } else {
            self.0.id_bytes()
        }
    }
}

impl<const LINK: bool> Borrow<[u8; 32]> for By<LINK> {
    fn borrow(&self) -> &[u8; 32] {
        self.key()
    }
}

impl<const LINK: bool> Ord for By<LINK> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key())
    }
}

impl<const LINK: bool> PartialOrd for By<LINK> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const LINK: bool> PartialEq for By<LINK> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<const LINK: bool> Eq for By<LINK> {}
