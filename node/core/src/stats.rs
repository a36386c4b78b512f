//! What a node counts. Nothing here names content, a key or a peer's address.

use std::collections::BTreeMap;

/// Whose traffic it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// This node's own user.
    Own,
    /// Carried between others.
    Relay,
    /// Served or kept for others.
    Storage,
    /// Membership, pings, padding.
    Control,
}

/// Traffic of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes taken from links, frame headers included.
    pub bytes_in: u64,
    /// Bytes given to links, frame headers included.
    pub bytes_out: u64,
    /// Frames taken.
    pub frames_in: u64,
    /// Frames given.
    pub frames_out: u64,
}

/// Everything counted since the node was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// By class; the four always present in the order own, relay, storage, control.
    pub classes: [Traffic; 4],
    /// Padding bytes in records given to links.
    pub padding_out: u64,
    /// Records taken from and given to links.
    pub records_in: u64,
    /// Records given to links.
    pub records_out: u64,
    /// Streams this node opened.
    pub streams_opened: u64,
    /// Streams others opened to it.
    pub streams_accepted: u64,
    /// Streams that ended in failure.
    pub streams_failed: u64,
    /// Streams open now.
    pub streams_active: u64,
    /// Keyword queries answered for others.
    pub queries_served: u64,
    /// Sealed entries handed out.
    pub entries_served: u64,
    /// Requests for extents answered with chunks.
    pub extents_served: u64,
    /// Chunks handed out.
    pub chunks_served: u64,
    /// Extents kept for others since start.
    pub extents_stored: u64,
    /// Chunks kept for others since start.
    pub chunks_stored: u64,
    /// Entries kept for others since start.
    pub entries_stored: u64,
    /// Extents of own fetches that nobody had and that parity gave back.
    pub extents_recovered: u64,
    /// Requests for extents that found something here.
    pub hits: u64,
    /// Requests for extents that found nothing here.
    pub misses: u64,
    /// What was refused to others, by cause.
    pub refusals: BTreeMap<&'static str, u64>,
    /// What was dropped, by cause.
    pub drops: BTreeMap<&'static str, u64>,
    /// Breaches of the protocol by peers, by kind.
    pub violations: BTreeMap<&'static str, u64>,
    /// Dials made.
    pub dialed: u64,
    /// Dials that failed.
    pub dials_failed: u64,
    /// Links others made.
    pub accepted: u64,
    /// Circuits, own and others'.
    pub circuits: CircuitStats,
    /// What was done so that everything kept is where it belongs.
    pub upkeep: UpkeepStats,
    /// Answer times of own requests in milliseconds: counts in buckets 1, 2, 4, … 2^15 and above.
    pub latency: [u64; 17],
}

/// What was counted of upkeep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpkeepStats {
    /// Rounds through the store that were ended.
    pub rounds: u64,
    /// Requests to other storers, what they keep.
    pub requests: u64,
    /// Locations asked about in them.
    pub asked: u64,
    /// Extents given to nodes they belong to more than to us.
    pub handed_over: u64,
    /// Extents given to nodes as another placement that was missing.
    pub repaired: u64,
    /// Entries given to nodes of their location.
    pub entries: u64,
    /// Times a node refused something, busy ones included.
    pub refused: u64,
    /// Times a node did not answer, or not as it should.
    pub failed: u64,
    /// Bytes of chunks and entries sent.
    pub bytes: u64,
}

/// What was counted of circuits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CircuitStats {
    /// Own circuits that were built.
    pub built: u64,
    /// Own circuits that were not, or broke, by cause.
    pub failures: BTreeMap<&'static str, u64>,
    /// Build times of own circuits in milliseconds: counts in buckets 1, 2, 4, … 2^15 and above.
    pub build_times: [u64; 17],
    /// Circuits of others that were accepted.
    pub relayed: u64,
    /// Circuits of others that are open now.
    pub relayed_now: u64,
    /// Circuits of others that were refused.
    pub refused: u64,
    /// Cells passed on for others, both ways.
    pub cells_relayed: u64,
    /// Streams carried to their node as the last hop for others.
    pub exit_streams: u64,
    /// Cells of own circuits sent.
    pub cells_out: u64,
    /// Cells of own circuits received.
    pub cells_in: u64,
}

impl CircuitStats {
    /// Counts the building of one.
    pub(crate) fn built_in(&mut self, took: core::time::Duration) {
        self.build_times[bucket(took)] += 1;
    }
}

/// The bucket of a duration: 1, 2, 4, … 2^15 milliseconds and above.
fn bucket(took: core::time::Duration) -> usize {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    (63 - millis.leading_zeros()).min(16) as usize
}

impl Stats {
    /// The traffic of one class.
    pub(crate) fn class(&mut self, class: Class) -> &mut Traffic {
        &mut self.classes[class as usize]
    }

    pub(crate) fn refused(&mut self, cause: &'static str) {
        *self.refusals.entry(cause).or_default() += 1;
    }

    pub(crate) fn dropped(&mut self, cause: &'static str) {
        *self.drops.entry(cause).or_default() += 1;
    }

    pub(crate) fn violated(&mut self, kind: &'static str) {
        *self.violations.entry(kind).or_default() += 1;
    }

    /// Counts one answer time.
    pub(crate) fn answered_in(&mut self, took: core::time::Duration) {
        self.latency[bucket(took)] += 1;
    }
}

/// How much is held now for peers: what the bounds are about, for those who watch them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Links, also those being closed.
    pub links: usize,
    /// Dials waiting for an answer.
    pub dials: usize,
    /// Streams that have a state here, own and others'.
    pub streams: usize,
    /// Circuits on links: own ones once, others' up to twice.
    pub hops: usize,
    /// Cells waiting to be handed to links.
    pub cells: usize,
    /// Creates of others waiting for their turn.
    pub creates: usize,
    /// Circuits of others that have a state here.
    pub relayed: usize,
    /// Bytes of streams and control messages not yet handed to links.
    pub unsent: usize,
    /// Bytes of streams that have arrived and were not taken.
    pub unread: usize,
    /// Exchanges, own and served.
    pub exchanges: usize,
    /// Of which served.
    pub serving: usize,
    /// Extents being received.
    pub puts: usize,
    /// Things of others being looked after: asked about, waiting, on their way to where they belong.
    pub upkeep: usize,
    /// Answers of other storers remembered for upkeep.
    pub known: usize,
    /// Requests to the store and to compute threads not yet answered.
    pub tickets: usize,
}

/// How the node stands now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Listed nodes known, this one included if it is listed.
    pub view: usize,
    /// Nodes linked to.
    pub peers: Vec<PeerStanding>,
    /// Nodes to start from.
    pub bootstrap: usize,
    /// Whether a link was ever accepted from outside.
    pub reachable: Option<bool>,
    /// Addresses in the own descriptor.
    pub addresses: Vec<std::net::SocketAddr>,
    /// Jobs under way.
    pub jobs: usize,
    /// Relays a path of this network has; 0: requests go straight to the storers, which see this node.
    pub hops: u8,
    /// Other nodes known that relay.
    pub relays: usize,
    /// How many more nodes must be known before a path of that length can be chosen; 0: enough are.
    pub relays_missing: usize,
    /// The guard in use.
    pub guard: Option<GuardStanding>,
    /// Own circuits that are ready.
    pub circuits_ready: usize,
}

/// The node every circuit of this node begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardStanding {
    /// Which.
    pub node: oboro_crypto::ids::NodeId,
    /// For how many days it has been kept.
    pub days: u32,
    /// Whether a link to it is up.
    pub linked: bool,
    /// Whether it is a standby: the first choice has been away for ten minutes or longer.
    pub standby: bool,
}

/// One linked node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStanding {
    /// Its id, if it is listed.
    pub node: Option<oboro_crypto::ids::NodeId>,
    /// Where it is.
    pub address: std::net::SocketAddr,
    /// Whether we dialled it.
    pub dialed: bool,
    /// Round-trip time in microseconds, once measured.
    pub rtt_micros: Option<u64>,
    /// Bytes in records taken.
    pub bytes_in: u64,
    /// Bytes in records given.
    pub bytes_out: u64,
    /// Since when.
    pub since: crate::time::Time,
}
