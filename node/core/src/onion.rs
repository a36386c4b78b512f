//! The keys that others seal to this node: creates of circuits, and sessions in streams.

use oboro_crypto::keys::OnionKey;

/// This node's onion keys: today's and yesterday's.
pub(crate) struct OnionKeys {
    pub(crate) current: OnionKey,
    pub(crate) previous: Option<OnionKey>,
}

impl OnionKeys {
    pub(crate) fn all(&self) -> Vec<&OnionKey> {
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .collect()
    }
}
