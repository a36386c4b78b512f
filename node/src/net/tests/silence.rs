//! The silent listener: strangers with every kind of probe get nothing back.

use std::io::{Read, Write};
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use oboro_crypto::handshake::{Initiator, Step};
use rand_core::RngCore;

use super::*;

/// A first flight that would be answered.
fn flight(remote: &LinkPublic, network: &Network, minute: u32) -> Vec<u8> {
    let key = LinkKey::generate(&mut rng(8));
    let context = LinkContext::of(network);
    let mut machine = Initiator::new(&context, &key, remote, minute, &mut rng(9)).unwrap();
    match machine.advance(&[]).unwrap() {
        Step::Write(bytes) => bytes,
        _ => panic!("the initiator speaks first"),
    }
}

/// What strangers try, by name.
fn probes(remote: &LinkPublic) -> Vec<(&'static str, Vec<u8>)> {
    let minute = Clock::start().minute();
    let valid = flight(remote, &network(), minute);
    let mut noise = vec![0; 5_000];
    rng(4).fill_bytes(&mut noise);
    let mut flipped = valid.clone();
    flipped[100] ^= 1;
    let elsewhere = Network::private("elsewhere", true, &mut rng(2)).unwrap();
    vec![
        ("nothing", Vec::new()),
        ("one byte", vec![0]),
        (
            "http",
            b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n".to_vec(),
        ),
        (
            "tls",
            [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &noise[..512]].concat(),
        ),
        ("ssh", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        ("zeros", vec![0; 4_096]),
        ("noise", noise.clone()),
        ("much noise", noise.repeat(20)),
        ("a flight cut short", valid[..valid.len() / 2].to_vec()),
        ("a flight with one bit flipped", flipped),
        (
            "a flight for another key",
            flight(&LinkKey::generate(&mut rng(5)).public(), &network(), minute),
        ),
        (
            "a flight of another network",
            flight(remote, &elsewhere, minute),
        ),
        (
            "a flight of last week",
            flight(remote, &network(), minute - 7 * 24 * 60),
        ),
    ]
}

/// Sends a probe; says what came back and how long the connection stood. Ends its own side at once if `half`.
fn probe(address: SocketAddr, bytes: &[u8], half: bool) -> (Vec<u8>, Duration) {
    let begun = Instant::now();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    if half {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .expect("an orderly close, not a reset");
    (answer, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_get_no_byte_and_the_same_kind_of_close_whatever_they_try() {
    let far = End::new(2, &network());
    let limits = limits();
    let silence: RangeInclusive<Duration> = limits.silence.clone();
    let address = far.listen(limits).await;
    let mut tries = Vec::new();
    for (name, bytes) in probes(&far.shared.key.public()) {
        for half in [false, true] {
            let bytes = bytes.clone();
            let probe = tokio::task::spawn_blocking(move || probe(address, &bytes, half));
            tries.push((name, half, probe));
        }
    }
    let (mut shortest, mut longest) = (PATIENCE, Duration::ZERO);
    for (name, half, probe) in tries {
        let (answer, stood) = probe.await.unwrap();
        assert!(
            answer.is_empty(),
            "{name}: {} bytes came back",
            answer.len()
        );
        assert!(
            stood >= *silence.start(),
            "{name}, half closed {half}: {stood:?}"
        );
        (shortest, longest) = (shortest.min(stood), longest.max(stood));
    }
    assert!(
        longest > shortest + Duration::from_millis(100),
        "{shortest:?} to {longest:?}"
    );
    let counts = &far.shared.counts;
    let all = counts.silent.load(Ordering::Relaxed) + counts.slow.load(Ordering::Relaxed);
    assert_eq!(all, 26);
}

#[tokio::test]
async fn a_replayed_flight_is_met_with_silence() {
    let far = End::new(2, &network());
    let address = far.listen(limits()).await;
    let flight = flight(
        &far.shared.key.public(),
        &network(),
        far.shared.clock.minute(),
    );
    let answer = |flight: Vec<u8>| {
        tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&flight).unwrap();
            let mut answer = Vec::new();
            // A reset after the answer does not take it back.
            let _ = stream.read_to_end(&mut answer);
            answer.len()
        })
    };
    assert!(
        answer(flight.clone()).await.unwrap() > 1_000,
        "the first is answered"
    );
    assert_eq!(answer(flight).await.unwrap(), 0);
}
