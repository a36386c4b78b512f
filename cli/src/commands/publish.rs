//! `oboro publish`: the node does it, one file after the other.

use std::fs;
use std::path::{Path, PathBuf};

use oboro_node::api::{Code, Failure, PublishRequest};

use super::interrupt::Interrupts;
use super::ready::{JOIN_TIME, ready, went};
use super::watch;
use crate::args;
use crate::client::Client;
use crate::data::{Data, Outcome, Published};
use crate::halt::Halt;
use crate::ui::Ui;

/// Files published by one command at the most: a folder with more is more likely a mistake than a wish.
const FILES_MAX: usize = 10_000;

/// `oboro publish`
pub async fn publish(
    client: &Client,
    args: &args::Publish,
    ui: &mut dyn Ui,
) -> Result<Outcome, Halt> {
    let mut interrupts = Interrupts::listen()?;
    let files = all_files(&args.files, ui)?;
    check(args, files.len())?;
    interrupts
        .or(ready(client, JOIN_TIME, args.fewer_hops, ui))
        .await?;
    if args.convergent {
        ui.say("Convergent: whoever has the same file can recognise it in the network.");
    }
    let mut published = Vec::new();
    for file in &files {
        let mut one = Published::of(file, files.len() > 1);
        publish_one(client, args, &mut one, &mut interrupts, ui).await?;
        ui.early(&Data::Published(one.clone()))?;
        published.push(one);
    }
    summary(published)
}

/// Publishes one file. A failure of this file is part of the result; one that ends everything is an error.
async fn publish_one(
    client: &Client,
    args: &args::Publish,
    published: &mut Published,
    interrupts: &mut Interrupts,
    ui: &mut dyn Ui,
) -> Result<(), Halt> {
    let request = request(args, &published.file)?;
    // Not to be interrupted: a job must not run that nobody was told of.
    let job = match client.publish(&request).await {
        Ok(id) => watch::watch(client, id, interrupts, ui).await,
        Err(failure) => Err(failure.into()),
    };
    match job {
        Ok(job) => {
            published.urn = job.urn;
            published.bytes = job.total_bytes.unwrap_or(job.done_bytes);
            published.note = job.note;
            published.route = job.route;
        }
        Err(Halt::Failure(failure)) if !ends_everything(failure.code) => {
            if published.among_others {
                ui.say(&format!("{}: {failure}", published.file.display()));
            }
            published.error = Some(failure);
        }
        Err(halt) => return Err(halt),
    }
    if let Some(note) = &published.note {
        ui.say(note);
    }
    went(published.route.as_ref(), ui);
    Ok(())
}

fn ends_everything(code: Code) -> bool {
    matches!(
        code,
        Code::Interrupted
            | Code::NotRunning
            | Code::NotJoined
            | Code::NoRoute
            | Code::TooFewRelays
            | Code::GuardAway
            | Code::NoCircuit
    )
}

fn request(args: &args::Publish, file: &Path) -> Result<PublishRequest, Failure> {
    let path = std::path::absolute(file).map_err(|error| unusable(file, &error))?;
    Ok(PublishRequest {
        path,
        title: args.title.clone(),
        keywords: (!args.keywords.is_empty()).then(|| args.keywords.clone()),
        convergent: args.convergent,
        fewer_hops: args.fewer_hops,
    })
}

fn check(args: &args::Publish, files: usize) -> Result<(), Failure> {
    let title = args.title.as_deref();
    if title.is_some_and(|title| title.trim().is_empty()) {
        return Err(Failure::new(Code::Usage, "the title is empty"));
    }
    if title.is_some() && files > 1 {
        return Err(Failure::new(
            Code::Usage,
            "--title is for one file, not for several",
        ));
    }
    Ok(())
}

fn summary(mut files: Vec<Published>) -> Result<Outcome, Halt> {
    let failed = files.iter().filter(|file| file.error.is_some()).count();
    let all = files.len();
    if failed > 0 && failed == all {
        // Each said why; the first decides the exit code.
        let first = files.swap_remove(0).error;
        return Err(first
            .unwrap_or_else(|| Failure::new(Code::Failed, "nothing was published"))
            .into());
    }
    let partly = (failed > 0).then(|| {
        let message = format!("{failed} of {all} files were not published");
        Failure::new(Code::Partly, message)
    });
    Ok(Outcome {
        partly,
        ..Data::AllPublished { files }.into()
    })
}

/// The files named, those of folders included. Everything is looked at before anything is published.
fn all_files(named: &[PathBuf], ui: &mut dyn Ui) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in named {
        let found = fs::metadata(path).map_err(|error| unusable(path, &error))?;
        if found.is_dir() {
            files.extend(of_folder(path, ui)?);
        } else if found.is_file() {
            files.push(path.clone());
        } else {
            let message = format!("{} is neither a file nor a folder", path.display());
            return Err(Failure::new(Code::BadInput, message));
        }
        if files.len() > FILES_MAX {
            let message = format!("more than {FILES_MAX} files");
            return Err(Failure::new(Code::Usage, message).hint("publish them in several parts"));
        }
    }
    Ok(files)
}

/// The plain files of a folder by name: no hidden ones, no links, no folders inside it. What is left out is said.
fn of_folder(folder: &Path, ui: &mut dyn Ui) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut left_out = 0_usize;
    for entry in fs::read_dir(folder).map_err(|error| unusable(folder, &error))? {
        let entry = entry.map_err(|error| unusable(folder, &error))?;
        let kind = entry
            .file_type()
            .map_err(|error| unusable(folder, &error))?;
        if kind.is_file() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            files.push(entry.path());
        } else {
            left_out += 1;
        }
    }
    let shown = folder.display();
    if left_out > 0 {
        ui.say(&format!(
            "{shown}: left out {left_out} that are hidden, links or folders"
        ));
    }
    if files.is_empty() {
        return Err(Failure::new(
            Code::BadInput,
            format!("{shown} holds no files"),
        ));
    }
    files.sort();
    Ok(files)
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => Code::NoSuch,
        _ => Code::Failed,
    };
    Failure::new(code, format!("{}: {error}", path.display()))
}
