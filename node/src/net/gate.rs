//! Who may stand at the door: strangers whose handshake is not finished, counted in all and by address range; and those
//! who failed, waiting in silence to be closed.
//!
//! Does not know sockets.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// How many may stand at the door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    /// Unfinished handshakes in all. Each is a socket and some 8 KiB.
    pub(crate) total: usize,
    /// Of which from one /24 (IPv4) or /48 (IPv6), so that one range does not take all places.
    pub(crate) per_range: usize,
    /// Strangers waiting in silence. Each is a socket. Beyond it the one who waited longest is closed early.
    pub(crate) silent: usize,
}

/// Keeps the count.
pub(super) struct Gate {
    places: Places,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    total: usize,
    ranges: BTreeMap<Range, usize>,
    silent: VecDeque<oneshot::Sender<()>>,
}

/// An address range.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Range {
    V4([u8; 3]),
    V6([u8; 6]),
}

impl Range {
    fn of(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }
}

impl Gate {
    pub(super) fn new(places: Places) -> Arc<Self> {
        Arc::new(Self {
            places,
            state: Mutex::default(),
        })
    }

    /// Lets a stranger shake hands, if there is a place for him. The place is given back when the pass is dropped.
    pub(super) fn enter(self: &Arc<Self>, address: SocketAddr) -> Option<Pass> {
        let range = Range::of(address);
        let mut state = self.state();
        let here = state.ranges.get(&range).copied().unwrap_or(0);
        if state.total >= self.places.total || here >= self.places.per_range {
            return None;
        }
        state.total += 1;
        state.ranges.insert(range, here + 1);
        Some(Pass {
            gate: Arc::clone(self),
            range,
        })
    }

    /// Lets a stranger wait in silence; the receiver ends when he must go early.
    pub(super) fn silence(&self) -> oneshot::Receiver<()> {
        let (stay, go) = oneshot::channel();
        let mut state = self.state();
        if state.silent.len() >= self.places.silent {
            state.silent.retain(|stay| !stay.is_closed());
        }
        if state.silent.len() >= self.places.silent {
            state.silent.pop_front();
        }
        state.silent.push_back(stay);
        go
    }

    fn leave(&self, range: Range) {
        let mut state = self.state();
        state.total = state.total.saturating_sub(1);
        match state.ranges.get_mut(&range) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(state.ranges.remove(&range)),
        }
    }

    /// Counters stay true whatever a thread that held them did.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place at the door.
pub(super) struct Pass {
    gate: Arc<Gate>,
    range: Range,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.leave(self.range);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Arc<Gate> {
        Gate::new(Places {
            total: 4,
            per_range: 2,
            silent: 3,
        })
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_range_does_not_take_all_places() {
        let gate = gate();
        let first = gate.enter(address("192.0.2.1:1")).unwrap();
        let _second = gate.enter(address("192.0.2.200:1")).unwrap();
        assert!(gate.enter(address("192.0.2.3:1")).is_none());
        assert!(gate.enter(address("[::ffff:192.0.2.3]:1")).is_none());
        let _other = gate.enter(address("192.0.3.1:1")).unwrap();
        drop(first);
        assert!(gate.enter(address("192.0.2.3:1")).is_some());
    }

    #[test]
    fn ranges_of_the_new_protocol_are_wider() {
        let gate = gate();
        let _first = gate.enter(address("[2001:db8:1::1]:1")).unwrap();
        let _second = gate.enter(address("[2001:db8:1:ffff::1]:1")).unwrap();
        assert!(gate.enter(address("[2001:db8:1:2::]:1")).is_none());
        assert!(gate.enter(address("[2001:db8:2::1]:1")).is_some());
    }

    #[test]
    fn no_more_than_all_places_are_given_and_nothing_is_kept_of_who_left() {
        let gate = gate();
        let passes: Vec<_> = (0..9)
            .filter_map(|i| gate.enter(address(&format!("10.0.{i}.1:1"))))
            .collect();
        assert_eq!(passes.len(), 4);
        drop(passes);
        assert!(gate.state().ranges.is_empty() && gate.state().total == 0);
    }

    #[test]
    fn the_one_who_waited_longest_goes_first() {
        let gate = gate();
        let mut waiting: Vec<_> = (0..4).map(|_| gate.silence()).collect();
        assert!(waiting[0].try_recv() == Err(oneshot::error::TryRecvError::Closed));
        assert!(waiting[1].try_recv() == Err(oneshot::error::TryRecvError::Empty));
        drop(waiting.remove(2));
        let _fifth = gate.silence();
        assert!(
            waiting[1].try_recv() == Err(oneshot::error::TryRecvError::Empty),
            "a free place is used first"
        );
    }
}
