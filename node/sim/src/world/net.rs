//! The network between nodes: how long something takes, and whether it comes at all.

use std::time::Duration;

use oboro_core::Time;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use super::chance;
use crate::scenario;

/// Bytes of a TCP segment.
const SEGMENT: f64 = 1448.0;

/// A node's line.
#[derive(Clone, Copy)]
pub(super) struct Line {
    x: f64,
    y: f64,
    /// One way, in milliseconds.
    access_ms: f64,
    /// Bytes a second.
    up: f64,
    down: f64,
    /// Until when it is busy with what was sent before.
    up_until: Time,
    down_until: Time,
    /// In which half it is when the network falls apart, and whether it is among the deaf.
    half: bool,
    deaf: bool,
}

/// When paths between some nodes are closed.
#[derive(Clone, Copy)]
enum Gap {
    Split { from: Time, to: Time },
    Deaf { from: Time, to: Time },
}

/// The whole network.
pub(super) struct Net {
    lines: Vec<Line>,
    loss: f64,
    gaps: Vec<Gap>,
}

impl Net {
    pub(super) const fn new(setting: &scenario::Net) -> Self {
        Self {
            lines: Vec::new(),
            loss: setting.loss,
            gaps: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, setting: &scenario::Net, rng: &mut ChaCha20Rng) {
        let mut rate = |mbit: f64| {
            let factor = 4f64.powf(chance::unit(rng) * 2.0 - 1.0);
            mbit * factor * 125_000.0
        };
        let (up, down) = (rate(setting.up_mbit), rate(setting.down_mbit));
        let across = setting.across_ms as f64 / std::f64::consts::SQRT_2;
        self.lines.push(Line {
            x: chance::unit(rng) * across,
            y: chance::unit(rng) * across,
            access_ms: chance::exponential(rng, setting.line_ms as f64),
            up,
            down,
            up_until: Time::default(),
            down_until: Time::default(),
            half: rng.next_u32().is_multiple_of(2),
            deaf: false,
        });
    }

    /// One way, without anything on the line.
    pub(super) fn delay(&self, from: usize, to: usize) -> Duration {
        let (a, b) = (&self.lines[from], &self.lines[to]);
        let way = (a.x - b.x).hypot(a.y - b.y) + a.access_ms + b.access_ms + 0.2;
        Duration::from_micros((way * 1000.0) as u64)
    }

    /// From now on, for so long, the halves do not hear each other.
    pub(super) fn split(&mut self, from: Time, lasts: Duration) {
        let to = from + lasts;
        self.gaps.push(Gap::Split { from, to });
    }

    /// From now on, for so long, nothing comes from these nodes to the others.
    pub(super) fn deafen(&mut self, nodes: &[usize], from: Time, lasts: Duration) {
        for line in &mut self.lines {
            line.deaf = false;
        }
        for &node in nodes {
            self.lines[node].deaf = true;
        }
        let to = from + lasts;
        self.gaps.push(Gap::Deaf { from, to });
    }

    /// Until when the path is closed, if it is.
    pub(super) fn closed_until(&self, from: usize, to: usize, now: Time) -> Option<Time> {
        let (a, b) = (&self.lines[from], &self.lines[to]);
        let until = self.gaps.iter().filter_map(|gap| match *gap {
            Gap::Split { from, to } if a.half != b.half && (from..to).contains(&now) => Some(to),
            Gap::Deaf { from, to } if a.deaf && !b.deaf && (from..to).contains(&now) => Some(to),
            _ => None,
        });
        until.max()
    }

    /// When so many bytes that are sent now arrive. A closed path delays them until it opens: TCP tries for ever.
    pub(super) fn arrival(
        &mut self,
        from: usize,
        to: usize,
        bytes: usize,
        now: Time,
        rng: &mut ChaCha20Rng,
    ) -> Time {
        let way = self.delay(from, to);
        let mut up = self.lines[from].up;
        let down = self.lines[to].down;
        let mut late = Duration::ZERO;
        if self.loss > 0.0 {
            let rtt = way.as_secs_f64() * 2.0;
            // Mathis et al. 1997: what TCP reaches under loss.
            up = up.min(1.22 * SEGMENT / (rtt.max(0.001) * self.loss.sqrt()));
            late = self.retransmissions(bytes, rtt, rng);
        }
        let sent = self.lines[from].up_until.max(now) + seconds(bytes as f64 / up);
        self.lines[from].up_until =
            self.lines[from].up_until.max(now) + seconds(bytes as f64 / self.lines[from].up);
        let arrived = (sent + way).max(self.lines[to].down_until) + late;
        self.lines[to].down_until =
            (now + way).max(self.lines[to].down_until) + seconds(bytes as f64 / down);
        match self.closed_until(from, to, now) {
            // The timer of the last try before the gap ends has doubled many times: some of it is still to run.
            Some(until) => (until + seconds(chance::unit(rng) * 60.0)).max(arrived),
            None => arrived,
        }
    }

    /// What lost segments cost: a round trip where others follow that show the loss, a timeout where none do.
    fn retransmissions(&self, bytes: usize, rtt: f64, rng: &mut ChaCha20Rng) -> Duration {
        let segments = (bytes as f64 / SEGMENT).ceil() as usize;
        let mut late = 0.0f64;
        for left in (0..segments).rev() {
            let mut this = 0.0;
            let mut timeout = (rtt * 2.0).max(0.2);
            let mut first = true;
            while chance::unit(rng) < self.loss && this < 60.0 {
                if first && left >= 3 {
                    this += rtt;
                } else {
                    this += timeout;
                    timeout *= 2.0;
                }
                first = false;
            }
            late = late.max(this);
        }
        seconds(late)
    }
}

fn seconds(value: f64) -> Duration {
    Duration::from_micros((value * 1_000_000.0) as u64)
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    fn pair(loss: f64) -> (Net, ChaCha20Rng) {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let setting = scenario::Net {
            loss,
            ..scenario::Net::default()
        };
        let mut net = Net::new(&setting);
        for _ in 0..8 {
            net.add(&setting, &mut rng);
        }
        (net, rng)
    }

    #[test]
    fn loss_delays_and_nothing_is_lost() {
        let ((mut clean, mut rng), (mut lossy, mut other)) = (pair(0.0), pair(0.15));
        let now = Time::from_secs(100);
        let mean = |net: &mut Net, rng: &mut ChaCha20Rng| {
            let all = (0..200).map(|at| {
                let now = now + Duration::from_secs(at);
                net.arrival(0, 1, 4096, now, rng).since(now).as_secs_f64()
            });
            all.sum::<f64>() / 200.0
        };
        assert!(mean(&mut lossy, &mut other) > 1.5 * mean(&mut clean, &mut rng));
    }

    #[test]
    fn halves_hear_each_other_again_when_the_gap_ends() {
        let (mut net, mut rng) = pair(0.0);
        let apart = (1..8)
            .find(|&other| net.lines[other].half != net.lines[0].half)
            .unwrap();
        let now = Time::from_secs(100);
        net.split(now, Duration::from_secs(60));
        assert!(net.arrival(0, apart, 100, now, &mut rng) >= Time::from_secs(160));
        assert!(net.closed_until(apart, 0, Time::from_secs(159)).is_some());
        assert!(net.closed_until(apart, 0, Time::from_secs(160)).is_none());
    }

    #[test]
    fn the_deaf_are_heard_by_nobody_and_hear_all() {
        let (mut net, _) = pair(0.0);
        let now = Time::from_secs(100);
        net.deafen(&[2], now, Duration::from_secs(60));
        assert!(net.closed_until(2, 0, now).is_some());
        assert!(net.closed_until(0, 2, now).is_none());
    }
}
