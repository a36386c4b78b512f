//! `oboro search`

use oboro_node::api::{Code, Failure, SearchRequest, SearchResults};

use crate::args;
use crate::client::Client;
use crate::data::{Data, Outcome};
use crate::halt::Halt;
use crate::ui::Ui;

/// `oboro search`
pub async fn search(client: &Client, args: args::Search, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    ui.say(&client.status().await?.anonymity);
    let request = SearchRequest {
        words: args.words,
        timeout_ms: args.timeout.saturating_mul(1000),
    };
    let results = client.search(&request).await?;
    if let Some(note) = &results.note {
        ui.say(note);
    }
    if results.hits.is_empty() {
        return Err(nothing(&results).into());
    }
    if !results.complete {
        ui.say(&answers(&results));
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

fn nothing(results: &SearchResults) -> Failure {
    let answers = answers(results);
    let failure = Failure::new(Code::NothingFound, format!("nothing found; {answers}"));
    if results.complete {
        failure.hint("use fewer words, or other ones")
    } else {
        failure.hint("give it more time: --timeout SECONDS")
    }
}

fn answers(results: &SearchResults) -> String {
    format!("{} of {} storers answered", results.answered, results.asked)
}
