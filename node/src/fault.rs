//! Errors of the layers below in the user's terms: whose fault, which exit code, what to do next.
//!
//! No message holds a title, a keyword, a URN or an address.

use std::io;
use std::path::Path;

use oboro_cache::CacheError;
use oboro_core::Failure as CoreFailure;
use oboro_core::wire::invite::InviteError;
use oboro_crypto::eris::{BlockSize, Capability, CapabilityError, LEVEL_MAX};
use oboro_crypto::keyfile::KeyFileError;
use oboro_crypto::network::NetworkError;

use crate::api::{Code, Failure};

/// The system refused something done to a file.
pub(crate) fn io(what: &str, path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot {what} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Failure::new(Code::DiskFull, message).hint("free some space on that disk")
        }
        io::ErrorKind::NotFound => Failure::new(Code::NoSuch, message),
        io::ErrorKind::PermissionDenied => {
            Failure::new(Code::Failed, message).hint("check the owner and the permissions")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            Failure::new(Code::Failed, message).hint("choose a place that can be written to")
        }
        _ => Failure::new(Code::Failed, message),
    }
}

/// The node that was asked is on its way out.
pub(crate) fn stopping() -> Failure {
    Failure::new(Code::NotRunning, "the node is stopping").hint("oboro start")
}

/// A thread could not be started.
pub(crate) fn thread(error: &io::Error) -> Failure {
    Failure::new(Code::Failed, format!("cannot start a thread: {error}"))
        .hint("raise the limit on processes of this user")
}

/// The key file could not be opened.
pub(crate) fn key_file(path: &Path, error: &KeyFileError) -> Failure {
    let message = format!("{}: {error}", path.display());
    match error {
        KeyFileError::PassphraseNeeded => Failure::new(Code::PassphraseNeeded, message)
            .hint("give the passphrase this home was made with"),
        KeyFileError::WrongPassphrase => Failure::new(Code::WrongPassphrase, message),
        KeyFileError::NewerVersion(_) => newer(message),
        KeyFileError::Damaged => Failure::new(Code::Failed, message)
            .hint("restore the file from a backup, or choose another home"),
    }
}

/// The cache could not be opened.
pub(crate) fn cache(error: &CacheError) -> Failure {
    let message = error.to_string();
    match error {
        CacheError::DiskFull => Failure::new(Code::DiskFull, message),
        CacheError::Locked => Failure::new(Code::AlreadyRunning, message),
        CacheError::NewerVersion { .. } => newer(message),
        CacheError::Damaged { .. } | CacheError::WrongKey => {
            Failure::new(Code::StoreDamaged, message)
        }
        CacheError::QuotaTooSmall { .. } => Failure::new(Code::Usage, message),
        _ => Failure::new(Code::Failed, message),
    }
}

/// A file was written by a newer version.
pub(crate) fn newer(message: String) -> Failure {
    Failure::new(Code::NewerVersion, message).hint("update oboro, or choose another home")
}

/// A network file could not be read.
pub(crate) fn network(path: &Path, error: &NetworkError) -> Failure {
    Failure::new(Code::BadInput, format!("{}: {error}", path.display()))
}

/// A line is no invite.
pub(crate) fn invite(error: InviteError) -> Failure {
    let code = match error {
        InviteError::Newer => Code::NewerVersion,
        InviteError::NotAnInvite | InviteError::Damaged => Code::BadInput,
    };
    Failure::new(code, error.to_string())
}

/// Two networks met that must not.
pub(crate) fn other_network(what: &str, home: &str, other: &str) -> Failure {
    let message = format!("this home belongs to the network {home:?}, {what} to {other:?}");
    Failure::new(Code::NetworkMismatch, message).hint("use another --home for the other network")
}

/// A URN this network can hold, or why not.
///
/// # Errors
/// [`Code::BadInput`] if it is no URN or names blocks or trees the network does not store.
pub(crate) fn capability(urn: &str) -> Result<Capability, Failure> {
    let capability = Capability::from_urn(urn.trim()).map_err(|error| match error {
        CapabilityError::LevelTooHigh { .. } => {
            Failure::new(Code::BadInput, format!("{error}: no file is that large"))
        }
        _ => Failure::new(Code::BadInput, error.to_string())
            .hint("copy the whole line that publish or search printed"),
    })?;
    if capability.block_size != BlockSize::Large {
        return Err(
            Failure::new(Code::BadInput, "the network stores 32 KiB blocks only")
                .hint("this URN has 1 KiB blocks: oboro eris decode reads them from a folder"),
        );
    }
    if capability.level > LEVEL_MAX {
        let message = format!(
            "the URN claims {} levels, {LEVEL_MAX} are the most",
            capability.level
        );
        return Err(Failure::new(Code::BadInput, message));
    }
    Ok(capability)
}

/// Why a job failed, as the core says it.
pub(crate) fn job(failure: CoreFailure) -> Failure {
    let message = failure.to_string();
    match failure {
        CoreFailure::NotJoined => {
            Failure::new(Code::NotJoined, message).hint("oboro join INVITE, then oboro status")
        }
        CoreFailure::NoRoute => {
            Failure::new(Code::NoRoute, message).hint("oboro peers shows who can be reached")
        }
        CoreFailure::TooFewRelays { .. } => Failure::new(Code::TooFewRelays, message)
            .hint("join more nodes, or ask again with --fewer-hops"),
        CoreFailure::GuardAway { .. } => Failure::new(Code::GuardAway, message).hint(
            "it is kept on purpose, so that nobody can choose another for you: wait, or see oboro status",
        ),
        CoreFailure::NoCircuit { .. } => {
            Failure::new(Code::NoCircuit, message).hint("try again; oboro stats shows the causes")
        }
        CoreFailure::NotFound => Failure::new(Code::NothingFound, message),
        CoreFailure::NotRetrievable { .. } => Failure::new(Code::NotRetrievable, message)
            .hint("try again later: other storers may come back"),
        CoreFailure::Refused => Failure::new(Code::Refused, message),
        CoreFailure::NoTerms => {
            Failure::new(Code::Usage, message).hint("give at least one word of two letters or more")
        }
        CoreFailure::Busy => {
            Failure::new(Code::Failed, message).hint("wait until some of the jobs have ended")
        }
        CoreFailure::Cancelled => Failure::new(Code::Cancelled, message),
        CoreFailure::Damaged | CoreFailure::Source | CoreFailure::Sink => {
            Failure::new(Code::Failed, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use oboro_crypto::eris::BlockKey;
    use oboro_crypto::ids::Reference;

    use super::*;

    fn urn(block_size: BlockSize, level: u8) -> String {
        let (root, key) = (Reference([1; 32]), BlockKey::from_bytes([2; 32]));
        Capability {
            block_size,
            level,
            root,
            key,
        }
        .to_urn()
    }

    #[test]
    fn small_blocks_and_tall_trees_are_refused_before_anything_is_fetched() {
        assert!(capability(&urn(BlockSize::Large, LEVEL_MAX)).is_ok());
        let small = capability(&urn(BlockSize::Small, 0)).unwrap_err();
        assert!(small.message.contains("32 KiB blocks only"));
        for level in [LEVEL_MAX + 1, 255] {
            let tall = capability(&urn(BlockSize::Large, level)).unwrap_err();
            assert_eq!(tall.code, Code::BadInput);
        }
        assert_eq!(capability("oboro").unwrap_err().code, Code::BadInput);
    }

    #[test]
    fn every_failure_of_a_job_has_the_exit_code_the_command_line_promises() {
        let exits = [
            (CoreFailure::NotJoined, 14),
            (CoreFailure::NoRoute, 14),
            (
                CoreFailure::TooFewRelays {
                    missing: 2,
                    hops: 3,
                },
                14,
            ),
            (CoreFailure::GuardAway { wait_secs: 600 }, 14),
            (CoreFailure::NoCircuit { tried: 5 }, 14),
            (CoreFailure::NotFound, 4),
            (CoreFailure::NotRetrievable { missing: 1 }, 16),
            (CoreFailure::Refused, 15),
            (CoreFailure::NoTerms, 2),
            (CoreFailure::Busy, 1),
        ];
        for (failure, exit) in exits {
            assert_eq!(job(failure).exit, exit, "{failure:?}");
        }
    }

    #[test]
    fn a_way_that_cannot_be_had_says_what_is_missing_and_what_to_do() {
        let few = job(CoreFailure::TooFewRelays {
            missing: 2,
            hops: 3,
        });
        assert_eq!(few.code, Code::TooFewRelays);
        assert!(few.message.contains("2 more") && few.message.contains("3 hops"));
        assert!(few.hint.is_some_and(|hint| hint.contains("--fewer-hops")));
        let away = job(CoreFailure::GuardAway { wait_secs: 600 });
        assert_eq!(away.code, Code::GuardAway);
        assert!(away.hint.is_some_and(|hint| hint.contains("on purpose")));
        let none = job(CoreFailure::NoCircuit { tried: 5 });
        assert_eq!(none.code, Code::NoCircuit);
        assert!(none.hint.is_some_and(|hint| hint.contains("oboro stats")));
    }

    #[test]
    fn a_full_disk_has_a_code_of_its_own() {
        let error = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(
            super::io("write", Path::new("x"), &error).code,
            Code::DiskFull
        );
    }
}
