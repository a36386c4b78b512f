//! How hidden the node's own requests are, and what is missing for more, in the words of the public interface.

use data_encoding::HEXLOWER;
use oboro_core::stats::{CircuitStats, GuardStanding, Standing};

use super::view::{latency, owned};
use crate::api::{Circuits, Guard, guard_age, hops_and_limit};

/// One line: `3 hops · guard 12 days old (linked) · 3 circuits ready`, or what is missing for that.
pub(super) fn anonymity(standing: &Standing) -> String {
    let hops = standing.hops;
    if hops == 0 {
        return hops_and_limit(0);
    }
    if standing.relays_missing > 0 {
        return format!(
            "{}: nothing is asked until they are known",
            needed(standing.relays_missing, hops)
        );
    }
    let guard = standing.guard.as_ref().map_or_else(
        || "no guard chosen yet".into(),
        |guard| {
            let what = if guard.standby {
                "standby guard"
            } else {
                "guard"
            };
            let linked = if guard.linked { "linked" } else { "not linked" };
            format!("{what} {} ({linked})", guard_age(guard.days))
        },
    );
    let ready = standing.circuits_ready;
    let circuits = if ready == 1 { "circuit" } else { "circuits" };
    format!(
        "{} · {guard} · {ready} {circuits} ready",
        hops_and_limit(hops)
    )
}

/// What a node that has joined lacks to ask without being seen, with the next step.
pub(super) fn missing(standing: &Standing) -> Option<String> {
    if standing.hops == 0 {
        return None;
    }
    if standing.relays_missing > 0 {
        let needed = needed(standing.relays_missing, standing.hops);
        return Some(format!(
            "{needed}: join more with `oboro join INVITE`, or ask with --fewer-hops"
        ));
    }
    let guard = standing.guard.as_ref()?;
    match (guard.standby, guard.linked) {
        (true, _) => Some(
            "its guard does not answer, a standby stands in until it does: if that lasts, see `oboro stats`".into(),
        ),
        (false, false) => Some(
            "its guard does not answer and is kept on purpose: wait, a standby stands in after a while".into(),
        ),
        (false, true) => None,
    }
}

fn needed(missing: usize, hops: u8) -> String {
    let nodes = if missing == 1 { "node" } else { "nodes" };
    let of = if hops == 1 { "hop" } else { "hops" };
    format!("{missing} more {nodes} needed for {hops} {of}")
}

pub(super) fn guard(guard: &GuardStanding) -> Guard {
    Guard {
        node: HEXLOWER.encode(&guard.node.0),
        days: guard.days,
        linked: guard.linked,
        standby: guard.standby,
    }
}

pub(super) fn circuits(stats: &CircuitStats) -> Circuits {
    Circuits {
        built: stats.built,
        failures: owned(&stats.failures),
        build_time: latency(&stats.build_times),
        cells_in: stats.cells_in,
        cells_out: stats.cells_out,
        relayed_now: stats.relayed_now,
        relayed: stats.relayed,
        refused: stats.refused,
        cells_relayed: stats.cells_relayed,
        exit_streams: stats.exit_streams,
    }
}

#[cfg(test)]
mod tests {
    use oboro_crypto::ids::NodeId;

    use super::*;

    fn standing(hops: u8, relays_missing: usize, guard: Option<GuardStanding>) -> Standing {
        Standing {
            hops,
            relays_missing,
            guard,
            circuits_ready: 3,
            ..standing_of_nothing()
        }
    }

    fn standing_of_nothing() -> Standing {
        Standing {
            view: 0,
            bootstrap: 0,
            peers: Vec::new(),
            reachable: None,
            addresses: Vec::new(),
            jobs: 0,
            hops: 0,
            relays: 0,
            relays_missing: 0,
            guard: None,
            circuits_ready: 0,
        }
    }

    fn kept(days: u32, linked: bool, standby: bool) -> Option<GuardStanding> {
        Some(GuardStanding {
            node: NodeId([0xab; 32]),
            days,
            linked,
            standby,
        })
    }

    #[test]
    fn how_hidden_a_node_is_follows_from_how_it_stands() {
        for (standing, expected) in [
            (
                standing(3, 0, kept(12, true, false)),
                "3 hops · guard 12 days old (linked) · 3 circuits ready",
            ),
            (
                standing(3, 0, kept(0, false, true)),
                "3 hops · standby guard new today (not linked) · 3 circuits ready",
            ),
            (
                standing(3, 0, None),
                "3 hops · no guard chosen yet · 3 circuits ready",
            ),
            (
                standing(3, 2, None),
                "2 more nodes needed for 3 hops: nothing is asked until they are known",
            ),
            (
                standing(1, 0, kept(1, true, false)),
                "1 hop: not anonymous against that relay · guard 1 day old (linked) · 3 circuits ready",
            ),
            (
                standing(0, 0, None),
                "0 hops: not anonymous, storers see this node",
            ),
        ] {
            assert_eq!(anonymity(&standing), expected);
        }
    }

    #[test]
    fn what_is_missing_comes_with_the_next_step() {
        assert_eq!(missing(&standing(3, 0, kept(1, true, false))), None);
        assert_eq!(missing(&standing(0, 0, None)), None);
        assert_eq!(missing(&standing(3, 0, None)), None);
        for (standing, part) in [
            (standing(3, 1, None), "1 more node needed for 3 hops: join"),
            (standing(3, 0, kept(1, true, true)), "standby stands in"),
            (standing(3, 0, kept(1, false, false)), "on purpose"),
        ] {
            let said = missing(&standing).unwrap();
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn a_guard_is_named_as_every_node_names_itself() {
        let shown = guard(&kept(1, true, false).unwrap());
        assert_eq!(shown.node, "ab".repeat(32));
        assert!(!format!("{shown:?}").contains("ab"));
    }
}
