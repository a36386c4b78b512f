//! The real user interface: stdout for data, stderr for talk, a progress bar where there is somebody to see it.

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oboro_node::api::{Code, Failure, Job, JobKind};

use super::{Page, envelope, failure, failure_envelope, safe, text, units};
use crate::data::{Data, Outcome};
use crate::halt::Halt;
use crate::ui::Ui;

/// A title in the progress bar is cut to this many columns.
const TITLE_WIDTH: usize = 28;

/// How often the bar is redrawn at the most, per second.
const REDRAWS: u8 = 8;

/// Stdout and stderr of this process.
pub struct Terminal {
    json: bool,
    page: Page,
    /// Whether somebody watches stderr; without, no progress is drawn.
    watched: bool,
    bar: Option<ProgressBar>,
}

impl Terminal {
    /// For text, or for JSON only.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self {
            json,
            page: Page { width: width() },
            watched: !json && io::stderr().is_terminal(),
            bar: None,
        }
    }

    /// Writes how a command ended and returns the exit code.
    pub fn finish(&mut self, result: Result<Outcome, Halt>) -> u8 {
        self.progress_over();
        let written = result.and_then(|outcome| {
            self.put(&outcome)?;
            if let Some(next) = &outcome.next {
                self.say(next);
            }
            Ok(outcome.partly)
        });
        match written {
            Ok(None) | Err(Halt::Closed) => 0,
            // In JSON the failure of a part is in the envelope already.
            Ok(Some(failure)) if self.json => failure.exit,
            Ok(Some(failure)) | Err(Halt::Failure(failure)) => self.fail(&failure),
        }
    }

    /// Writes why a command failed and returns the exit code.
    pub fn fail(&mut self, failed: &Failure) -> u8 {
        let mut err = io::stderr().lock();
        // There is no one left to tell if stderr is gone.
        let _ = if self.json {
            writeln!(err, "{}", failure_envelope(failed))
        } else {
            failure(failed, &mut err)
        };
        failed.exit
    }

    fn put(&self, outcome: &Outcome) -> Result<(), Halt> {
        let mut out = io::stdout().lock();
        let written = if self.json {
            writeln!(out, "{}", envelope(outcome))
        } else {
            text(&outcome.data, &mut out, self.page)
        };
        written
            .and_then(|()| out.flush())
            .map_err(|error| unwritable(&error))
    }

    /// Writes while the progress bar is out of the way.
    fn beside_bar<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Ui for Terminal {
    fn say(&mut self, line: &str) {
        if self.json {
            return;
        }
        let line = safe::line(line);
        // Talk that nobody can hear is not worth a failure.
        let _ = self.beside_bar(|| writeln!(io::stderr().lock(), "{line}"));
    }

    fn progress(&mut self, job: &Job) {
        if !self.watched {
            return;
        }
        draw(self.bar.get_or_insert_with(new_bar), job);
    }

    fn progress_over(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn early(&mut self, part: &Data) -> Result<(), Halt> {
        if self.json {
            return Ok(());
        }
        let written = self.beside_bar(|| {
            let mut out = io::stdout().lock();
            text(part, &mut out, self.page).and_then(|()| out.flush())
        });
        match written.map_err(|error| unwritable(&error)) {
            Err(Halt::Closed) => Ok(()),
            other => other,
        }
    }

    fn show(&mut self, data: Data) -> Result<(), Halt> {
        self.put(&Outcome::from(data))
    }

    fn pour(&mut self, source: &mut dyn Read) -> Result<(), Halt> {
        let mut out = io::stdout().lock();
        let poured = io::copy(source, &mut out).and_then(|_| out.flush());
        poured.map_err(|error| unwritable(&error))
    }

    fn report(&mut self, result: Result<Data, &Failure>) {
        let line = match result {
            Ok(data) => envelope(&Outcome::from(data)),
            Err(failure) => failure_envelope(failure),
        };
        let mut out = io::stdout().lock();
        // The process that started us may have given up; that does not end a node.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

fn unwritable(error: &io::Error) -> Halt {
    match error.kind() {
        ErrorKind::BrokenPipe => Halt::Closed,
        _ => Failure::new(Code::Failed, format!("can't write to stdout: {error}")).into(),
    }
}

fn width() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&stdout).ok()?;
    // Terminals that don't know say 0.
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

fn draw(bar: &ProgressBar, job: &Job) {
    let template = match job.total_bytes {
        Some(_) => "{spinner} {prefix} [{bar:24}] {percent} %  {msg}",
        None => "{spinner} {prefix} {msg}",
    };
    // A template of our own is known to be good; the default style is the fallback all the same.
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─");
    bar.set_style(style);
    bar.set_prefix(prefix(job));
    if let Some(total) = job.total_bytes {
        bar.set_length(total);
    }
    bar.set_position(job.done_bytes);
    bar.set_message(message(job));
}

fn prefix(job: &Job) -> String {
    if job.title.is_empty() {
        return match job.kind {
            JobKind::Publish => "publishing".to_owned(),
            JobKind::Fetch => "fetching".to_owned(),
        };
    }
    safe::cut(&job.title, TITLE_WIDTH)
}

/// How much, how fast, how long still, and what it waits for.
fn message(job: &Job) -> String {
    let mut parts = vec![units::bytes(job.done_bytes)];
    if job.speed > 0 {
        parts.push(format!("{}/s", units::bytes(job.speed)));
    }
    let left = job
        .total_bytes
        .map(|total| total.saturating_sub(job.done_bytes));
    if let Some(seconds) = left.and_then(|left| left.checked_div(job.speed)) {
        parts.push(format!("{} left", units::seconds(seconds)));
    }
    parts.push(safe::line(&job.phase));
    if let Some(note) = &job.note {
        parts.push(safe::line(note));
    }
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use oboro_node::api::JobState;

    use super::*;

    fn job(done: u64, total: Option<u64>, speed: u64) -> Job {
        Job {
            id: 1,
            kind: JobKind::Fetch,
            state: JobState::Running,
            phase: "fetching".into(),
            done_bytes: done,
            total_bytes: total,
            speed,
            title: "\x1b[2J".into(),
            urn: None,
            output: None,
            failure: None,
            note: None,
            fetched_bytes: 0,
            parity_extents: None,
            resumed_bytes: 0,
            retries: 0,
            route: None,
        }
    }

    #[test]
    fn progress_tells_speed_and_time_left_once_they_are_known() {
        let said = message(&job(1 << 20, Some(3 << 20), 1 << 20));
        assert_eq!(said, "1.0 MiB  1.0 MiB/s  2 s left  fetching");
        assert_eq!(message(&job(0, None, 0)), "0 B  fetching");
        assert_eq!(message(&job(0, Some(9), 0)), "0 B  fetching");
    }

    #[test]
    fn a_title_in_the_bar_can_not_steer_the_terminal() {
        assert_eq!(prefix(&job(0, None, 0)), "\u{fffd}[2J");
    }
}
