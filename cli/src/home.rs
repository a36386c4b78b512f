//! Which directory is the node's home. Nothing is read or made here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};
use oboro_node::api::{Code, Failure};

/// The name of the default home in the user's state directory.
const NAME: &str = "oboro";

/// The variable that names a home.
const VARIABLE: &str = "OBORO_HOME";

/// The home as an absolute path: what was asked for, else what the environment names, else `$XDG_STATE_HOME/oboro`,
/// else `~/.local/state/oboro`.
///
/// # Errors
/// `usage` if an empty path was asked for; `failed` if the user has no home directory.
pub fn resolve(asked: Option<&Path>) -> Result<PathBuf, Failure> {
    choose(asked, std::env::var_os(VARIABLE))
}

/// An empty variable counts as none: that is how scripts and service managers take one back.
fn choose(asked: Option<&Path>, named: Option<OsString>) -> Result<PathBuf, Failure> {
    let path = match (asked, named.filter(|named| !named.is_empty())) {
        (Some(path), _) => path.to_owned(),
        (None, Some(named)) => named.into(),
        (None, None) => by_xdg()?,
    };
    std::path::absolute(&path).map_err(|error| {
        Failure::new(Code::Usage, format!("the home can't be used: {error}"))
            .hint("give --home DIR or set OBORO_HOME")
    })
}

fn by_xdg() -> Result<PathBuf, Failure> {
    let strategy = Xdg::new().map_err(|_| {
        Failure::new(Code::Failed, "this user has no home directory")
            .hint("give --home DIR or set OBORO_HOME")
    })?;
    let state = strategy
        .state_dir()
        .unwrap_or_else(|| strategy.home_dir().join(".local/state"));
    Ok(state.join(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_made_absolute() {
        let path = resolve(Some(Path::new("here"))).unwrap();
        assert!(path.is_absolute() && path.ends_with("here"));
    }

    #[test]
    fn what_is_asked_for_goes_before_the_environment_and_an_empty_variable_is_none() {
        let (asked, named) = (Some(Path::new("/asked")), || Some(OsString::from("/named")));
        assert_eq!(choose(asked, named()).unwrap(), Path::new("/asked"));
        assert_eq!(choose(None, named()).unwrap(), Path::new("/named"));
        let empty = || Some(OsString::new());
        assert_eq!(choose(asked, empty()).unwrap(), Path::new("/asked"));
        assert_eq!(
            choose(None, empty()).ok(),
            choose(None, None).ok(),
            "by XDG"
        );
    }

    #[test]
    fn an_empty_home_is_a_usage_error() {
        assert_eq!(resolve(Some(Path::new(""))).unwrap_err().code, Code::Usage);
    }
}
