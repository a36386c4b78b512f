//! Which of how many placements of an extent: one byte, on the wire and in a store.
//!
//! The low half is the index, the high half the number of placements less one. A high half of 0 means as many as the
//! network file says, which is how everything was placed before extents of different classes had different numbers.

use oboro_crypto::network::{Class, Params};

/// One placement of an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placement(u8);

impl Placement {
    /// Placement `index` of `copies`, at most 16; more wraps into what no storer takes.
    #[must_use]
    pub const fn new(index: u8, copies: u8) -> Self {
        Self((copies.wrapping_sub(1) << 4) | (index & 15))
    }

    /// Reads what [`Placement::byte`] writes: any byte.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// As it is sent and kept.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// Its number, counted from 0.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.0 & 15
    }

    /// How many placements the extent has; `None` if that is no number anything has on this network, or this is not one
    /// of them. Other numbers are refused: a publisher shall not choose how much work storers make themselves.
    #[must_use]
    pub fn copies(self, params: &Params) -> Option<u8> {
        let copies = match self.0 >> 4 {
            0 => params.replicas,
            less => less + 1,
        };
        let known = [Class::Word, Class::Alone, Class::Grouped];
        let known = known.iter().any(|class| params.copies(*class) == copies);
        (known && self.index() < copies).then_some(copies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_placements_and_other_numbers_are_refused() {
        let params = Params::public();
        for (copies, count) in [(8, 8), (2, 2), (4, 4), (3, 0), (16, 0)] {
            let taken = (0..16)
                .map(|index| Placement::new(index, copies))
                .filter(|placement| placement.copies(&params) == Some(copies));
            assert_eq!(taken.count(), count, "{copies}");
        }
    }

    #[test]
    fn a_byte_of_earlier_versions_means_as_many_as_the_network_has() {
        let params = Params::public();
        assert_eq!(Placement::from_byte(3).copies(&params), Some(4));
        assert_eq!(Placement::from_byte(4).copies(&params), None);
        for byte in 0..=255 {
            let placement = Placement::from_byte(byte);
            assert_eq!(placement.byte(), byte);
            if let Some(copies) = placement.copies(&params)
                && byte > 15
            {
                assert_eq!(Placement::new(placement.index(), copies), placement);
            }
        }
    }
}
