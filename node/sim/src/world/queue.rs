//! What is to happen, in the order of time; at the same time in the order in which it was decided.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use oboro_core::Time;

/// A queue of events. Its order depends on nothing but times and the order of pushes.
pub(super) struct Queue<E> {
    heap: BinaryHeap<Reverse<(Time, u64, u32)>>,
    /// The events; the heap holds places in here, so that it moves little.
    slots: Vec<Option<E>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<E> Queue<E> {
    pub(super) const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            sequence: 0,
        }
    }

    pub(super) fn push(&mut self, at: Time, event: E) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.slots[slot as usize] = Some(event);
        self.heap.push(Reverse((at, self.sequence, slot)));
        self.sequence += 1;
    }

    /// The next event, if it is not after `end`.
    pub(super) fn pop(&mut self, end: Time) -> Option<(Time, E)> {
        let &Reverse((at, _, slot)) = self.heap.peek()?;
        if at > end {
            return None;
        }
        self.heap.pop();
        self.free.push(slot);
        self.slots[slot as usize].take().map(|event| (at, event))
    }

    /// How many were ever pushed.
    pub(super) const fn count(&self) -> u64 {
        self.sequence
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn events_come_by_time_and_then_as_they_were_pushed(times in proptest::collection::vec(0u64..20, 1..100)) {
            let mut queue = Queue::new();
            for (index, &time) in times.iter().enumerate() {
                queue.push(Time(time), index);
            }
            let mut expected: Vec<(u64, usize)> = times.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            let end = Time(15);
            for (time, index) in expected {
                if time > 15 {
                    break;
                }
                prop_assert_eq!(queue.pop(end), Some((Time(time), index)));
            }
            prop_assert!(queue.pop(end).is_none());
        }
    }
}
