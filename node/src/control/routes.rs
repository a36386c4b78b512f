//! Which path means which call of the interface.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST as HOST_HEADER;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::HOST;
use super::request::{Join, Urns, Wait, read};
use crate::api::{Code, Failure, FetchRequest, JobId, NodeApi, PublishRequest, SearchRequest};

/// Longest call that isn't a search or a wait: the node is stuck when it takes longer.
const CALL_TIME: Duration = Duration::from_secs(30);

/// The interface as a service; `stop` is notified when a client asks the node to end.
pub(super) fn router<A: NodeApi>(api: A, stop: Arc<Notify>) -> Router {
    Router::new()
        .route("/v1/status", get(status::<A>))
        .route("/v1/stats", get(stats::<A>))
        .route("/v1/peers", get(peers::<A>))
        .route("/v1/invite", get(invite::<A>))
        .route("/v1/join", post(join::<A>))
        .route("/v1/publish", post(publish::<A>))
        .route("/v1/search", get(last_search::<A>).post(search::<A>))
        .route("/v1/fetch", post(fetch::<A>))
        .route("/v1/jobs", get(jobs::<A>))
        .route("/v1/jobs/{id}", get(job::<A>).delete(cancel::<A>))
        .route("/v1/refuse", post(refuse::<A>))
        .route("/v1/allow", post(allow::<A>))
        .route("/v1/shutdown", post(shutdown::<A>))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(named_us))
        .with_state(Shared { api, stop })
}

/// The HTTP status of a failure. Clients go by the body; this is for people with `curl`.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Usage | Code::BadInput | Code::NetworkMismatch => StatusCode::BAD_REQUEST,
        Code::Refused => StatusCode::FORBIDDEN,
        Code::NoSuch | Code::NothingFound => StatusCode::NOT_FOUND,
        Code::Exists | Code::AlreadyRunning => StatusCode::CONFLICT,
        Code::NotJoined
        | Code::NoRoute
        | Code::TooFewRelays
        | Code::GuardAway
        | Code::NoCircuit => StatusCode::SERVICE_UNAVAILABLE,
        Code::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        Code::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[derive(Clone)]
struct Shared<A> {
    api: A,
    stop: Arc<Notify>,
}

/// A failure on its way out.
struct Refusal(StatusCode, Failure);

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(http_status(failure.code), failure)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

type Answer<T> = Result<Json<T>, Refusal>;

async fn named_us(request: Request, next: Next) -> Response {
    let named = request.headers().get(HOST_HEADER);
    if named.is_some_and(|host| host.as_bytes() == HOST.as_bytes()) {
        return next.run(request).await;
    }
    let failure = Failure::new(Code::Usage, format!("the Host header must say \"{HOST}\""));
    Refusal(StatusCode::MISDIRECTED_REQUEST, failure).into_response()
}

async fn unknown_path() -> Refusal {
    Failure::new(Code::NoSuch, "the node has no such path")
        .hint("the program and the node may be of different versions: `oboro restart`")
        .into()
}

async fn wrong_method() -> Refusal {
    let failure = Failure::new(Code::Usage, "the path takes another method");
    Refusal(StatusCode::METHOD_NOT_ALLOWED, failure)
}

async fn timed<T: Serialize>(call: impl Future<Output = Result<T, Failure>>) -> Answer<T> {
    match tokio::time::timeout(CALL_TIME, call).await {
        Ok(result) => Ok(Json(result?)),
        Err(_) => Err(Failure::new(Code::TimedOut, "the node did not answer in time").into()),
    }
}

async fn status<A: NodeApi>(State(shared): State<Shared<A>>) -> impl IntoResponse {
    timed(shared.api.status()).await
}

async fn stats<A: NodeApi>(State(shared): State<Shared<A>>) -> impl IntoResponse {
    timed(shared.api.stats()).await
}

async fn peers<A: NodeApi>(State(shared): State<Shared<A>>) -> impl IntoResponse {
    timed(shared.api.peers()).await
}

async fn invite<A: NodeApi>(State(shared): State<Shared<A>>) -> impl IntoResponse {
    timed(async { Ok(json!({"invite": shared.api.invite().await?})) }).await
}

async fn join<A: NodeApi>(State(shared): State<Shared<A>>, body: Body) -> Answer<Value> {
    let Join { invite } = read(body).await?;
    timed(done(shared.api.join(invite))).await
}

async fn publish<A: NodeApi>(State(shared): State<Shared<A>>, body: Body) -> Answer<Value> {
    let request: PublishRequest = read(body).await?;
    timed(started(shared.api.publish(request))).await
}

async fn search<A: NodeApi>(
    State(shared): State<Shared<A>>,
    body: Body,
) -> Result<impl IntoResponse, Refusal> {
    let request: SearchRequest = read(body).await?;
    let patience = Duration::from_millis(request.timeout_ms) + CALL_TIME;
    match tokio::time::timeout(patience, shared.api.search(request)).await {
        Ok(results) => Ok(Json(results?)),
        Err(_) => Err(Failure::new(Code::TimedOut, "the search did not end in time").into()),
    }
}

async fn last_search<A: NodeApi>(State(shared): State<Shared<A>>) -> impl IntoResponse {
    timed(shared.api.last_search()).await
}

async fn fetch<A: NodeApi>(State(shared): State<Shared<A>>, body: Body) -> Answer<Value> {
    let request: FetchRequest = read(body).await?;
    timed(started(shared.api.fetch(request))).await
}

async fn jobs<A: NodeApi>(State(shared): State<Shared<A>>) -> impl IntoResponse {
    timed(shared.api.jobs()).await
}

async fn job<A: NodeApi>(
    State(shared): State<Shared<A>>,
    id: Result<Path<JobId>, PathRejection>,
    wait: Result<Query<Wait>, QueryRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let id = job_id(id)?;
    let Query(wait) =
        wait.map_err(|_| Failure::new(Code::Usage, "wait_ms is not a number of milliseconds"))?;
    let wait_ms = wait.millis();
    let patience = Duration::from_millis(wait_ms) + CALL_TIME;
    match tokio::time::timeout(patience, shared.api.job(id, wait_ms)).await {
        Ok(job) => Ok(Json(job?)),
        Err(_) => Err(Failure::new(Code::TimedOut, "the node did not answer in time").into()),
    }
}

async fn cancel<A: NodeApi>(
    State(shared): State<Shared<A>>,
    id: Result<Path<JobId>, PathRejection>,
) -> Answer<Value> {
    let id = job_id(id)?;
    timed(done(shared.api.cancel(id))).await
}

async fn refuse<A: NodeApi>(State(shared): State<Shared<A>>, body: Body) -> Answer<Value> {
    let Urns { urns } = read(body).await?;
    timed(done(shared.api.refuse(urns))).await
}

async fn allow<A: NodeApi>(State(shared): State<Shared<A>>, body: Body) -> Answer<Value> {
    let Urns { urns } = read(body).await?;
    timed(done(shared.api.allow(urns))).await
}

/// Answers before the node ends, so that the client knows it was heard.
async fn shutdown<A: NodeApi>(State(shared): State<Shared<A>>) -> Json<Value> {
    shared.stop.notify_one();
    Json(json!({}))
}

fn job_id(id: Result<Path<JobId>, PathRejection>) -> Result<JobId, Failure> {
    id.map(|Path(id)| id)
        .map_err(|_| Failure::new(Code::Usage, "a job is named by its number"))
}

async fn started(call: impl Future<Output = Result<JobId, Failure>>) -> Result<Value, Failure> {
    Ok(json!({"job": call.await?}))
}

async fn done(call: impl Future<Output = Result<(), Failure>>) -> Result<Value, Failure> {
    call.await.map(|()| json!({}))
}
