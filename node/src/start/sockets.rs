//! Where a node listens, and which of that it tells others.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;
use tracing::warn;

use crate::api::{Code, Failure};
use crate::config::NodeConfig;
use crate::home::Home;

/// Takes the ports: those asked for, or those chosen at an earlier start, or any.
pub(super) async fn bind(config: &NodeConfig, home: &Home) -> Result<Vec<TcpListener>, Failure> {
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

/// Addresses to be found at, of those listened on: those that say where, and that strangers can reach. What is missing
/// is learned from what peers see.
pub(super) fn published(listening: &[SocketAddr], local: bool) -> Vec<SocketAddr> {
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
