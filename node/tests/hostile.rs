//! Peers that shake hands properly and then do what they should not. The node closes the link or bears it, and goes on.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Net, content};
use oboro_crypto::handshake::{Established, Initiator, LinkContext, Step};
use oboro_crypto::keys::LinkKey;
use oboro_crypto::record::RECORD_PLAIN;
use oboro_node::Invite;
use oboro_node::api::{JobState, NodeApi};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

const PATIENCE: Duration = Duration::from_secs(60);

/// A peer that speaks the link protocol and nothing above it.
struct Peer {
    stream: TcpStream,
    link: Box<Established>,
}

impl Peer {
    fn connect(invite: &Invite, seed: u64) -> Self {
        let address: SocketAddr = invite.addresses[0];
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let key = LinkKey::generate(&mut rng);
        let minute = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
            / 60;
        let context = LinkContext::of(&invite.network);
        let mut machine =
            Initiator::new(&context, &key, &invite.link, minute as u32, &mut rng).unwrap();
        let mut input = Vec::new();
        loop {
            match machine.advance(&input).unwrap() {
                Step::Read(bytes) => {
                    input.resize(bytes, 0);
                    stream.read_exact(&mut input).unwrap();
                }
                Step::Write(bytes) => {
                    stream.write_all(&bytes).unwrap();
                    input.clear();
                }
                Step::Done(link) => return Self { stream, link },
            }
        }
    }

    /// Seals and sends records; `false` once the other side has closed.
    fn send(&mut self, plain: &[u8]) -> bool {
        let mut wire = Vec::new();
        self.link.cipher.seal(plain, &mut wire).unwrap();
        self.stream.write_all(&wire).is_ok()
    }

    /// Reads until the other side closes.
    fn until_closed(mut self) -> bool {
        let begun = Instant::now();
        let mut bytes = [0; 65_536];
        while begun.elapsed() < PATIENCE {
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return begun.elapsed() < PATIENCE,
                Ok(_) => {}
            }
        }
        false
    }
}

fn noise(records: usize, seed: u64) -> Vec<u8> {
    let mut plain = vec![0; records * RECORD_PLAIN];
    ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut plain);
    plain
}

async fn invite(net: &Net) -> Invite {
    Invite::parse(&net.node(0).invite().await.unwrap()).unwrap()
}

async fn still_works(net: &Net) {
    let bytes = content(200_000, 1);
    let published = net.publish(1, "still here", &bytes).await;
    assert!(
        published.state == JobState::Done,
        "{:?}",
        published.failure.map(|f| f.message)
    );
    let fetched = net
        .fetch_urn(0, published.urn.as_deref().unwrap(), "out")
        .await;
    assert!(
        fetched.state == JobState::Done,
        "{:?}",
        fetched.failure.map(|f| f.message)
    );
    assert!(net.output(0, "out") == bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_nonsense_closes_the_link_and_is_counted() {
    let net = Net::start(3).await;
    let invite = invite(&net).await;
    let peers = tokio::task::spawn_blocking(move || {
        for seed in 0..20 {
            let mut peer = Peer::connect(&invite, seed);
            peer.send(&noise(1 + seed as usize, seed));
            assert!(peer.until_closed(), "noise {seed} was borne");
        }
    });
    peers.await.unwrap();
    let stats = net.node(0).stats().await.unwrap();
    let violations: u64 = stats
        .drops
        .iter()
        .filter(|(cause, _)| cause.starts_with("violation"))
        .map(|(_, n)| n)
        .sum();
    assert!(violations >= 20, "{:?}", stats.drops);
    still_works(&net).await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_takes_nothing_or_leaves_in_the_middle_of_a_record_costs_nothing() {
    let net = Net::start(3).await;
    let invite = invite(&net).await;
    let peers = tokio::task::spawn_blocking(move || {
        let mut kept = Vec::new();
        for seed in 0..10 {
            let mut peer = Peer::connect(&invite, 100 + seed);
            let mut wire = Vec::new();
            peer.link
                .cipher
                .seal(&vec![0; RECORD_PLAIN], &mut wire)
                .unwrap();
            peer.stream.write_all(&wire[..1000]).unwrap();
            if seed % 2 == 0 {
                kept.push(peer);
            }
        }
        kept
    });
    let kept = peers.await.unwrap();
    still_works(&net).await;
    drop(kept);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_records_without_end_do_not_keep_others_waiting() {
    let net = Net::start(3).await;
    let invite = invite(&net).await;
    let flood = std::thread::spawn(move || {
        let mut peer = Peer::connect(&invite, 500);
        let begun = Instant::now();
        let padding = vec![0; 16 * RECORD_PLAIN];
        let mut sent = 0u64;
        while begun.elapsed() < Duration::from_secs(3) && peer.send(&padding) {
            sent += 16;
        }
        sent
    });
    still_works(&net).await;
    assert!(flood.join().unwrap() > 0);
    net.stop().await;
}
