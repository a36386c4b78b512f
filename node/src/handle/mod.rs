//! The handle of a running node: checks what is asked, prepares what blocks, asks the driver, translates the answer.
//!
//! Promises: clones are cheap and all of one node; a handle that outlives its node says so. Does not know the core's
//! machines.

mod privacy;
mod search;
mod view;

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use oboro_cache::CacheStats;
use oboro_core::ids::JobId as CoreJobId;
use oboro_core::wire::invite::Invite;
use oboro_crypto::ids::Reference;
use oboro_crypto::network::Network;
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use view::Facts;

use crate::api::{
    Code, Failure, FetchRequest, Job, JobId, NodeApi, Peer, PublishRequest, SearchRequest,
    SearchResults, Stats, Status,
};
use crate::config::NodeConfig;
use crate::content::{FetchPlan, PublishPlan, Target};
use crate::driver::{Overview, Request};
use crate::home::Home;
use crate::jobs::JobFiles;
use crate::net::Shared;
use crate::{fault, start};

/// The longest a caller waits for a job to change.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Least time between a question about a running job and its answer when something changes all the time.
const WAIT_MIN: Duration = Duration::from_millis(50);

/// Words of a search, and URNs of a refusal, at the most.
const REFUSALS_AT_ONCE_MAX: usize = 1024;

/// A running node. It runs until [`NodeApi::shutdown`], or until the last handle is gone.
#[derive(Clone)]
pub struct NodeHandle {
    inner: Arc<Inner>,
}

/// What a handle needs besides the driver.
pub(crate) struct Inner {
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) ended: watch::Receiver<bool>,
    /// The driver's: gone when the node is.
    pub(crate) home: Weak<Home>,
    pub(crate) files: Arc<JobFiles>,
    pub(crate) network: Network,
    pub(crate) shared: Arc<Shared>,
    pub(crate) facts: Facts,
    /// What the last search that found something brought; kept in the jobs folder, too, over a restart.
    pub(crate) last_search: Mutex<Option<SearchResults>>,
}

impl NodeHandle {
    /// Starts a node; returns when its home is open and its listener stands, not when it has joined its network.
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`Code::AlreadyRunning`], the passphrase codes, [`Code::NetworkMismatch`], [`Code::NewerVersion`],
    /// [`Code::StoreDamaged`], [`Code::DiskFull`], [`Code::BadInput`] for a file of the home that can't be read,
    /// [`Code::Failed`] if the system refuses something.
    pub async fn start(config: NodeConfig) -> Result<Self, Failure> {
        start::start(config).await.map(|inner| Self {
            inner: Arc::new(inner),
        })
    }

    /// The network it belongs to.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.inner.network
    }

    /// Asks the driver something and waits for its reply.
    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        self.tell(request(reply)).await?;
        answer.await.map_err(|_| fault::stopping())
    }

    async fn tell(&self, request: Request) -> Result<(), Failure> {
        self.inner
            .requests
            .send(request)
            .await
            .map_err(|_| fault::stopping())
    }

    async fn overview(&self) -> Result<(Overview, CacheStats), Failure> {
        let overview = self.ask(Request::Overview).await?;
        let cache = self.ask(Request::Cache).await?;
        Ok((overview, cache))
    }

    /// Does something that blocks, with what a job needs.
    async fn prepare<T: Send + 'static>(
        &self,
        work: impl FnOnce(&JobFiles) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let files = Arc::clone(&self.inner.files);
        blocking(move || work(&files)).await
    }

    async fn change_refusals(&self, urns: Vec<String>, refuse: bool) -> Result<(), Failure> {
        let references = references(&urns)?;
        let done = self
            .ask(|reply| Request::Refuse {
                references,
                refuse,
                reply,
            })
            .await?;
        done.map_err(|error| fault::cache(&error))
    }

    /// The URN and the title a fetch is about.
    fn wanted(&self, request: &FetchRequest) -> Result<(String, Option<String>), Failure> {
        match (&request.urn, request.n) {
            (Some(urn), None) => Ok((urn.clone(), request.title.clone())),
            (None, Some(n)) => self.hit(n, request.title.as_deref()),
            _ => Err(Failure::new(
                Code::Usage,
                "a fetch is of a URN or of a number, one of them",
            )),
        }
    }
}

impl NodeApi for NodeHandle {
    async fn status(&self) -> Result<Status, Failure> {
        let (overview, cache) = self.overview().await?;
        Ok(view::status(
            &self.inner.facts,
            &self.inner.network,
            &overview,
            &cache,
        ))
    }

    async fn stats(&self) -> Result<Stats, Failure> {
        let (overview, cache) = self.overview().await?;
        let counts = &self.inner.shared.counts;
        Ok(view::stats(&self.inner.facts, &overview, &cache, counts))
    }

    async fn peers(&self) -> Result<Vec<Peer>, Failure> {
        let overview = self.ask(Request::Overview).await?;
        Ok(view::peers(&overview))
    }

    async fn invite(&self) -> Result<String, Failure> {
        let overview = self.ask(Request::Overview).await?;
        let addresses = view::addresses(&self.inner.facts, &overview);
        if addresses.is_empty() {
            let message = "this node has no address that others could dial";
            return Err(Failure::new(Code::Failed, message)
                .hint("start it with --listen ADDRESS:PORT, an address of this machine"));
        }
        let (network, link) = (self.inner.network.duplicate(), self.inner.facts.link);
        Ok(Invite {
            network,
            link,
            addresses,
        }
        .encode())
    }

    async fn join(&self, invite: String) -> Result<(), Failure> {
        let invite = Invite::parse(&invite).map_err(fault::invite)?;
        let start = (invite.link, invite.addresses.clone());
        let home = self.inner.home.upgrade().ok_or_else(fault::stopping)?;
        blocking(move || home.join(&invite)).await?;
        self.tell(Request::Join(start)).await
    }

    async fn publish(&self, request: PublishRequest) -> Result<JobId, Failure> {
        let plan = self
            .prepare(move |files| PublishPlan::new(files, &request))
            .await?;
        let id = plan.job.id;
        self.ask(|reply| Request::Publish(Box::new(plan), reply))
            .await?;
        Ok(id)
    }

    async fn search(&self, request: SearchRequest) -> Result<SearchResults, Failure> {
        self.run_search(request).await
    }

    async fn last_search(&self) -> Result<Option<SearchResults>, Failure> {
        Ok(self.remembered())
    }

    async fn fetch(&self, request: FetchRequest) -> Result<JobId, Failure> {
        let (urn, title) = self.wanted(&request)?;
        let fewer_hops = request.fewer_hops;
        let target = Target {
            output: request.output,
            overwrite: request.overwrite,
        };
        let plan = self
            .prepare(move |files| FetchPlan::new(files, &urn, title, target, fewer_hops))
            .await?;
        let id = plan.job.id;
        self.ask(|reply| Request::Fetch(Box::new(plan), reply))
            .await?;
        Ok(id)
    }

    async fn job(&self, id: JobId, wait_ms: u64) -> Result<Job, Failure> {
        let watch = self.ask(|reply| Request::Watch(id, reply)).await?;
        let mut watch = watch.ok_or_else(|| no_job(id))?;
        let wait = Duration::from_millis(wait_ms).min(WAIT_MAX);
        if !watch.borrow().state.ended() && !wait.is_zero() {
            let change = async {
                // A job whose node ends changes no more.
                let _ = watch.changed().await;
                if !watch.borrow().state.ended() {
                    tokio::time::sleep(WAIT_MIN).await;
                }
            };
            // Waiting in vain is an answer, too.
            let _ = tokio::time::timeout(wait, change).await;
        }
        let job = watch.borrow().clone();
        Ok(job)
    }

    async fn jobs(&self) -> Result<Vec<Job>, Failure> {
        self.ask(Request::Jobs).await
    }

    async fn cancel(&self, id: JobId) -> Result<(), Failure> {
        let watch = self.ask(|reply| Request::Watch(id, reply)).await?;
        watch.ok_or_else(|| no_job(id))?;
        self.tell(Request::Cancel(CoreJobId(id))).await
    }

    async fn refuse(&self, urns: Vec<String>) -> Result<(), Failure> {
        self.change_refusals(urns, true).await
    }

    async fn allow(&self, urns: Vec<String>) -> Result<(), Failure> {
        self.change_refusals(urns, false).await
    }

    async fn shutdown(&self) {
        // If the driver is on its way out already, its end is waited for below.
        let _ = self.ask(Request::Stop).await;
        let mut ended = self.inner.ended.clone();
        let _ = ended.wait_for(|ended| *ended).await;
    }
}

fn no_job(id: JobId) -> Failure {
    Failure::new(Code::NoSuch, format!("there is no job {id}"))
}

/// The roots of what the operator names: without its root nothing else of a file can be found.
fn references(urns: &[String]) -> Result<Vec<Reference>, Failure> {
    if urns.len() > REFUSALS_AT_ONCE_MAX {
        let message = format!("at most {REFUSALS_AT_ONCE_MAX} URNs at once");
        return Err(Failure::new(Code::Usage, message));
    }
    urns.iter()
        .map(|urn| fault::capability(urn).map(|capability| capability.root))
        .collect()
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| {
        Err(Failure::new(
            Code::Failed,
            "this operation broke down: a bug",
        ))
    })
}
