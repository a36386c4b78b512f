//! Node ids: costly, so that nobody can cheaply place many nodes near a location of his choice.
//!
//! Promises: an id follows from an identity key and a network, and from nothing else; computing it costs what the
//! network says, for the node and for whoever checks it.
//!
//! Does not know: which ids were checked already; callers remember.

use crate::hash::hash;
use crate::ids::{IdentityPublic, NodeId};
use crate::labels;
use crate::network::Network;

/// The id of the node with this identity on this network. On the public network this takes about a quarter of a second.
#[must_use]
pub fn node_id(network: &Network, identity: &IdentityPublic) -> NodeId {
    let salt = hash(labels::NODE_ID_SALT, &[network.id().as_bytes()]);
    NodeId(
        *network
            .params
            .id_cost
            .stretch(identity.as_bytes(), &salt)
            .expose(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Params;
    use data_encoding::HEXLOWER;

    #[test]
    fn an_id_has_fixed_bytes() {
        let network = Network::new("test", Params::local(), None).unwrap();
        let id = node_id(&network, &IdentityPublic([7; 32]));
        assert_eq!(
            HEXLOWER.encode(id.as_bytes()),
            "f6a9b81ae38238299ce65e11d133350997c133495ac818839215074e47a98a8b"
        );
    }

    #[test]
    fn an_id_depends_on_the_identity_and_the_network() {
        let (a, b) = (
            Network::new("a", Params::local(), None).unwrap(),
            Network::new("b", Params::local(), None).unwrap(),
        );
        let (x, y) = (IdentityPublic([1; 32]), IdentityPublic([2; 32]));
        assert_eq!(node_id(&a, &x), node_id(&a, &x));
        assert_ne!(node_id(&a, &x), node_id(&a, &y));
        assert_ne!(node_id(&a, &x), node_id(&b, &x));
    }
}
