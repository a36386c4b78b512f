//! The grammar of the command line. It is fixed: scripts rely on it. Nothing here does anything.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::help;

/// An encrypted darknet node: publish, search and fetch files by keyword.
#[derive(Parser)]
#[command(name = "oboro", version, after_help = help::SHORT, after_long_help = help::LONG)]
#[command(max_term_width = 100, infer_long_args = false)]
pub struct Oboro {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Common {
    /// The node's state directory [env: OBORO_HOME] [default: by XDG, usually ~/.local/state/oboro]
    // The variable is read in `home`: clap takes an empty one for a mistake, also beside --home.
    #[arg(long, value_name = "DIR", global = true)]
    pub home: Option<PathBuf>,
    /// Print one JSON object instead of text; errors as one JSON object on stderr
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands, in the order in which one meets them.
#[derive(Subcommand)]
pub enum Command {
    /// Show the whole of it: several nodes on this machine, a file published, found and fetched
    #[command(after_help = help::DEMO)]
    Demo(Demo),
    /// Make a private network
    #[command(subcommand)]
    Network(Network),
    /// Prepare a home; optional, `run` and `start` do it with defaults
    #[command(after_help = help::INIT)]
    Init(Init),
    /// Run the node in the foreground, for service managers; logs go to stderr
    #[command(after_help = help::RUN)]
    Run(Run),
    /// Start the node in the background; returns when it answers
    Start(Unlock),
    /// End the node; returns when everything is on disk
    Stop,
    /// End the node if it runs, and start it again
    Restart(Unlock),
    /// Show state, peers, reachability, cache use and what is missing
    Status,
    /// Print one line that lets another node join through this one
    #[command(after_help = help::INVITE)]
    Invite,
    /// Join through another node's invite; works whether or not the node runs
    #[command(after_help = help::JOIN)]
    Join(Join),
    /// Show the links and the nodes being dialed
    Peers,
    /// Publish files; prints the URN of each
    #[command(after_help = help::PUBLISH)]
    Publish(Publish),
    /// Search the network for files that match all words
    #[command(after_help = help::SEARCH)]
    Search(Search),
    /// Fetch a file by its number in the last search, or by its URN
    #[command(after_help = help::FETCH)]
    Fetch(Fetch),
    /// Show publications and fetches, running and lately ended
    Jobs,
    /// End a job; what it fetched so far is dropped
    Cancel(Cancel),
    /// Show relay statistics: traffic, streams, circuits, what was served, cache, refusals, drops
    Stats(Stats),
    /// Refuse to keep or serve what URNs name
    Refuse(Policy),
    /// Take refusals back
    Allow(Policy),
    /// Encode and decode files for exchange with other ERIS programs
    #[command(subcommand)]
    Eris(Eris),
}

/// `oboro demo`
#[derive(Args)]
pub struct Demo {
    /// Files to publish [default: one of 8 MiB, made up]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How many nodes to run
    #[arg(long, value_name = "N", default_value_t = 8)]
    #[arg(value_parser = demo_nodes)]
    pub nodes: u16,
    /// Keep the nodes' homes and say where they are
    #[arg(long)]
    pub keep: bool,
}

/// So many that a path's ends and relays are different nodes.
const DEMO_NODES_MIN: u16 = 5;

/// More would be a test of the machine.
const DEMO_NODES_MAX: u16 = 64;

fn demo_nodes(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(n @ DEMO_NODES_MIN..=DEMO_NODES_MAX) => Ok(n),
        Ok(0..DEMO_NODES_MIN) => Err(format!(
            "{DEMO_NODES_MIN} is the least: client, guard, middle, exit and storer"
        )),
        _ => Err(format!(
            "a number from {DEMO_NODES_MIN} to {DEMO_NODES_MAX}"
        )),
    }
}

/// `oboro network`
#[derive(Subcommand)]
pub enum Network {
    /// Write a new private network's file: whoever has it, or an invite, can join
    #[command(after_help = help::NETWORK_NEW)]
    New(NetworkNew),
}

/// `oboro network new`
#[derive(Args)]
pub struct NetworkNew {
    /// Its name, for people
    #[arg(value_name = "NAME")]
    pub name: String,
    /// For tests and LANs: private addresses allowed, no prefix rules, cheap node ids
    #[arg(long)]
    pub local: bool,
    /// Relays between who asks and who stores, 0 to 3, on a local network; fewer than 3 are for
    /// measuring and hide nobody [default: 3]
    #[arg(long, value_name = "N", requires = "local")]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=3))]
    pub hops: Option<u8>,
    /// The file to write; it holds the network's secret
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `oboro init`
#[derive(Args)]
pub struct Init {
    /// The network to belong to [default: the public one]
    #[arg(long, value_name = "FILE")]
    pub network: Option<PathBuf>,
    /// Where to listen; may be repeated; port 0 picks one and keeps it [default: all addresses]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Vec<SocketAddr>,
    /// Use the network without being in its list of nodes
    #[arg(long)]
    pub unlisted: bool,
    /// Disk space for the cache, for example "20 GiB"
    #[arg(long, value_name = "SIZE")]
    pub quota: Option<String>,
    /// Ask for a passphrase on the terminal and seal the keys under it
    #[arg(long, conflicts_with = "passphrase_file")]
    pub ask_passphrase: bool,
    /// How to open the keys.
    #[command(flatten)]
    pub unlock: Unlock,
}

/// How to open the key file.
#[derive(Args, Clone)]
pub struct Unlock {
    /// File whose first line is the passphrase of the keys
    #[arg(long, value_name = "FILE", env = "OBORO_PASSPHRASE_FILE")]
    #[arg(hide_env_values = true)]
    pub passphrase_file: Option<PathBuf>,
}

/// `oboro run`
#[derive(Args)]
pub struct Run {
    /// How to open the keys.
    #[command(flatten)]
    pub unlock: Unlock,
    /// Set by `oboro start`: leave the terminal, take the passphrase from stdin, report on stdout.
    #[arg(long, hide = true)]
    pub detached: bool,
}

/// `oboro join`
#[derive(Args)]
pub struct Join {
    /// The invite, or `-` to read it from stdin, which keeps it out of the list of processes
    #[arg(value_name = "INVITE|-")]
    pub invite: String,
}

/// `oboro publish`
#[derive(Args)]
pub struct Publish {
    /// Files, or folders whose files to publish
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// What searchers see [default: the file's name]
    #[arg(long, value_name = "T")]
    pub title: Option<String>,
    /// A word it is found by besides those of the title; may be repeated [default: the words of the
    /// file's name]
    #[arg(long = "keyword", value_name = "K")]
    pub keywords: Vec<String>,
    /// Give equal files equal URNs; whoever has the file can then recognise it in the network
    #[arg(long)]
    pub convergent: bool,
    /// Do with fewer relays if too few nodes are known: a storer or a single relay may then learn
    /// that you publish, and what
    #[arg(long)]
    pub fewer_hops: bool,
}

/// `oboro search`
#[derive(Args)]
pub struct Search {
    /// Words; results match all of them
    #[arg(value_name = "WORD", required = true)]
    pub words: Vec<String>,
    /// Seconds to wait for answers
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
    /// Do with fewer relays if too few nodes are known: a storer or a single relay may then learn
    /// that you ask, and for what
    #[arg(long)]
    pub fewer_hops: bool,
}

/// `oboro fetch`
#[derive(Args)]
pub struct Fetch {
    /// Number in the last search, or a URN, or `-` to read a URN from stdin
    #[arg(value_name = "N|URN")]
    pub what: String,
    /// Where to write; a folder, a file, or `-` for stdout [default: the title, in this folder]
    #[arg(short, long, value_name = "PATH|-")]
    pub output: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// Do with fewer relays if too few nodes are known: a storer or a single relay may then learn
    /// that you ask, and for what
    #[arg(long)]
    pub fewer_hops: bool,
}

/// `oboro cancel`
#[derive(Args)]
pub struct Cancel {
    /// The job's number
    #[arg(value_name = "JOB")]
    pub id: u64,
}

/// `oboro stats`
#[derive(Args)]
pub struct Stats {
    /// Show them again and again until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// `oboro refuse` and `oboro allow`
#[derive(Args)]
pub struct Policy {
    /// URNs
    #[arg(value_name = "URN", required = true)]
    pub urns: Vec<String>,
}

/// `oboro eris`
#[derive(Subcommand)]
pub enum Eris {
    /// Encode a file into a folder of blocks; prints the URN
    #[command(after_help = help::ERIS_ENCODE)]
    Encode(ErisEncode),
    /// Decode a file from a folder of blocks
    #[command(after_help = help::ERIS_DECODE)]
    Decode(ErisDecode),
}

/// `oboro eris encode`
#[derive(Args)]
pub struct ErisEncode {
    /// The file to encode
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Bytes in a block
    #[arg(long, value_name = "BYTES")]
    pub block_size: BlockBytes,
    /// 64 hexadecimal digits [default: the null secret]
    #[arg(long, value_name = "HEX")]
    pub convergence_secret: Option<String>,
    /// The folder for the blocks, made if it is absent
    #[arg(long, value_name = "DIR")]
    pub blocks: PathBuf,
}

/// The two block sizes of ERIS 1.0.
// Their values say it all; documentation here would lengthen the help.
#[derive(Clone, Copy, ValueEnum)]
pub enum BlockBytes {
    #[value(name = "1024")]
    Small,
    #[value(name = "32768")]
    Large,
}

/// `oboro eris decode`
#[derive(Args)]
pub struct ErisDecode {
    /// The file's URN
    #[arg(value_name = "URN")]
    pub urn: String,
    /// The folder of blocks, each named by its reference in Base32
    #[arg(long, value_name = "DIR")]
    pub blocks: PathBuf,
    /// The file to write
    #[arg(short, long, value_name = "PATH")]
    pub output: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

impl Oboro {
    /// Reads the arguments, the program's name first.
    ///
    /// # Errors
    /// clap's own, which also is how help and version come back.
    pub fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments)
    }
}
