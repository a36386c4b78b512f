//! `oboro search`

use std::time::Duration;

use oboro_node::api::{Code, Failure, SearchRequest, SearchResults};

use super::ready::{ready, went};
use crate::args;
use crate::client::Client;
use crate::data::{Data, Outcome};
use crate::halt::Halt;
use crate::ui::Ui;

/// `oboro search`
pub async fn search(client: &Client, args: args::Search, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    let patience = Duration::from_secs(args.timeout);
    ready(client, patience, args.fewer_hops, ui).await?;
    let request = SearchRequest {
        words: args.words,
        timeout_ms: args.timeout.saturating_mul(1000),
        fewer_hops: args.fewer_hops,
    };
    let results = client.search(&request).await?;
    if let Some(note) = &results.note {
        ui.say(note);
    }
    went(results.route.as_ref(), ui);
    if results.hits.is_empty() {
        return Err(nothing(&results).into());
    }
    let next = match results.hits.as_slice() {
        [only] => format!("Fetch it with: oboro fetch {}", only.n),
        _ => "Fetch one with: oboro fetch N".to_owned(),
    };
    Ok(Outcome {
        next: Some(next),
        ..Data::Found(results).into()
    })
}

/// "Nothing there" is said only by storers; without an answer it is not known.
fn nothing(results: &SearchResults) -> Failure {
    let (asked, answered) = (results.asked, results.answered);
    let answers = format!("{answered} of {asked} storers answered");
    if asked > 0 && answered == 0 {
        return Failure::new(Code::TimedOut, answers)
            .hint("give it more time: --timeout SECONDS; oboro peers shows who can be reached");
    }
    if !results.complete {
        return Failure::new(Code::NothingFound, format!("nothing found; {answers}"))
            .hint("give it more time: --timeout SECONDS");
    }
    Failure::new(Code::NothingFound, "nothing found").hint("use fewer words, or other ones")
}
