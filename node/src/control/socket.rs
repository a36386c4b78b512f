//! Where the control socket lies, and taking hold of it.
//!
//! It lies in the home. A home whose path is too long for a socket address gets one in the runtime directory or a
//! directory of its own under the temporary one, and the home's file `control.path` says where.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use oboro_crypto::hash::blake2b_256;
use tokio::net::{UnixListener, UnixStream};

use crate::api::{Code, Failure};

/// Longest path of a socket in bytes. The systems' own limits are 103 to 107.
const PATH_MAX: usize = 100;

/// The socket's name in its directory.
const NAME: &str = "control.sock";

/// The file in a home that says where the socket lies when it does not lie in the home.
const POINTER: &str = "control.path";

/// Longest pointer read, in bytes: what is longer was not written by us.
const POINTER_MAX: u64 = 4096;

/// A bound control socket. Removed from the file system when dropped.
pub struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    pointer: Option<PathBuf>,
}

impl Socket {
    /// Binds the control socket of `home`. The caller holds the home's lock, so a socket nobody answers is a dead
    /// node's and is replaced; one that answers belongs to a node under another lock and is left alone.
    ///
    /// # Errors
    /// `already_running`; `failed` when the directory isn't private or the system refuses.
    pub async fn bind(home: &Path) -> Result<Self, Failure> {
        let (path, pointer) = place(home, &Surroundings::of_this_process())?;
        let directory = path.parent().unwrap_or(home);
        make_private(directory).map_err(|error| unusable(directory, &error))?;
        clear(&path).await?;
        let listener = UnixListener::bind(&path).map_err(|error| unusable(&path, &error))?;
        // Nobody else gets this far into a private directory; the mode is a second door.
        fs::set_permissions(&path, Permissions::from_mode(0o600))
            .map_err(|error| unusable(&path, &error))?;
        let socket = Self {
            listener,
            path,
            pointer,
        };
        if let Some(pointer) = &socket.pointer {
            write_pointer(pointer, &socket.path).map_err(|error| unusable(pointer, &error))?;
        }
        Ok(socket)
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A socket left behind is found stale and replaced by the next node; there is nobody to tell.
        let _ = fs::remove_file(&self.path);
        if let Some(pointer) = &self.pointer {
            let _ = fs::remove_file(pointer);
        }
    }
}

/// Where a client finds the control socket of `home`, whether or not a node listens there.
#[must_use]
pub fn locate(home: &Path) -> PathBuf {
    let direct = home.join(NAME);
    if fits(&direct) {
        return direct;
    }
    let pointer = home.join(POINTER);
    match fs::metadata(&pointer) {
        Ok(file) if file.len() <= POINTER_MAX => fs::read(&pointer).map_or(direct, |bytes| {
            PathBuf::from(std::ffi::OsString::from_vec(bytes))
        }),
        _ => direct,
    }
}

/// What of the process's environment decides where a socket lies.
struct Surroundings {
    runtime: Option<PathBuf>,
    temporary: PathBuf,
    uid: u32,
}

impl Surroundings {
    fn of_this_process() -> Self {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        Self {
            // The XDG specification: a path that is not absolute is to be ignored.
            runtime: runtime.filter(|path| path.is_absolute() && path.is_dir()),
            temporary: std::env::temp_dir(),
            uid: rustix::process::geteuid().as_raw(),
        }
    }
}

/// The socket's path for `home` and, if it lies elsewhere, the pointer file to write.
fn place(home: &Path, around: &Surroundings) -> Result<(PathBuf, Option<PathBuf>), Failure> {
    let direct = home.join(NAME);
    if fits(&direct) {
        return Ok((direct, None));
    }
    let digest = blake2b_256(home.as_os_str().as_bytes());
    let tag = HEXLOWER.encode(&digest[..8]);
    let uid = around.uid;
    let candidates = [
        around
            .runtime
            .as_ref()
            .map(|runtime| runtime.join(format!("oboro-{tag}")).join(NAME)),
        Some(
            around
                .temporary
                .join(format!("oboro-{uid}-{tag}"))
                .join(NAME),
        ),
    ];
    candidates
        .into_iter()
        .flatten()
        .find(|path| fits(path))
        .map(|path| (path, Some(home.join(POINTER))))
        .ok_or_else(|| {
            Failure::new(
                Code::BadInput,
                "no path short enough for the control socket",
            )
            .hint("use a home with a shorter path, or set XDG_RUNTIME_DIR")
        })
}

fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= PATH_MAX
}

/// Makes sure that only this user gets into `directory`.
fn make_private(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Not followed: in a shared directory a link would be somebody else's choice.
    let found = fs::symlink_metadata(directory)?;
    let own = found.uid() == rustix::process::geteuid().as_raw();
    if !found.is_dir() || !own {
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "it is not a directory of this user",
        ));
    }
    if found.mode() & 0o077 != 0 {
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "others can read it (chmod 700 it)",
        ));
    }
    Ok(())
}

/// Removes a dead node's socket.
async fn clear(path: &Path) -> Result<(), Failure> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(path, &error)),
    };
    if !found.file_type().is_socket() {
        let error = io::Error::new(ErrorKind::AlreadyExists, "something else has its name");
        return Err(unusable(path, &error));
    }
    if UnixStream::connect(path).await.is_ok() {
        return Err(
            Failure::new(Code::AlreadyRunning, "a node already answers at this home")
                .hint("`oboro status` shows it, `oboro stop` ends it"),
        );
    }
    fs::remove_file(path).map_err(|error| unusable(path, &error))
}

fn write_pointer(pointer: &Path, path: &Path) -> io::Result<()> {
    let fresh = pointer.with_extension("new");
    fs::write(&fresh, path.as_os_str().as_bytes())?;
    fs::set_permissions(&fresh, Permissions::from_mode(0o600))?;
    fs::rename(&fresh, pointer)
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Code::Failed,
        format!("the control socket can't use {}: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(temporary: &str) -> Surroundings {
        Surroundings {
            runtime: None,
            temporary: PathBuf::from(temporary),
            uid: 7,
        }
    }

    fn private() -> tempfile::TempDir {
        tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .unwrap()
    }

    #[test]
    fn a_short_home_holds_its_socket() {
        let (path, pointer) = place(Path::new("/home/x"), &around("/t")).unwrap();
        assert_eq!(path, Path::new("/home/x/control.sock"));
        assert_eq!(pointer, None);
    }

    #[test]
    fn a_long_home_points_to_a_short_path_of_its_own() {
        let long = |c: &str| PathBuf::from(format!("/{}", c.repeat(200)));
        let (a, pointer) = place(&long("a"), &around("/t")).unwrap();
        let (b, _) = place(&long("b"), &around("/t")).unwrap();
        assert!(fits(&a) && a.starts_with("/t") && a != b);
        assert_eq!(pointer, Some(long("a").join("control.path")));
    }

    #[test]
    fn no_short_path_at_all_is_an_error_that_says_what_to_do() {
        let long = format!("/{}", "a".repeat(200));
        let failure = place(Path::new(&long), &around(&long)).unwrap_err();
        assert!(failure.hint.is_some());
    }

    #[tokio::test]
    async fn a_dead_nodes_socket_is_replaced_and_a_living_ones_is_not() {
        let home = private();
        let dead = std::os::unix::net::UnixListener::bind(home.path().join(NAME)).unwrap();
        drop(dead);
        let living = Socket::bind(home.path()).await.unwrap();
        let failure = Socket::bind(home.path()).await.err().unwrap();
        assert_eq!(failure.code, Code::AlreadyRunning);
        assert!(living.path().exists());
    }

    #[tokio::test]
    async fn the_socket_is_private_and_goes_with_its_owner() {
        let home = private();
        let socket = Socket::bind(home.path()).await.unwrap();
        let path = socket.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_home_open_to_others_is_refused() {
        let home = private();
        fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        assert!(Socket::bind(home.path()).await.is_err());
    }

    #[tokio::test]
    async fn a_file_with_the_sockets_name_is_not_removed() {
        let home = private();
        fs::write(home.path().join(NAME), "mine").unwrap();
        assert!(Socket::bind(home.path()).await.is_err());
        assert_eq!(fs::read(home.path().join(NAME)).unwrap(), b"mine");
    }

    #[tokio::test]
    async fn a_client_finds_the_socket_of_a_long_home() {
        let outer = private();
        let home = outer.path().join("h".repeat(120));
        fs::create_dir(&home).unwrap();
        let socket = Socket::bind(&home).await.unwrap();
        assert_eq!(locate(&home), socket.path());
        let directory = socket.path().parent().unwrap().to_owned();
        drop(socket);
        assert_ne!(locate(&home), directory.join(NAME));
        fs::remove_dir(directory).unwrap();
    }
}
