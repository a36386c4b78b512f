//! Before work that needs the network: a node that has just started gets a moment to find it.

use std::time::Duration;

use oboro_node::api::{Failure, NodeState};
use tokio::time::Instant;

use crate::client::Client;
use crate::ui::Ui;

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Patience with a node that joins, for work that has none of its own.
pub const JOIN_TIME: Duration = Duration::from_secs(30);

/// Says how anonymous the work will be, and waits while the node is still joining, at most `patience`. What comes of
/// a node that hasn't joined by then, or is alone, is for the work itself to find out.
///
/// # Errors
/// The node can't be asked.
pub async fn ready(client: &Client, patience: Duration, ui: &mut dyn Ui) -> Result<(), Failure> {
    let deadline = Instant::now() + patience;
    let mut status = client.status().await?;
    ui.say(&status.anonymity);
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
