//! What leaves a node besides its answers: bytes on the line, files in the home, lines in the log. None of them holds a
//! title, a keyword, a URN, a key or a plaintext, in any usual spelling.

mod common;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::Net;
use data_encoding::{BASE64, HEXLOWER};
use oboro_node::api::{JobState, NodeApi};
use oboro_node::eris::Capability;
use oboro_node::{Invite, NodeHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tracing_subscriber::fmt::MakeWriter;

const TITLE: &str = "Quokka Sonata 秘密の歌.txt";
const MARKER: &[u8] = b"nobody-reads-this-";

/// Everything written to it, shared.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<u8>>>);

impl Tape {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Tape {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A line that passes on and remembers everything.
async fn wiretap(to: SocketAddr, tape: Tape) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = socket.accept().await {
            let far = TcpStream::connect(to).await.unwrap();
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::spawn(pass(near_in, far_out, tape.clone()));
            tokio::spawn(pass(far_in, near_out, tape.clone()));
        }
    });
    address
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut tape: Tape,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        tape.write_all(&bytes[..n]).unwrap();
        if to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown().await;
}

/// What must not be found, with a name for the failure.
fn needles(urn: &str) -> Vec<(String, Vec<u8>)> {
    let capability = Capability::from_urn(urn).unwrap();
    let mut needles = vec![("plaintext".to_owned(), MARKER.to_vec())];
    for word in ["Quokka", "quokka", "Sonata", "sonata", "秘密", "の歌"] {
        needles.push((word.to_owned(), word.as_bytes().to_vec()));
        let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
        needles.push((format!("{word} in UTF-16"), wide));
    }
    let urn_body = urn.rsplit(':').next().unwrap()[10..40].to_owned();
    needles.push((
        "URN in lower case".into(),
        urn_body.to_lowercase().into_bytes(),
    ));
    needles.push(("URN".into(), urn_body.into_bytes()));
    let key = capability.key.expose().to_vec();
    let root = capability.root.0.to_vec();
    for (name, bytes) in [("key", key), ("root", root)] {
        needles.push((
            format!("{name} in hex"),
            HEXLOWER.encode(&bytes).into_bytes(),
        ));
        needles.push((
            format!("{name} in Base64"),
            BASE64.encode(&bytes).as_bytes()[..40].to_vec(),
        ));
        needles.push((name.to_owned(), bytes));
    }
    needles
}

fn search(place: &str, haystack: &[u8], needles: &[(String, Vec<u8>)]) {
    for (name, needle) in needles {
        let found = haystack
            .windows(needle.len())
            .any(|window| window == needle.as_slice());
        assert!(!found, "{place} holds: {name}");
    }
}

fn search_files(dir: &Path, needles: &[(String, Vec<u8>)]) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += search_files(&path, needles);
        } else if path.is_file() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            search(&name, &std::fs::read(&path).unwrap(), needles);
            search("a file's name", name.as_bytes(), needles);
            files += 1;
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_disk_and_log_say_nothing_of_what_was_published_searched_and_fetched() {
    let log = Tape::default();
    let level = tracing::Level::TRACE;
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_writer(log.clone())
        .init();

    let mut net = Net::start(1).await;
    let line = Tape::default();
    let mut invite = Invite::parse(&net.node(0).invite().await.unwrap()).unwrap();
    let real = invite.addresses[0];
    invite.addresses = vec![wiretap(real, line.clone()).await];
    for i in [1, 2] {
        let node = NodeHandle::start(net.config(i)).await.unwrap();
        node.join(invite.encode()).await.unwrap();
        net.add(node);
    }
    net.settle().await;

    let bytes: Vec<u8> = MARKER.iter().copied().cycle().take(3 << 20).collect();
    let published = net.publish(1, TITLE, &bytes).await;
    assert!(published.state == JobState::Done);
    assert_eq!(net.search(2, &["quokka", "秘密の歌"]).await.hits.len(), 1);
    let fetched = net.fetch_hit(2, 1, "out").await;
    assert!(fetched.state == JobState::Done && net.output(2, "out") == bytes);
    for i in 0..3 {
        net.node(i).shutdown().await;
    }

    // Nobody keeps what he publishes or asks himself: everything is fetched from the first node, over the tapped line.
    let passed = line.bytes();
    assert!(
        passed.len() > 2 * bytes.len(),
        "{} bytes passed",
        passed.len()
    );
    let urn = published.urn.unwrap();
    let content = needles(&urn);
    search("the line", &passed, &content);
    for home in ["home0", "home1", "home2"] {
        let files = search_files(&net.dir().join(home), &content);
        assert!(files > 5, "{home} has {files} files");
    }
    let log = log.bytes();
    assert!(!log.is_empty());
    search("the log", &log, &content);
    let above_debug = String::from_utf8(log).unwrap();
    let above_debug: Vec<&str> = above_debug
        .lines()
        .filter(|line| !line.contains("DEBUG") && !line.contains("TRACE"))
        .collect();
    let address = [("an address".to_owned(), b"127.0.0.1".to_vec())];
    search(
        "the log above debug",
        above_debug.join("\n").as_bytes(),
        &address,
    );
}
