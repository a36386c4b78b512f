//! Address ranges: how many listed nodes are believed of each, so that addresses of one owner do not become a crowd.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::limits::{PER_NETWORK_MIN, PER_SUBNET_MAX};

/// A range: the family, then the leading bytes of an address.
type Range = [u8; 7];

/// Nodes in each range. A node counts once in each range it has an address in, however many. No range holds more than
/// a 64th of a full view, which 16 bits can count.
#[derive(Default)]
pub(super) struct Ranges {
    subnets: BTreeMap<Range, u16>,
    networks: BTreeMap<Range, u16>,
}

impl Ranges {
    pub(super) fn add(&mut self, addresses: &[SocketAddr]) {
        increase(&mut self.subnets, distinct(addresses, subnet));
        increase(&mut self.networks, distinct(addresses, network));
    }

    pub(super) fn remove(&mut self, addresses: &[SocketAddr]) {
        decrease(&mut self.subnets, distinct(addresses, subnet));
        decrease(&mut self.networks, distinct(addresses, network));
    }

    /// Whether one more node with these addresses would be believed, among so many.
    pub(super) fn have_room(&self, addresses: &[SocketAddr], nodes: usize) -> bool {
        let share = u32::try_from(nodes / 64)
            .unwrap_or(u32::MAX)
            .max(PER_NETWORK_MIN);
        let below = |counts: &BTreeMap<Range, u16>, range: &Range, bound: u32| {
            counts.get(range).map_or(0, |&count| u32::from(count)) < bound
        };
        distinct(addresses, subnet)
            .iter()
            .all(|range| below(&self.subnets, range, PER_SUBNET_MAX))
            && distinct(addresses, network)
                .iter()
                .all(|range| below(&self.networks, range, share))
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

fn increase(counts: &mut BTreeMap<Range, u16>, ranges: BTreeSet<Range>) {
    for range in ranges {
        *counts.entry(range).or_default() += 1;
    }
}

fn decrease(counts: &mut BTreeMap<Range, u16>, ranges: BTreeSet<Range>) {
    for range in ranges {
        if let Some(count) = counts.get_mut(&range) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&range);
            }
        }
    }
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

fn leading(family: u8, bytes: &[u8]) -> Range {
    let mut range = [0; 7];
    range[0] = family;
    range[1..=bytes.len()].copy_from_slice(bytes);
    range
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
            prop_assert!(ranges.subnets.is_empty() && ranges.networks.is_empty());
        }
    }
}
