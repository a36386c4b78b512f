//! Talking to a running node over its control socket.
//!
//! Promises: every way in which that can go wrong is a [`Failure`]; no call waits for ever; no answer is read beyond a
//! bound. One connection a request. It prints nothing and starts nothing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST as HOST_HEADER};
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use oboro_node::api::{
    Code, Failure, FetchRequest, Job, JobId, Peer, PublishRequest, SearchRequest, SearchResults,
    Stats, Status,
};
use oboro_node::control::{HOST, locate};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::UnixStream;

/// Largest answer read, in bytes: far above any the node gives.
const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// Patience beyond what a call is allowed to take in the node, whose own limit is 30 s.
const PATIENCE: Duration = Duration::from_secs(40);

/// A way to the node at one home. Cheap; holds no connection.
pub struct Client {
    socket: PathBuf,
}

#[derive(Deserialize)]
struct Started {
    job: JobId,
}

#[derive(Deserialize)]
struct InviteLine {
    invite: String,
}

/// What an answer without content is read as.
#[derive(Deserialize)]
struct Empty {}

impl Client {
    /// For the node at `home`, whether it runs or not.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self {
            socket: locate(home),
        }
    }

    /// See `NodeApi::status`.
    pub async fn status(&self) -> Result<Status, Failure> {
        self.get("/v1/status").await
    }

    /// See `NodeApi::stats`.
    pub async fn stats(&self) -> Result<Stats, Failure> {
        self.get("/v1/stats").await
    }

    /// See `NodeApi::peers`.
    pub async fn peers(&self) -> Result<Vec<Peer>, Failure> {
        self.get("/v1/peers").await
    }

    /// See `NodeApi::invite`.
    pub async fn invite(&self) -> Result<String, Failure> {
        let line: InviteLine = self.get("/v1/invite").await?;
        Ok(line.invite)
    }

    /// See `NodeApi::join`.
    pub async fn join(&self, invite: &str) -> Result<(), Failure> {
        self.post("/v1/join", &json!({"invite": invite})).await
    }

    /// See `NodeApi::publish`.
    pub async fn publish(&self, request: &PublishRequest) -> Result<JobId, Failure> {
        let started: Started = self
            .call(Method::POST, "/v1/publish", Some(request), PATIENCE)
            .await?;
        Ok(started.job)
    }

    /// See `NodeApi::search`.
    pub async fn search(&self, request: &SearchRequest) -> Result<SearchResults, Failure> {
        let patience = Duration::from_millis(request.timeout_ms).saturating_add(PATIENCE);
        self.call(Method::POST, "/v1/search", Some(request), patience)
            .await
    }

    /// See `NodeApi::last_search`.
    pub async fn last_search(&self) -> Result<Option<SearchResults>, Failure> {
        self.get("/v1/search").await
    }

    /// See `NodeApi::fetch`.
    pub async fn fetch(&self, request: &FetchRequest) -> Result<JobId, Failure> {
        let started: Started = self
            .call(Method::POST, "/v1/fetch", Some(request), PATIENCE)
            .await?;
        Ok(started.job)
    }

    /// See `NodeApi::job`.
    pub async fn job(&self, id: JobId, wait: Duration) -> Result<Job, Failure> {
        let millis = wait.as_millis();
        let path = format!("/v1/jobs/{id}?wait_ms={millis}");
        self.call(
            Method::GET,
            &path,
            None::<&()>,
            wait.saturating_add(PATIENCE),
        )
        .await
    }

    /// See `NodeApi::jobs`.
    pub async fn jobs(&self) -> Result<Vec<Job>, Failure> {
        self.get("/v1/jobs").await
    }

    /// See `NodeApi::cancel`.
    pub async fn cancel(&self, id: JobId) -> Result<(), Failure> {
        let path = format!("/v1/jobs/{id}");
        let Empty {} = self
            .call(Method::DELETE, &path, None::<&()>, PATIENCE)
            .await?;
        Ok(())
    }

    /// See `NodeApi::refuse`.
    pub async fn refuse(&self, urns: &[String]) -> Result<(), Failure> {
        self.post("/v1/refuse", &json!({"urns": urns})).await
    }

    /// See `NodeApi::allow`.
    pub async fn allow(&self, urns: &[String]) -> Result<(), Failure> {
        self.post("/v1/allow", &json!({"urns": urns})).await
    }

    /// Asks the node to end; returns when it has heard, not when it has ended.
    pub async fn shutdown(&self) -> Result<(), Failure> {
        self.post("/v1/shutdown", &json!({})).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, None::<&()>, PATIENCE).await
    }

    async fn post(&self, path: &str, body: &serde_json::Value) -> Result<(), Failure> {
        let Empty {} = self.call(Method::POST, path, Some(body), PATIENCE).await?;
        Ok(())
    }

    /// One request and its answer, within `patience`.
    async fn call<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        patience: Duration,
    ) -> Result<T, Failure> {
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(|_| unreadable())?,
            None => Vec::new(),
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST_HEADER, HOST)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| unreadable())?;
        let answer = tokio::time::timeout(patience, self.exchange(request)).await;
        let (good, bytes) = answer.map_err(|_| {
            Failure::new(Code::TimedOut, "the node did not answer in time")
                .hint("its log may say why; `oboro restart` starts it again")
        })??;
        if good {
            return serde_json::from_slice(&bytes).map_err(|_| unreadable());
        }
        Err(serde_json::from_slice(&bytes).unwrap_or_else(|_| unreadable()))
    }

    /// Sends a request on a connection of its own; whether it went well, and the answer's body.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(bool, Bytes), Failure> {
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream.map_err(|error| no_connection(error.kind()))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| closed())?;
        let send = async {
            let response = sender.send_request(request).await.map_err(|_| closed())?;
            read(response).await
        };
        // The connection must be driven while the answer is awaited; it ends with the exchange.
        tokio::pin!(send);
        tokio::select! {
            answer = &mut send => answer,
            _ = connection => send.await,
        }
    }
}

async fn read(response: Response<Incoming>) -> Result<(bool, Bytes), Failure> {
    let good = response.status().is_success();
    let body = Limited::new(response.into_body(), ANSWER_MAX)
        .collect()
        .await;
    body.map(|body| (good, body.to_bytes()))
        .map_err(|_| closed())
}

fn no_connection(kind: ErrorKind) -> Failure {
    match kind {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            Failure::new(Code::NotRunning, "the node is not running").hint("start it: oboro start")
        }
        ErrorKind::PermissionDenied => {
            Failure::new(Code::Failed, "this home belongs to another user")
                .hint("use a home of your own: --home DIR")
        }
        kind => Failure::new(Code::Failed, format!("the node can't be reached: {kind}")),
    }
}

fn closed() -> Failure {
    Failure::new(Code::NotRunning, "the node ended, or closed the connection")
        .hint("oboro status says whether it runs, oboro start starts it")
}

fn unreadable() -> Failure {
    Failure::new(Code::Failed, "the node's answer can't be read")
        .hint("the node may be of another version: oboro restart")
}
