//! Publications and fetches as text.

use std::io::{self, Write};

use oboro_node::api::{Job, JobKind, JobState};

use super::table::{Side, Table};
use super::{Page, safe, units};
use crate::data::Published;

/// A title in the table of jobs is cut to this many columns on a terminal.
const TITLE_WIDTH: usize = 32;

/// Writes the jobs.
///
/// # Errors
/// The writer's.
pub fn write(jobs: &[Job], out: &mut dyn Write, page: Page) -> io::Result<()> {
    let mut table = Table::new(&[
        ("job", Side::Right),
        ("kind", Side::Left),
        ("state", Side::Left),
        ("done", Side::Right),
        ("of", Side::Right),
        ("title", Side::Left),
        ("", Side::Left),
    ]);
    for job in jobs {
        let title = match page.width {
            Some(_) => safe::cut(&job.title, TITLE_WIDTH),
            None => safe::line(&job.title),
        };
        table.row([
            job.id.to_string(),
            kind(job.kind).to_owned(),
            state(job),
            units::bytes(job.done_bytes),
            job.total_bytes.map_or_else(|| "?".to_owned(), units::bytes),
            title,
            remark(job),
        ]);
    }
    table.write(out)
}

/// Writes the URN of a file published, with its name if it is one of several; nothing of one that failed.
///
/// # Errors
/// The writer's.
pub fn published(published: &Published, out: &mut dyn Write) -> io::Result<()> {
    match (&published.urn, published.among_others) {
        (Some(urn), true) => {
            let file = safe::line(&published.file.to_string_lossy());
            writeln!(out, "{}\t{file}", safe::line(urn))
        }
        (Some(urn), false) => writeln!(out, "{}", safe::line(urn)),
        (None, _) => Ok(()),
    }
}

fn kind(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Publish => "publish",
        JobKind::Fetch => "fetch",
    }
}

fn state(job: &Job) -> String {
    match job.state {
        JobState::Running => safe::line(&job.phase),
        JobState::Done => "done".to_owned(),
        JobState::Failed => "failed".to_owned(),
        JobState::Cancelled => "cancelled".to_owned(),
    }
}

fn remark(job: &Job) -> String {
    let failure = job.failure.as_ref().map(|failure| failure.message.as_str());
    safe::line(failure.or(job.note.as_deref()).unwrap_or(""))
}
