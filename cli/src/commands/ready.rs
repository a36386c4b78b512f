//! Before work that needs the network: a node that has just started gets a moment to find it.

use std::time::Duration;

use oboro_node::api::{Failure, HOPS_FULL, NodeState, Route};
use tokio::time::Instant;

use crate::client::Client;
use crate::ui::Ui;

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Patience with a node that joins, for work that has none of its own.
pub const JOIN_TIME: Duration = Duration::from_secs(30);

/// Warns if somebody will see who asks, and waits while the node is still joining, at most `patience`. What comes of a
/// node that hasn't joined by then, or is alone, is for the work itself to find out.
///
/// # Errors
/// The node can't be asked.
pub async fn ready(
    client: &Client,
    patience: Duration,
    fewer_hops: bool,
    ui: &mut dyn Ui,
) -> Result<(), Failure> {
    let deadline = Instant::now() + patience;
    let mut status = client.status().await?;
    if status.hops < HOPS_FULL {
        ui.say(&status.anonymity);
    } else if fewer_hops {
        ui.say("Fewer hops are allowed: if too few nodes are known, a storer or a single relay may learn who asks.");
    }
    let joins = |state| matches!(state, NodeState::Starting | NodeState::Joining);
    if joins(status.state) {
        ui.say("The node is still joining its network …");
    }
    while joins(status.state) && Instant::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
        status = client.status().await?;
    }
    Ok(())
}

/// Says by which way the work went: each ends with that line.
pub fn went(route: Option<&Route>, ui: &mut dyn Ui) {
    if let Some(route) = route {
        ui.say(&route.to_string());
    }
}
