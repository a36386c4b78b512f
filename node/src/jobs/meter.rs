//! How fast a job is: bytes per second over the last few seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What counts as the last few seconds.
const WINDOW: Duration = Duration::from_secs(5);

/// Least time between two samples; bounds them to a few dozen.
const STEP: Duration = Duration::from_millis(200);

/// Measures one job.
#[derive(Default)]
pub(super) struct Meter {
    samples: VecDeque<(Instant, u64)>,
}

impl Meter {
    /// Notes how many bytes are done; says the speed in bytes per second.
    pub(super) fn note(&mut self, now: Instant, done: u64) -> u64 {
        while self
            .samples
            .get(1)
            .is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW)
        {
            self.samples.pop_front();
        }
        if self
            .samples
            .back()
            .is_none_or(|(at, _)| now.duration_since(*at) >= STEP)
        {
            self.samples.push_back((now, done));
        }
        let Some((since, before)) = self.samples.front() else {
            return 0;
        };
        let millis = now.duration_since(*since).as_millis();
        let bytes = u128::from(done.saturating_sub(*before));
        match millis {
            0 => 0,
            _ => u64::try_from(bytes * 1000 / millis).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_that_of_the_last_seconds_and_memory_is_bounded() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        let mut speed = 0;
        for step in 0..1000u64 {
            let done = if step < 500 {
                step * 10
            } else {
                5000 + (step - 500) * 1000
            };
            speed = meter.note(start + Duration::from_millis(step * 20), done);
        }
        assert!((48_000..=52_000).contains(&speed), "{speed}");
        assert!(meter.samples.len() <= 27);
    }

    #[test]
    fn a_job_that_stands_still_slows_down_to_nothing() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        meter.note(start, 0);
        assert!(meter.note(start + Duration::from_secs(1), 1_000_000) > 900_000);
        let mut speed = u64::MAX;
        for second in 2..12 {
            speed = meter.note(start + Duration::from_secs(second), 1_000_000);
        }
        assert_eq!(speed, 0);
    }
}
