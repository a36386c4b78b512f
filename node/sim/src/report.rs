//! What came out of a simulation.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::measured::{self, Measures};
use crate::scenario::{Expect, Fidelity};

/// The outcome of a run. The same scenario and seed give the same report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// What made these figures.
    pub fidelity: Fidelity,
    /// Where chance began.
    pub seed: u64,
    /// Nodes at the start.
    pub nodes: usize,
    /// Minutes simulated.
    pub minutes: u64,
    /// Publications.
    pub publish: Deeds,
    /// Fetches; the times are from the wish to the last byte.
    pub fetch: Deeds,
    /// Searches; the times are to the first right result.
    pub search: Deeds,
    /// Files that were handed to a user and were not what was published.
    pub corrupt: u64,
    /// Jobs whose node left before they were over: neither done nor failed.
    pub interrupted: u64,
    /// Times a user was told that the guard is away, waited as long as was said, and tried again.
    pub waited_for_guard: u64,
    /// What the oracle saw.
    pub storage: Storage,
    /// What it cost.
    pub traffic: Traffic,
    /// Circuits that were built.
    pub circuits_built: u64,
    /// Circuits that failed, by cause.
    pub circuits_failed: BTreeMap<String, u64>,
    /// What nodes refused, dropped or saw broken, by kind.
    pub causes: BTreeMap<String, u64>,
    /// What colluders could link, if there are any.
    pub linkage: Option<Linkage>,
    /// In a crowd, how many of its nodes were machines with the real core: all figures are of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machines: Option<usize>,
    /// In a crowd, how views grew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
    /// What attacks came to. Definitions: docs/simulation.md.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: Measures,
    /// Nodes in the views of honest nodes at the end, in the mean.
    pub view_mean: f64,
    /// Honest nodes that are there at the end.
    pub up_at_end: usize,
    /// Events that cores were handed.
    pub steps: u64,
    /// Events of the world.
    pub events: u64,
    /// What was expected and did not come out.
    pub missed: Vec<String>,
}

/// One sort of job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deeds {
    /// Begun.
    pub begun: u64,
    /// Done as it should be.
    pub done: u64,
    /// Failed, by what the user was told.
    pub failed: BTreeMap<String, u64>,
    /// Share of those over that were done; none if none was over.
    pub share: Option<f64>,
    /// Half took less, in seconds.
    pub median_secs: f64,
    /// 95 of 100 took less.
    pub p95_secs: f64,
}

/// What the oracle saw, every five minutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Storage {
    /// Files published by the end.
    pub files: usize,
    /// Share of files whose every extent is on an honest node that is there: at the worst look.
    pub available_least: f64,
    /// The same in the mean of all looks.
    pub available_mean: f64,
    /// Share of placements that are held by honest nodes that are there, at the end.
    pub replicas: f64,
    /// The same at the worst look.
    pub replicas_least: f64,
    /// The fewest placements of any extent at the end.
    pub fewest: usize,
}

/// What nodes that write everything down for each other could link, with timing taken as perfect: whoever sees both ends
/// of a circuit is taken to know that they belong together. Definitions: docs/simulation.md.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linkage {
    /// Extents asked for or placed through circuits, each once for each job and storer.
    pub objects: u64,
    /// Share whose client's guard and whose storer both collude: client and content are known.
    pub object: f64,
    /// Jobs that asked for or placed extents.
    pub jobs: u64,
    /// Share whose guard colludes and of whose storers and exits at least one does.
    pub job: f64,
    /// Share of honest nodes whose guard colludes.
    pub guarded: f64,
}

/// When views held so much of what there is, by looks every minute: minutes after the start, and MB a node had sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Half of all nodes.
    pub half: Option<(f64, f64)>,
    /// 99 %.
    pub nearly: Option<(f64, f64)>,
    /// 99.9 %.
    pub full: Option<(f64, f64)>,
}

/// What it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Records on all links.
    pub records: u64,
    /// kB a second that a node sends, with padding and seals.
    pub node_kb_per_sec: f64,
    /// Of which frames for its own user, in kB a second.
    pub own: f64,
    /// For circuits of others.
    pub relay: f64,
    /// For what it stores.
    pub storage: f64,
    /// For membership.
    pub control: f64,
}

impl Report {
    pub(crate) fn judge(&mut self, expect: &Expect) {
        let there = match self.fidelity {
            Fidelity::Crowd => self.nodes,
            Fidelity::Exact | Fidelity::Protocol => self.up_at_end,
        };
        let view = Some(self.view_mean / there.max(1) as f64);
        let rules = [
            ("fetched", expect.fetched, self.fetch.share),
            ("found", expect.found, self.search.share),
            ("published", expect.published, self.publish.share),
            (
                "available",
                expect.available,
                Some(self.storage.available_least),
            ),
            ("replicas", expect.replicas, Some(self.storage.replicas)),
            ("view", expect.view, view),
        ];
        self.missed = rules
            .into_iter()
            .filter_map(|(name, least, is)| {
                let least = least?;
                let is = is.unwrap_or(0.0);
                (is < least).then(|| format!("{name}: {is:.4}, expected at least {least}"))
            })
            .collect();
        if let (Some(most), Some(is)) = (expect.view_most, view)
            && is > most
        {
            let missed = format!("view: {is:.4}, expected at most {most}");
            self.missed.push(missed);
        }
        if let Some(linkage) = &self.linkage {
            for (name, most, is) in [
                ("objects linked", expect.object_linked, linkage.object),
                ("files linked", expect.file_linked, linkage.job),
            ] {
                if let Some(most) = most.filter(|most| is > *most) {
                    let missed = format!("{name}: {is:.4}, expected at most {most}");
                    self.missed.push(missed);
                }
            }
        }
        self.missed
            .extend(measured::missed(&self.measured, &expect.measured));
        if self.corrupt > 0 {
            self.missed
                .push(format!("{} files were handed over corrupt", self.corrupt));
        }
    }

    /// How it is worse than another report of the same scenario: more failures than chance makes, or more than `slack` (0.05: 5 %) more
    /// records. Empty if it is not.
    #[must_use]
    pub fn worse_than(&self, base: &Self, slack: f64) -> Vec<String> {
        let mut worse = Vec::new();
        for (name, ours, theirs) in [
            ("publications", &self.publish, &base.publish),
            ("fetches", &self.fetch, &base.fetch),
            ("searches", &self.search, &base.search),
        ] {
            let over = (theirs.done + theirs.failed.values().sum::<u64>()).max(1) as f64;
            let (ours, theirs) = (ours.share.unwrap_or(0.0), theirs.share.unwrap_or(0.0));
            // Any change draws other chances: two standard errors are no difference.
            let error = (theirs * (1.0 - theirs)).max(1.0 / over) / over;
            if ours < theirs - 2.0 * error.sqrt() {
                worse.push(format!("{name} done: {theirs:.4} before, {ours:.4} now"));
            }
        }
        let (ours, theirs) = (self.traffic.records as f64, base.traffic.records as f64);
        if ours > theirs * (1.0 + slack) {
            let more = (ours / theirs.max(1.0) - 1.0) * 100.0;
            worse.push(format!(
                "records: {theirs} before, {ours} now ({more:+.1} %)"
            ));
        }
        worse
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fidelity = match self.fidelity {
            Fidelity::Exact => "exact",
            Fidelity::Protocol => "protocol",
            Fidelity::Crowd => "crowd",
        };
        writeln!(
            f,
            "{} ({fidelity} fidelity, seed {}): {} nodes, {} min",
            self.scenario, self.seed, self.nodes, self.minutes
        )?;
        for (name, deeds) in [
            ("publish", &self.publish),
            ("fetch", &self.fetch),
            ("search", &self.search),
        ] {
            let share = deeds
                .share
                .map_or("-".to_owned(), |share| format!("{:.2} %", share * 100.0));
            writeln!(
                f,
                "  {name:8} {share:>9} of {:5}   median {:6.2} s   95 % below {:6.2} s",
                deeds.begun, deeds.median_secs, deeds.p95_secs
            )?;
            for (why, count) in &deeds.failed {
                writeln!(f, "           {count} x {why}")?;
            }
        }
        let (s, t) = (&self.storage, &self.traffic);
        writeln!(
            f,
            "  storage  {} files, available {:.2} % at the worst look, {:.2} % in the mean; placements {:.2} % at the end, {:.2} % at the worst, fewest {}",
            s.files,
            s.available_least * 100.0,
            s.available_mean * 100.0,
            s.replicas * 100.0,
            s.replicas_least * 100.0,
            s.fewest
        )?;
        writeln!(
            f,
            "  traffic  {:.2} kB/s a node (frames: own {:.2}, relay {:.2}, storage {:.2}, control {:.2}); {} records",
            t.node_kb_per_sec, t.own, t.relay, t.storage, t.control, t.records
        )?;
        writeln!(
            f,
            "  views    {:.1} of {} there; circuits {} built, {:?} failed; {} jobs interrupted, {} waited for the guard, {} files corrupt; {} steps",
            self.view_mean,
            self.up_at_end,
            self.circuits_built,
            self.circuits_failed,
            self.interrupted,
            self.waited_for_guard,
            self.corrupt,
            self.steps
        )?;
        if let Some(machines) = self.machines {
            writeln!(
                f,
                "  crowd    {machines} machines with the real core stand for all {}: figures are of a machine",
                self.nodes
            )?;
        }
        if let Some(growth) = &self.growth {
            for (share, grown) in [
                ("50 %", growth.half),
                ("99 %", growth.nearly),
                ("99.9 %", growth.full),
            ] {
                match grown {
                    Some((minutes, mb)) => writeln!(
                        f,
                        "           views held {share} after {minutes:.0} min; {mb:.2} MB a node sent by then"
                    )?,
                    None => writeln!(f, "           views never held {share}")?,
                }
            }
        }
        if let Some(linkage) = &self.linkage {
            writeln!(
                f,
                "  linked   {:.2} % of {} objects, {:.2} % of {} files; {:.2} % have a guard that colludes",
                linkage.object * 100.0,
                linkage.objects,
                linkage.job * 100.0,
                linkage.jobs,
                linkage.guarded * 100.0
            )?;
        }
        for (name, is) in &self.measured {
            writeln!(
                f,
                "  measured {name}: {:.4} ± {:.4} of {}",
                is.value, is.error, is.of
            )?;
        }
        writeln!(f, "  causes   {:?}", self.causes)?;
        for missed in &self.missed {
            writeln!(f, "  MISSED   {missed}")?;
        }
        Ok(())
    }
}
