//! The control socket against programs of every kind, with a node that only pretends.

use std::fs::Permissions;
use std::future::pending;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Ended, Socket, serve};
use crate::api::{
    Code, Failure, FetchRequest, Job, JobId, NodeApi, Peer, PublishRequest, SearchRequest,
    SearchResults, Stats, Status,
};

/// Answers what it was asked with the least there is, and remembers the calls.
#[derive(Clone, Default)]
struct Fake {
    calls: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

impl NodeApi for Fake {
    async fn status(&self) -> Result<Status, Failure> {
        self.note("status");
        Ok(Status::default())
    }
    async fn stats(&self) -> Result<Stats, Failure> {
        Ok(Stats::default())
    }
    async fn peers(&self) -> Result<Vec<Peer>, Failure> {
        Ok(Vec::new())
    }
    async fn invite(&self) -> Result<String, Failure> {
        Err(Failure::new(Code::NotJoined, "no address known"))
    }
    async fn join(&self, invite: String) -> Result<(), Failure> {
        self.note(format!("join {invite}"));
        Ok(())
    }
    async fn publish(&self, request: PublishRequest) -> Result<JobId, Failure> {
        self.note(format!("publish {}", request.path.display()));
        Ok(7)
    }
    /// Never ends by itself.
    async fn search(&self, request: SearchRequest) -> Result<SearchResults, Failure> {
        self.note(format!("search {}", request.words.join(" ")));
        pending().await
    }
    async fn last_search(&self) -> Result<Option<SearchResults>, Failure> {
        Ok(None)
    }
    async fn fetch(&self, _: FetchRequest) -> Result<JobId, Failure> {
        Ok(8)
    }
    async fn job(&self, id: JobId, wait_ms: u64) -> Result<Job, Failure> {
        self.note(format!("job {id} {wait_ms}"));
        Err(Failure::new(Code::NoSuch, "no such job"))
    }
    async fn jobs(&self) -> Result<Vec<Job>, Failure> {
        panic!("a defect of the node")
    }
    async fn cancel(&self, id: JobId) -> Result<(), Failure> {
        self.note(format!("cancel {id}"));
        Ok(())
    }
    async fn refuse(&self, urns: Vec<String>) -> Result<(), Failure> {
        self.note(format!("refuse {}", urns.join(" ")));
        Ok(())
    }
    async fn allow(&self, urns: Vec<String>) -> Result<(), Failure> {
        self.note(format!("allow {}", urns.join(" ")));
        Ok(())
    }
    async fn shutdown(&self) {}
}

struct Served {
    fake: Fake,
    path: PathBuf,
    server: JoinHandle<Ended>,
    stop: Option<oneshot::Sender<()>>,
    _home: TempDir,
}

async fn served() -> Served {
    let home = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .unwrap();
    let socket = Socket::bind(home.path()).await.unwrap();
    let path = socket.path().to_owned();
    let fake = Fake::default();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move {
        let _ = stopped.await;
    };
    let server = tokio::spawn(serve(fake.clone(), socket, stopped));
    Served {
        fake,
        path,
        server,
        stop: Some(stop),
        _home: home,
    }
}

impl Served {
    /// Sends bytes as they are and reads until the node closes.
    async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(&self.path).await.unwrap();
        // The node may have closed already, having seen enough.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    }

    /// One proper request; the status and the body.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: oboro\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        parse(&self.raw(request.as_bytes()).await)
    }
}

fn parse(answer: &[u8]) -> (u16, Value) {
    let text = std::str::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn each_path_makes_its_call() {
    let node = served().await;
    assert_eq!(node.ask("GET", "/v1/status", "").await.0, 200);
    assert_eq!(
        node.ask("POST", "/v1/join", r#"{"invite":"i"}"#).await.0,
        200
    );
    let publish = node.ask("POST", "/v1/publish", r#"{"path":"/f"}"#).await;
    assert_eq!(publish.1["job"], 7);
    let fetch = node
        .ask("POST", "/v1/fetch", r#"{"n":1,"output":"/o"}"#)
        .await;
    assert_eq!(fetch.1["job"], 8);
    assert_eq!(node.ask("DELETE", "/v1/jobs/7", "").await.0, 200);
    assert_eq!(
        node.ask("POST", "/v1/refuse", r#"{"urns":["a"]}"#).await.0,
        200
    );
    assert_eq!(
        node.ask("POST", "/v1/allow", r#"{"urns":["a"]}"#).await.0,
        200
    );
    assert_eq!(node.ask("GET", "/v1/search", "").await, (200, Value::Null));
    let calls = [
        "status",
        "join i",
        "publish /f",
        "cancel 7",
        "refuse a",
        "allow a",
    ];
    assert_eq!(node.fake.calls(), calls);
}

#[tokio::test]
async fn a_failure_comes_as_json_with_its_exit_code() {
    let node = served().await;
    let (status, failure) = node.ask("GET", "/v1/invite", "").await;
    assert_eq!(
        (status, failure["code"].as_str()),
        (503, Some("not_joined"))
    );
    assert_eq!(failure["exit"], 14);
}

#[tokio::test]
async fn a_wait_is_cut_to_the_longest_allowed() {
    let node = served().await;
    node.ask("GET", "/v1/jobs/3?wait_ms=999999999", "").await;
    assert_eq!(node.fake.calls(), ["job 3 60000"]);
}

#[tokio::test]
async fn what_is_no_request_gets_a_failure_and_reaches_nobody() {
    let node = served().await;
    for (method, path, body, expected) in [
        ("GET", "/", "", 404),
        ("GET", "/v2/status", "", 404),
        ("PUT", "/v1/status", "", 405),
        ("GET", "/v1/publish", "", 405),
        ("POST", "/v1/publish", "", 400),
        ("POST", "/v1/publish", "{", 400),
        ("POST", "/v1/publish", "\u{0}\u{1}", 400),
        ("POST", "/v1/fetch", r#"{"output":"/o"}"#, 400),
        ("GET", "/v1/jobs/x", "", 400),
        ("GET", "/v1/jobs/-1", "", 400),
        ("GET", "/v1/jobs/%ff", "", 400),
        ("GET", "/v1/jobs/1?wait_ms=long", "", 400),
    ] {
        let (status, failure) = node.ask(method, path, body).await;
        assert_eq!(status, expected, "{method} {path}");
        assert!(failure["message"].is_string(), "{method} {path}");
    }
    assert_eq!(node.fake.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_strange_host_is_refused() {
    let node = served().await;
    for host in ["Host: localhost\r\n", "Host: example.org\r\n", ""] {
        let request = format!("GET /v1/status HTTP/1.1\r\n{host}\r\n");
        assert_eq!(parse(&node.raw(request.as_bytes()).await).0, 421, "{host}");
    }
    assert_eq!(node.fake.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn garbage_is_survived() {
    let node = served().await;
    for garbage in [
        &b"\0\0\0\0"[..],
        b"\x16\x03\x01\x02\0",
        b"GET\r\n\r\n",
        b"\r\n",
        b"",
        &[0xff; 70_000],
    ] {
        node.raw_then_close(garbage).await;
    }
    assert_eq!(node.ask("GET", "/v1/status", "").await.0, 200);
}

impl Served {
    async fn raw_then_close(&self, bytes: &[u8]) {
        let mut stream = UnixStream::connect(&self.path).await.unwrap();
        let _ = stream.write_all(bytes).await;
    }
}

#[tokio::test]
async fn an_oversized_body_is_refused_however_it_is_announced() {
    let node = served().await;
    let long = "x".repeat(70_000);
    let body = format!(r#"{{"invite":"{long}"}}"#);
    assert_eq!(node.ask("POST", "/v1/join", &body).await.0, 400);
    let chunked = format!(
        "POST /v1/join HTTP/1.1\r\nHost: oboro\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    assert_eq!(parse(&node.raw(chunked.as_bytes()).await).0, 400);
    let lying = "POST /v1/join HTTP/1.1\r\nHost: oboro\r\nContent-Length: 99999999999\r\n\r\n{";
    node.raw_then_close(lying.as_bytes()).await;
    assert_eq!(node.fake.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn an_oversized_head_is_refused() {
    let node = served().await;
    let long = "x".repeat(70_000);
    let request = format!("GET /v1/status HTTP/1.1\r\nHost: oboro\r\nX-Long: {long}\r\n\r\n");
    node.raw(request.as_bytes()).await;
    assert_eq!(node.fake.calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_is_given_up() {
    let node = served().await;
    let before = tokio::time::Instant::now();
    let answer = node.raw(b"GET /v1/status HTTP/1.1\r\nHost: ").await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert!(before.elapsed() < Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn silent_clients_do_not_lock_others_out_for_good() {
    let node = served().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(UnixStream::connect(&node.path).await.unwrap());
    }
    assert_eq!(node.ask("GET", "/v1/status", "").await.0, 200);
}

#[tokio::test]
async fn a_defect_in_one_call_leaves_the_others_working() {
    let node = served().await;
    let broken = "GET /v1/jobs HTTP/1.1\r\nHost: oboro\r\n\r\n";
    assert_eq!(node.raw(broken.as_bytes()).await, b"");
    assert_eq!(node.ask("GET", "/v1/status", "").await.0, 200);
}

#[tokio::test]
async fn asking_for_the_end_is_answered_and_ends_the_server() {
    let node = served().await;
    assert_eq!(node.ask("POST", "/v1/shutdown", "").await.0, 200);
    assert_eq!(node.server.await.unwrap(), Ended::Asked);
    assert!(!node.path.exists());
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_a_search_without_end() {
    let mut node = served().await;
    let body = r#"{"words":["w"],"timeout_ms":600000}"#;
    let length = body.len();
    let request = format!(
        "POST /v1/search HTTP/1.1\r\nHost: oboro\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut stream = UnixStream::connect(&node.path).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    while node.fake.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(node.stop.take());
    assert_eq!(node.server.await.unwrap(), Ended::Stopped);
}
