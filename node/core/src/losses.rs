//! How often the way to a node may fail under one request before it is given up.

use core::time::Duration;

use crate::circuit::Loss;
use crate::exchange::Trouble;
use crate::limits::{FURTHER_BUILDS, FURTHER_CIRCUITS, LOST_WAIT};

/// Circuits that failed under one request, one after another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Which were built: each further one is a new chance for whoever drops what he cannot see.
    circuits: u32,
    /// Which were not: most often a relay that is gone. Nothing was said over them.
    builds: u32,
}

impl Losses {
    /// One more. False if it must be the last.
    pub(crate) const fn again(&mut self, trouble: Trouble) -> bool {
        match trouble {
            // The link to the guard comes back or it does not: patience bounds that.
            Trouble::Lost(Loss::Guard) => true,
            Trouble::Lost(Loss::Build) => {
                self.builds += 1;
                self.builds <= FURTHER_BUILDS
            }
            _ => {
                self.circuits += 1;
                self.circuits <= FURTHER_CIRCUITS
            }
        }
    }

    pub(crate) const fn count(self) -> u32 {
        self.circuits + self.builds
    }

    /// How long to wait before the next.
    pub(crate) fn wait(self) -> Duration {
        LOST_WAIT * self.count().min(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuits_that_held_nothing_back_are_tried_more_often_than_those_that_did() {
        let mut losses = Losses::default();
        let builds = (0..100)
            .take_while(|_| losses.again(Trouble::Lost(Loss::Build)))
            .count();
        assert_eq!(builds, FURTHER_BUILDS as usize);
        let mut losses = Losses::default();
        let circuits = (0..100)
            .take_while(|_| losses.again(Trouble::Lost(Loss::Circuit)))
            .count();
        assert_eq!(circuits, FURTHER_CIRCUITS as usize);
        assert!((0..100).all(|_| Losses::default().again(Trouble::Lost(Loss::Guard))));
    }
}
