//! Reading a request: bounded, timed, decoded and checked before the node hears of it.

use std::path::Path;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::{Code, Failure, FetchRequest, PublishRequest, SearchRequest};

/// Largest body of a request in bytes. The longest sensible one, a list of URNs to refuse, is far below.
const BODY_MAX: usize = 64 * 1024;

/// A client that takes longer to send a body is given up.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Longest search in milliseconds: a search holds one of the few connections.
const SEARCH_MS_MAX: u64 = 600_000;

/// Longest wait for news of a job in milliseconds; a longer one is cut, the client asks again.
const WAIT_MS_MAX: u64 = 60_000;

/// The body of `POST /v1/join`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Join {
    pub(super) invite: String,
}

/// The body of `POST /v1/refuse` and `POST /v1/allow`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Urns {
    pub(super) urns: Vec<String>,
}

/// The query of `GET /v1/jobs/{id}`.
#[derive(Deserialize)]
pub(super) struct Wait {
    #[serde(default)]
    wait_ms: u64,
}

impl Wait {
    pub(super) fn millis(&self) -> u64 {
        self.wait_ms.min(WAIT_MS_MAX)
    }
}

/// A request that can be wrong although its JSON is right.
pub(super) trait Check: DeserializeOwned {
    /// Says what is wrong with it.
    fn check(&self) -> Result<(), Failure>;
}

/// What the server does with a request's body before the node hears of it, for the paths that take one.
///
/// # Errors
/// `no_such` for a path that takes no body; `usage` for a body that isn't what the path takes.
pub fn check_request(path: &str, body: &[u8]) -> Result<(), Failure> {
    match path {
        "/v1/join" => decode::<Join>(body).map(drop),
        "/v1/publish" => decode::<PublishRequest>(body).map(drop),
        "/v1/search" => decode::<SearchRequest>(body).map(drop),
        "/v1/fetch" => decode::<FetchRequest>(body).map(drop),
        "/v1/refuse" | "/v1/allow" => decode::<Urns>(body).map(drop),
        _ => Err(Failure::new(Code::NoSuch, "the path takes no body")),
    }
}

/// Reads a whole body and decodes it.
pub(super) async fn read<T: Check>(body: Body) -> Result<T, Failure> {
    let bytes = tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_MAX))
        .await
        .map_err(|_| Failure::new(Code::TimedOut, "the request's body did not come in time"))?
        .map_err(|_| {
            let limit = BODY_MAX / 1024;
            Failure::new(
                Code::Usage,
                format!("the request's body broke off or is larger than {limit} KiB"),
            )
        })?;
    decode(&bytes)
}

/// Decodes a whole body.
pub(super) fn decode<T: Check>(bytes: &[u8]) -> Result<T, Failure> {
    let request: T = serde_json::from_slice(bytes).map_err(|error| {
        // Only where and what kind: serde's own text may quote a title or a URN, and failures get logged.
        let (line, column) = (error.line(), error.column());
        Failure::new(
            Code::Usage,
            format!("the request can't be read, line {line} column {column}"),
        )
        .hint("the program and the node may be of different versions: `oboro restart`")
    })?;
    request.check()?;
    Ok(request)
}

impl Check for Join {
    fn check(&self) -> Result<(), Failure> {
        Ok(())
    }
}

impl Check for Urns {
    fn check(&self) -> Result<(), Failure> {
        require(!self.urns.is_empty(), "no URN given")
    }
}

impl Check for PublishRequest {
    fn check(&self) -> Result<(), Failure> {
        absolute(&self.path)
    }
}

impl Check for SearchRequest {
    fn check(&self) -> Result<(), Failure> {
        require(!self.words.is_empty(), "no word given")?;
        let known = (1..=SEARCH_MS_MAX).contains(&self.timeout_ms);
        require(known, "a search takes from 1 ms to 10 minutes")
    }
}

impl Check for FetchRequest {
    fn check(&self) -> Result<(), Failure> {
        let one = self.urn.is_some() != self.n.is_some();
        require(one, "a fetch names either a URN or a number")?;
        absolute(&self.output)
    }
}

fn absolute(path: &Path) -> Result<(), Failure> {
    require(path.is_absolute(), "a path must be absolute")
}

fn require(holds: bool, else_say: &str) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(Failure::new(Code::Usage, else_say))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATHS: [&str; 5] = [
        "/v1/join",
        "/v1/refuse",
        "/v1/publish",
        "/v1/search",
        "/v1/fetch",
    ];

    fn decode_each(bytes: &[u8]) -> [bool; 5] {
        PATHS.map(|path| check_request(path, bytes).is_ok())
    }

    #[test]
    fn fixed_requests_are_read() {
        let fixed: [&str; 5] = [
            r#"{"invite":"oboro:x"}"#,
            r#"{"urns":["urn:eris:A"]}"#,
            r#"{"path":{"hex":"2fff"},"title":null,"keywords":["a"],"convergent":true}"#,
            r#"{"words":["朧"],"timeout_ms":1}"#,
            r#"{"n":1,"output":"/x"}"#,
        ];
        let fewer = fixed[2..].iter().map(|text| {
            // Who may ask may allow fewer hops.
            let text = text.replacen('{', r#"{"fewer_hops":true,"#, 1);
            decode_each(text.as_bytes()).iter().position(|ok| *ok)
        });
        assert_eq!(fewer.collect::<Vec<_>>(), [Some(2), Some(3), Some(4)]);
        for (i, text) in fixed.iter().enumerate() {
            let read = decode_each(text.as_bytes());
            assert_eq!(read.iter().position(|ok| *ok), Some(i), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_in_itself_is_refused() {
        for text in [
            r#"{"urns":[]}"#,
            r#"{"path":"relative"}"#,
            r#"{"words":[],"timeout_ms":1}"#,
            r#"{"words":["a"],"timeout_ms":0}"#,
            r#"{"words":["a"],"timeout_ms":600001}"#,
            r#"{"output":"/x"}"#,
            r#"{"output":"/x","n":1,"urn":"u"}"#,
            r#"{"output":"x","n":1}"#,
        ] {
            assert_eq!(decode_each(text.as_bytes()), [false; 5], "{text}");
        }
    }

    #[test]
    fn a_refusal_quotes_nothing_of_the_request() {
        let failure = decode::<SearchRequest>(br#"{"words":"SENSITIVE","timeout_ms":1}"#).err();
        assert!(!failure.unwrap().message.contains("SENSITIVE"));
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        let deep = "[".repeat(BODY_MAX);
        assert_eq!(decode_each(deep.as_bytes()), [false; 5]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            decode_each(&bytes);
        }

        #[test]
        fn a_damaged_request_is_read_or_refused(
            at in 0_usize..70, byte in any::<u8>(), keep in 0_usize..80
        ) {
            let text = r#"{"path":{"hex":"2fff"},"title":"t","keywords":["a"],"convergent":true}"#;
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = byte;
            bytes.truncate(keep);
            decode_each(&bytes);
        }
    }
}
