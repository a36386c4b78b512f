//! Time for the core: the wall clock when the node started, plus monotonic time.
//!
//! Promises: never goes backwards, whatever is done to the wall clock. If the wall clock runs ahead of it by more than
//! [`SLACK`], it follows: a laptop that slept would otherwise live in yesterday. Does not know what time is used for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use oboro_core::Time;

/// How far the wall clock may be ahead before it is followed: more than a clock corrects in small steps.
const SLACK: Duration = Duration::from_secs(5);

/// A node's clock, shared by everything in it.
pub(crate) struct Clock {
    born: Instant,
    wall: u64,
    /// Microseconds by which the wall clock was found ahead, added up.
    ahead: AtomicU64,
}

impl Clock {
    /// A clock that begins at the wall clock's time.
    pub(crate) fn start() -> Self {
        Self {
            born: Instant::now(),
            wall: wall_micros(),
            ahead: AtomicU64::new(0),
        }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Time {
        Time(self.follow(wall_micros()))
    }

    /// How long the node has run.
    pub(crate) fn uptime(&self) -> Duration {
        self.born.elapsed()
    }

    /// How long from now until `time`; zero if it has passed.
    pub(crate) fn until(&self, time: Time) -> Duration {
        time.since(self.now())
    }

    /// Days since the Unix epoch.
    pub(crate) fn day(&self) -> u32 {
        self.now().day()
    }

    /// Minutes since the Unix epoch by the wall clock, for handshakes: what the other side's clock is compared with.
    pub(crate) fn minute(&self) -> u32 {
        u32::try_from(wall_micros() / 60_000_000).unwrap_or(u32::MAX)
    }

    fn follow(&self, wall: u64) -> u64 {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let elapsed = u64::try_from(self.born.elapsed().as_micros()).unwrap_or(u64::MAX);
        let own = self.wall.saturating_add(elapsed).saturating_add(ahead);
        let jump = wall.saturating_sub(own);
        if u128::from(jump) <= SLACK.as_micros() {
            return own;
        }
        // Two threads may notice the same jump; only the first adds it.
        let next = ahead.saturating_add(jump);
        let swap = self
            .ahead
            .compare_exchange(ahead, next, Ordering::Relaxed, Ordering::Relaxed);
        own.saturating_add(if swap.is_ok() { jump } else { 0 })
    }
}

fn wall_micros() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_set_back_changes_nothing() {
        let clock = Clock::start();
        let before = clock.follow(clock.wall);
        assert!(clock.follow(0) >= before);
    }

    #[test]
    fn a_wall_clock_far_ahead_is_followed_once_and_for_good() {
        let clock = Clock::start();
        let tomorrow = clock.wall + 86_400_000_000;
        assert!(clock.follow(tomorrow) >= tomorrow);
        let later = clock.follow(clock.wall);
        assert!(later >= tomorrow && later < tomorrow + 60_000_000);
    }

    #[test]
    fn a_small_lead_is_left_alone() {
        let clock = Clock::start();
        let lead = clock.wall + 2_000_000;
        assert!(clock.follow(lead) < lead + 1_000_000);
        assert_eq!(clock.ahead.load(Ordering::Relaxed), 0);
    }
}
