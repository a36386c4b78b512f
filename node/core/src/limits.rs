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
/// A link on which nothing was heard for this long is asked whether it lives.
pub const PING_EVERY: Duration = Duration::from_secs(55);
/// Links that come to that within this time are asked together, so that a quiet node wakes once for them all.
pub const PING_TOGETHER: Duration = Duration::from_secs(10);

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

// Circuits

/// Circuits others may have begun on one link. Beyond it: destroyed at once.
pub const CIRCUITS_PER_LINK_MAX: usize = 1024;
/// Circuits of others in all. Beyond it a link that has more than another loses one to it, or the new one is destroyed.
pub const RELAYED_MAX: usize = 4096;
/// Circuits of others whose next hop has not answered, in all. Beyond it a link that has more than another loses one to
/// it, or the new one is destroyed.
pub const HALF_OPEN_MAX: usize = 512;
/// A circuit of another whose next hop has not answered for this long is destroyed.
pub const HALF_OPEN_PATIENCE: Duration = Duration::from_secs(15);
/// Creates of one link waiting for their turn. Beyond it: destroyed at once.
pub const CREATES_PER_LINK_MAX: usize = 16;
/// Creates waiting for their turn in all. Beyond it a link that has more than another loses one to it, or the new one is
/// destroyed.
pub const CREATES_WAITING_MAX: usize = 512;
/// Creates opened in a second, link after link in turn: each costs some 200 µs, so a twentieth of one core at the most.
pub const CREATES_PER_SECOND: u32 = 250;
/// Creates opened at once after a quiet time.
pub const CREATES_BURST: u32 = 100;
/// Minutes a create may be off our clock.
pub const CREATE_SKEW_MINUTES: u32 = 15;
/// Creates remembered so that none is taken twice: as many as can be opened while one is fresh, so that none is
/// forgotten before its time. 16 bytes each.
pub const CREATES_REMEMBERED: usize = 1 << 19;
/// Cells of one circuit waiting on one link: a whole window and what is not counted in it. Beyond it the circuit is
/// destroyed: whoever keeps to its window does not get there.
pub const CIRCUIT_QUEUE_MAX: usize = CIRCUIT_WINDOW_MAX as usize + 64;
/// Cells waiting on all links: 64 MiB. Beyond it circuits that want to send more are destroyed.
pub const CELLS_QUEUED_MAX: usize = 16_384;
/// Cells an end of a circuit hands to its link before it waits for some to go.
pub const CIRCUIT_BURST: usize = 32;
/// Waiting cells below which an end of a circuit is asked for more.
pub const CIRCUIT_LOW_WATER: usize = 8;
/// Cells with data that one end may send before the other has had them: 1 MiB at first.
pub const CIRCUIT_WINDOW: u32 = 256;
/// The same when bandwidth and delay ask for more: 4 MiB.
pub const CIRCUIT_WINDOW_MAX: u32 = 1024;
/// Streams of one circuit at its exit. Beyond it: closed as busy.
pub const EXIT_STREAMS_PER_CIRCUIT: usize = 64;
/// Streams at all exits of this node. Beyond it: closed as busy.
pub const EXIT_STREAMS_MAX: usize = 1024;
/// Bytes an exit holds of a stream on its way to the client, besides the stream's own window.
pub const EXIT_BUFFER: usize = 64 * 1024;
/// An own circuit that has carried nothing for this long is closed.
pub const CIRCUIT_IDLE: Duration = Duration::from_secs(600);
/// No own circuit takes new streams after this long; it is closed when it carries none.
pub const CIRCUIT_LIFE: Duration = Duration::from_secs(3600);
/// A circuit of another in which nothing moved for this long is destroyed.
pub const RELAY_IDLE: Duration = Duration::from_secs(900);
/// A circuit of another that is older than this is destroyed.
pub const RELAY_LIFE: Duration = Duration::from_secs(2 * 3600);
/// An own circuit that is not built after this long has failed.
pub const BUILD_PATIENCE: Duration = Duration::from_secs(8);
/// An own circuit with open streams from which nothing came for this long and two of the longest round trips of late is
/// probed.
pub const PROBE_AFTER: Duration = Duration::from_secs(1);
/// A probe unanswered, and nothing else heard, for this long and four of the longest round trips of late: the circuit has failed.
pub const PROBE_PATIENCE: Duration = Duration::from_secs(3);
/// Circuits built beforehand.
pub const CIRCUITS_READY: usize = 3;
/// Own circuits at once. Beyond it streams wait for one to end.
pub const OWN_CIRCUITS_MAX: usize = 256;
/// Own circuits of one job.
pub const CIRCUITS_PER_JOB_MAX: usize = 24;
/// Further circuits tried for a stream, or for a part of a fetch, whose circuit failed (DESIGN 5).
pub const FURTHER_CIRCUITS: u32 = 3;
/// The same for circuits that failed before they were built: nothing was said over those.
pub const FURTHER_BUILDS: u32 = 12;
/// The wait before a further circuit is tried; longer each time.
pub const LOST_WAIT: Duration = Duration::from_millis(300);
/// Circuits a fetch spreads its parts over.
pub const FETCH_LANES: u32 = 3;
/// Circuits a publication spreads its extents over; it reads back and announces through others.
pub const PUBLISH_LANES: u32 = 3;
/// Circuits a search spreads its words over.
pub const SEARCH_LANES: u32 = 8;
/// A relay of a circuit that failed is not chosen again for this long, unless there is no other.
pub const DOUBT: Duration = Duration::from_secs(600);
/// Relays in doubt that are remembered. Beyond it the oldest is forgotten.
pub const DOUBTS_MAX: usize = 256;
/// A guard's standby is used when the guard has been away for this long (DESIGN 5).
pub const GUARD_AWAY: Duration = Duration::from_secs(600);
/// A guard that has been in no view for this many days is given up.
pub const GUARD_ABSENT_DAYS: u32 = 30;
/// A guard and its standbys.
pub const GUARDS: usize = 3;
/// With those added because all before them were away. Beyond it nobody is added before one is given up.
pub const GUARDS_MAX: usize = 6;
/// When all guards have been away for this long one more is added behind them, one a day at the most: where a third of all
/// nodes leaves at once, 1 user in 37 would otherwise be without for a month.
pub const GUARDS_ALL_AWAY: Duration = Duration::from_secs(3600);
/// A guard over which no answer ever came back is given up after this many circuits that were built and did not hold:
/// where 3 in 10 of all others drop everything, 1 honest guard in 200 is.
pub const TRIAL_FALLS: u32 = 8;
/// Or after this many that were not built: most often relays behind it are gone.
pub const TRIAL_BUILDS: u32 = 32;
/// Days a guard is kept at least from its first use, and how many more at the most, by chance. DESIGN has 120 to 270;
/// with these a tenth of all nodes sees 20 % of all users from their guards in a year, with those 26 %
/// (docs/simulation.md, table `guards`).
pub const GUARD_DAYS: (u32, u32) = (240, 180);
/// Nodes in the middle of circuits at one time.
pub const MIDDLES: usize = 4;
/// Days a node stays among them at least, and how many more at the most, by chance.
pub const MIDDLE_DAYS: (u32, u32) = (2, 5);
/// Before a first guard is chosen no new node has been heard of for this long, or the wait has been [`SETTLE_LONGEST`]:
/// whoever is met first must not be the guard for that.
pub const SETTLE: Duration = Duration::from_secs(20);
/// The longest wait for that.
pub const SETTLE_LONGEST: Duration = Duration::from_secs(90);
/// The same on a local network.
pub const SETTLE_LOCAL: Duration = Duration::from_millis(300);
/// How often a guard that is away is tried.
pub const GUARD_RETRY: Duration = Duration::from_secs(5);

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
/// Questions of other storers, what is kept where, that the store is looking into: each may cost as much as a few pages of
/// entries. Beyond it: busy.
pub const TELLING_MAX: usize = 16;
/// Of which over one link.
pub const TELLING_PER_LINK_MAX: usize = 2;
/// Nodes that may hold a location: the nearest, and the next two because views differ (DESIGN 6).
pub const NEIGHBOURS_OF_LOCATION: usize = 3;
/// Days an extent is promised for in a receipt.
pub const EXTENT_DAYS: u32 = 30;
/// The highest price in bits of work that a client pays for an extent: some 8 ms, for it is done on the core's thread.
pub const PRICE_MAX: u8 = 14;
/// Times one storer may name a higher price for one placement. Beyond it another is asked.
pub const PRICE_RAISES: u32 = 2;

// Upkeep

/// How often a storer looks through all it keeps for what belongs elsewhere or is missing there. A shorter round would
/// only ask more often: what it costs to repair is the bytes of what was lost.
pub const UPKEEP_ROUND: Duration = Duration::from_secs(900);
/// Between two looks into the store within a round, and before one that did not answer is asked again: a node that only
/// starts anew is back by then.
pub const UPKEEP_TICK: Duration = Duration::from_secs(10);
/// Within which, by chance, what was just taken and belongs to another is looked after: all that came meanwhile at once, so
/// that neither the moment nor the order says what it was that came.
pub const UPKEEP_SOON: Duration = Duration::from_secs(2);
/// Locations read from the store at one look: 5,700 in a round. Beyond what a round has time for, rounds are longer.
pub const UPKEEP_BATCH: usize = 64;
/// Things looked after at once: asked about, waiting, on their way. Beyond it nothing more is read from the store.
pub const UPKEEP_WANTS_MAX: usize = 256;
/// Nodes asked at once what they keep. Beyond it they are asked one after another.
pub const UPKEEP_ASKS: usize = 8;
/// Extents, or the entries of one location, being passed on at once, so that what others ask for goes on beside it.
pub const UPKEEP_PUTS: usize = 2;
/// Bytes of chunks and entries passed on in a second, averaged over what was begun. Beyond it nothing new is begun.
pub const UPKEEP_BYTES_PER_SECOND: u64 = 1024 * 1024;
/// Times a thing is tried in one round. Beyond it, it waits for the next.
pub const UPKEEP_TRIES: u32 = 4;
/// For how long a node is taken to have what it said it has, or took; a quarter more or less by chance. Nobody says that a
/// node is gone: who is not asked is not missed, and what it held stays lost for so long.
pub const UPKEEP_TRUST: Duration = Duration::from_secs(1800);
/// Such answers remembered: some 4 MiB. Beyond it nodes are asked again in each round.
pub const UPKEEP_KNOWN_MAX: usize = 1 << 17;
/// Questions that a node leaves unanswered one after another before it is passed over for the time of a round; to leave
/// unfinished what it is being sent counts for all of them.
pub const UPKEEP_FAILURES: u32 = 3;
/// Nodes of which failures are remembered. Beyond it they are asked again in each round.
pub const UPKEEP_ASIDE_MAX: usize = 256;

// Membership

/// Descriptors kept. Beyond it new ones are dropped and counted. A descriptor with one address takes 240 B and its
/// places in the view some 60 B: 160 MB in all.
pub const VIEW_MAX: usize = 524_288;
/// Relays of one /24 (IPv4) or /48 (IPv6) that are believed.
pub const PER_SUBNET_MAX: u32 = 2;
/// Of one /16 or /32: at least this many, or a 64th of the view.
pub const PER_NETWORK_MIN: u32 = 8;
/// Links kept warm.
pub const NEIGHBOURS: usize = 8;
/// Nodes to start from that are remembered. Beyond it the oldest is forgotten.
pub const BOOTSTRAP_MAX: usize = 64;
/// Nodes that went out of the view and are looked for. Beyond it one of them, by chance, gives its place.
pub const MISSED_MAX: usize = 256;
/// Days one is looked for.
pub const MISSED_DAYS: u32 = 14;
/// How often one of them is dialled.
pub const MISSED_EVERY: Duration = Duration::from_secs(300);
/// How often views are compared with a neighbour while the own view grows.
pub const GOSSIP_EVERY: Duration = Duration::from_secs(20);
/// The same once it has stopped growing, but on a local network.
pub const GOSSIP_SETTLED: Duration = Duration::from_secs(120);
/// How often news is told at the most, with jitter; after a quiet time an eighth of it is waited. What is told together
/// shares a record.
pub const RUMOUR_EVERY: Duration = Duration::from_secs(30);
/// The same while all news is of nodes that are known: what is known of them is valid for hours.
pub const RUMOUR_RENEWED: Duration = Duration::from_secs(120);
/// How often all of it is told on a local network.
pub const RUMOUR_EVERY_LOCAL: Duration = Duration::from_millis(200);
/// When so much news waits it is told at once: of what is offered together one link is asked for no more than
/// [`ASKED_PER_LINK_MAX`].
pub const RUMOURS_TOGETHER: usize = 128;
/// Links news is told on, drawn each time: each node hears it from some five, so that one in 150 hears it of none, until
/// it compares views. On a local network: all.
pub const RUMOUR_LINKS: usize = 5;
/// Descriptors waiting to be told, 12 bytes each. Beyond it not told: comparisons of views find them.
pub const RUMOURS_MAX: usize = 2048;
/// Descriptors asked of one link that have not come. Beyond it offers of that link are passed over.
pub const ASKED_PER_LINK_MAX: usize = 256;
/// Others remembered who have offered what one was asked for. Beyond it they are not.
pub const OFFERERS_MAX: usize = 7;
/// What was asked for and has not come after this long is asked of the next who offered it.
pub const ASK_PATIENCE: Duration = Duration::from_secs(5);
/// Buckets answered after one digest: the rest differs next time too.
pub const BUCKETS_PER_DIGEST: usize = 64;
/// Nodes in those answers, so that in large networks, where news on its way makes many differ, few are listed each time.
pub const DIGEST_ITEMS_MAX: usize = 4096;
/// Bytes of descriptors and lists one peer can make us say in a second: a view of 100,000 nodes in some minutes.
pub const GOSSIP_PER_SECOND: u64 = 128 * 1024;
/// Bytes of them at once: the whole view of a few thousand nodes for somebody who has just come. Beyond it not said.
pub const GOSSIP_BURST: u64 = 1024 * 1024;
/// The first wait after a failed dial; doubled each time.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait after a failed dial.
pub const RETRY_LONGEST: Duration = Duration::from_secs(300);
/// A node that could not be dialled is asked after others for this long; doubled each time. If no link is up, so that the
/// fault may be ours, as after any other failure: four times [`RETRY_FIRST`].
pub const UNREACHABLE_FIRST: Duration = Duration::from_secs(60);
/// A failure this long past no longer makes the next one count for more.
pub const FORGIVEN: Duration = Duration::from_secs(900);
/// Hours a descriptor is issued for; renewed after a third of it.
pub const DESCRIPTOR_HOURS: u16 = 6;
/// Ids being verified at once: each costs up to 64 MiB and a quarter of a second.
pub const VERIFYING_MAX: usize = 4;
/// Of which in the background, so that one that is relied on need not wait.
pub const CHECKING_MAX: usize = 3;
/// Newcomers of one link peer that are taken into the view before one of its has proved good. Beyond it not taken.
pub const NEWCOMERS_FREE: usize = 2;
/// And more for each that has, so that a network of 10,000 is known after four rounds of comparing views.
pub const NEWCOMERS_PER_GOOD: usize = 16;
/// How soon views are compared again with a link peer that had more newcomers than it might bring, once it may.
pub const MORE_EVERY: Duration = Duration::from_secs(1);
/// The same on a local network.
pub const MORE_EVERY_LOCAL: Duration = Duration::from_millis(50);
/// For how long a link key that brought a false id brings nobody.
pub const STRUCK_FOR: Duration = Duration::from_secs(3600);
/// Such link keys remembered. Beyond it the oldest is forgotten.
pub const STRUCK_MAX: usize = 1024;
/// Newcomers are guards, middles, exits and neighbours only while fewer others than this are known.
pub const CHECKED_ENOUGH: usize = 8;

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
/// Extents of a fetch that nobody has and that are to be recovered from parity, 2 KiB each. Beyond it: asked for again.
pub const ASIDE_MAX: usize = 4096;
/// What may lead to a file's parity and is tried: whoever has the file's capability can make more.
pub const PARITIES_TRIED: usize = 3;
/// Of which so many are remembered while they are looked for.
pub const PARITIES_FOUND_MAX: usize = 64;
/// Extents a publication places at once; each is held (1 MiB) until all its placements are done.
pub const PLACING_MAX: usize = 4;
/// Nodes tried for one placement.
pub const PLACEMENT_TRIES: usize = 6;
/// Times all who may take a placement are asked, if some of them did not answer as they should.
pub const PLACEMENT_ROUNDS: u32 = 2;
/// How long a placement waits before all are asked again.
pub const PLACEMENT_ROUND_WAIT: Duration = Duration::from_secs(2);
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
/// Nodes asked for the first placement of a keyword, and for the others where there are many.
pub const QUERY_TRIES: usize = 3;
/// With fewer storers than this, one more is asked for each further placement.
pub const QUERY_FEW: usize = 32;

const _: () = assert!(
    CREATES_REMEMBERED
        >= (CREATES_PER_SECOND * 60 * 2 * CREATE_SKEW_MINUTES + CREATES_BURST) as usize
);
const _: () = assert!(CIRCUIT_BURST > CIRCUIT_LOW_WATER && CIRCUIT_WINDOW <= CIRCUIT_WINDOW_MAX);
const _: () = assert!(RUMOURS_TOGETHER <= ASKED_PER_LINK_MAX && RUMOURS_TOGETHER < RUMOURS_MAX);
const _: () = assert!(SERVING_MAX < STREAMS_ACCEPTED_MAX);
const _: () = assert!(STREAM_LOW_WATER < STREAM_WINDOW as usize);
const _: () = assert!(FETCH_PARTS_PER_STORER <= FETCH_PARTS);
const _: () = assert!(PUTS_PER_LINK_MAX <= PUTS_AT_ONCE_MAX);
const _: () = assert!(2 * UPKEEP_BATCH <= UPKEEP_WANTS_MAX);
const _: () = assert!(READ_BATCH * 32 * 1024 <= STREAM_WINDOW as usize);
