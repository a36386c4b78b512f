//! Watching one of the node's jobs until it ends.

use std::time::Duration;

use oboro_node::api::{Code, Failure, Job, JobId, JobState};

use super::interrupt::Interrupts;
use crate::client::Client;
use crate::halt::Halt;
use crate::ui::Ui;

/// How long the node may keep an answer back when there is no news.
const WAIT: Duration = Duration::from_millis(500);

/// Pause between two questions: a job that changes all the time needs no busy watcher.
const PAUSE: Duration = Duration::from_millis(100);

/// Follows a job; returns it when it is done.
///
/// # Errors
/// The job's failure; `interrupted` when the user presses Ctrl-C, which leaves the job running.
pub async fn watch(
    client: &Client,
    id: JobId,
    interrupts: &mut Interrupts,
    ui: &mut dyn Ui,
) -> Result<Job, Halt> {
    let result = tokio::select! {
        result = follow(client, id, ui) => result,
        () = interrupts.pressed() => Err(left_running(id)),
    };
    ui.progress_over();
    Ok(result.map_err(|failure| match failure.code {
        Code::NotRunning => node_gone(id),
        _ => failure,
    })?)
}

async fn follow(client: &Client, id: JobId, ui: &mut dyn Ui) -> Result<Job, Failure> {
    loop {
        let job = client.job(id, WAIT).await?;
        match job.state {
            JobState::Running => ui.progress(&job),
            JobState::Done => return Ok(job),
            JobState::Failed => {
                let unknown = || Failure::new(Code::Failed, "the job failed");
                return Err(job.failure.unwrap_or_else(unknown));
            }
            JobState::Cancelled => {
                return Err(Failure::new(Code::Cancelled, "the job was cancelled"));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn node_gone(id: JobId) -> Failure {
    Failure::new(Code::NotRunning, format!("the node ended during job {id}"))
        .hint("oboro start: a fetch goes on where it was, a publication must be given again")
}

fn left_running(id: JobId) -> Failure {
    Failure::new(
        Code::Interrupted,
        format!("interrupted; the node goes on with job {id}"),
    )
    .hint(format!("oboro jobs shows it, oboro cancel {id} ends it"))
}
