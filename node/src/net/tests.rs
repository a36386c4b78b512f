//! Links and the silent listener over real sockets.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use oboro_crypto::handshake::{Initiator, Step};
use oboro_crypto::network::Network;
use oboro_crypto::record::{RECORD_PLAIN, RECORD_WIRE};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::gate::Places;
use super::*;

mod silence;

const PATIENCE: Duration = Duration::from_secs(60);

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn network() -> Network {
    Network::private("links", true, &mut rng(1)).unwrap()
}

/// One end: what a driver has of its links.
struct End {
    shared: Arc<Shared>,
    arrivals: mpsc::Receiver<Arrival>,
    done: mpsc::Sender<()>,
    gone: mpsc::Receiver<()>,
}

impl End {
    fn new(seed: u8, network: &Network) -> Self {
        let (arriving, arrivals) = mpsc::channel(ARRIVALS_MAX);
        let (done, gone) = mpsc::channel(1);
        let key = LinkKey::generate(&mut rng(seed));
        let clock = Arc::new(Clock::start());
        let shared = Shared::new(LinkContext::of(network), key, clock, arriving);
        Self {
            shared: Arc::new(shared),
            arrivals,
            done,
            gone,
        }
    }

    async fn listen(&self, limits: Limits) -> SocketAddr {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let listener = Listener::new(Arc::clone(&self.shared), limits, self.done.clone());
        tokio::spawn(listener.serve(socket));
        address
    }

    fn dial(&self, remote: LinkPublic, addresses: Vec<SocketAddr>) {
        dial(
            &self.shared,
            DialId(1),
            remote,
            addresses,
            self.done.clone(),
        )
        .unwrap();
    }

    async fn next(&mut self) -> Arrival {
        timeout(PATIENCE, self.arrivals.recv())
            .await
            .expect("in time")
            .expect("the sender lives")
    }

    async fn up(&mut self) -> (LinkId, mpsc::Sender<Vec<u8>>) {
        match self.next().await {
            Arrival::Up { link, outgoing, .. } => (link, outgoing),
            Arrival::DialFailed { cause, .. } => panic!("{cause:?}"),
            _ => panic!("up comes first"),
        }
    }

    async fn failure(&mut self) -> DialFailure {
        match self.next().await {
            Arrival::DialFailed { cause, .. } => cause,
            _ => panic!("the dial fails"),
        }
    }
}

fn limits() -> Limits {
    let silence = Duration::from_millis(300)..=Duration::from_millis(900);
    Limits {
        silence,
        handshake: Duration::from_millis(250),
        ..Limits::of_a_node(true)
    }
}

/// Two ends with a link between them: who dialled, who was dialled.
async fn linked() -> (End, End) {
    let network = network();
    let (near, far) = (End::new(1, &network), End::new(2, &network));
    let address = far.listen(Limits::of_a_node(true)).await;
    near.dial(far.shared.key.public(), vec![address]);
    (near, far)
}

/// Sends and receives `total` records at one end as a driver would, and checks what comes.
async fn exchange(mut end: End, total: u64, batch: u64) -> End {
    let (link, outgoing) = end.up().await;
    let mut credit = u64::from(GRANT);
    let (mut sent, mut received) = (0u64, 0u64);
    while received < total || sent < total || credit < u64::from(GRANT) {
        while sent < total && credit > 0 {
            let records = batch.min(credit).min(total - sent);
            outgoing
                .try_send((sent..sent + records).flat_map(record).collect())
                .unwrap();
            sent += records;
            credit -= records;
        }
        match end.next().await {
            Arrival::Records { link: from, plain } => {
                assert!(from == link && plain.len() % RECORD_PLAIN == 0);
                assert!(plain.len() <= link::GRANT as usize * RECORD_PLAIN);
                for bytes in plain.chunks(RECORD_PLAIN) {
                    assert!(
                        record(received).eq(bytes.iter().copied()),
                        "record {received}"
                    );
                    received += 1;
                }
            }
            Arrival::Writable { records, .. } => credit += u64::from(records),
            _ => panic!("the link stands"),
        }
    }
    assert_eq!((sent, received, credit), (total, total, u64::from(GRANT)));
    end
}

/// A record that says which it is.
fn record(number: u64) -> impl Iterator<Item = u8> {
    number.to_be_bytes().into_iter().cycle().take(RECORD_PLAIN)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_records_go_both_ways_byte_for_byte() {
    let (near, far) = linked().await;
    let near = tokio::spawn(exchange(near, 100_000, 64));
    let far = tokio::spawn(exchange(far, 100_000, 7));
    let (near, far) = (near.await.unwrap(), far.await.unwrap());
    drop((near, far));
}

#[tokio::test]
async fn a_side_that_does_not_read_holds_neither_the_other_nor_memory() {
    let (mut near, mut far) = linked().await;
    let (_, near_out) = near.up().await;
    let (far_link, far_out) = far.up().await;
    // The far driver takes nothing; what is given to the near link comes to a stop at its grant.
    let (mut given, mut credit) = (0u64, u64::from(GRANT));
    let stopped = async {
        loop {
            while credit > 0 {
                near_out.try_send(record(given).collect()).unwrap();
                (given, credit) = (given + 1, credit - 1);
            }
            match near.arrivals.recv().await {
                Some(Arrival::Writable { records, .. }) => credit += u64::from(records),
                _ => panic!("nothing else comes"),
            }
        }
    };
    assert!(
        timeout(Duration::from_secs(2), stopped).await.is_err(),
        "it comes to a stop"
    );
    assert!(given < 30_000, "{given} records are somewhere");
    // The other direction is free.
    far_out.try_send(record(0).collect()).unwrap();
    let Arrival::Records { .. } = near.next().await else {
        panic!("it is read")
    };
    // And everything given arrives once it is taken.
    let mut received = 0;
    while received < given {
        match far.next().await {
            Arrival::Records { plain, .. } => received += (plain.len() / RECORD_PLAIN) as u64,
            Arrival::Writable { link, .. } => assert_eq!(link, far_link),
            _ => panic!("the link stands"),
        }
        while let Ok(Arrival::Writable { .. }) = near.arrivals.try_recv() {}
    }
    assert_eq!(received, given);
}

#[tokio::test]
async fn what_was_given_before_the_end_arrives_and_each_end_learns_of_it_once() {
    let (mut near, mut far) = linked().await;
    let (near_link, outgoing) = near.up().await;
    let (far_link, far_outgoing) = far.up().await;
    for number in 0..u64::from(GRANT) {
        outgoing.try_send(record(number).collect()).unwrap();
    }
    drop(outgoing);
    let mut received = 0;
    loop {
        match far.next().await {
            Arrival::Records { plain, .. } => received += plain.len() / RECORD_PLAIN,
            Arrival::Down { link } if link == far_link => break,
            _ => panic!("records, then the end"),
        }
    }
    assert_eq!(received, GRANT as usize);
    drop(far_outgoing);
    let ends = |arrival: &Arrival| matches!(arrival, Arrival::Down { link } if *link == near_link);
    while !ends(&near.next().await) {}
    // Nothing of the link is left, and so nothing more is said.
    for end in [&mut near, &mut far] {
        assert!(
            timeout(Duration::from_millis(50), end.arrivals.recv())
                .await
                .is_err()
        );
    }
    drop(near.done);
    assert!(timeout(PATIENCE, near.gone.recv()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_peer_that_does_not_read_cannot_hold_a_link_that_was_closed() {
    let network = network();
    let mut far = End::new(2, &network);
    let address = far.listen(Limits::of_a_node(true)).await;
    let remote = far.shared.key.public();
    let peer = tokio::task::spawn_blocking(move || shake(address, remote, |_| {}));
    let (link, outgoing) = far.up().await;
    let peer = peer.await.unwrap();
    let mut credit = GRANT;
    let stuck = async {
        loop {
            while credit > 0 {
                outgoing.try_send(record(0).collect()).unwrap();
                credit -= 1;
            }
            match far.arrivals.recv().await {
                Some(Arrival::Writable { records, .. }) => credit += records,
                _ => panic!("nothing else comes"),
            }
        }
    };
    assert!(timeout(Duration::from_secs(1), stuck).await.is_err());
    drop(outgoing);
    let ends = |arrival: &Arrival| matches!(arrival, Arrival::Down { link: down } if *down == link);
    while !ends(&far.next().await) {}
    drop(peer);
}

#[tokio::test]
async fn garbage_after_the_handshake_ends_the_link() {
    let network = network();
    let mut far = End::new(2, &network);
    let address = far.listen(Limits::of_a_node(true)).await;
    let remote = far.shared.key.public();
    let client = tokio::task::spawn_blocking(move || {
        let mut stream = shake(address, remote, |_| {});
        stream.write_all(&vec![0x55; RECORD_WIRE]).unwrap();
        let mut rest = Vec::new();
        // Closed or reset; either way without an answer.
        let _ = stream.read_to_end(&mut rest);
        rest
    });
    let (link, _outgoing) = far.up().await;
    let Arrival::Down { link: down } = far.next().await else {
        panic!("nothing is passed on")
    };
    assert_eq!(link, down);
    assert!(client.await.unwrap().is_empty());
}

/// A handshake by hand; `tamper` may change the first flight.
fn shake(
    address: SocketAddr,
    remote: LinkPublic,
    tamper: impl Fn(&mut Vec<u8>),
) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut rng, key) = (rng(9), LinkKey::generate(&mut rng(8)));
    let minute = Clock::start().minute();
    let context = LinkContext::of(&network());
    let mut machine = Initiator::new(&context, &key, &remote, minute, &mut rng).unwrap();
    let mut input = Vec::new();
    let mut first = true;
    loop {
        match machine.advance(&input).unwrap() {
            Step::Read(bytes) => {
                input.resize(bytes, 0);
                if stream.read_exact(&mut input).is_err() {
                    return stream;
                }
            }
            Step::Write(mut bytes) => {
                if std::mem::take(&mut first) {
                    tamper(&mut bytes);
                }
                stream.write_all(&bytes).unwrap();
                input.clear();
            }
            Step::Done(_) => return stream,
        }
    }
}

#[tokio::test]
async fn a_crowd_at_the_door_is_turned_away_and_lets_others_in_when_it_goes() {
    let network = network();
    let (mut near, far) = (End::new(1, &network), End::new(2, &network));
    let places = Places {
        total: 3,
        per_range: 3,
        silent: 2,
    };
    let address = far.listen(Limits { places, ..limits() }).await;
    let crowd: Vec<_> = (0..8)
        .map(|_| std::net::TcpStream::connect(address).unwrap())
        .collect();
    let counts = &far.shared.counts;
    let begun = Instant::now();
    while counts.crowded.load(Ordering::Relaxed) < 5 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while counts.slow.load(Ordering::Relaxed) < 3 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    near.dial(far.shared.key.public(), vec![address]);
    near.up().await;
    drop(crowd);
}

#[tokio::test]
async fn links_beyond_the_bound_are_closed() {
    let network = network();
    let (mut near, far) = (End::new(1, &network), End::new(2, &network));
    let address = far
        .listen(Limits {
            links: 1,
            ..Limits::of_a_node(true)
        })
        .await;
    near.dial(far.shared.key.public(), vec![address]);
    let (_, _outgoing) = near.up().await;
    // The dialler's handshake is over before the other side turns it away.
    near.dial(far.shared.key.public(), vec![address]);
    let (second, _) = near.up().await;
    let Arrival::Down { link } = near.next().await else {
        panic!("it is closed")
    };
    assert_eq!(link, second);
    assert_eq!(far.shared.counts.full.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_dial_tries_address_after_address_and_tells_why_it_failed() {
    let network = network();
    let (mut near, far) = (End::new(1, &network), End::new(2, &network));
    let address = far.listen(limits()).await;
    let nobody: SocketAddr = {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        socket.local_addr().unwrap()
    };
    near.dial(far.shared.key.public(), vec![nobody]);
    assert_eq!(near.failure().await, DialFailure::Unreachable);
    near.dial(LinkKey::generate(&mut rng(5)).public(), vec![address]);
    assert_eq!(near.failure().await, DialFailure::Handshake);
    near.dial(far.shared.key.public(), Vec::new());
    assert_eq!(near.failure().await, DialFailure::Unreachable);
    near.dial(far.shared.key.public(), vec![nobody, address]);
    near.up().await;
}

#[tokio::test]
async fn dials_beyond_the_bound_fail_at_once_and_all_end_when_the_node_does() {
    let network = network();
    let near = End::new(1, &network);
    // Accepted by the system and never spoken to.
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let remote = LinkKey::generate(&mut rng(5)).public();
    for _ in 0..DIALS_MAX {
        near.dial(remote, vec![address]);
    }
    let beyond = dial(
        &near.shared,
        DialId(9),
        remote,
        vec![address],
        near.done.clone(),
    );
    assert_eq!(beyond, Err(DialFailure::Local));
    let End {
        shared,
        mut arrivals,
        done,
        mut gone,
    } = near;
    shared.stop_dialling();
    drop(done);
    let drain = async { while arrivals.recv().await.is_some() {} };
    let gone = timeout(PATIENCE, async {
        tokio::select! {
            () = drain => panic!("the sender lives in the shared part"),
            gone = gone.recv() => gone,
        }
    });
    assert!(gone.await.unwrap().is_none());
}
