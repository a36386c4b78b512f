//! Starting a node: home, keys, store, sockets, threads, driver, in the order in which each needs the one before.

mod sockets;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use oboro_cache::{CacheConfig, SledStore};
use oboro_core::{Config, Node};
use oboro_crypto::handshake::LinkContext;
use oboro_crypto::ids::{LinkPublic, NodeId};
use oboro_crypto::keys::{IdentityKey, LinkKey, NodeKeys, OnionKey};
use oboro_crypto::network::Network;
use oboro_crypto::node_id::node_id;
use oboro_crypto::provider::RealProvider;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::api::{Failure, Job, JobState};
use crate::clock::Clock;
use crate::compute::Compute;
use crate::config::NodeConfig;
use crate::content::{FetchPlan, Resumed};
use crate::driver::{ANSWERS_MAX, Driver, Parts, REQUESTS_MAX, Sources};
use crate::handle::{Facts, Inner, blocking};
use crate::home::{Guards, Home, Start};
use crate::jobs::{JobFiles, Record, Table};
use crate::net::{ARRIVALS_MAX, Limits, Listener, Shared};
use crate::storage::Storage;
use crate::{chance, fault};

/// What the home holds.
struct Opened {
    home: Home,
    network: Network,
    keys: NodeKeys,
    id: NodeId,
    bootstrap: Vec<Start>,
    files: JobFiles,
    guards: Guards,
    /// What was in its file.
    guards_kept: Option<Vec<u8>>,
    history: Vec<Job>,
    resumed: Vec<FetchPlan>,
    store: SledStore,
}

/// Starts a node on this runtime.
pub(crate) async fn start(config: NodeConfig) -> Result<Inner, Failure> {
    config.check()?;
    let clock = Arc::new(Clock::start());
    let (config, opened) = {
        let clock = Arc::clone(&clock);
        blocking(move || open(&config, &clock).map(|opened| (config, opened))).await?
    };
    let sockets = sockets::bind(&config, &opened.home).await?;
    let (inner, parts) = assemble(&config, clock, opened, sockets)?;
    let (end, ended) = watch::channel(false);
    tokio::spawn(async move {
        Driver::run(parts).await;
        end.send_replace(true);
    });
    info!("the node runs");
    Ok(Inner { ended, ..inner })
}

/// Everything that blocks.
fn open(config: &NodeConfig, clock: &Clock) -> Result<Opened, Failure> {
    let home = Home::open(&config.home)?;
    let network = home.network(config.network.as_ref())?;
    let mut rng = chance::generator()?;
    let keys = home.keys(config.passphrase.as_ref(), clock.day(), &mut rng)?;
    let id = node_id(&network, &keys.identity.public());
    let cache = CacheConfig::for_quota(config.quota);
    let (store, report) =
        SledStore::open(&home.cache(), &keys.store, cache).map_err(|error| fault::cache(&error))?;
    if report.rebuilt {
        warn!(
            chunks = report.chunks,
            "the cache's database was damaged and has been made anew"
        );
    }
    let (files, records) = JobFiles::open(home.jobs(), keys.state.duplicate())
        .map_err(|error| fault::io("read", &home.jobs(), &error))?;
    let (guards, guards_kept) = home.guards(keys.state.duplicate())?;
    let bootstrap = home.bootstrap()?;
    let (history, resumed) = resume(&files, records);
    Ok(Opened {
        home,
        network,
        keys,
        id,
        bootstrap,
        files,
        guards,
        guards_kept,
        history,
        resumed,
        store,
    })
}

/// Jobs that have ended, and fetches that go on.
fn resume(files: &JobFiles, records: Vec<Record>) -> (Vec<Job>, Vec<FetchPlan>) {
    let (mut history, mut resumed) = (Vec::new(), Vec::new());
    for record in records {
        if record.job.state.ended() {
            history.push(record.job);
            continue;
        }
        match FetchPlan::resume(files, record) {
            Resumed::Fetch(plan) => resumed.push(*plan),
            Resumed::Ended(job) => {
                let resumable = job.state == JobState::Failed;
                if let Err(error) = files.settle(&job, resumable) {
                    warn!(job = job.id, %error, "a job's end can't be kept");
                }
                history.push(*job);
            }
        }
    }
    (history, resumed)
}

/// Threads, channels, core and driver around what was opened.
fn assemble(
    config: &NodeConfig,
    clock: Arc<Clock>,
    opened: Opened,
    sockets: Vec<TcpListener>,
) -> Result<(Inner, Parts), Failure> {
    let Opened {
        home,
        network,
        keys,
        id,
        bootstrap,
        files,
        guards,
        guards_kept,
        history,
        resumed,
        store,
    } = opened;
    let facts = facts(config, &clock, id, keys.link.public(), &sockets);
    let (arriving, arrivals) = mpsc::channel(ARRIVALS_MAX);
    let (answers, events) = mpsc::channel(ANSWERS_MAX);
    let (requests, wishes) = mpsc::channel(REQUESTS_MAX);
    let (done, gone) = mpsc::channel(1);
    let (link, own) = split(keys);
    let context = LinkContext::of(&network);
    let shared = Arc::new(Shared::new(context, link, Arc::clone(&clock), arriving));
    let core = Config {
        guards: guards_kept,
        ..core_config(config, &network, &facts, own, bootstrap)
    };
    let core = Node::new(core, *chance::seed()?, clock.now());
    let thread = |error: io::Error| fault::thread(&error);
    let storage = Storage::start(Box::new(store), answers.clone()).map_err(thread)?;
    let compute = Compute::start(network.duplicate(), answers.clone()).map_err(thread)?;
    let (home, files) = (Arc::new(home), Arc::new(files));
    let inner = Inner {
        requests,
        ended: watch::channel(false).1,
        home: Arc::downgrade(&home),
        last_search: Mutex::new(files.last_search()),
        files: Arc::clone(&files),
        network: network.duplicate(),
        shared: Arc::clone(&shared),
        facts,
    };
    let limits = Limits::of_a_node(network.params.local);
    let listeners = serve(&shared, limits, &done, sockets);
    let sources = Sources {
        arrivals,
        events,
        requests: wishes,
    };
    let table = Table::new(history);
    let parts = Parts {
        core,
        clock,
        home,
        shared,
        storage,
        compute,
        files,
        guards,
        table,
        resumed,
        listeners,
        answers,
        sources,
        done,
        gone,
    };
    Ok((inner, parts))
}

fn facts(
    config: &NodeConfig,
    clock: &Arc<Clock>,
    id: NodeId,
    link: LinkPublic,
    sockets: &[TcpListener],
) -> Facts {
    let listen = sockets
        .iter()
        .filter_map(|socket| socket.local_addr().ok())
        .collect();
    Facts {
        clock: Arc::clone(clock),
        id,
        link,
        listen,
        listed: !config.unlisted,
    }
}

/// The keys that go to the core; the link key stays here.
struct OwnKeys {
    identity: IdentityKey,
    onion: OnionKey,
    onion_previous: Option<OnionKey>,
}

fn split(keys: NodeKeys) -> (LinkKey, OwnKeys) {
    let NodeKeys {
        identity,
        link,
        onion,
        onion_previous,
        ..
    } = keys;
    (
        link,
        OwnKeys {
            identity,
            onion,
            onion_previous,
        },
    )
}

fn core_config(
    config: &NodeConfig,
    network: &Network,
    facts: &Facts,
    keys: OwnKeys,
    bootstrap: Vec<Start>,
) -> Config {
    Config {
        network: network.duplicate(),
        identity: keys.identity,
        id: facts.id,
        link: facts.link,
        onion: keys.onion,
        onion_previous: keys.onion_previous,
        addresses: sockets::published(&facts.listen, network.params.local),
        listen_port: facts.listen.first().map(SocketAddr::port),
        listed: facts.listed,
        storage: config.storage,
        bootstrap,
        guards: None,
        provider: Arc::new(RealProvider),
    }
}

fn serve(
    shared: &Arc<Shared>,
    limits: Limits,
    done: &mpsc::Sender<()>,
    sockets: Vec<TcpListener>,
) -> Vec<JoinHandle<()>> {
    let listener = Listener::new(Arc::clone(shared), limits, done.clone());
    let serve = |socket| tokio::spawn(Arc::clone(&listener).serve(socket));
    sockets.into_iter().map(serve).collect()
}

#[cfg(test)]
mod tests {
    use oboro_core::Action;

    use super::*;

    #[tokio::test]
    async fn guards_wanted_right_before_the_end_are_there_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let network = Network::private("test", true, &mut chance::generator().unwrap()).unwrap();
        let mut config = NodeConfig::new(dir.path().join("home"));
        config.network = Some(network);
        let mut kept = None;
        for wanted in [b"first", b"other"] {
            let clock = Arc::new(Clock::start());
            let opened = open(&config, &clock).unwrap();
            assert_eq!(opened.guards_kept, kept);
            let (_inner, parts) = assemble(&config, clock, opened, Vec::new()).unwrap();
            Driver::act_and_stop(parts, Action::Guards(wanted.to_vec())).await;
            kept = Some(wanted.to_vec());
        }
        let opened = open(&config, &Clock::start()).unwrap();
        assert_eq!(opened.guards_kept, kept);
    }
}
