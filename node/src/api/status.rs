//! What a node says of itself: status, peers and relay statistics. Counters start at 0 with the node.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a node has come with its network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Opening its store and listener.
    #[default]
    Starting,
    /// Dialing, or linked but without a view yet.
    Joining,
    /// Linked, with a view of the network.
    Joined,
    /// It knows no other node to dial.
    Alone,
}

/// One screen about a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Process id of the node.
    #[serde(default)]
    pub pid: u32,
    /// How far it has come.
    pub state: NodeState,
    /// What it lacks, one sentence each with the next step; empty when all is well.
    pub missing: Vec<String>,
    /// The first characters of the node id.
    pub node_id_short: String,
    /// The node id in hexadecimal.
    #[serde(default)]
    pub node_id: String,
    /// The network's name.
    pub network: String,
    /// Addresses it listens on.
    pub listen: Vec<String>,
    /// Whether it is in the list of nodes.
    pub listed: bool,
    /// Whether others reach it; `None`: not known yet.
    pub reachable: Option<bool>,
    /// Links that stand.
    pub peers: usize,
    /// Nodes it knows, without itself.
    pub view: usize,
    /// Its cache.
    pub cache: CacheUse,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Relays a path of this network has; 0: storers see who asks.
    pub hops: u8,
    /// What that means just now, in plain words.
    pub anonymity: String,
    /// The node every circuit of this node begins at, once there is one.
    #[serde(default)]
    pub guard: Option<Guard>,
    /// Own circuits that are ready.
    #[serde(default)]
    pub circuits_ready: usize,
    /// Other nodes known that relay.
    #[serde(default)]
    pub relays: usize,
    /// How many more nodes must be known for a path of that length; 0: enough are.
    #[serde(default)]
    pub relays_missing: usize,
    /// Jobs that run.
    pub jobs_active: usize,
}

/// The node every circuit begins at. Shown to this node's own user only: who knows it knows where to watch.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Its node id in hexadecimal.
    pub node: String,
    /// For how many days it has been kept.
    pub days: u32,
    /// Whether a link to it is up.
    pub linked: bool,
    /// Whether it stands in for the first choice, which does not answer.
    pub standby: bool,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard(..)")
    }
}

/// How full the cache is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheUse {
    /// Bytes of the whole cache directory.
    pub used: u64,
    /// Bytes it may have.
    pub quota: u64,
    /// Chunks held for others.
    pub chunks: u64,
    /// Sealed entries held for others.
    pub entries: u64,
}

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerState {
    /// Connecting or shaking hands.
    Dialing,
    /// The link stands.
    Linked,
    /// Waiting to dial again.
    Waiting,
}

/// Who opened a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The other node.
    Incoming,
    /// This node.
    Outgoing,
}

/// One neighbour.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The first characters of its node id, or of its link key while its id is not known.
    pub id_short: String,
    /// Where the link stands.
    pub state: PeerState,
    /// Its address; shown over the local socket only.
    pub address: Option<String>,
    /// Who opened the link.
    pub direction: Direction,
    /// Round trip in milliseconds, once measured.
    pub rtt_ms: Option<u64>,
    /// Bytes received over the link.
    pub bytes_in: u64,
    /// Bytes sent over the link.
    pub bytes_out: u64,
    /// Seconds since the link stands, or since the dialing began.
    pub age_s: u64,
    /// Its roles: `relay`, `storage`.
    pub roles: Vec<String>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Peer(..)")
    }
}

/// Relay statistics. Neither names nor addresses nor keywords.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Seconds since the node started.
    pub uptime_s: u64,
    /// Traffic on the links by class.
    pub classes: Classes,
    /// Streams by fate.
    pub streams: Streams,
    /// Circuits, own and others'.
    pub circuits: Circuits,
    /// What others asked and got.
    pub served: Served,
    /// What others gave to keep.
    pub stored: Stored,
    /// Passed on to where it belongs.
    pub upkept: Upkept,
    /// The cache at work.
    pub cache: CacheWork,
    /// What the node refused, by cause.
    pub refusals: BTreeMap<String, u64>,
    /// What the node dropped, by cause.
    pub drops: BTreeMap<String, u64>,
    /// Handshakes by fate.
    pub handshakes: Handshakes,
    /// Time from a request of ours to its answer.
    pub latency: Latency,
}

/// Traffic on the links in the four classes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Classes {
    /// For this node's user.
    pub own: ClassTraffic,
    /// Passed on for others.
    pub relay: ClassTraffic,
    /// Held for others.
    pub storage: ClassTraffic,
    /// Membership, keeping links alive.
    pub control: ClassTraffic,
}

/// Traffic of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassTraffic {
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Records received.
    pub records_in: u64,
    /// Records sent.
    pub records_out: u64,
}

/// Streams by fate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Streams {
    /// Opened by this node.
    pub opened: u64,
    /// Accepted from others.
    pub accepted: u64,
    /// Open now.
    pub active: u64,
    /// Refused to others.
    pub refused: u64,
    /// Ended by a failure.
    pub failed: u64,
}

/// Circuits, own and others'. Nothing here tells whose, to where or through whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Circuits {
    /// Own circuits that were built.
    pub built: u64,
    /// Own circuits that were not, or broke, by cause.
    pub failures: BTreeMap<String, u64>,
    /// How long it took to build an own one.
    pub build_time: Latency,
    /// Cells of own circuits received.
    pub cells_in: u64,
    /// Cells of own circuits sent.
    pub cells_out: u64,
    /// Circuits of others that are open now.
    pub relayed_now: u64,
    /// Circuits of others in all.
    pub relayed: u64,
    /// Circuits refused to others.
    pub refused: u64,
    /// Cells passed on for others, both ways.
    pub cells_relayed: u64,
    /// Streams carried to their node as the last relay for others.
    pub exit_streams: u64,
}

/// What others asked and got.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Served {
    /// Keyword queries answered.
    pub queries: u64,
    /// Sealed entries sent.
    pub entries: u64,
    /// Extents sent, whole or in part.
    pub extents: u64,
    /// Chunks sent.
    pub chunks: u64,
    /// Bytes of chunks and entries sent.
    pub bytes: u64,
}

/// What others gave to keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stored {
    /// Extents kept.
    pub extents: u64,
    /// Chunks kept.
    pub chunks: u64,
    /// Sealed entries kept.
    pub entries: u64,
    /// Bytes of chunks and entries kept.
    pub bytes: u64,
}

/// What was passed on so that everything kept is where it belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Upkept {
    /// Rounds through the cache.
    pub rounds: u64,
    /// Things that other storers were asked about.
    pub asked: u64,
    /// Extents handed over to nodes they belong to.
    pub handed_over: u64,
    /// Extents put back where they were missing.
    pub repaired: u64,
    /// Sealed entries shared.
    pub entries: u64,
    /// Times another storer refused.
    pub refused: u64,
    /// Times one did not answer as it should.
    pub failed: u64,
    /// Bytes of chunks and entries sent.
    pub bytes: u64,
}

/// The cache at work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheWork {
    /// Bytes of the whole cache directory.
    pub used: u64,
    /// Bytes it may have.
    pub quota: u64,
    /// Chunks held.
    pub chunks: u64,
    /// Sealed entries held.
    pub entries: u64,
    /// Chunks asked for and held.
    pub hits: u64,
    /// Chunks asked for and not held.
    pub misses: u64,
    /// `hits / (hits + misses)`, 0 when nothing was asked.
    pub hit_rate: f64,
    /// Chunks given up for others.
    pub evictions: u64,
    /// Chunks that could not be read back whole.
    pub damaged: u64,
}

/// Handshakes by fate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Handshakes {
    /// Links this node opened.
    pub dialed: u64,
    /// Links others opened.
    pub accepted: u64,
    /// Attempts that got no link, by cause.
    pub rejected: BTreeMap<String, u64>,
}

/// How long something took; `None` before the first one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// Half of them were faster, in milliseconds.
    pub median_ms: Option<u64>,
    /// 95 of 100 were faster, in milliseconds.
    pub p95_ms: Option<u64>,
}
