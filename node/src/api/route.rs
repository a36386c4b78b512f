//! By which way requests went, and what that hides from whom: said in numbers for programs and in one line for people.
//!
//! The words are chosen so that nobody believes himself better hidden than he is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Relays a request takes to hide who asks: guard, middle and exit. With fewer, somebody learns it.
pub const HOPS_FULL: u8 = 3;

/// The way a job's or a search's requests went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Relays between this node and the storers; 0: the storers saw this node.
    pub hops: u8,
    /// For how many days the guard has been kept; `None` without a guard.
    #[serde(default)]
    pub guard_days: Option<u32>,
    /// Other nodes known that relay.
    pub relays: u32,
}

impl fmt::Display for Route {
    /// One honest line: `3 hops, guard 12 days old, 214 relays known`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hops {
            0 => return f.write_str("0 hops: not anonymous, the storers saw this node"),
            hops => f.write_str(&hops_and_limit(hops))?,
        }
        if let Some(days) = self.guard_days {
            write!(f, ", guard {}", guard_age(days))?;
        }
        let relays = if self.relays == 1 { "relay" } else { "relays" };
        write!(f, ", {} {relays} known", self.relays)
    }
}

/// How many relays, and against whom they don't help if they are too few.
#[must_use]
pub(crate) fn hops_and_limit(hops: u8) -> String {
    match hops {
        0 => "0 hops: not anonymous, storers see this node".into(),
        1 => "1 hop: not anonymous against that relay".into(),
        2 => "2 hops: not anonymous against those two relays together".into(),
        _ => format!("{hops} hops"),
    }
}

/// How old a guard is: `new today`, `1 day old`, `12 days old`.
#[must_use]
pub(crate) fn guard_age(days: u32) -> String {
    match days {
        0 => "new today".into(),
        1 => "1 day old".into(),
        _ => format!("{days} days old"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_one_line_that_promises_nothing_it_does_not_keep() {
        let line = |hops, guard_days, relays| {
            Route {
                hops,
                guard_days,
                relays,
            }
            .to_string()
        };
        for (said, expected) in [
            (
                line(3, Some(12), 214),
                "3 hops, guard 12 days old, 214 relays known",
            ),
            (
                line(3, Some(1), 9),
                "3 hops, guard 1 day old, 9 relays known",
            ),
            (
                line(4, Some(0), 1),
                "4 hops, guard new today, 1 relay known",
            ),
            (line(3, None, 5), "3 hops, 5 relays known"),
            (
                line(2, Some(0), 3),
                "2 hops: not anonymous against those two relays together, guard new today, 3 relays known",
            ),
            (
                line(1, Some(3), 2),
                "1 hop: not anonymous against that relay, guard 3 days old, 2 relays known",
            ),
            (
                line(0, None, 7),
                "0 hops: not anonymous, the storers saw this node",
            ),
        ] {
            assert_eq!(said, expected);
        }
    }
}
