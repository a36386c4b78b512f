//! Names that exist only inside one running node. None of them is ever on the wire.

macro_rules! local_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);
    };
}

local_id!(
    /// One link, named by the shell when its handshake is finished. Never used twice.
    LinkId
);
local_id!(
    /// One attempt to reach a node, named by the core.
    DialId
);
local_id!(
    /// One request to the storage or compute threads, named by the core.
    Ticket
);
local_id!(
    /// One thing the user asked for, named by the shell.
    JobId
);
local_id!(
    /// One request and its answer over a stream, named by the core.
    ExchangeId
);

/// Hands out names in order.
#[derive(Debug, Default)]
pub(crate) struct Counter(u64);

impl Counter {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}
