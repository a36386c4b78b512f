//! `oboro fetch`: the node does it; this finds out what and where to, and watches.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use oboro_node::api::{
    Code, Failure, FetchRequest, Job, JobId, JobKind, JobState, SearchHit, SearchResults,
};
use oboro_node::eris::{Capability, URN_PREFIX};

use super::interrupt::Interrupts;
use super::ready::{JOIN_TIME, ready, went};
use super::{join, watch};
use crate::args;
use crate::client::Client;
use crate::data::{Data, Fetched, Outcome};
use crate::halt::Halt;
use crate::render::safe;
use crate::ui::Ui;

/// How the folder is called that holds a file on its way to stdout. Folders of dead commands are swept by the node's
/// next start.
pub const STDOUT_FOLDER: &str = "stdout-";

/// What is to be fetched.
struct Target {
    urn: String,
    title: Option<String>,
    fewer_hops: bool,
}

/// `oboro fetch`
pub async fn fetch(
    home: &Path,
    args: &args::Fetch,
    json: bool,
    ui: &mut dyn Ui,
) -> Result<Outcome, Halt> {
    let client = Client::new(home);
    let mut interrupts = Interrupts::listen()?;
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && json {
        let failure = Failure::new(Code::Usage, "--json and -o - both want stdout");
        return Err(failure.into());
    }
    interrupts
        .or(ready(&client, JOIN_TIME, args.fewer_hops, ui))
        .await?;
    let target = interrupts.or(target(&client, args)).await?;
    if to_stdout {
        return through_folder(home, &client, target, &mut interrupts, ui).await;
    }
    let output = output(args.output.as_deref(), &target)?;
    may_write(&output, args.force)?;
    // Not to be interrupted: a job must not run that nobody was told of.
    let id = start(&client, target, &output, ui).await?;
    let job = watch::watch(&client, id, &mut interrupts, ui).await?;
    went(job.route.as_ref(), ui);
    Ok(Data::Fetched(fetched(&job, Some(output))).into())
}

fn fetched(job: &Job, output: Option<PathBuf>) -> Fetched {
    Fetched {
        job: job.id,
        output,
        bytes: job.total_bytes.unwrap_or(job.done_bytes),
        fetched_bytes: job.fetched_bytes,
        resumed_bytes: job.resumed_bytes,
        retries: job.retries,
        route: job.route,
    }
}

/// Starts the job, or finds the one that does the same already.
async fn start(
    client: &Client,
    target: Target,
    output: &Path,
    ui: &mut dyn Ui,
) -> Result<JobId, Failure> {
    let same = |job: &Job| {
        job.state == JobState::Running
            && job.kind == JobKind::Fetch
            && job.urn.as_deref() == Some(target.urn.as_str())
            && job.output.as_deref().map(Path::new) == Some(output)
    };
    if let Some(job) = client.jobs().await?.into_iter().find(same) {
        if target.fewer_hops {
            let id = job.id;
            ui.say(&format!(
                "Job {id} fetches it already, over the hops it was given; oboro cancel {id} to begin anew."
            ));
        }
        return Ok(job.id);
    }
    let request = FetchRequest {
        urn: Some(target.urn),
        n: None,
        title: target.title,
        output: output.to_owned(),
        // Looked at before; what the file is by the end of the fetch, the user was warned of by --force.
        overwrite: output.exists(),
        fewer_hops: target.fewer_hops,
    };
    client.fetch(&request).await
}

/// To stdout: through a file nobody else can read, since chunks don't arrive in order and only a whole file is right.
async fn through_folder(
    home: &Path,
    client: &Client,
    target: Target,
    interrupts: &mut Interrupts,
    ui: &mut dyn Ui,
) -> Result<Outcome, Halt> {
    let folder = tempfile::Builder::new()
        .prefix(STDOUT_FOLDER)
        .tempdir_in(home)
        .map_err(|error| unusable(home, &error))?;
    let output = folder.path().join("file");
    let id = start(client, target, &output, ui).await?;
    let job = match watch::watch(client, id, interrupts, ui).await {
        Ok(job) => job,
        Err(halt) => {
            // Its output goes with the folder, so nobody needs the rest.
            let _ = client.cancel(id).await;
            return Err(match halt {
                Halt::Failure(failure) if failure.code == Code::Interrupted => Halt::interrupted(),
                other => other,
            });
        }
    };
    let mut file = File::open(&output).map_err(|error| unusable(&output, &error))?;
    ui.pour(&mut file)?;
    went(job.route.as_ref(), ui);
    Ok(Data::Fetched(fetched(&job, None)).into())
}

/// What `N|URN` means.
async fn target(client: &Client, args: &args::Fetch) -> Result<Target, Failure> {
    let fewer_hops = args.fewer_hops;
    let line = if args.what == "-" {
        join::from_stdin().await?
    } else {
        args.what.clone()
    };
    let is_urn = |text: &str| {
        let prefix = text.get(..URN_PREFIX.len());
        prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(URN_PREFIX))
    };
    if is_urn(&line) {
        // As the node spells it, so that jobs and results can be compared with it.
        let urn = Capability::from_urn(&line)
            .map_err(|error| Failure::new(Code::BadInput, error.to_string()))?
            .to_urn();
        let hit = client
            .last_search()
            .await?
            .and_then(|last| find(last, |hit| hit.urn == urn));
        let title = hit.map(|hit| hit.title);
        return Ok(Target {
            urn,
            title,
            fewer_hops,
        });
    }
    let n: usize = line.parse().map_err(|_| {
        Failure::new(
            Code::Usage,
            "fetch takes a number of the last search or a URN",
        )
        .hint("oboro search WORD… numbers its results; a URN begins with urn:eris:")
    })?;
    let last = client.last_search().await?.ok_or_else(|| {
        Failure::new(Code::NoSuch, "there was no search yet").hint("oboro search WORD…")
    })?;
    let all = last.hits.len();
    let hit = find(last, |hit| hit.n == n).ok_or_else(|| {
        Failure::new(
            Code::NoSuch,
            format!("the last search has results 1 to {all}, not {n}"),
        )
    })?;
    Ok(Target {
        urn: hit.urn,
        title: Some(hit.title),
        fewer_hops,
    })
}

fn find(last: SearchResults, wanted: impl Fn(&SearchHit) -> bool) -> Option<SearchHit> {
    last.hits.into_iter().find(wanted)
}

/// The file to write, absolute.
fn output(asked: Option<&Path>, target: &Target) -> Result<PathBuf, Failure> {
    let path = match asked {
        Some(path) if path.is_dir() => path.join(suggestion(target)),
        Some(path) => path.to_owned(),
        None => PathBuf::from(suggestion(target)),
    };
    let path = std::path::absolute(&path).map_err(|error| unusable(&path, &error))?;
    // A link is followed here, so that the file it leads to is written and not the link replaced.
    Ok(path.canonicalize().unwrap_or(path))
}

/// The title as a file name; else a part of the URN that names the file but doesn't open it.
fn suggestion(target: &Target) -> String {
    let named = target.title.as_deref().and_then(safe::file_name);
    named.unwrap_or_else(|| {
        let root = target.urn.get(URN_PREFIX.len() + 4..URN_PREFIX.len() + 16);
        format!("oboro-{}", root.unwrap_or_default().to_ascii_lowercase())
    })
}

/// Refuses what would destroy something: a file that isn't empty without `--force`, and what isn't a plain file at all.
pub fn may_write(path: &Path, force: bool) -> Result<(), Failure> {
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(path);
            if parent.as_os_str().is_empty() || parent.is_dir() {
                return Ok(());
            }
            let message = format!("there is no folder {}", parent.display());
            Err(Failure::new(Code::NoSuch, message))
        }
        Err(error) => Err(unusable(path, &error)),
        Ok(found) if !found.is_file() => Err(Failure::new(
            Code::Exists,
            format!("{shown} is not a plain file"),
        )),
        Ok(found) if found.len() > 0 && !force => Err(Failure::new(
            Code::Exists,
            format!("{shown} exists already"),
        )
        .hint("choose another name with -o, or replace it with --force")),
        Ok(_) => Ok(()),
    }
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Code::Failed, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(title: Option<&str>) -> Target {
        Target {
            urn: format!("urn:eris:B4AA{}", "X".repeat(102)),
            title: title.map(str::to_owned),
            fewer_hops: false,
        }
    }

    #[test]
    fn the_name_comes_from_the_title_and_stays_in_the_folder() {
        assert_eq!(suggestion(&target(Some("朧月夜.txt"))), "朧月夜.txt");
        assert_eq!(suggestion(&target(Some("../../x"))), "_.._x");
    }

    #[test]
    fn without_a_title_the_name_tells_the_file_and_not_its_key() {
        assert_eq!(suggestion(&target(None)), "oboro-xxxxxxxxxxxx");
        assert_eq!(suggestion(&target(Some(".."))), "oboro-xxxxxxxxxxxx");
    }

    #[test]
    fn a_folder_as_output_gets_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = output(Some(folder.path()), &target(Some("a"))).unwrap();
        assert_eq!(path, folder.path().join("a"));
    }

    #[test]
    fn only_an_absent_or_empty_file_is_written_without_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        may_write(&path, false).unwrap();
        fs::write(&path, "").unwrap();
        may_write(&path, false).unwrap();
        fs::write(&path, "kept").unwrap();
        assert_eq!(may_write(&path, false).unwrap_err().code, Code::Exists);
        may_write(&path, true).unwrap();
        assert_eq!(
            may_write(folder.path(), true).unwrap_err().code,
            Code::Exists
        );
        assert_eq!(
            may_write(Path::new("/dev/null"), true).unwrap_err().code,
            Code::Exists
        );
        let nowhere = folder.path().join("no/such");
        assert_eq!(may_write(&nowhere, false).unwrap_err().code, Code::NoSuch);
    }
}
