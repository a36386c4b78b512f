//! The one screen about a node.

use std::io::{self, Write};

use oboro_node::api::{NodeState, Status};

use super::{safe, units};

/// Writes it.
///
/// # Errors
/// The writer's.
pub fn write(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    let links = units::of(status.peers as u64, "link", "links");
    let known = units::of(status.view as u64, "node known", "nodes known");
    let state = state(status.state);
    writeln!(
        out,
        "Oboro {}: {state}, {links}, {known}",
        safe::line(&status.version)
    )?;
    let network = safe::line(&status.network);
    let node = safe::line(&status.node_id_short);
    line(
        out,
        "node",
        &format!("{node} on the network \"{network}\", {}", presence(status)),
    )?;
    let listen = if status.listen.is_empty() {
        "nowhere".to_owned()
    } else {
        safe::line(&status.listen.join(", "))
    };
    line(out, "listens", &listen)?;
    let cache = &status.cache;
    let (used, quota) = (units::bytes(cache.used), units::bytes(cache.quota));
    let share = units::percent(cache.used, cache.quota);
    let chunks = units::of(cache.chunks, "chunk", "chunks");
    let entries = units::of(cache.entries, "entry", "entries");
    line(
        out,
        "cache",
        &format!("{used} of {quota} ({share}), {chunks}, {entries}"),
    )?;
    let jobs = units::of(status.jobs_active as u64, "job", "jobs");
    line(
        out,
        "work",
        &format!("{jobs} running, up {}", units::seconds(status.uptime_s)),
    )?;
    line(out, "privacy", &safe::line(&status.anonymity))?;
    for (i, missing) in status.missing.iter().enumerate() {
        line(
            out,
            if i == 0 { "missing" } else { "" },
            &safe::line(missing),
        )?;
    }
    Ok(())
}

fn line(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {name:<8} {value}")
}

fn state(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "starting",
        NodeState::Joining => "joining",
        NodeState::Joined => "joined",
        NodeState::Alone => "alone",
    }
}

fn presence(status: &Status) -> &'static str {
    match (status.listed, status.reachable) {
        (false, _) => "unlisted",
        (true, Some(true)) => "listed, reachable",
        (true, Some(false)) => "listed, not reachable from outside",
        (true, None) => "listed, reachability not known yet",
    }
}

#[cfg(test)]
mod tests {
    use oboro_node::api::CacheUse;

    use super::*;

    #[test]
    fn a_status_fits_one_screen_and_says_what_is_missing() {
        let status = Status {
            version: "0.1.0".into(),
            state: NodeState::Alone,
            missing: vec!["no node to dial: oboro join INVITE".into(), "\x1b".into()],
            node_id_short: "3f2a".into(),
            network: "test".into(),
            listen: vec!["127.0.0.1:4100".into()],
            listed: true,
            view: 1,
            cache: CacheUse {
                used: 1 << 20,
                quota: 4 << 20,
                chunks: 1,
                entries: 2,
            },
            uptime_s: 61,
            hops: 3,
            anonymity: "3 hops · guard 12 days old (linked) · 3 circuits ready".into(),
            ..Status::default()
        };
        let mut out = Vec::new();
        write(&status, &mut out).unwrap();
        let expected = "\
Oboro 0.1.0: alone, 0 links, 1 node known
  node     3f2a on the network \"test\", listed, reachability not known yet
  listens  127.0.0.1:4100
  cache    1.0 MiB of 4.0 MiB (25 %), 1 chunk, 2 entries
  work     0 jobs running, up 1 min 1 s
  privacy  3 hops · guard 12 days old (linked) · 3 circuits ready
  missing  no node to dial: oboro join INVITE
           \u{fffd}
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
