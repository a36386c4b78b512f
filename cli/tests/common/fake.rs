//! A node that only pretends, behind the real control socket: what commands make of each answer can be tested without
//! a network.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use oboro_node::api::{
    CacheUse, Code, Failure, FetchRequest, Guard, Job, JobId, JobKind, JobState, NodeApi,
    NodeState, Peer, PublishRequest, Route, SearchHit, SearchRequest, SearchResults, Stats, Status,
};
use oboro_node::control::{Socket, serve};
use tokio::sync::oneshot;

/// The URN that the fake publishes and finds. It is a real one, of nothing.
pub const URN: &str = concat!(
    "urn:eris:B4A",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
);

/// The title it finds: full-width, with what a terminal must not get.
pub const TITLE: &str = "朧月夜\u{1b}[2J.txt";

/// The content it fetches.
pub const CONTENT: &[u8] = b"content";

/// By which way it says that everything went.
pub const ROUTE: Route = Route {
    hops: 3,
    guard_days: Some(12),
    relays: 214,
};

/// What the fake was asked and how its jobs end.
#[derive(Clone, Default)]
pub struct Fake {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    calls: Vec<String>,
    jobs: BTreeMap<JobId, Job>,
    /// Jobs never end by themselves.
    endless: bool,
    /// What each call of publish and fetch fails with.
    refusal: Option<Failure>,
    /// Titles whose publication fails.
    unpublishable: Vec<String>,
    /// Searches find nothing, with this many storers asked and this many that answered.
    nothing: Option<(u32, u32)>,
}

/// A fake that runs until it is dropped.
pub struct Running {
    pub fake: Fake,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    /// Serves at `home`.
    pub fn at(self, home: &Path) -> Running {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(home)
            .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (fake, home) = (self.clone(), home.to_owned());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async move {
                let socket = Socket::bind(&home).await.unwrap();
                ready.send(()).unwrap();
                let stopped = async move {
                    let _ = stopped.await;
                };
                serve(fake, socket, stopped).await;
            });
        });
        is_ready.recv().unwrap();
        Running {
            fake: self,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Jobs never end by themselves.
    pub fn endless(self) -> Self {
        self.state.lock().unwrap().endless = true;
        self
    }

    /// Publishing and fetching fail with this.
    pub fn refusing(self, failure: Failure) -> Self {
        self.state.lock().unwrap().refusal = Some(failure);
        self
    }

    /// Publishing a file of this name fails.
    pub fn unpublishable(self, name: &str) -> Self {
        self.state
            .lock()
            .unwrap()
            .unpublishable
            .push(name.to_owned());
        self
    }

    /// Searches find nothing, with so many storers asked and so many that answered.
    pub fn empty(self, asked: u32, answered: u32) -> Self {
        self.state.lock().unwrap().nothing = Some((asked, answered));
        self
    }

    /// What it was asked so far.
    pub fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap().calls.clone()
    }

    fn note(&self, call: impl Into<String>) {
        self.state.lock().unwrap().calls.push(call.into());
    }

    fn start(
        &self,
        kind: JobKind,
        title: String,
        output: Option<String>,
    ) -> Result<JobId, Failure> {
        let mut state = self.state.lock().unwrap();
        if let Some(failure) = &state.refusal {
            return Err(failure.clone());
        }
        let fails = state.unpublishable.contains(&title);
        let id = state.jobs.len() as JobId + 1;
        let job = Job {
            id,
            kind,
            state: match (fails, state.endless) {
                (true, _) => JobState::Failed,
                (_, true) => JobState::Running,
                _ => JobState::Done,
            },
            phase: "fetching".into(),
            done_bytes: CONTENT.len() as u64,
            total_bytes: Some(CONTENT.len() as u64),
            speed: 0,
            title,
            urn: Some(URN.into()),
            output,
            failure: fails.then(|| Failure::new(Code::Refused, "no storer takes it")),
            note: None,
            fetched_bytes: CONTENT.len() as u64,
            parity_extents: None,
            resumed_bytes: 0,
            retries: 0,
            route: (!fails).then_some(ROUTE),
        };
        state.jobs.insert(id, job);
        Ok(id)
    }
}

fn fewer(hops: bool) -> &'static str {
    if hops { " over fewer hops" } else { "" }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl NodeApi for Fake {
    async fn status(&self) -> Result<Status, Failure> {
        Ok(Status {
            version: "0.1.0".into(),
            pid: 1,
            state: NodeState::Joined,
            missing: Vec::new(),
            node_id_short: "3f2a9c1e".into(),
            network: "test".into(),
            listen: vec!["127.0.0.1:4100".into()],
            listed: true,
            reachable: Some(true),
            peers: 7,
            view: 7,
            cache: CacheUse {
                used: 1 << 20,
                quota: 1 << 30,
                chunks: 32,
                entries: 4,
            },
            uptime_s: 60,
            node_id: "3f2a9c1e".repeat(8),
            hops: 3,
            anonymity: "3 hops · guard 12 days old (linked) · 3 circuits ready".into(),
            guard: Some(Guard {
                node: "c0ffee00".repeat(8),
                days: 12,
                linked: true,
                standby: false,
            }),
            circuits_ready: 3,
            relays: 7,
            relays_missing: 0,
            jobs_active: 0,
        })
    }
    async fn stats(&self) -> Result<Stats, Failure> {
        Ok(Stats::default())
    }
    async fn peers(&self) -> Result<Vec<Peer>, Failure> {
        Ok(Vec::new())
    }
    async fn invite(&self) -> Result<String, Failure> {
        Ok("oboro-invite:x".into())
    }
    async fn join(&self, invite: String) -> Result<(), Failure> {
        self.note(format!("join {invite}"));
        Ok(())
    }
    async fn publish(&self, request: PublishRequest) -> Result<JobId, Failure> {
        let name = request
            .path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let keywords = request.keywords.unwrap_or_default().join(" ");
        self.note(format!(
            "publish {name} [{keywords}] {}{}",
            request.convergent,
            fewer(request.fewer_hops)
        ));
        self.start(JobKind::Publish, request.title.unwrap_or(name), None)
    }
    async fn search(&self, request: SearchRequest) -> Result<SearchResults, Failure> {
        self.note(format!(
            "search {} {}{}",
            request.words.join(" "),
            request.timeout_ms,
            fewer(request.fewer_hops)
        ));
        if self.state.lock().unwrap().endless {
            std::future::pending::<()>().await;
        }
        Ok(self.last_search().await?.unwrap())
    }
    async fn last_search(&self) -> Result<Option<SearchResults>, Failure> {
        let hit = SearchHit {
            n: 1,
            title: TITLE.into(),
            size: CONTENT.len() as u64,
            kind: "file".into(),
            age_days: 0,
            publishers: 1,
            replicas: 4,
            urn: URN.into(),
            terms_matched: 1,
        };
        let nothing = self.state.lock().unwrap().nothing;
        let (asked, answered) = nothing.unwrap_or((4, 4));
        Ok(Some(SearchResults {
            hits: if nothing.is_some() {
                Vec::new()
            } else {
                vec![hit]
            },
            complete: asked == answered,
            asked,
            answered,
            note: None,
            route: Some(ROUTE),
        }))
    }
    async fn fetch(&self, request: FetchRequest) -> Result<JobId, Failure> {
        let output = request.output.to_string_lossy().into_owned();
        self.note(format!(
            "fetch {}{}",
            request.overwrite,
            fewer(request.fewer_hops)
        ));
        let id = self.start(
            JobKind::Fetch,
            request.title.unwrap_or_default(),
            Some(output),
        )?;
        if !self.state.lock().unwrap().endless {
            std::fs::write(request.output, CONTENT).unwrap();
        }
        Ok(id)
    }
    async fn job(&self, id: JobId, wait_ms: u64) -> Result<Job, Failure> {
        let job = self.state.lock().unwrap().jobs.get(&id).cloned();
        let job = job.ok_or_else(|| Failure::new(Code::NoSuch, "no such job"))?;
        if !job.state.ended() {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
        Ok(job)
    }
    async fn jobs(&self) -> Result<Vec<Job>, Failure> {
        Ok(self.state.lock().unwrap().jobs.values().cloned().collect())
    }
    async fn cancel(&self, id: JobId) -> Result<(), Failure> {
        self.note(format!("cancel {id}"));
        Ok(())
    }
    async fn refuse(&self, urns: Vec<String>) -> Result<(), Failure> {
        self.note(format!("refuse {}", urns.len()));
        Ok(())
    }
    async fn allow(&self, urns: Vec<String>) -> Result<(), Failure> {
        self.note(format!("allow {}", urns.len()));
        Ok(())
    }
    async fn shutdown(&self) {}
}
