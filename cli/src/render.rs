//! Data into text for people, or into the JSON envelope for programs. Nothing here asks a node or touches a file.
//!
//! Text from the network is made safe here and nowhere else.

mod demo;
mod jobs;
mod network;
pub mod safe;
mod stats;
mod status;
pub mod table;
pub mod terminal;
pub mod units;

use std::io::{self, Write};
use std::path::Path;

use oboro_node::api::{Failure, SCHEMA};
use serde_json::{Value, json};

use crate::data::{Data, Decoded, Encoded, Outcome};

/// The paper.
#[derive(Clone, Copy)]
pub struct Page {
    /// Columns of the terminal; `None` when stdout is none, and nothing is cut.
    pub width: Option<usize>,
}

/// Writes a result for people.
///
/// # Errors
/// The writer's.
pub fn text(data: &Data, out: &mut dyn Write, page: Page) -> io::Result<()> {
    match data {
        // Files published were shown one by one as they were done.
        Data::None {} | Data::Joined { .. } | Data::AllPublished { .. } => Ok(()),
        Data::Status(status) => status::write(status, out),
        Data::Stats(stats) => stats::write(stats, out),
        Data::Peers { peers } => network::peers(peers, out),
        Data::Invite { invite } => writeln!(out, "{invite}"),
        Data::Jobs { jobs } => jobs::write(jobs, out, page),
        Data::Published(published) => jobs::published(published, out),
        Data::Found(results) => network::found(results, out, page),
        Data::Fetched(fetched) => path(fetched.output.as_deref(), out),
        Data::Network(network) => path(Some(&network.file), out),
        Data::Home(home) => path(Some(&home.home), out),
        Data::Encoded(Encoded { urn, .. }) => writeln!(out, "{urn}"),
        Data::Decoded(Decoded { output, .. }) => path(output.as_deref(), out),
        Data::Demo(report) => demo::write(report, out, page),
    }
}

/// The one JSON object of a result.
#[must_use]
pub fn envelope(outcome: &Outcome) -> Value {
    let data = &outcome.data;
    match &outcome.partly {
        None => json!({"schema": SCHEMA, "ok": true, "data": data}),
        Some(failure) => json!({"schema": SCHEMA, "ok": false, "data": data, "error": failure}),
    }
}

/// The one JSON object of a failure.
#[must_use]
pub fn failure_envelope(failure: &Failure) -> Value {
    json!({"schema": SCHEMA, "ok": false, "error": failure})
}

/// A failure for people: what, and the next step.
///
/// # Errors
/// The writer's.
pub fn failure(failure: &Failure, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "oboro: {}", safe::line(&failure.message))?;
    match &failure.hint {
        Some(hint) => writeln!(out, "  {}", safe::line(hint)),
        None => Ok(()),
    }
}

/// A path as a line of data: byte for byte, for whoever passes it on. It is the user's own, not a stranger's text.
fn path(path: Option<&Path>, out: &mut dyn Write) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let Some(path) = path else { return Ok(()) };
    out.write_all(path.as_os_str().as_bytes())?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use oboro_node::api::Code;

    use super::*;

    #[test]
    fn envelopes_have_fixed_shapes() {
        let done = Outcome::from(Data::Invite {
            invite: "i".to_owned(),
        });
        let expected = json!({"schema": 1, "ok": true, "data": {"invite": "i"}});
        assert_eq!(envelope(&done), expected);
        let nothing = Outcome::from(Data::None {});
        assert_eq!(envelope(&nothing)["data"], json!({}));
        let partly = Outcome {
            partly: Some(Failure::new(Code::Partly, "m")),
            ..nothing
        };
        let error = json!({"code": "partly", "exit": 3, "message": "m"});
        let expected = json!({"schema": 1, "ok": false, "data": {}, "error": error});
        assert_eq!(envelope(&partly), expected);
        let failure = Failure::new(Code::Partly, "m");
        let expected = json!({"schema": 1, "ok": false, "error": error});
        assert_eq!(failure_envelope(&failure), expected);
    }

    #[test]
    fn a_failure_for_people_can_not_steer_the_terminal() {
        let mut out = Vec::new();
        let hostile = Failure::new(Code::Failed, "a\x1b[2J").hint("b\nc");
        failure(&hostile, &mut out).unwrap();
        assert_eq!(out, "oboro: a\u{fffd}[2J\n  b\u{fffd}c\n".as_bytes());
    }
}
