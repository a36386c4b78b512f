//! Nodes that keep to no rule.

use serde::{Deserialize, Serialize};

/// Nodes that keep to no rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hostile {
    /// What they do.
    pub kind: Kind,
    /// Their share of all nodes, 0 to 1.
    pub share: f64,
}

/// What a hostile node does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Builds circuits as asked, and drops every cell and every reply of a storer.
    Dropper,
    /// The same, but only for nodes with an odd key: some are served well.
    SelectiveDropper,
    /// Takes three seconds for everything.
    SlowLoris,
    /// Serves chunks that are not what was asked for.
    Poisoner,
    /// Acknowledges what it is given and keeps nothing.
    Forgetter,
    /// Answers that it has nothing.
    Denier,
    /// Keeps to all rules, and writes down everything it sees for the others of its kind.
    Colluder,
    /// Begins circuits that nobody can answer, a hundred a second on each of its links.
    CreateFlooder,
    /// Tells of nodes that do not exist, fifty a second.
    DescriptorFlooder,
    /// Publishes rubbish under the word of somebody else's file, every twenty seconds.
    EntryFlooder,
    /// Publishes files of rubbish, four at a time, each as fast as storers take it.
    PutFlooder,
    /// Asks every node for everything it knows of, over and over, and writes down what it sees as a storer.
    Crawler,
    /// Asks nodes whether they have what their user has lately fetched or published, and other nodes the same.
    Prober,
    /// Counts requests by the node they come from.
    Counter,
    /// Sends every create it is given on to nodes that have had it in their hands, and to others.
    Tracer,
    /// One of many ids of one attacker, made to lie where it is wanted. It takes what it is given and says that it has
    /// nothing. Comes by a happening of its own.
    Sybil,
}

impl Kind {
    /// Whether it keeps what it is given, and gives it back.
    #[must_use]
    pub const fn holds(self) -> bool {
        matches!(
            self,
            Self::Colluder
                | Self::SlowLoris
                | Self::CreateFlooder
                | Self::DescriptorFlooder
                | Self::EntryFlooder
                | Self::PutFlooder
                | Self::Crawler
                | Self::Prober
                | Self::Counter
                | Self::Tracer
        )
    }
}
