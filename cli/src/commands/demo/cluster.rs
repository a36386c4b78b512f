//! Several nodes in one process, on loopback, in a network of their own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oboro_node::api::{Code, Failure, NodeApi, NodeState};
use oboro_node::{Network, NodeConfig, NodeHandle};
use tokio::task::{JoinHandle, JoinSet};

use crate::commands::setup::generator;

/// Patience until every node knows every other.
const JOIN_TIME: Duration = Duration::from_secs(60);

/// Patience until a node has ended; its home is a temporary one, so nothing is lost with it.
const END_TIME: Duration = Duration::from_secs(10);

/// How often to look whether all know each other.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Disk a node may use for its cache, in bytes.
const QUOTA: u64 = 4 << 30;

/// The nodes and where they live.
pub struct Cluster {
    network: Network,
    homes: Vec<PathBuf>,
    nodes: Vec<NodeHandle>,
    /// A node on its way up. Kept here so that giving up waiting doesn't leave it running.
    starting: Option<JoinHandle<Result<NodeHandle, Failure>>>,
}

impl Cluster {
    /// A fresh network whose nodes will live in `folder`; nothing runs yet.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn new(folder: &Path, nodes: u16) -> Result<Self, Failure> {
        let network = Network::private("demo", true, &mut generator()?)
            .map_err(|error| Failure::new(Code::Failed, error.to_string()))?;
        Ok(Self {
            network,
            homes: (1..=nodes)
                .map(|n| folder.join(format!("node-{n}")))
                .collect(),
            nodes: Vec::new(),
            starting: None,
        })
    }

    /// Starts the nodes, the first as the others' way in; returns how long it took until all knew each other.
    ///
    /// # Errors
    /// A node doesn't start; `timed_out`.
    pub async fn start(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        for home in self.homes.clone() {
            let mut config = NodeConfig::new(home);
            config.network = Some(self.network.duplicate());
            config.listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
            config.quota = QUOTA;
            let starting = self
                .starting
                .insert(tokio::spawn(NodeHandle::start(config)));
            let started = starting.await;
            self.starting = None;
            let node = started.map_err(|_| Failure::new(Code::Failed, "a node broke down"))??;
            let first = self.nodes.first().cloned();
            self.nodes.push(node.clone());
            if let Some(first) = first {
                node.join(first.invite().await?).await?;
            }
        }
        let joined = tokio::time::timeout(JOIN_TIME, self.joined()).await;
        joined.map_err(|_| {
            Failure::new(
                Code::TimedOut,
                "the nodes did not get to know each other in time",
            )
        })??;
        Ok(began.elapsed())
    }

    async fn joined(&self) -> Result<(), Failure> {
        let others = self.nodes.len().saturating_sub(1);
        for node in &self.nodes {
            loop {
                let status = node.status().await?;
                let knows_all = status.view >= others && status.relays_missing == 0;
                if status.state == NodeState::Joined && knows_all {
                    break;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    /// The node that publishes.
    pub fn first(&self) -> Option<&NodeHandle> {
        self.nodes.first()
    }

    /// The node that searches and fetches.
    pub fn last(&self) -> Option<&NodeHandle> {
        self.nodes.last()
    }

    /// All nodes that run.
    pub fn nodes(&self) -> &[NodeHandle] {
        &self.nodes
    }

    /// Where the nodes live, in the same order.
    pub fn homes(&self) -> Vec<PathBuf> {
        self.homes.clone()
    }

    /// Ends all nodes at once.
    pub async fn end(&mut self) {
        if let Some(starting) = self.starting.take() {
            // One that didn't come up needs no end.
            self.nodes.extend(starting.await.into_iter().flatten());
        }
        let mut ending = JoinSet::new();
        for node in self.nodes.drain(..) {
            ending.spawn(async move { tokio::time::timeout(END_TIME, node.shutdown()).await });
        }
        while ending.join_next().await.is_some() {}
    }
}
