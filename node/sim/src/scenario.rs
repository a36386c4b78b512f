//! What a simulation is to do, as written down in TOML.

mod expect;
mod hostile;

use serde::{Deserialize, Serialize};

pub use expect::{Bounds, Expect};
pub use hostile::{Hostile, Kind};

/// How much of a node is real.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fidelity {
    /// The real core and the real cryptography: up to 1,000 nodes.
    Exact,
    /// The real core, cryptography that costs nothing: up to 10,000 nodes.
    Protocol,
    /// The same for some machines, which stand for all nodes: up to 500,000. Nothing is published in it.
    Crowd,
}

/// A scenario. Every field has a default, so that a file says only what is special about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// What it is called in reports.
    pub name: String,
    /// How much of a node is real.
    pub fidelity: Fidelity,
    /// Chance begins here; may be overridden from outside.
    pub seed: u64,
    /// Nodes at the start.
    pub nodes: usize,
    /// In a crowd: how many of the nodes are machines with the real core.
    pub machines: usize,
    /// Minutes to simulate after the start.
    pub minutes: u64,
    /// Relays on the way of a user's request.
    pub hops: u8,
    /// Copies of everything.
    pub replicas: u8,
    /// Whether nodes start with a full view, as after a restart; otherwise they know one node to start from.
    pub warm: bool,
    /// MiB each node keeps for others.
    pub quota_mib: u64,
    /// The network between nodes.
    pub net: Net,
    /// Who comes and goes.
    pub churn: Churn,
    /// What users do.
    pub work: Work,
    /// Disks.
    pub disk: Disk,
    /// Clocks.
    pub clock: Clock,
    /// Nodes that keep to no rule.
    pub hostile: Vec<Hostile>,
    /// Share of nodes whose lines somebody watches, 0 to 1: when how many records pass, not what is in them.
    pub watched: f64,
    /// What happens at certain times.
    pub at: Vec<Happening>,
    /// What must come out.
    pub expect: Expect,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "unnamed".to_owned(),
            fidelity: Fidelity::Protocol,
            seed: 1,
            nodes: 50,
            machines: 500,
            minutes: 60,
            hops: 3,
            replicas: 4,
            warm: true,
            quota_mib: 256,
            net: Net::default(),
            churn: Churn::default(),
            work: Work::default(),
            disk: Disk::default(),
            clock: Clock::default(),
            hostile: Vec::new(),
            watched: 0.0,
            at: Vec::new(),
            expect: Expect::default(),
        }
    }
}

/// The network between nodes: points in a plane, the delay between two their distance and what both lines add.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Net {
    /// The longest way across the plane, one way, in milliseconds.
    pub across_ms: u64,
    /// What a line adds at each end, in milliseconds: the mean of an exponential.
    pub line_ms: u64,
    /// Packets lost, 0 to 1. Links are TCP: a loss is a delay, and a limit to the rate.
    pub loss: f64,
    /// Megabits a second a node can send: the median; each node draws a factor between a quarter and four.
    pub up_mbit: f64,
    /// The same for receiving.
    pub down_mbit: f64,
}

impl Default for Net {
    fn default() -> Self {
        Self {
            across_ms: 120,
            line_ms: 10,
            loss: 0.0,
            up_mbit: 20.0,
            down_mbit: 100.0,
        }
    }
}

/// Who comes and goes: some are always there, the others have sessions and pauses of log-normal length.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Churn {
    /// Share of nodes that never leave, 0 to 1. At 1 nobody does.
    pub always: f64,
    /// The median length of a session in minutes.
    pub session_minutes: f64,
    /// The median length of a pause in minutes.
    pub pause_minutes: f64,
    /// The spread: standard deviation of the logarithm.
    pub sigma: f64,
    /// Share of those who leave that do so without a word and lose what was not durable.
    pub crash: f64,
}

impl Default for Churn {
    fn default() -> Self {
        Self {
            always: 1.0,
            session_minutes: 60.0,
            pause_minutes: 60.0,
            sigma: 1.0,
            crash: 0.5,
        }
    }
}

/// What users do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Work {
    /// Files published, one after another, from the beginning.
    pub files: usize,
    /// Seconds between two publications.
    pub publish_every_secs: f64,
    /// KiB in a file.
    pub kib: u64,
    /// Minutes before anything is done.
    pub after_minutes: f64,
    /// Fetches a minute in the whole network, of files published, once all have been.
    pub fetches_per_minute: f64,
    /// Searches a minute in the whole network.
    pub searches_per_minute: f64,
    /// Minutes before the end after which nothing new is begun.
    pub rest_minutes: f64,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            files: 10,
            publish_every_secs: 5.0,
            kib: 100,
            after_minutes: 2.0,
            fetches_per_minute: 2.0,
            searches_per_minute: 1.0,
            rest_minutes: 5.0,
        }
    }
}

/// Disks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disk {
    /// Milliseconds for an answer.
    pub millis: f64,
    /// Share of nodes whose disk takes a hundred times as long.
    pub slow: f64,
    /// Share of nodes whose disk is full.
    pub full: f64,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            millis: 0.5,
            slow: 0.0,
            full: 0.0,
        }
    }
}

/// Clocks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clock {
    /// Seconds a clock is off at the start, at the most, either way.
    pub off_secs: u64,
    /// Parts in a million by which a clock is fast or slow, at the most.
    pub drift_ppm: u64,
}

/// Something that happens at a certain time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Happening {
    /// Minutes after the start.
    pub minute: f64,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum What {
    /// A share of the nodes that are there leaves for ever.
    Leave {
        /// 0 to 1.
        share: f64,
    },
    /// The network falls into two halves.
    Split {
        /// For how many minutes.
        minutes: f64,
    },
    /// Nothing comes through from a share of the nodes to the rest, but the other way it does.
    Deaf {
        /// 0 to 1.
        share: f64,
        /// For how many minutes.
        minutes: f64,
    },
    /// New nodes come, who know one node to start from.
    Join {
        /// How many.
        nodes: usize,
    },
    /// A share of the clocks jumps.
    Jump {
        /// 0 to 1.
        share: f64,
        /// Seconds forward; backward if negative.
        secs: i64,
    },
    /// An attacker makes ids until he has tried so many, and lists those nearest to the locations he is after.
    Sybil {
        /// Ids he makes: what he pays for.
        ids: usize,
        /// Of which he lists at the most.
        listed: usize,
        /// Ranges of addresses (/16) he has.
        networks: u8,
        /// What he is after.
        target: Target,
    },
}

/// What an attacker with ids of his choice is after: something of the first file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// All placements of the extent it begins with.
    File,
    /// All locations of the word it is found by.
    Word,
}

/// Why a scenario cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is no scenario.
    #[error("not a scenario: {0}")]
    Toml(#[from] toml::de::Error),
    /// It asks for what cannot be.
    #[error("{0}")]
    Bounds(&'static str),
}

impl Scenario {
    /// Reads one.
    ///
    /// # Errors
    /// [`ScenarioError`], with the line if it has one.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)?;
        scenario.check().map_err(ScenarioError::Bounds)?;
        Ok(scenario)
    }

    /// How many nodes run the core.
    #[must_use]
    pub fn machines(&self) -> usize {
        match self.fidelity {
            Fidelity::Crowd => self.machines.min(self.nodes),
            Fidelity::Exact | Fidelity::Protocol => self.nodes,
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let most = match self.fidelity {
            Fidelity::Exact => 1_000,
            Fidelity::Protocol => 20_000,
            Fidelity::Crowd => 500_000,
        };
        let crowd = self.fidelity == Fidelity::Crowd;
        let idle = self.work.files == 0 && self.churn.always >= 1.0 && self.at.is_empty();
        let hostile: f64 = self.hostile.iter().map(|hostile| hostile.share).sum();
        let rules = [
            (
                (1..=most).contains(&self.nodes),
                "nodes: 1 to 1,000 exactly, to 20,000 by protocol, to 500,000 in a crowd",
            ),
            (
                !crowd || (2..=5_000).contains(&self.machines),
                "machines: 2 to 5,000",
            ),
            (
                !crowd || idle,
                "crowd: nobody publishes in it, nobody leaves it, nothing happens to it",
            ),
            (
                (1..=60 * 24 * 400).contains(&self.minutes),
                "minutes: 1 to 400 days",
            ),
            (self.hops <= 3, "hops: 0 to 3"),
            ((1..=16).contains(&self.replicas), "replicas: 1 to 16"),
            ((0.0..0.9).contains(&self.net.loss), "net.loss: 0 to 0.9"),
            (
                self.net.up_mbit > 0.0 && self.net.down_mbit > 0.0,
                "net: a line carries something",
            ),
            (
                share(self.churn.always) && share(self.churn.crash),
                "churn: shares are 0 to 1",
            ),
            (
                self.churn.session_minutes > 0.0 && self.churn.pause_minutes > 0.0,
                "churn: sessions and pauses last",
            ),
            (share(hostile), "hostile: all shares together are 0 to 1"),
            (share(self.watched), "watched: a share is 0 to 1"),
            (
                share(self.disk.slow) && share(self.disk.full),
                "disk: shares are 0 to 1",
            ),
            (
                self.work.publish_every_secs > 0.0,
                "work: publish_every_secs is above 0",
            ),
        ];
        rules
            .into_iter()
            .find(|(holds, _)| !holds)
            .map_or(Ok(()), |(_, why)| Err(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_only_what_is_special() {
        let scenario = Scenario::parse(
            "name = \"loss\"\nnodes = 20\n[net]\nloss = 0.15\n[[at]]\nminute = 3\nwhat = { leave = { share = 0.3 } }\n[[hostile]]\nkind = \"slow-loris\"\nshare = 0.1\n",
        )
        .unwrap();
        assert_eq!((scenario.nodes, scenario.hops), (20, 3));
        assert!(matches!(scenario.at[0].what, What::Leave { .. }));
        assert_eq!(scenario.hostile[0].kind, Kind::SlowLoris);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        for text in ["nodes = 0", "nodez = 3", "[net]\nloss = 1.5", "hops = 4"] {
            assert!(Scenario::parse(text).is_err(), "{text}");
        }
    }
}
