//! How fast a file goes into and out of a network of nodes in one process over loopback.
//!
//! `cargo run --release -p oboro-node --example throughput -- [MIB] [NODES] [HOPS]` (256, 8 and 3 if nothing is said)
//! prints MiB/s and CPU seconds per GiB of content over all nodes for publishing and fetching.

#![allow(clippy::print_stdout, reason = "a measurement prints its figures")]

use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use oboro_node::api::{FetchRequest, JobId, JobState, NodeApi, PublishRequest};
use oboro_node::{Network, NodeConfig, NodeHandle};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

type Anything = Box<dyn std::error::Error>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Anything> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let mib = arguments.next().transpose()?.unwrap_or(256);
    let count = arguments.next().transpose()?.unwrap_or(8);
    let hops = u8::try_from(arguments.next().transpose()?.unwrap_or(3))?;
    let dir = tempfile::tempdir()?;
    let nodes = start(dir.path(), count, hops).await?;
    let (source, output) = (dir.path().join("source"), dir.path().join("output"));
    generate(&source, mib)?;
    let (Some(first), Some(last)) = (nodes.first(), nodes.last()) else {
        return Ok(());
    };

    let meter = Meter::start(mib)?;
    let request = PublishRequest {
        path: source.clone(),
        title: None,
        keywords: None,
        convergent: false,
        fewer_hops: false,
    };
    let urn = finished(first, first.publish(request).await?).await?;
    meter.report("publish")?;

    let meter = Meter::start(mib)?;
    let request = FetchRequest {
        urn,
        n: None,
        title: None,
        output: output.clone(),
        overwrite: false,
        fewer_hops: false,
    };
    finished(last, last.fetch(request).await?).await?;
    meter.report("fetch")?;

    for node in &nodes {
        node.shutdown().await;
    }
    let equal = same(&source, &output)?;
    println!("equal: {equal}");
    if equal {
        Ok(())
    } else {
        Err("the file came back changed".into())
    }
}

async fn start(dir: &Path, count: usize, hops: u8) -> Result<Vec<NodeHandle>, Anything> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let made = Network::private("throughput", true, &mut rng)?;
    let mut params = made.params;
    params.hops = hops;
    let secret = made.secret().map(|secret| secret.duplicate());
    let network = Network::new("throughput", params, secret)?;
    let mut nodes: Vec<NodeHandle> = Vec::new();
    for i in 0..count {
        let mut config = NodeConfig::new(dir.join(format!("home{i}")));
        config.network = Some(network.duplicate());
        config.listen = vec!["127.0.0.1:0".parse()?];
        let node = NodeHandle::start(config).await?;
        if let Some(first) = nodes.first() {
            node.join(first.invite().await?).await?;
        }
        nodes.push(node);
    }
    for node in &nodes {
        loop {
            let status = node.status().await?;
            if status.view + 1 >= count && status.relays_missing == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(nodes)
}

fn generate(path: &Path, mib: usize) -> Result<(), Anything> {
    let mut file = std::fs::File::create(path)?;
    let (mut rng, mut bytes) = (ChaCha20Rng::seed_from_u64(2), vec![0; 1 << 20]);
    for _ in 0..mib {
        rng.fill_bytes(&mut bytes);
        file.write_all(&bytes)?;
    }
    Ok(())
}

async fn finished(node: &NodeHandle, id: JobId) -> Result<Option<String>, Anything> {
    loop {
        let job = node.job(id, 1_000).await?;
        match job.state {
            JobState::Running => {}
            JobState::Done => return Ok(job.urn),
            JobState::Failed | JobState::Cancelled => {
                return Err(job
                    .failure
                    .map_or_else(String::new, |failure| failure.message)
                    .into());
            }
        }
    }
}

/// Whether two files hold the same bytes.
fn same(one: &Path, other: &Path) -> Result<bool, Anything> {
    let open = |path| std::fs::File::open(path).map(|file| BufReader::new(file).bytes());
    let (mut one, mut other) = (open(one)?, open(other)?);
    loop {
        match (one.next().transpose()?, other.next().transpose()?) {
            (None, None) => return Ok(true),
            (left, right) if left != right => return Ok(false),
            _ => {}
        }
    }
}

/// Wall-clock and processor time.
struct Meter {
    mib: f64,
    begun: Instant,
    processor: f64,
}

impl Meter {
    fn start(mib: usize) -> Result<Self, Anything> {
        Ok(Self {
            mib: mib as f64,
            begun: Instant::now(),
            processor: processor_seconds()?,
        })
    }

    fn report(&self, what: &str) -> Result<(), Anything> {
        let wall = self.begun.elapsed().as_secs_f64();
        let processor = processor_seconds()? - self.processor;
        println!(
            "{what}: {:.1} MiB/s, {wall:.2} s, {:.1} CPU-s/GiB",
            self.mib / wall,
            processor / (self.mib / 1024.0),
        );
        Ok(())
    }
}

/// User and system time of this process (proc(5), `stat`, in clock ticks of a hundredth of a second).
fn processor_seconds() -> Result<f64, Anything> {
    let mut text = String::new();
    std::fs::File::open("/proc/self/stat")?.read_to_string(&mut text)?;
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_ascii_whitespace().skip(11).take(2);
    let ticks: Result<Vec<f64>, _> = fields.map(str::parse::<f64>).collect();
    Ok(ticks?.iter().sum::<f64>() / 100.0)
}
