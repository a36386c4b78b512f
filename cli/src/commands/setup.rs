//! `oboro network new` and `oboro init`: files that a node will find.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use oboro_node::api::{Code, Failure};
use oboro_node::config::parse_size;
use oboro_node::{Network, NodeConfig, SecretBytes};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::args;
use crate::data::{Data, Home, NewNetwork, Outcome};
use crate::halt::Halt;
use crate::passphrase;

/// Largest network file read in bytes: a dozen lines and comments.
const NETWORK_FILE_MAX: u64 = 16 * 1024;

/// Copies of everything on a small network. A reader asks neither itself nor its guard, so that two of a handful of
/// storers may be lost to it before any has failed; with one copy more than usual two may fail besides.
const LOCAL_REPLICAS: u8 = 5;

/// `oboro network new`
pub fn network_new(args: &args::NetworkNew) -> Result<Outcome, Halt> {
    let mut network = Network::private(&args.name, args.local, &mut generator()?).map_err(unfit)?;
    let mut params = network.params;
    params.hops = args.hops.unwrap_or(params.hops);
    if params.local && params.hops > 0 {
        params.replicas = params.replicas.max(LOCAL_REPLICAS);
    }
    if params != network.params {
        let secret = network.secret().map(|secret| secret.duplicate());
        network = Network::new(&args.name, params, secret).map_err(unfit)?;
    }
    let text = Zeroizing::new(network.to_text());
    write_new(&args.output, text.as_bytes())?;
    Ok(Data::Network(NewNetwork {
        name: args.name.clone(),
        local: args.local,
        hops: network.params.hops,
        file: args.output.clone(),
    })
    .into())
}

fn unfit(error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::Usage, error.to_string())
}

/// `oboro init`
pub fn init(home: &Path, args: &args::Init) -> Result<Outcome, Halt> {
    let mut config = NodeConfig::load(home)?;
    let settings = settings(&mut config, args)?;
    config.network = args.network.as_deref().map(read_network).transpose()?;
    config.passphrase = new_passphrase(args)?;
    if settings && home.join(oboro_node::config::FILE).exists() {
        let message = format!("{} has a configuration already", home.display());
        return Err(Failure::new(Code::Exists, message)
            .hint("edit its config.toml, or use another --home")
            .into());
    }
    oboro_node::home::init(&config)?;
    if settings {
        config.save()?;
    }
    let network = oboro_node::home::network_of(home)?;
    Ok(Data::Home(Home {
        home: home.to_owned(),
        network: network.map_or_else(String::new, |network| network.name),
    })
    .into())
}

/// A generator seeded by the system.
pub fn generator() -> Result<ChaCha20Rng, Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|error| {
        Failure::new(
            Code::Failed,
            format!("the system gives no randomness: {error}"),
        )
    })?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

/// Puts the settings among the arguments into `config`; whether there were any.
fn settings(config: &mut NodeConfig, args: &args::Init) -> Result<bool, Failure> {
    if !args.listen.is_empty() {
        config.listen.clone_from(&args.listen);
    }
    config.unlisted |= args.unlisted;
    if let Some(quota) = &args.quota {
        config.quota = parse_size(quota).ok_or_else(|| {
            let message = format!("{quota:?} is no size: write for example \"20 GiB\"");
            Failure::new(Code::Usage, message)
        })?;
    }
    Ok(!args.listen.is_empty() || args.unlisted || args.quota.is_some())
}

fn new_passphrase(args: &args::Init) -> Result<Option<SecretBytes>, Failure> {
    if args.ask_passphrase {
        return passphrase::ask_new().map(Some);
    }
    let file = args.unlock.passphrase_file.as_deref();
    file.map(passphrase::from_file).transpose()
}

fn read_network(path: &Path) -> Result<Network, Failure> {
    let shown = path.display();
    let text = read_text(path)
        .map_err(|error| Failure::new(Code::Failed, format!("can't read {shown}: {error}")))?;
    Network::from_text(&text).map_err(|error| {
        Failure::new(
            Code::BadInput,
            format!("{shown} is no network file: {error}"),
        )
        .hint("oboro network new makes one")
    })
}

fn read_text(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?
        .take(NETWORK_FILE_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a file that must not exist yet, whole and readable by its owner alone.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let shown = path.display();
    if fs::symlink_metadata(path).is_ok() {
        return Err(
            Failure::new(Code::Exists, format!("{shown} exists already"))
                .hint("a network's file can't be made again: choose another name"),
        );
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let written = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).and_then(|mut file| {
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)
    });
    written
        .map(drop)
        .map_err(|error| Failure::new(Code::Failed, format!("can't write {shown}: {error}")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn new_network(file: &Path, name: &str) -> Result<Outcome, Halt> {
        network_new(&args::NetworkNew {
            name: name.to_owned(),
            local: true,
            hops: None,
            output: file.to_owned(),
        })
    }

    #[test]
    fn a_network_file_is_private_reads_back_and_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("n");
        new_network(&file, "friends").unwrap_or_else(|_| panic!("not written"));
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let first = read_network(&file).unwrap();
        assert_eq!(first.name, "friends");
        assert!(new_network(&file, "others").is_err());
        assert_eq!(read_network(&file).unwrap().id(), first.id());
    }

    #[test]
    fn a_network_has_three_hops_unless_fewer_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        for (hops, expected) in [(None, 3), (Some(3), 3), (Some(1), 1), (Some(0), 0)] {
            let file = folder.path().join(format!("{hops:?}"));
            let made = network_new(&args::NetworkNew {
                name: "bench".to_owned(),
                local: true,
                hops,
                output: file.clone(),
            });
            assert!(made.is_ok());
            let network = read_network(&file).unwrap();
            assert_eq!(network.params.hops, expected);
            let replicas = if expected > 0 { 5 } else { 4 };
            assert_eq!(network.params.replicas, replicas);
            assert!(network.secret().is_some());
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("n");
        assert!(new_network(&file, &"x".repeat(1000)).is_err());
        assert!(!file.exists());
    }

    #[test]
    fn what_is_no_network_file_is_bad_input() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("n");
        fs::write(&file, "name = 3").unwrap();
        assert_eq!(read_network(&file).err().unwrap().code, Code::BadInput);
    }
}
