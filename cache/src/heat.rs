//! How often extents were asked for since their record was last written.
//!
//! Requests count on a logarithmic scale, so a record needs to be written at powers of two only; what lies between is
//! kept here, and is lost with the process.
//!
//! Promises: bounded memory; a record is written a few times, not at every request.
//!
//! Does not know: records or requests.

use std::collections::BTreeMap;

use crate::sealing::Blind;

/// Extents counted at once, 0.5 MiB. When it is full all counts are dropped: each falls back to its last power of two.
const EXTENTS_MAX: usize = 16_384;

/// Counts between powers of two.
#[derive(Default)]
pub(crate) struct Heat(BTreeMap<Blind, u32>);

impl Heat {
    /// Counts a request to an extent whose record says `recorded`. `Some` is what to write into the record now.
    pub(crate) fn ask(&mut self, extent: Blind, recorded: u32) -> Option<u32> {
        let known = self.0.get(&extent).copied().unwrap_or(0).max(recorded);
        let asked = known.saturating_add(1);
        if asked.is_power_of_two() {
            self.0.remove(&extent);
            return Some(asked);
        }
        if self.0.len() >= EXTENTS_MAX {
            self.0.clear();
        }
        self.0.insert(extent, asked);
        None
    }

    /// Forgets an extent that is gone.
    pub(crate) fn forget(&mut self, extent: &Blind) {
        self.0.remove(extent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_at_powers_of_two() {
        let mut heat = Heat::default();
        let mut recorded = 0;
        let mut written = Vec::new();
        for _ in 0..40 {
            if let Some(asked) = heat.ask([1; 16], recorded) {
                recorded = asked;
                written.push(asked);
            }
        }
        assert_eq!(written, [1, 2, 4, 8, 16, 32]);
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_starts_at_its_record() {
        let mut heat = Heat::default();
        for i in 0..2 * EXTENTS_MAX as u32 {
            let mut extent = [0; 16];
            extent[..4].copy_from_slice(&i.to_be_bytes());
            heat.ask(extent, 2);
            assert!(heat.0.len() <= EXTENTS_MAX);
        }
        assert_eq!(heat.ask([0xFF; 16], 2), None);
        assert_eq!(heat.ask([0xFF; 16], 2), Some(4));
        assert_eq!(heat.ask([0xEE; 16], 2), None);
        heat.forget(&[0xEE; 16]);
        assert_eq!(heat.ask([0xEE; 16], 2), None);
    }
}
