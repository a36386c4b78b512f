//! Starting a node: home, keys, store, sockets, threads, driver, in the order in which each needs the one before.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use oboro_cache::{CacheConfig, SledStore};
use oboro_core::{Config, Node};
use oboro_crypto::handshake::LinkContext;
use oboro_crypto::keys::NodeKeys;
use oboro_crypto::network::Network;
use oboro_crypto::node_id::node_id;
use oboro_crypto::provider::RealProvider;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::api::{Code, Failure, Job, JobState};
use crate::clock::Clock;
use crate::compute::Compute;
use crate::config::NodeConfig;
use crate::content::{FetchPlan, Resumed};
use crate::driver::{ANSWERS_MAX, Driver, Parts, REQUESTS_MAX, Sources};
use crate::handle::{Facts, Inner, blocking};
use crate::home::{Home, Start};
use crate::jobs::{JobFiles, Record, Table};
use crate::net::{ARRIVALS_MAX, Limits, Listener, Shared};
use crate::storage::Storage;
use crate::{chance, fault};

/// What the home holds.
struct Opened {
    home: Home,
    network: Network,
    keys: NodeKeys,
    id: oboro_crypto::ids::NodeId,
    bootstrap: Vec<Start>,
    files: JobFiles,
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
    let sockets = bind(&config, &opened.home).await?;
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
    let bootstrap = home.bootstrap()?;
    let (history, resumed) = resume(&files, records);
    Ok(Opened {
        home,
        network,
        keys,
        id,
        bootstrap,
        files,
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

/// Takes the ports: those asked for, or those chosen at an earlier start, or any.
async fn bind(config: &NodeConfig, home: &Home) -> Result<Vec<TcpListener>, Failure> {
    let any = |ip: IpAddr| SocketAddr::new(ip, 0);
    let mut sockets = Vec::new();
    if config.listen.is_empty() && !config.unlisted {
        let (v6, v4) = (
            any(Ipv6Addr::UNSPECIFIED.into()),
            any(Ipv4Addr::UNSPECIFIED.into()),
        );
        // One socket for both families, where the system has both.
        let socket = match listen(v6, home).await {
            Ok(socket) => socket,
            Err(_) => listen(v4, home)
                .await
                .map_err(|error| cannot_listen(v4, &error))?,
        };
        sockets.push(socket);
    }
    for &address in &config.listen {
        let socket = listen(address, home).await;
        sockets.push(socket.map_err(|error| cannot_listen(address, &error))?);
    }
    let chosen: Vec<SocketAddr> = sockets
        .iter()
        .filter_map(|socket| socket.local_addr().ok())
        .collect();
    let asked = |ip| {
        config
            .listen
            .iter()
            .any(|listen| listen.ip() == ip && listen.port() != 0)
    };
    let kept: Vec<_> = chosen
        .into_iter()
        .filter(|address| !asked(address.ip()))
        .collect();
    home.keep_ports(&kept)?;
    Ok(sockets)
}

async fn listen(address: SocketAddr, home: &Home) -> io::Result<TcpListener> {
    if address.port() == 0
        && let Some(port) = home.port(address.ip())
    {
        match TcpListener::bind(SocketAddr::new(address.ip(), port)).await {
            Ok(socket) => return Ok(socket),
            Err(error) => warn!(%error, "the port of the last start is taken; choosing another"),
        }
    }
    TcpListener::bind(address).await
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    Failure::new(Code::Failed, format!("cannot listen on {address}: {error}"))
        .hint("choose another address or port with --listen")
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
        history,
        resumed,
        store,
    } = opened;
    let listening: Vec<SocketAddr> = sockets
        .iter()
        .filter_map(|socket| socket.local_addr().ok())
        .collect();
    let facts = Facts {
        clock: Arc::clone(&clock),
        id,
        link: keys.link.public(),
        listen: listening.clone(),
        listed: !config.unlisted,
    };
    let (arriving, arrivals) = mpsc::channel(ARRIVALS_MAX);
    let (answers, events) = mpsc::channel(ANSWERS_MAX);
    let (requests, wishes) = mpsc::channel(REQUESTS_MAX);
    let (done, gone) = mpsc::channel(1);
    let context = LinkContext::of(&network);
    let shared = Arc::new(Shared::new(
        context,
        keys.link,
        Arc::clone(&clock),
        arriving,
    ));
    let limits = Limits::of_a_node(network.params.local);
    let thread = |error: io::Error| fault::thread(&error);
    let core = Config {
        network: network.duplicate(),
        identity: keys.identity,
        id,
        link: facts.link,
        onion: keys.onion,
        onion_previous: keys.onion_previous,
        addresses: published(&listening, network.params.local),
        listen_port: listening.first().map(SocketAddr::port),
        listed: facts.listed,
        storage: config.storage,
        bootstrap,
        provider: Arc::new(RealProvider),
    };
    let (home, files) = (Arc::new(home), Arc::new(files));
    let listeners = serve(&shared, limits, &done, sockets);
    let parts = Parts {
        core: Node::new(core, *chance::seed()?, clock.now()),
        clock,
        network: network.duplicate(),
        storage: Storage::start(Box::new(store), answers.clone()).map_err(thread)?,
        compute: Compute::start(network.duplicate(), answers.clone()).map_err(thread)?,
        table: Table::new(history),
        files: Arc::clone(&files),
        home: Arc::clone(&home),
        shared: Arc::clone(&shared),
        resumed,
        listeners,
        answers,
        sources: Sources {
            arrivals,
            events,
            requests: wishes,
        },
        done,
        gone,
    };
    let inner = Inner {
        requests,
        ended: watch::channel(false).1,
        home: Arc::downgrade(&home),
        last_search: Mutex::new(files.last_search()),
        files,
        network,
        shared,
        facts,
    };
    Ok((inner, parts))
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

/// Addresses to be found at, of those listened on: those that say where, and that strangers can reach. What is missing
/// is learned from what peers see.
fn published(listening: &[SocketAddr], local: bool) -> Vec<SocketAddr> {
    let can = |address: &&SocketAddr| {
        let ip = address.ip();
        !ip.is_unspecified() && (local || is_global(ip))
    };
    listening.iter().filter(can).copied().collect()
}

/// Whether an address is unique in the world (RFC 6890, roughly: what it leaves out costs an unusable descriptor).
fn is_global(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let special = ip.is_private() || ip.is_loopback() || ip.is_link_local();
            !(special || shared || ip.is_multicast() || ip.is_documentation() || a == 0 || a >= 240)
        }
        IpAddr::V6(ip) => {
            let special = ip.is_loopback() || ip.is_multicast() || ip.is_unspecified();
            !(special || ip.is_unique_local() || ip.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(all: &[&str]) -> Vec<SocketAddr> {
        all.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn only_addresses_that_strangers_can_dial_are_published() {
        let all = addresses(&[
            "0.0.0.0:1",
            "127.0.0.1:1",
            "10.0.0.1:1",
            "8.8.8.8:1",
            "[fe80::1]:1",
            "[2600::1]:1",
        ]);
        assert_eq!(
            published(&all, false),
            addresses(&["8.8.8.8:1", "[2600::1]:1"])
        );
        assert_eq!(published(&all, true), all[1..]);
    }

    #[tokio::test]
    async fn a_port_once_chosen_is_kept_and_a_taken_one_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        let mut config = NodeConfig::new(dir.path());
        config.listen = addresses(&["127.0.0.1:0"]);
        let port = |sockets: &[TcpListener]| sockets[0].local_addr().unwrap().port();
        let first = bind(&config, &home).await.unwrap();
        let kept = port(&first);
        let other = bind(&config, &home).await.unwrap();
        assert_ne!(port(&other), kept);
        home.keep_ports(&[first[0].local_addr().unwrap()]).unwrap();
        drop(first);
        assert_eq!(port(&bind(&config, &home).await.unwrap()), kept);
    }

    #[tokio::test]
    async fn a_taken_port_that_was_asked_for_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = NodeConfig::new(dir.path());
        config.listen = vec![taken.local_addr().unwrap()];
        assert_eq!(bind(&config, &home).await.unwrap_err().code, Code::Failed);
    }

    #[tokio::test]
    async fn an_unlisted_node_listens_nowhere_unless_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        let mut config = NodeConfig::new(dir.path());
        config.unlisted = true;
        assert!(bind(&config, &home).await.unwrap().is_empty());
    }
}
