//! Every label that keeps one use of a hash, key or signature apart from another, on one page.
//!
//! Promises: labels are distinct and none begins another (tested), so what is computed for one purpose can never be
//! taken for what is computed for another, in this version of the protocol or any later one.
//!
//! Does not know: what is hashed under a label.

/// The name of one purpose. Only this file makes one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(&'static str);

impl Label {
    /// The label as it enters the hash.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Label = Label(concat!("oboro/1 ", $text));)*

        #[cfg(test)]
        const ALL: &[Label] = &[$($name),*];
    };
}

labels! {
    // Networks and nodes
    /// Hash: canonical network parameters → network id.
    NETWORK_ID = "network id";
    /// Hash: network id → salt of the costly node id.
    NODE_ID_SALT = "node id salt";
    /// Signature: a node's descriptor.
    DESCRIPTOR = "descriptor";
    /// Hash: the descriptors under one id prefix, for comparing views.
    VIEW_DIGEST = "view digest";
    /// Hash: checksum of an invite's text.
    INVITE = "invite";

    // Links and sessions
    /// Hash: responder's link key, network, its secret and a flight's nonce → key of the mask over a handshake.
    LINK_MASK = "link mask";
    /// Derivation: KEM secret, network secret and handshake hash → the handshake's pre-shared key.
    LINK_PSK = "link psk";
    /// Derivation: link key → key of the digests in the replay window.
    LINK_REPLAY_KEY = "key of link replays";
    /// Keyed hash: first flight → what the replay window remembers.
    LINK_REPLAY = "link replay";

    // Circuits
    /// Derivation: a hop's handshake, what the client says → key of the layer on forward cells.
    CIRCUIT_FORWARD = "circuit forward";
    /// Derivation: a hop's handshake, what the hop says → key of the layer on backward cells.
    CIRCUIT_BACKWARD = "circuit backward";
    /// Derivation: a hop's handshake, what the hop says → key of the layer on the answers of the hops behind it.
    CIRCUIT_CREATED = "circuit created";
    /// Derivation: the exit's handshake, what the exit says → key that seals backward cells.
    CIRCUIT_SEAL = "circuit seal";
    /// Hash: a hop's part of a create → what the replay window remembers.
    CIRCUIT_REPLAY = "circuit replay";

    // Placement
    /// Hash: references in order → extent id.
    EXTENT_ID = "extent id";
    /// Hash: network, extent id and placement → location.
    EXTENT_LOCATION = "extent location";
    /// Hash: network, a term's public write key and placement → location.
    ENTRY_LOCATION = "entry location";
    /// Signature: a storer's receipt for what it has made durable.
    RECEIPT = "receipt";

    // Work
    /// Hash: a context of work and a number → what the number is worth.
    WORK = "worth of work";
    /// Hash: work for storing an extent.
    WORK_PUT = "work put";
    /// Hash: work for storing an entry.
    WORK_ENTRY = "work entry";
    /// Hash: work for asking, under load.
    WORK_GET = "work get";

    // Keywords
    /// Hash: network id → salt of the costly keyword token.
    KEYWORD_SALT = "keyword salt";
    /// Derivation: keyword token → sealing key of its entries.
    KEYWORD_SEALING = "keyword sealing";
    /// Derivation: keyword token → write key of its entries.
    KEYWORD_WRITE = "keyword write";
    /// Derivation: key of a content's root, network and reference of the root → token of its parity.
    PARITY_TOKEN = "parity token";
    /// Hash: an entry's sealed part → what its work is done for.
    ENTRY_SEALED = "entry sealed";
    /// Signature: an entry, under its term's write key.
    ENTRY = "entry signature";
    /// Signature: an entry's content, under its publisher's identity.
    PUBLISHER = "entry publisher";

    // At rest
    /// Derivation: passphrase key → key that seals the key file.
    KEYFILE = "key file";
    /// Hash: all of a key file but its end → the checksum at its end.
    KEYFILE_CHECKSUM = "checksum of a key file";
    /// Keyed hash: name → blinded database key.
    STORE_BLIND = "store blind";
    /// Derivation: store key → key that seals database values.
    STORE_VALUE = "store value";
    /// Derivation: store key → key that seals slot headers.
    STORE_SLOT = "store slot";
    /// Derivation: store key → key that seals the cache's small files.
    STORE_FILE = "store file";
    /// Keyed hash: store key → what tells that a cache was sealed under another key.
    STORE_CHECK = "store check";
    /// Derivation: state key → key that seals jobs and other state of this node's own user.
    STATE = "state";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_distinct_and_none_begins_another() {
        for (i, a) in ALL.iter().enumerate() {
            for (k, b) in ALL.iter().enumerate() {
                assert!(
                    i == k || !a.as_str().starts_with(b.as_str()),
                    "{a:?} begins with {b:?}"
                );
            }
        }
    }

    #[test]
    fn every_label_names_protocol_and_version() {
        assert!(
            ALL.iter()
                .all(|label| label.as_str().starts_with("oboro/1 "))
        );
    }
}
