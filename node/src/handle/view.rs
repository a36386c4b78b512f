//! The node as its user sees it: figures of the core, the store and the listener in the words of the public interface.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::HEXLOWER;
use oboro_cache::CacheStats;
use oboro_core::stats::{self as core, PeerStanding, Traffic};
use oboro_crypto::ids::{LinkPublic, NodeId};
use oboro_crypto::network::Network;

use super::privacy;
use crate::api::{
    CacheUse, CacheWork, ClassTraffic, Classes, Direction, Handshakes, Latency, NodeState, Peer,
    PeerState, Served, Stats, Status, Stored, Streams, Upkept,
};
use crate::clock::Clock;
use crate::driver::Overview;
use crate::net::Counts;

/// Bytes in a chunk and in a sealed entry, for sums.
const CHUNK: u64 = oboro_crypto::network::CHUNK_BYTES as u64;
const ENTRY: u64 = oboro_crypto::entry::SealedEntry::ENCODED_LEN as u64;

/// What does not change while a node runs.
pub(crate) struct Facts {
    pub(crate) clock: Arc<Clock>,
    pub(crate) id: NodeId,
    pub(crate) link: LinkPublic,
    /// Where it listens, with the ports that the system chose.
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) listed: bool,
}

pub(super) fn status(
    facts: &Facts,
    network: &Network,
    overview: &Overview,
    cache: &CacheStats,
) -> Status {
    let standing = &overview.standing;
    let others = standing.view.saturating_sub(usize::from(facts.listed));
    let state = match (standing.peers.len(), others) {
        (0, 0) if standing.bootstrap == 0 => NodeState::Alone,
        (0, _) | (_, 0) => NodeState::Joining,
        _ => NodeState::Joined,
    };
    Status {
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        state,
        missing: missing(facts, state, overview),
        node_id_short: short(&facts.id.0),
        node_id: HEXLOWER.encode(&facts.id.0),
        network: network.name.clone(),
        listen: facts.listen.iter().map(ToString::to_string).collect(),
        listed: facts.listed,
        reachable: standing.reachable,
        peers: standing.peers.len(),
        view: others,
        cache: CacheUse {
            used: cache.used,
            quota: cache.quota,
            chunks: cache.chunks,
            entries: cache.entries,
        },
        uptime_s: facts.clock.uptime().as_secs(),
        hops: standing.hops,
        anonymity: privacy::anonymity(standing),
        guard: standing.guard.as_ref().map(privacy::guard),
        circuits_ready: standing.circuits_ready,
        relays: standing.relays,
        relays_missing: standing.relays_missing,
        jobs_active: overview.jobs,
    }
}

/// What a node lacks, each with the next step.
fn missing(facts: &Facts, state: NodeState, overview: &Overview) -> Vec<String> {
    let standing = &overview.standing;
    let mut missing = Vec::new();
    match state {
        NodeState::Alone => missing.push(
            "it knows no other node: run `oboro invite` at one and `oboro join INVITE` here".into(),
        ),
        NodeState::Joining if standing.peers.is_empty() => missing.push(format!(
            "none of {} known nodes answers yet: is one running, and can it be reached from here?",
            standing
                .bootstrap
                .max(standing.view.saturating_sub(usize::from(facts.listed)))
        )),
        NodeState::Joining => missing.push("it has a link and waits for the list of nodes".into()),
        // Before it has joined, the next step is to join.
        NodeState::Joined => missing.extend(privacy::missing(standing)),
        NodeState::Starting => {}
    }
    if facts.listed && facts.listen.is_empty() {
        missing.push("it listens nowhere: start it with --listen ADDRESS:PORT".into());
    } else if facts.listed && state == NodeState::Joined && standing.reachable == Some(false) {
        missing.push(
            "nobody has reached it from outside yet: forward its port, or run it --unlisted".into(),
        );
    }
    missing
}

pub(super) fn peers(overview: &Overview) -> Vec<Peer> {
    overview
        .standing
        .peers
        .iter()
        .map(|peer| shown(peer, overview.now))
        .collect()
}

fn shown(peer: &PeerStanding, now: oboro_core::Time) -> Peer {
    Peer {
        id_short: peer
            .node
            .as_ref()
            .map_or_else(|| "unlisted".into(), |node| short(&node.0)),
        state: PeerState::Linked,
        address: Some(peer.address.to_string()),
        direction: if peer.dialed {
            Direction::Outgoing
        } else {
            Direction::Incoming
        },
        rtt_ms: peer.rtt_micros.map(|micros| micros.div_ceil(1000)),
        bytes_in: peer.bytes_in,
        bytes_out: peer.bytes_out,
        age_s: now.since(peer.since).as_secs(),
        roles: Vec::new(),
    }
}

pub(super) fn stats(
    facts: &Facts,
    overview: &Overview,
    cache: &CacheStats,
    counts: &Counts,
) -> Stats {
    let stats = &overview.stats;
    let [own, relay, storage, control] = stats.classes.map(traffic);
    let asked = stats.hits + stats.misses;
    Stats {
        uptime_s: facts.clock.uptime().as_secs(),
        classes: Classes {
            own,
            relay,
            storage,
            control,
        },
        streams: Streams {
            opened: stats.streams_opened,
            accepted: stats.streams_accepted,
            active: stats.streams_active,
            refused: stats.refusals.get("streams").copied().unwrap_or(0),
            failed: stats.streams_failed,
        },
        circuits: privacy::circuits(&stats.circuits),
        served: Served {
            queries: stats.queries_served,
            entries: stats.entries_served,
            extents: stats.extents_served,
            chunks: stats.chunks_served,
            bytes: stats.chunks_served * CHUNK + stats.entries_served * ENTRY,
        },
        stored: Stored {
            extents: stats.extents_stored,
            chunks: stats.chunks_stored,
            entries: stats.entries_stored,
            bytes: stats.chunks_stored * CHUNK + stats.entries_stored * ENTRY,
        },
        upkept: Upkept {
            rounds: stats.upkeep.rounds,
            asked: stats.upkeep.asked,
            handed_over: stats.upkeep.handed_over,
            repaired: stats.upkeep.repaired,
            entries: stats.upkeep.entries,
            refused: stats.upkeep.refused,
            failed: stats.upkeep.failed,
            bytes: stats.upkeep.bytes,
        },
        cache: CacheWork {
            used: cache.used,
            quota: cache.quota,
            chunks: cache.chunks,
            entries: cache.entries,
            hits: stats.hits,
            misses: stats.misses,
            hit_rate: if asked == 0 {
                0.0
            } else {
                stats.hits as f64 / asked as f64
            },
            evictions: cache.evictions,
            damaged: cache.damaged,
        },
        refusals: owned(&stats.refusals),
        drops: drops(stats),
        handshakes: handshakes(stats, counts),
        latency: latency(&stats.latency),
    }
}

fn traffic(traffic: Traffic) -> ClassTraffic {
    ClassTraffic {
        bytes_in: traffic.bytes_in,
        bytes_out: traffic.bytes_out,
        records_in: traffic.frames_in,
        records_out: traffic.frames_out,
    }
}

pub(super) fn owned(counts: &BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    counts
        .iter()
        .map(|(cause, count)| ((*cause).to_owned(), *count))
        .collect()
}

/// What was dropped, breaches of the protocol among it.
fn drops(stats: &core::Stats) -> BTreeMap<String, u64> {
    let mut drops = owned(&stats.drops);
    let violations = stats.violations.iter();
    drops.extend(violations.map(|(kind, count)| (format!("violation: {kind}"), *count)));
    drops
}

fn handshakes(stats: &core::Stats, counts: &Counts) -> Handshakes {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let rejected = [
        ("no proof", count(&counts.silent)),
        ("too slow", count(&counts.slow)),
        ("too many at the door", count(&counts.crowded)),
        ("too many links", count(&counts.full)),
        ("dial failed", stats.dials_failed),
    ];
    let rejected = rejected.into_iter().filter(|(_, count)| *count > 0);
    Handshakes {
        dialed: stats.dialed,
        accepted: stats.accepted,
        rejected: rejected
            .map(|(cause, count)| (cause.into(), count))
            .collect(),
    }
}

/// From counts in buckets 1, 2, 4, … ms; a bucket is told by its upper end.
pub(super) fn latency(buckets: &[u64]) -> Latency {
    let total: u64 = buckets.iter().sum();
    let quantile = |percent: u64| {
        let wanted = (total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        1u64.checked_shl(u32::try_from(bucket).ok()? + 1)
    };
    Latency {
        median_ms: quantile(50),
        p95_ms: quantile(95),
    }
}

/// Where others may dial this node: what its descriptor says, else what it listens on.
pub(super) fn addresses(facts: &Facts, overview: &Overview) -> Vec<SocketAddr> {
    if !overview.addresses.is_empty() {
        return overview.addresses.clone();
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for listen in &facts.listen {
        let ip = if listen.ip().is_unspecified() {
            own_address(listen)
        } else {
            Some(listen.ip())
        };
        addresses.extend(ip.map(|ip| SocketAddr::new(ip, listen.port())));
    }
    addresses.dedup();
    addresses
}

/// The address this machine would speak from. Connecting a datagram socket sends nothing; the far ends are addresses
/// reserved for documentation (RFC 5737, RFC 3849).
fn own_address(listen: &SocketAddr) -> Option<IpAddr> {
    let speak = |from: &str, to: &str| {
        let socket = std::net::UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        (!ip.is_unspecified()).then_some(ip)
    };
    let v4 = || speak("0.0.0.0:0", "192.0.2.1:9");
    let v6 = || speak("[::]:0", "[2001:db8::1]:9");
    if listen.is_ipv4() {
        v4()
    } else {
        v4().or_else(v6)
    }
}

fn short(id: &[u8; 32]) -> String {
    HEXLOWER.encode(&id[..5])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_upper_ends_of_their_buckets() {
        assert_eq!(latency(&[0; 17]).median_ms, None);
        let mut buckets = [0; 17];
        (buckets[0], buckets[3], buckets[16]) = (6, 3, 1);
        let latency = latency(&buckets);
        assert_eq!(
            (latency.median_ms, latency.p95_ms),
            (Some(2), Some(1 << 17))
        );
    }

    #[test]
    fn every_interface_means_an_address_that_can_be_dialled() {
        let any: SocketAddr = "0.0.0.0:7".parse().unwrap();
        assert!(own_address(&any).is_none_or(|ip| ip.is_ipv4() && !ip.is_unspecified()));
    }
}
