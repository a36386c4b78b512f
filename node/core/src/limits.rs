//! Every bound of the core on one page: a name, a unit, a reason, and what happens beyond it.

use core::time::Duration;

// Links

/// Links at once. Beyond it the one that carries nothing and was heard longest ago is closed for a new one.
pub const LINKS_MAX: usize = 256;
/// Links to one node at once: both sides may dial at the same moment. A third is closed.
pub const LINKS_PER_NODE_MAX: usize = 2;
/// Control messages waiting on one link (at most 4 KiB each). Beyond it the oldest is dropped and counted.
pub const CONTROL_QUEUE_MAX: usize = 64;
/// Records handed to the shell at once for one link: 64 records are one batched write of about 256 KiB.
pub const RECORDS_PER_SEND_MAX: u32 = 64;
/// A link that carries no stream and is no neighbour is closed after this long.
pub const LINK_IDLE: Duration = Duration::from_secs(120);
/// A link whose other end was not heard for this long is closed.
pub const LINK_SILENT: Duration = Duration::from_secs(90);
/// A link that takes not one record of what waits for it for this long is closed.
pub const LINK_STUCK: Duration = Duration::from_secs(30);
/// How often a link is asked whether it lives.
pub const PING_EVERY: Duration = Duration::from_secs(25);

// Streams

/// Streams others may have open on one link. Beyond it: closed as busy.
pub const STREAMS_PER_LINK_MAX: usize = 128;
/// Streams of others that hold something here in all. Beyond it one that is over and was not read gives way, or the new
/// one is closed as busy.
pub const STREAMS_ACCEPTED_MAX: usize = 512;
/// Bytes of a stream that is over are kept for the other side to take for this long; then they are dropped.
pub const STREAM_LINGER: Duration = Duration::from_secs(60);
/// Bytes one side may send on a stream before the other has taken them: 8 chunks, enough to keep a link busy while
/// credit travels, small enough that every stream at its bound fits memory.
pub const STREAM_WINDOW: u32 = 256 * 1024 + 16 * 1024;
/// Unsent bytes below which whoever feeds a stream is asked for more.
pub const STREAM_LOW_WATER: usize = 128 * 1024;
/// Dials waiting for an answer at once. Beyond it a stream to a node without a link fails at once.
pub const DIALS_MAX: usize = 64;

// Exchanges

/// A client's exchange in which nothing happened for this long has failed.
pub const EXCHANGE_PATIENCE: Duration = Duration::from_secs(20);
/// A served exchange in which nothing happened for this long is closed.
pub const SERVE_PATIENCE: Duration = Duration::from_secs(60);
/// A stream in which nothing was asked for this long is closed: a request rides right behind the opening.
pub const REQUEST_PATIENCE: Duration = Duration::from_secs(10);
/// An exchange that has not come to its end after this long has failed, however often something happens in it: an
/// extent at 3.5 KiB/s. Who drips must not hold a place, nor keep a file from its reader.
pub const EXCHANGE_LONGEST: Duration = Duration::from_secs(300);
/// The longest message in a session, with its length in front.
pub const MESSAGE_MAX: usize = 65_535;

// Serving

/// Extents being received at once: each is held whole (1 MiB) until it is durable. Beyond it a link that has more than
/// another loses one to it, or the new one is refused as busy.
pub const PUTS_AT_ONCE_MAX: usize = 24;
/// Extents one link may be sending at once, so that one peer can't take all places.
pub const PUTS_PER_LINK_MAX: usize = 12;
/// Requests served at once. Beyond it a link that has more than another loses one to it, or the new one is busy.
pub const SERVING_MAX: usize = 128;
/// Requests to the store for others that are not answered yet, also those whose client has gone. Beyond it: busy.
pub const STORE_WAITING_MAX: usize = 2 * SERVING_MAX;
/// Chunks read from the store at once for one request: 256 KiB, one stream window.
pub const READ_BATCH: usize = 8;
/// Nodes that may hold a location: the nearest, and the next two because views differ (DESIGN 6).
pub const NEIGHBOURS_OF_LOCATION: usize = 3;
/// Days an extent is promised for in a receipt.
pub const EXTENT_DAYS: u32 = 30;
/// The highest price in bits of work that a client pays for an extent: some 8 ms, for it is done on the core's thread.
pub const PRICE_MAX: u8 = 14;
/// Times one storer may name a higher price for one placement. Beyond it another is asked.
pub const PRICE_RAISES: u32 = 2;

// Membership

/// Descriptors kept. Beyond it new ones are dropped and counted. 131,072 × 300 B is 40 MB.
pub const VIEW_MAX: usize = 131_072;
/// Relays of one /24 (IPv4) or /48 (IPv6) that are believed.
pub const PER_SUBNET_MAX: u32 = 2;
/// Of one /16 or /32: at least this many, or a 64th of the view.
pub const PER_NETWORK_MIN: u32 = 8;
/// Links kept warm.
pub const NEIGHBOURS: usize = 8;
/// Nodes to start from that are remembered. Beyond it the oldest is forgotten.
pub const BOOTSTRAP_MAX: usize = 64;
/// How often views are compared with a neighbour.
pub const GOSSIP_EVERY: Duration = Duration::from_secs(20);
/// Buckets answered after one digest: the rest differs next time too.
pub const BUCKETS_PER_DIGEST: usize = 64;
/// Bytes of descriptors and lists one peer can make us say in a second: a view of 100,000 nodes in some minutes.
pub const GOSSIP_PER_SECOND: u64 = 128 * 1024;
/// Bytes of them at once: the whole view of a few thousand nodes for somebody who has just come. Beyond it not said.
pub const GOSSIP_BURST: u64 = 1024 * 1024;
/// The first wait after a failed dial; doubled each time.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait after a failed dial.
pub const RETRY_LONGEST: Duration = Duration::from_secs(300);
/// Hours a descriptor is issued for; renewed after a third of it.
pub const DESCRIPTOR_HOURS: u16 = 6;
/// Ids being verified at once: each costs up to 64 MiB and a quarter of a second.
pub const VERIFYING_MAX: usize = 2;

// Jobs

/// Jobs of a user under way at once. Beyond it: refused as busy.
pub const JOBS_MAX: usize = 64;
/// Extents a fetch asks for at once.
pub const FETCH_PARTS: usize = 8;
/// Of which from one storer, so that a slow one does not hold them all.
pub const FETCH_PARTS_PER_STORER: usize = 3;
/// Writes (128 KiB each at the most) handed to a sink and not done: beyond it nothing more is asked for.
pub const SINK_WRITES_MAX: u32 = 48;
/// Extents done between two checkpoints of a fetch.
pub const CHECKPOINT_PARTS: u32 = 8;
/// Times all candidates for an extent are tried before it counts as lost.
pub const FETCH_ROUNDS: u32 = 3;
/// The wait before the next round.
pub const FETCH_ROUND_WAIT: Duration = Duration::from_secs(2);
/// Extents a publication places at once; each is held (1 MiB) until all its placements are done.
pub const PLACING_MAX: usize = 4;
/// Nodes tried for one placement.
pub const PLACEMENT_TRIES: usize = 6;
/// One extent in this many is read back after placing; the root always is.
pub const VERIFY_ONE_IN: u32 = 16;
/// Entries being placed at once.
pub const ANNOUNCING_MAX: usize = 16;
/// Tokens being derived at once for one job.
pub const TOKENS_AT_ONCE: usize = 2;
/// Pages of entries read from one placement: 8 × 32 entries.
pub const PAGES_MAX: u32 = 8;
/// Things a search keeps. Beyond it further ones are dropped: nobody reads that far.
pub const HITS_MAX: usize = 500;
/// Nodes asked for one placement of a keyword.
pub const QUERY_TRIES: usize = 3;

const _: () = assert!(SERVING_MAX < STREAMS_ACCEPTED_MAX);
const _: () = assert!(STREAM_LOW_WATER < STREAM_WINDOW as usize);
const _: () = assert!(FETCH_PARTS_PER_STORER <= FETCH_PARTS);
const _: () = assert!(PUTS_PER_LINK_MAX <= PUTS_AT_ONCE_MAX);
const _: () = assert!(READ_BATCH * 32 * 1024 <= STREAM_WINDOW as usize);
