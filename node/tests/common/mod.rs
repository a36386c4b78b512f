//! Networks of nodes in one process, for tests.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oboro_node::api::{
    Code, FetchRequest, Job, JobId, NodeApi, NodeState, PublishRequest, SearchRequest,
    SearchResults,
};
use oboro_node::{Network, NodeConfig, NodeHandle};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::runtime::{Builder, Runtime};

/// However slow the machine is, what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Some nodes that know each other.
pub struct Net {
    dir: tempfile::TempDir,
    network: Network,
    nodes: Vec<NodeHandle>,
    /// Runtimes of nodes that can be killed, by number.
    runtimes: BTreeMap<usize, Runtime>,
}

impl Net {
    /// Starts nodes that all join through the first, and waits until each knows all. Requests go over three relays
    /// where there are nodes enough for it: one that asks, three that relay, one that stores.
    pub async fn start(count: usize) -> Self {
        Self::over(if count < 5 { 0 } else { 3 }, count).await
    }

    /// The same on a network of so many hops.
    pub async fn over(hops: u8, count: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(std::process::id()));
        let network = Network::private("test", true, &mut rng).unwrap();
        let mut params = network.params;
        params.hops = hops;
        if hops > 0 {
            // As `oboro network new --local` has it: on so few nodes a reader, its guard and two that die may be all four
            // that hold an extent.
            params.replicas = params.replicas.max(5);
        }
        let secret = network.secret().map(|secret| secret.duplicate());
        Self::on(Network::new("test", params, secret).unwrap(), count).await
    }

    /// The same on a network of the caller's.
    pub async fn on(network: Network, count: usize) -> Self {
        let (dir, runtimes) = (tempfile::tempdir().unwrap(), BTreeMap::new());
        let mut net = Self {
            dir,
            network,
            nodes: Vec::new(),
            runtimes,
        };
        for i in 0..count {
            let node = net.begin(i).await;
            if let Some(first) = net.nodes.first() {
                node.join(first.invite().await.unwrap()).await.unwrap();
            }
            net.nodes.push(node);
        }
        net.settle().await;
        net
    }

    /// Waits until every node knows all others.
    pub async fn settle(&self) {
        let begun = Instant::now();
        for node in &self.nodes {
            loop {
                let status = node.status().await.unwrap();
                let alone = self.nodes.len() == 1;
                let few = self.nodes.len() < 5;
                let knows_all =
                    status.view + 1 == self.nodes.len() && (few || status.relays_missing == 0);
                if alone || (status.state == NodeState::Joined && knows_all) {
                    break;
                }
                assert!(
                    begun.elapsed() < PATIENCE,
                    "knows {} of {}",
                    status.view,
                    self.nodes.len()
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    pub fn config(&self, i: usize) -> NodeConfig {
        let mut config = NodeConfig::new(self.dir.path().join(format!("home{i}")));
        config.network = Some(self.network.duplicate());
        config.listen = vec!["127.0.0.1:0".parse().unwrap()];
        config.quota = 256 << 20;
        config
    }

    /// Adds a node started elsewhere, with the configuration of the next number.
    pub fn add(&mut self, node: NodeHandle) {
        self.nodes.push(node);
    }

    /// Where the homes are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn node(&self, i: usize) -> &NodeHandle {
        &self.nodes[i]
    }

    /// Ends a node and starts it again.
    pub async fn restart(&mut self, i: usize) {
        self.nodes[i].shutdown().await;
        self.runtimes.remove(&i).unwrap().shutdown_background();
        self.nodes[i] = self.begin(i).await;
        self.settle().await;
    }

    /// Starts a node on a runtime of its own.
    async fn begin(&mut self, i: usize) -> NodeHandle {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let node = runtime
            .spawn(NodeHandle::start(self.config(i)))
            .await
            .unwrap()
            .unwrap();
        self.runtimes.insert(i, runtime);
        node
    }

    /// Ends a node without giving it a chance to do anything: its tasks stop where they are.
    pub async fn kill(&mut self, i: usize) {
        self.runtimes.remove(&i).unwrap().shutdown_background();
    }

    /// Starts a node that was killed; its threads may need a moment to notice that they are dead.
    pub async fn start_again(&mut self, i: usize) {
        let begun = Instant::now();
        loop {
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            match runtime
                .spawn(NodeHandle::start(self.config(i)))
                .await
                .unwrap()
            {
                Ok(node) => {
                    self.nodes[i] = node;
                    self.runtimes.insert(i, runtime);
                    return;
                }
                Err(failure) => {
                    assert_eq!(failure.code, Code::AlreadyRunning, "{}", failure.message)
                }
            }
            runtime.shutdown_background();
            assert!(begun.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn kill_and_start(&mut self, i: usize) {
        self.kill(i).await;
        self.start_again(i).await;
        self.settle().await;
    }

    /// The number of the node that another uses as its guard.
    pub async fn guard_of(&self, i: usize) -> Option<usize> {
        let guard = self.nodes[i].status().await.unwrap().guard?.node;
        for (n, node) in self.nodes.iter().enumerate() {
            if node
                .status()
                .await
                .is_ok_and(|status| status.node_id == guard)
            {
                return Some(n);
            }
        }
        None
    }

    /// A path beside the homes that belongs to one node.
    pub fn path(&self, i: usize, name: &str) -> PathBuf {
        let dir = self.dir.path().join(format!("files{i}"));
        std::fs::create_dir_all(&dir).unwrap();
        dir.join(name)
    }

    pub fn output(&self, i: usize, name: &str) -> Vec<u8> {
        std::fs::read(self.path(i, name)).unwrap()
    }

    /// Names of incomplete files.
    pub fn leftovers(&self, i: usize) -> Vec<String> {
        let dir = self.path(i, "x").parent().unwrap().to_owned();
        let names = std::fs::read_dir(dir).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".oboro-part")).collect()
    }

    pub async fn publish(&self, i: usize, name: &str, bytes: &[u8]) -> Job {
        let path = self.path(i, name);
        std::fs::write(&path, bytes).unwrap();
        let request = PublishRequest {
            path,
            title: None,
            keywords: None,
            convergent: false,
            fewer_hops: false,
        };
        let id = self.nodes[i].publish(request).await.unwrap();
        self.end_of(i, id).await
    }

    pub async fn search(&self, i: usize, words: &[&str]) -> SearchResults {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        let request = SearchRequest {
            words,
            timeout_ms: 20_000,
            fewer_hops: false,
        };
        self.nodes[i].search(request).await.unwrap()
    }

    pub async fn fetch_hit(&self, i: usize, n: usize, name: &str) -> Job {
        let id = self.begin_fetch(i, None, Some(n), name).await;
        self.end_of(i, id).await
    }

    pub async fn fetch_urn(&self, i: usize, urn: &str, name: &str) -> Job {
        let id = self.begin_fetch(i, Some(urn.to_owned()), None, name).await;
        self.end_of(i, id).await
    }

    pub async fn begin_fetch(
        &self,
        i: usize,
        urn: Option<String>,
        n: Option<usize>,
        name: &str,
    ) -> JobId {
        let output = self.path(i, name);
        let request = FetchRequest {
            urn,
            n,
            title: None,
            output,
            overwrite: false,
            fewer_hops: false,
        };
        self.nodes[i].fetch(request).await.unwrap()
    }

    /// Waits for the end of a job.
    pub async fn end_of(&self, i: usize, id: JobId) -> Job {
        let begun = Instant::now();
        loop {
            let job = self.nodes[i].job(id, 5_000).await.unwrap();
            if job.state.ended() {
                return job;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{} at {} of {:?}",
                job.phase,
                job.done_bytes,
                job.total_bytes
            );
        }
    }

    pub async fn stop(self) {
        for (i, node) in self.nodes.iter().enumerate() {
            if self.runtimes.contains_key(&i) {
                node.shutdown().await;
            }
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for (_, runtime) in std::mem::take(&mut self.runtimes) {
            runtime.shutdown_background();
        }
    }
}

/// Bytes that look like nothing, the same for the same seed.
pub fn content(len: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; len];
    ChaCha20Rng::from_seed([seed; 32]).fill_bytes(&mut bytes);
    bytes
}

/// What to compare instead of megabytes.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    oboro_crypto::hash::blake2b_256(bytes)
}
