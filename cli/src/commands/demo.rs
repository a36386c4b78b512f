//! `oboro demo`: a whole network in this process, and a file through it.
//!
//! Nothing is asserted that was not looked at: digests are computed from the files on disk, and what a node could read
//! is what a search of everything in its home brings up.

mod cluster;
mod sample;
mod scan;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use blake2b_simd::Params;
use data_encoding::HEXLOWER;
use oboro_node::NodeHandle;
use oboro_node::api::{
    Code, Failure, FetchRequest, Job, JobId, JobState, NodeApi, PublishRequest, Route, SearchHit,
    SearchRequest,
};
use oboro_node::eris::BlockSize;
use tempfile::TempDir;

use self::cluster::Cluster;
use self::scan::Marks;
use super::interrupt::Interrupts;
use crate::args;
use crate::data::{Data, DemoFile, DemoNode, DemoReport, Outcome};
use crate::halt::Halt;
use crate::ui::Ui;

/// How long the node may keep news of a job back, in milliseconds.
const WAIT_MS: u64 = 500;

/// Patience with a search, in milliseconds.
const SEARCH_MS: u64 = 30_000;

/// Files are read in pieces of this many bytes.
const READ: usize = 1 << 20;

/// `oboro demo`
pub async fn demo(args: &args::Demo, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    let mut interrupts = Interrupts::listen()?;
    let folder = tempfile::Builder::new()
        .prefix("oboro-demo-")
        .tempdir()
        .map_err(|error| Failure::new(Code::Failed, format!("no temporary folder: {error}")))?;
    let mut cluster = Cluster::new(folder.path(), args.nodes)?;
    let told = interrupts
        .or(tell(args, folder.path(), &mut cluster, ui))
        .await;
    ui.progress_over();
    cluster.end().await;
    let mut report = told?;
    report.kept = keep(folder, args.keep);
    let partly = (!report.equal).then(|| {
        Failure::new(
            Code::Failed,
            "the demo failed: not everything was equal and unreadable",
        )
    });
    Ok(Outcome {
        partly,
        ..Data::Demo(Box::new(report)).into()
    })
}

/// Everything while the nodes run.
async fn tell(
    args: &args::Demo,
    folder: &Path,
    cluster: &mut Cluster,
    ui: &mut dyn Ui,
) -> Result<DemoReport, Failure> {
    let files = match args.files.as_slice() {
        [] => vec![sample::write(folder)?],
        named => named.to_vec(),
    };
    for file in &files {
        check(file)?;
    }
    ui.say(&format!("Starting {} nodes on this machine …", args.nodes));
    let joined = cluster.start().await?;
    let (Some(publisher), Some(fetcher)) = (cluster.first(), cluster.last()) else {
        return Err(Failure::new(Code::Usage, "a demo needs several nodes"));
    };
    let mut marks = Marks::default();
    let mut told = Vec::new();
    for (i, file) in files.iter().enumerate() {
        let output = folder.join(format!("fetched-{i}"));
        told.push(one(publisher, fetcher, file, &output, &mut marks, ui).await?);
    }
    ui.progress_over();
    ui.say("Searching the nodes' disks …");
    let nodes = nodes(cluster, &told, marks).await?;
    let same = told
        .iter()
        .all(|file| file.published_digest == file.fetched_digest);
    Ok(DemoReport {
        equal: same && nodes.iter().all(|node| node.readable == 0),
        anonymity: publisher.status().await?.anonymity,
        joined_s: joined.as_secs_f64(),
        files: told,
        nodes,
        kept: None,
    })
}

/// Publishes, finds, fetches and compares one file.
async fn one(
    publisher: &NodeHandle,
    fetcher: &NodeHandle,
    file: &Path,
    output: &Path,
    marks: &mut Marks,
    ui: &mut dyn Ui,
) -> Result<DemoFile, Failure> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (title, words) = sample::title_and_words(&name);
    let path = std::path::absolute(file).map_err(|error| unusable(file, &error))?;
    let began = Instant::now();
    let request = PublishRequest {
        path,
        title: Some(title.clone()),
        keywords: None,
        convergent: false,
        fewer_hops: false,
    };
    let job = finish(publisher, publisher.publish(request).await?, ui).await?;
    let publish = began.elapsed();
    let published = job.route;
    let urn = job
        .urn
        .ok_or_else(|| Failure::new(Code::Failed, "a publication without a URN"))?;

    let began = Instant::now();
    let (hit, found) = find(fetcher, &words, &urn).await?;
    let search = began.elapsed();

    let began = Instant::now();
    let request = FetchRequest {
        urn: None,
        n: Some(hit.n),
        title: None,
        output: output.to_owned(),
        overwrite: false,
        fewer_hops: false,
    };
    let fetched = finish(fetcher, fetcher.fetch(request).await?, ui).await?;
    let fetch = began.elapsed();

    marks
        .add(file, &title, &words, &urn)
        .map_err(|error| unusable(file, &error))?;
    Ok(DemoFile {
        bytes: fs::metadata(file)
            .map_err(|error| unusable(file, &error))?
            .len(),
        published_digest: digest(file).map_err(|error| unusable(file, &error))?,
        fetched_digest: digest(output).map_err(|error| unusable(output, &error))?,
        title,
        words,
        hops: fewest_hops([published, found, fetched.route]),
        publish_s: publish.as_secs_f64(),
        search_s: search.as_secs_f64(),
        fetch_s: fetch.as_secs_f64(),
    })
}

async fn finish(node: &NodeHandle, id: JobId, ui: &mut dyn Ui) -> Result<Job, Failure> {
    loop {
        let job = node.job(id, WAIT_MS).await?;
        ui.progress(&job);
        match (job.state, &job.failure) {
            (JobState::Running, _) => {}
            (JobState::Done, _) => return Ok(job),
            (_, Some(failure)) => return Err(failure.clone()),
            (_, None) => return Err(Failure::new(Code::Failed, "a job ended without a word")),
        }
        // A job that changes all the time needs no busy watcher.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The least that each of them had; whoever doesn't say had none.
fn fewest_hops(routes: [Option<Route>; 3]) -> u8 {
    let hops = routes.map(|route| route.map_or(0, |route| route.hops));
    hops.into_iter().min().unwrap_or_default()
}

/// Searches by words; the result that was published, and by which way it was found.
async fn find(
    node: &NodeHandle,
    words: &[String],
    urn: &str,
) -> Result<(SearchHit, Option<Route>), Failure> {
    let request = SearchRequest {
        words: words.to_vec(),
        timeout_ms: SEARCH_MS,
        fewer_hops: false,
    };
    let results = node.search(request).await?;
    let hit = results.hits.into_iter().find(|hit| hit.urn == urn);
    let hit = hit.ok_or_else(|| {
        Failure::new(
            Code::NothingFound,
            "the search did not find what was published",
        )
    })?;
    Ok((hit, results.route))
}

/// What each node did, held and could read.
async fn nodes(
    cluster: &Cluster,
    files: &[DemoFile],
    marks: Marks,
) -> Result<Vec<DemoNode>, Failure> {
    let chunks: u64 = files.iter().map(|file| chunks(file.bytes)).sum();
    let homes = cluster.homes();
    let scans = tokio::task::spawn_blocking(move || {
        homes
            .iter()
            .map(|home| marks.search(home))
            .collect::<io::Result<Vec<_>>>()
    });
    let scans = scans
        .await
        .map_err(|_| Failure::new(Code::Failed, "the search of the disks broke down"))?
        .map_err(|error| Failure::new(Code::Failed, format!("can't read a home: {error}")))?;
    let all = cluster.nodes().len();
    let mut nodes = Vec::with_capacity(all);
    for (i, (node, scan)) in cluster.nodes().iter().zip(scans).enumerate() {
        let stats = node.stats().await?;
        nodes.push(DemoNode {
            n: i + 1,
            role: match i {
                0 => "publishes",
                i if i + 1 == all => "fetches",
                _ => "holds",
            },
            held: (stats.cache.chunks as f64 / chunks.max(1) as f64).min(1.0),
            stats,
            scanned_bytes: scan.bytes,
            readable: scan.found,
        });
    }
    Ok(nodes)
}

/// Chunks a file of this many bytes becomes: its leaves and the nodes above them.
fn chunks(bytes: u64) -> u64 {
    let mut level = BlockSize::Large.leaf_count(bytes);
    let mut all = level;
    while level > 1 {
        level = level.div_ceil(BlockSize::Large.arity() as u64);
        all += level;
    }
    all
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut state = Params::new().hash_length(32).to_state();
    let mut buffer = vec![0; READ];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(HEXLOWER.encode(state.finalize().as_bytes())),
            n => state.update(buffer.get(..n).unwrap_or_default()),
        };
    }
}

fn check(file: &Path) -> Result<(), Failure> {
    let found = fs::metadata(file).map_err(|error| unusable(file, &error))?;
    if found.is_file() {
        return Ok(());
    }
    Err(Failure::new(
        Code::BadInput,
        format!("{} is not a file", file.display()),
    ))
}

/// Lets go of the folder; where it is, if it was to be kept.
fn keep(folder: TempDir, keep: bool) -> Option<PathBuf> {
    keep.then(|| folder.keep())
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Code::Failed, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_chunks_of_its_leaves_and_of_the_nodes_above() {
        const CHUNK: u64 = 32 * 1024;
        assert_eq!(chunks(0), 1);
        assert_eq!(chunks(CHUNK - 1), 1);
        assert_eq!(chunks(CHUNK), 3);
        assert_eq!(chunks(512 * CHUNK - 1), 513);
        assert_eq!(chunks(512 * CHUNK), 513 + 2 + 1);
    }

    #[test]
    fn a_demo_claims_no_more_hops_than_everything_had() {
        let route = |hops| {
            Some(Route {
                hops,
                ..Route::default()
            })
        };
        assert_eq!(fewest_hops([route(3), route(3), route(3)]), 3);
        assert_eq!(fewest_hops([route(3), route(2), route(3)]), 2);
        assert_eq!(fewest_hops([route(3), route(3), None]), 0);
    }

    #[test]
    fn a_digest_is_blake2b_256_of_the_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, b"").unwrap();
        let empty = "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8";
        assert_eq!(digest(&path).unwrap(), empty);
    }
}
