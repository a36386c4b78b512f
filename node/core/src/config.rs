//! What a node is told once, when it is made.

use std::net::SocketAddr;
use std::sync::Arc;

use oboro_crypto::ids::{LinkPublic, NodeId};
use oboro_crypto::keys::{IdentityKey, OnionKey};
use oboro_crypto::network::Network;
use oboro_crypto::provider::Provider;

/// Everything a node needs to know at birth. Keys are handed over; the link key stays with the shell.
pub struct Config {
    /// The network it belongs to.
    pub network: Network,
    /// Signs its descriptor and receipts.
    pub identity: IdentityKey,
    /// Its id, derived from the identity key by the caller.
    pub id: NodeId,
    /// The public half of its link key.
    pub link: LinkPublic,
    /// Today's onion key: sessions are opened with it.
    pub onion: OnionKey,
    /// Yesterday's, still accepted.
    pub onion_previous: Option<OnionKey>,
    /// Addresses to publish in its descriptor. Empty: learned from what peers say.
    pub addresses: Vec<SocketAddr>,
    /// The port it listens on, for addresses learned from peers.
    pub listen_port: Option<u16>,
    /// Whether it publishes a descriptor at all.
    pub listed: bool,
    /// Whether it stores for others.
    pub storage: bool,
    /// Nodes to start from: link keys and addresses.
    pub bootstrap: Vec<(LinkPublic, Vec<SocketAddr>)>,
    /// The guards this node had when it stopped, as [`crate::Action::Guards`] gave them; none at the first start.
    pub guards: Option<Vec<u8>>,
    /// The cryptography of sessions and signatures.
    pub provider: Arc<dyn Provider>,
}
