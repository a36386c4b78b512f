//! What attacks in a world came to: figures with their errors, by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::models::measure::Estimate;
use crate::scenario::Bounds;

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Its value.
    pub value: f64,
    /// Its standard error; 0 where it was counted and not sampled.
    pub error: f64,
    /// Over how many.
    pub of: u64,
}

/// All figures of a run.
pub type Measures = BTreeMap<String, Measured>;

impl Measured {
    /// A sampled figure.
    #[must_use]
    pub fn sampled(estimate: Estimate, of: usize) -> Self {
        Self {
            value: round(estimate.value),
            error: round(estimate.error),
            of: of as u64,
        }
    }

    /// A share of so many.
    #[must_use]
    pub fn share(hits: usize, of: usize) -> Self {
        Self::sampled(Estimate::share(hits as u64, of as u64), of)
    }

    /// Something counted or computed.
    #[must_use]
    pub fn exact(value: f64, of: usize) -> Self {
        Self {
            value: round(value),
            error: 0.0,
            of: of as u64,
        }
    }

    /// Whether it lies where it must.
    #[must_use]
    pub fn within(&self, bounds: &Bounds) -> bool {
        let slack = bounds.errors * self.error;
        bounds.least.is_none_or(|least| self.value + slack >= least)
            && bounds.most.is_none_or(|most| self.value - slack <= most)
    }
}

/// What of these does not lie where it must, in words.
#[must_use]
pub fn missed(measures: &Measures, bounds: &BTreeMap<String, Bounds>) -> Vec<String> {
    let outside = |(name, bounds): (&String, &Bounds)| match measures.get(name) {
        None => Some(format!("{name}: not measured")),
        Some(is) if is.within(bounds) => None,
        Some(is) => Some(format!(
            "{name}: {:.4} ± {:.4}, expected {:?} to {:?}",
            is.value, is.error, bounds.least, bounds.most
        )),
    };
    bounds.iter().filter_map(outside).collect()
}

/// Four digits behind the point, as in all reports.
fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(least: f64, most: f64, errors: f64) -> Bounds {
        Bounds {
            least: Some(least),
            most: Some(most),
            errors,
        }
    }

    #[test]
    fn a_figure_may_lie_outside_by_as_many_errors_as_are_granted() {
        let measured = Measured {
            value: 0.53,
            error: 0.01,
            of: 100,
        };
        assert!(measured.within(&bounds(0.5, 0.53, 0.0)));
        assert!(measured.within(&bounds(0.48, 0.52, 1.0)));
        assert!(!measured.within(&bounds(0.48, 0.52, 0.9)));
        assert!(!measured.within(&bounds(0.55, 0.6, 1.0)));
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        let wanted = BTreeMap::from([("a".to_owned(), Bounds::default())]);
        assert_eq!(missed(&Measures::new(), &wanted).len(), 1);
        let all = Measures::from([("a".to_owned(), Measured::share(1, 2))]);
        assert!(missed(&all, &wanted).is_empty());
    }
}
