//! The commands that are one question to the node and its answer.

use std::time::Duration;

use crate::args;
use crate::client::Client;
use crate::data::{Data, Outcome};
use crate::halt::Halt;
use crate::ui::Ui;

/// How often `stats --watch` looks.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// `oboro status`
pub async fn status(client: &Client) -> Result<Outcome, Halt> {
    let status = client.status().await?;
    Ok(Data::Status(Box::new(status)).into())
}

/// `oboro peers`
pub async fn peers(client: &Client) -> Result<Outcome, Halt> {
    let peers = client.peers().await?;
    Ok(Data::Peers { peers }.into())
}

/// `oboro invite`
pub async fn invite(client: &Client, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    let invite = client.invite().await?;
    ui.say(
        "Pass this line on privately: it holds your address and, on a private network, its secret.",
    );
    Ok(Data::Invite { invite }.into())
}

/// `oboro jobs`
pub async fn jobs(client: &Client) -> Result<Outcome, Halt> {
    let jobs = client.jobs().await?;
    Ok(Data::Jobs { jobs }.into())
}

/// `oboro cancel`
pub async fn cancel(
    client: &Client,
    args: &args::Cancel,
    ui: &mut dyn Ui,
) -> Result<Outcome, Halt> {
    client.cancel(args.id).await?;
    ui.say(&format!("Job {} is cancelled.", args.id));
    Ok(Data::None {}.into())
}

/// `oboro stats`, with `--watch` until the user presses Ctrl-C
pub async fn stats(client: &Client, args: &args::Stats, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    loop {
        let stats = client.stats().await?;
        let data = Data::Stats(Box::new(stats));
        if !args.watch {
            return Ok(data.into());
        }
        ui.show(data)?;
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

/// `oboro refuse`
pub async fn refuse(
    client: &Client,
    args: &args::Policy,
    ui: &mut dyn Ui,
) -> Result<Outcome, Halt> {
    client.refuse(&args.urns).await?;
    ui.say("Refused from now on: oboro allow takes it back.");
    Ok(Data::None {}.into())
}

/// `oboro allow`
pub async fn allow(client: &Client, args: &args::Policy, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    client.allow(&args.urns).await?;
    ui.say("No longer refused.");
    Ok(Data::None {}.into())
}
