//! Address ranges: how many listed nodes are believed of each, so that addresses of one owner do not become a crowd.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::order::grow;
use crate::limits::{PER_NETWORK_MIN, PER_SUBNET_MAX};

/// A range: the leading bytes of an address, and in the last bit its family.
type Range = u64;

/// Bits of a count, which is kept with its range.
const COUNT_BITS: u32 = 15;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// How many nodes there are in each range: eight bytes for each.
#[derive(Default)]
struct Counts {
    /// By a byte of the range, each in order. A range is in the upper bits, its count below.
    runs: Vec<Vec<u64>>,
}

impl Counts {
    /// Where a range is in its run, or would be.
    fn find(&self, range: Range) -> (usize, Result<usize, usize>) {
        // Neighbouring ranges are spread over the runs.
        let run = (range >> 1) as usize % RUNS;
        let Some(all) = self.runs.get(run) else {
            return (run, Err(0));
        };
        let at = all.partition_point(|entry| entry >> COUNT_BITS < range);
        match all.get(at) {
            Some(entry) if entry >> COUNT_BITS == range => (run, Ok(at)),
            _ => (run, Err(at)),
        }
    }

    fn get(&self, range: Range) -> u32 {
        let (run, at) = self.find(range);
        let all = self.runs.get(run);
        let entry = at.ok().and_then(|at| all?.get(at));
        entry.map_or(0, |entry| {
            u32::try_from(entry & COUNT_MAX).unwrap_or(u32::MAX)
        })
    }

    fn increase(&mut self, range: Range) {
        self.runs.resize_with(RUNS, Vec::new);
        let (run, at) = self.find(range);
        let Some(run) = self.runs.get_mut(run) else {
            return;
        };
        match at {
            Ok(at) => {
                if let Some(entry) = run
                    .get_mut(at)
                    .filter(|entry| **entry & COUNT_MAX < COUNT_MAX)
                {
                    *entry += 1;
                }
            }
            Err(at) => {
                grow(run);
                run.insert(at, range << COUNT_BITS | 1);
            }
        }
    }

    fn decrease(&mut self, range: Range) {
        let (run, Ok(at)) = self.find(range) else {
            return;
        };
        let Some(run) = self.runs.get_mut(run) else {
            return;
        };
        match run.get_mut(at) {
            Some(entry) if *entry & COUNT_MAX > 1 => *entry -= 1,
            Some(_) => {
                run.remove(at);
            }
            None => {}
        }
    }
}

/// Nodes in each range. A node counts once in each range it has an address in, however many. No range holds more than
/// a 64th of a full view, which the bits of a count can count.
#[derive(Default)]
pub(super) struct Ranges {
    subnets: Counts,
    networks: Counts,
}

const RUNS: usize = 64;
const _: () = assert!((crate::limits::VIEW_MAX / 64) < COUNT_MAX as usize);

impl Ranges {
    pub(super) fn add(&mut self, addresses: &[SocketAddr]) {
        for range in distinct(addresses, subnet) {
            self.subnets.increase(range);
        }
        for range in distinct(addresses, network) {
            self.networks.increase(range);
        }
    }

    pub(super) fn remove(&mut self, addresses: &[SocketAddr]) {
        for range in distinct(addresses, subnet) {
            self.subnets.decrease(range);
        }
        for range in distinct(addresses, network) {
            self.networks.decrease(range);
        }
    }

    /// Whether one more node with these addresses would be believed, among so many.
    pub(super) fn have_room(&self, addresses: &[SocketAddr], nodes: usize) -> bool {
        let share = u32::try_from(nodes / 64)
            .unwrap_or(u32::MAX)
            .max(PER_NETWORK_MIN);
        distinct(addresses, subnet)
            .into_iter()
            .all(|range| self.subnets.get(range) < PER_SUBNET_MAX)
            && distinct(addresses, network)
                .into_iter()
                .all(|range| self.networks.get(range) < share)
    }
}

/// Whether one of these and one of those addresses are of one /16 or /32.
pub(super) fn share_network(one: &[SocketAddr], other: &[SocketAddr]) -> bool {
    let mut ranges = distinct(one, network);
    ranges.retain(|range| distinct(other, network).contains(range));
    !ranges.is_empty()
}

/// Whether an address can belong to a node of a public network.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b)))
        }
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            ip.to_ipv4_mapped().is_none()
                && (first & 0xe000) == 0x2000
                && !(first == 0x2001 && second == 0xdb8)
        }
    }
}

fn distinct(addresses: &[SocketAddr], range: fn(IpAddr) -> Range) -> BTreeSet<Range> {
    addresses
        .iter()
        .map(|address| range(address.ip()))
        .collect()
}

/// /24 or /48: what one operator has without effort.
fn subnet(ip: IpAddr) -> Range {
    match ip {
        IpAddr::V4(ip) => leading(4, &ip.octets()[..3]),
        IpAddr::V6(ip) => leading(6, &ip.octets()[..6]),
    }
}

/// /16 or /32: what one provider has.
fn network(ip: IpAddr) -> Range {
    match ip {
        IpAddr::V4(ip) => leading(4, &ip.octets()[..2]),
        IpAddr::V6(ip) => leading(6, &ip.octets()[..4]),
    }
}

fn leading(family: u64, bytes: &[u8]) -> Range {
    let bytes = bytes
        .iter()
        .fold(0, |all, &byte| all << 8 | u64::from(byte));
    bytes << 1 | u64::from(family == 6)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_node_with_four_addresses_of_one_subnet_counts_once() {
        let mut ranges = Ranges::default();
        let four = addresses(&["8.8.8.1:1", "8.8.8.2:1", "8.8.8.3:1", "8.8.8.4:1"]);
        ranges.add(&four);
        assert!(ranges.have_room(&four, 0));
        ranges.add(&four);
        assert!(!ranges.have_room(&four, 0));
        ranges.remove(&four);
        assert!(ranges.have_room(&four, 0));
    }

    #[test]
    fn one_address_in_a_full_range_is_enough_to_be_refused() {
        let mut ranges = Ranges::default();
        ranges.add(&addresses(&["8.8.8.1:1"]));
        ranges.add(&addresses(&["8.8.8.2:1"]));
        assert!(!ranges.have_room(&addresses(&["9.9.9.9:1", "8.8.8.3:1"]), 0));
        assert!(ranges.have_room(&addresses(&["9.9.9.9:1"]), 0));
    }

    proptest! {
        #[test]
        fn what_is_added_and_removed_leaves_nothing(all in proptest::collection::vec(any::<SocketAddr>(), 0..20)) {
            let mut ranges = Ranges::default();
            ranges.add(&all);
            ranges.remove(&all);
            let mut left = ranges.subnets.runs.iter().chain(&ranges.networks.runs);
            prop_assert!(left.all(Vec::is_empty));
        }
    }
}
