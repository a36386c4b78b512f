//! The promises of the state directory.

use std::os::unix::fs::symlink;

use oboro_crypto::ids::LinkPublic;
use oboro_crypto::secret::SecretBytes;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([7; 32])
}

fn private(name: &str) -> Network {
    Network::private(name, true, &mut rng()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn code<T>(result: Result<T, Failure>) -> Option<Code> {
    result.err().map(|failure| failure.code)
}

fn invite(network: Network, port: u16) -> Invite {
    let addresses = vec![([127, 0, 0, 1], port).into()];
    Invite {
        network,
        link: LinkPublic([port.to_be_bytes()[1]; 32]),
        addresses,
    }
}

#[test]
fn a_new_home_and_everything_in_it_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = NodeConfig::new(dir.path().join("deep/home"));
    config.network = Some(private("mine"));
    init(&config).unwrap();
    join(&config, &invite(private("mine"), 1).encode()).unwrap();
    assert_eq!(mode(&config.home), 0o700);
    for entry in fs::read_dir(&config.home).unwrap() {
        let path = entry.unwrap().path();
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), wanted, "{}", path.display());
    }
}

#[test]
fn a_home_open_to_others_is_closed_to_them() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    Home::open(dir.path()).unwrap();
    assert_eq!(mode(dir.path()), 0o700);
}

#[test]
fn one_process_at_a_time_has_a_home_and_a_dead_one_does_not_keep_it() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::open(dir.path()).unwrap();
    let second = Home::open(dir.path()).err().unwrap();
    assert_eq!((second.code, second.exit), (Code::AlreadyRunning, 11));
    assert!(second.hint.is_some());
    drop(home);
    assert!(
        Home::open(dir.path()).is_ok(),
        "the file stays, the lock does not"
    );
}

#[test]
fn a_home_of_a_newer_version_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(VERSION_FILE), "2\n").unwrap();
    assert_eq!(code(Home::open(dir.path())), Some(Code::NewerVersion));
    assert!(!dir.path().join("jobs").exists());
    for wrong in ["", "one", "-1", "99999999999999999999"] {
        fs::write(dir.path().join(VERSION_FILE), wrong).unwrap();
        assert_eq!(
            code(Home::open(dir.path())),
            Some(Code::Failed),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_file_or_a_dangling_link_is_no_home() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    fs::write(&file, b"").unwrap();
    symlink(dir.path().join("nowhere"), &link).unwrap();
    assert!(Home::open(&file).is_err());
    assert!(Home::open(&link).is_err());
}

#[test]
fn keys_are_made_once_and_only_the_onion_key_changes_with_the_day() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::open(dir.path()).unwrap();
    let first = home.keys(None, 100, &mut rng()).unwrap();
    let same = home.keys(None, 100, &mut rng()).unwrap();
    assert_eq!(first.onion.public(), same.onion.public());
    let later = home
        .keys(None, 101, &mut ChaCha20Rng::from_seed([8; 32]))
        .unwrap();
    assert_eq!(first.identity.public(), later.identity.public());
    assert_ne!(first.onion.public(), later.onion.public());
    assert_eq!(later.onion_previous.unwrap().public(), first.onion.public());
    let kept = home.keys(None, 101, &mut rng()).unwrap();
    assert_eq!(kept.onion.public(), later.onion.public());
}

#[test]
fn a_passphrase_opens_what_it_sealed_and_nothing_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::open(dir.path()).unwrap();
    let (right, wrong) = (
        SecretBytes::from("right".to_owned()),
        SecretBytes::from("wrong".to_owned()),
    );
    home.keys(Some(&right), 1, &mut rng()).unwrap();
    assert!(home.keys(Some(&right), 1, &mut rng()).is_ok());
    assert_eq!(
        code(home.keys(Some(&wrong), 1, &mut rng())),
        Some(Code::WrongPassphrase)
    );
    assert_eq!(
        code(home.keys(None, 1, &mut rng())),
        Some(Code::PassphraseNeeded)
    );
}

#[test]
fn a_damaged_key_file_is_an_error_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::open(dir.path()).unwrap();
    home.keys(None, 1, &mut rng()).unwrap();
    let path = dir.path().join("keys");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(code(home.keys(None, 1, &mut rng())), Some(Code::Failed));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_home_never_changes_its_network() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::open(dir.path()).unwrap();
    assert_eq!(home.network(None).unwrap().id(), Network::public().id());
    assert_eq!(
        code(home.network(Some(&private("other")))),
        Some(Code::NetworkMismatch)
    );
    assert_eq!(
        code(home.join(&invite(private("other"), 1))),
        Some(Code::NetworkMismatch)
    );
    assert_eq!(
        home.network(Some(&Network::public())).unwrap().id(),
        Network::public().id()
    );
    assert!(home.bootstrap().unwrap().is_empty());
}

#[test]
fn an_invite_makes_a_home_in_its_network_and_is_found_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let config = NodeConfig::new(dir.path().join("home"));
    let invite = invite(private("theirs"), 5);
    join(&config, &invite.encode()).unwrap();
    let home = Home::open(&config.home).unwrap();
    assert_eq!(home.network(None).unwrap().id(), invite.network.id());
    assert_eq!(home.bootstrap().unwrap(), [(invite.link, invite.addresses)]);
    assert_eq!(network_of(&config.home).unwrap().unwrap().name, "theirs");
}

#[test]
fn the_same_node_is_remembered_once_and_no_more_than_the_bound() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::open(dir.path()).unwrap();
    for i in 0..100u8 {
        let address = ([127, 0, 0, 1], u16::from(i)).into();
        home.remember(LinkPublic([i % 80; 32]), &[address]).unwrap();
    }
    let kept = home.bootstrap().unwrap();
    assert_eq!(kept.len(), oboro_core::limits::BOOTSTRAP_MAX);
    let (youngest, addresses) = kept.last().unwrap();
    assert_eq!((youngest, addresses[0].port()), (&LinkPublic([19; 32]), 99));
}

#[test]
fn a_network_file_that_cannot_be_read_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::open(dir.path()).unwrap();
    fs::write(dir.path().join("network"), b"\xff\xfe not a network").unwrap();
    assert_eq!(code(home.network(None)), Some(Code::BadInput));
}
