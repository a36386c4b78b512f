//! Searching: asking the driver, giving up cleanly, and remembering what was found for `fetch N`.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use oboro_core::Failure as CoreFailure;
use oboro_core::ids::JobId as CoreJobId;
use oboro_core::report::Hit;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::{NodeHandle, blocking};
use crate::api::{Code, Failure, SearchHit, SearchRequest, SearchResults};
use crate::driver::{Found, Request};
use crate::fault;

/// The longest a search may take.
const PATIENCE_MAX: Duration = Duration::from_secs(600);

/// Most words, and most bytes in all of them: beyond that nobody means a search.
const WORDS_MAX: usize = 64;
const WORDS_BYTES_MAX: usize = 4096;

/// Cancels a search when its caller gives up waiting.
struct Guard {
    requests: mpsc::Sender<Request>,
    search: Option<CoreJobId>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(search) = self.search {
            // If there is no room for it, the search ends when its patience does.
            let _ = self.requests.try_send(Request::Cancel(search));
        }
    }
}

impl NodeHandle {
    pub(super) async fn run_search(
        &self,
        request: SearchRequest,
    ) -> Result<SearchResults, Failure> {
        let SearchRequest {
            words,
            timeout_ms,
            fewer_hops,
        } = request;
        if words.len() > WORDS_MAX || words.iter().map(String::len).sum::<usize>() > WORDS_BYTES_MAX
        {
            return Err(Failure::new(
                Code::Usage,
                format!("a search has at most {WORDS_MAX} words"),
            ));
        }
        let patience = Duration::from_millis(timeout_ms).min(PATIENCE_MAX);
        let (begun, number) = oneshot::channel();
        let (reply, answer) = oneshot::channel();
        self.tell(Request::Search {
            words,
            patience,
            fewer_hops,
            begun,
            reply,
        })
        .await?;
        let mut guard = Guard {
            requests: self.inner.requests.clone(),
            search: number.await.ok(),
        };
        let answer = answer.await;
        guard.search = None;
        let results = match answer.map_err(|_| fault::stopping())? {
            Ok(found) => results(found, self.inner.facts.clock.day()),
            Err(CoreFailure::NotFound) => empty(),
            Err(failure) => return Err(fault::job(failure)),
        };
        if !results.hits.is_empty() {
            self.remember(results.clone()).await;
        }
        Ok(results)
    }

    /// The URN and the title of a hit of the last search.
    pub(super) fn hit(
        &self,
        n: usize,
        title: Option<&str>,
    ) -> Result<(String, Option<String>), Failure> {
        let last = self.remembered().ok_or_else(|| {
            Failure::new(Code::NoSuch, "there was no search yet").hint("oboro search WORD")
        })?;
        let found = last.hits.len();
        let hit = last
            .hits
            .into_iter()
            .find(|hit| hit.n == n)
            .ok_or_else(|| {
                Failure::new(Code::NoSuch, format!("the last search has no result {n}"))
                    .hint(format!("it has 1 to {found}"))
            })?;
        Ok((hit.urn, Some(title.map_or(hit.title, str::to_owned))))
    }

    /// What the last search with results found.
    pub(super) fn remembered(&self) -> Option<SearchResults> {
        self.last().clone()
    }

    async fn remember(&self, results: SearchResults) {
        *self.last() = Some(results.clone());
        let files = Arc::clone(&self.inner.files);
        let kept = blocking(move || {
            files
                .keep_search(&results)
                .map_err(|error| Failure::new(Code::Failed, error.to_string()))
        });
        if kept.await.is_err() {
            warn!("the results of a search can't be kept over a restart");
        }
    }

    /// A value that is replaced whole stays whole.
    fn last(&self) -> MutexGuard<'_, Option<SearchResults>> {
        self.inner
            .last_search
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn results(found: Found, today: u32) -> SearchResults {
    let Found {
        hits,
        asked,
        answered,
        route,
    } = found;
    let hits = hits.into_iter().enumerate();
    SearchResults {
        hits: hits
            .map(|(index, hit)| shown(index + 1, hit, today))
            .collect(),
        complete: answered >= asked,
        asked,
        answered,
        note: (answered < asked).then(|| {
            format!("{answered} of {asked} storers answered: there may be more; search again later")
        }),
        route: Some(route),
    }
}

fn empty() -> SearchResults {
    SearchResults {
        hits: Vec::new(),
        complete: true,
        asked: 0,
        answered: 0,
        note: None,
        route: None,
    }
}

fn shown(n: usize, hit: Hit, today: u32) -> SearchHit {
    SearchHit {
        n,
        kind: hit.kind.as_str().into(),
        title: hit.title,
        size: hit.size,
        age_days: today.saturating_sub(hit.day),
        publishers: hit.publishers,
        replicas: hit.replicas,
        urn: hit.capability.to_urn(),
        terms_matched: hit.terms,
    }
}

#[cfg(test)]
mod tests {
    use oboro_crypto::entry::Kind;
    use oboro_crypto::eris::{BlockKey, BlockSize, Capability};
    use oboro_crypto::ids::Reference;

    use super::*;
    use crate::api::Route;

    #[test]
    fn hits_are_numbered_from_one_and_silence_of_storers_is_told() {
        let (root, key) = (Reference([1; 32]), BlockKey::from_bytes([2; 32]));
        let capability = Capability {
            block_size: BlockSize::Large,
            level: 0,
            root,
            key,
        };
        let hit = Hit {
            title: "song.ogg".into(),
            size: 3,
            capability,
            kind: Kind::Audio,
            day: 90,
            publishers: 1,
            replicas: 4,
            terms: 2,
        };
        let found = Found {
            hits: vec![hit.clone(), hit],
            asked: 8,
            answered: 7,
            route: Route {
                hops: 3,
                guard_days: Some(4),
                relays: 9,
            },
        };
        let results = results(found, 100);
        assert_eq!(
            results.hits.iter().map(|hit| hit.n).collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(results.hits[0].age_days, 10);
        assert!(!results.complete && results.note.is_some());
        assert_eq!(results.route.unwrap().hops, 3);
    }
}
