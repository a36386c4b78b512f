//! One function for each command: arguments in, data out. Nothing here prints or draws; talk goes through [`Ui`].

mod aside;
mod ask;
mod background;
mod demo;
mod eris;
mod fetch;
mod interrupt;
mod join;
mod publish;
mod ready;
mod run;
mod search;
mod setup;
mod watch;

use std::future::Future;

use oboro_node::api::{Code, Failure};
use tokio::runtime::{Builder, Runtime};

use crate::args::{Command, Eris, Network, Oboro};
use crate::client::Client;
use crate::data::Outcome;
use crate::halt::Halt;
use crate::home;
use crate::ui::Ui;
use interrupt::Interrupts;

/// Runs a command to its end.
///
/// # Errors
/// Whatever stops it.
pub fn run(oboro: Oboro, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    let Oboro { common, command } = oboro;
    // Not every command needs a home.
    let home = home::resolve(common.home.as_deref());
    let client = || home.clone().map(|home| Client::new(&home));
    match command {
        Command::Demo(args) => working()?.block_on(demo::demo(&args, ui)),
        Command::Network(Network::New(args)) => setup::network_new(&args),
        Command::Eris(Eris::Encode(args)) => waiting()?.block_on(eris::encode(args)),
        Command::Eris(Eris::Decode(args)) => waiting()?.block_on(eris::decode(args, ui)),
        Command::Init(args) => setup::init(&home?, &args),
        Command::Run(args) => run::run(&home?, &args, &working()?, ui),
        Command::Start(args) => until_interrupted(background::start(&home?, &args, ui)),
        Command::Stop => until_interrupted(background::stop(&home?, ui)),
        Command::Restart(args) => until_interrupted(background::restart(&home?, &args, ui)),
        Command::Status => until_interrupted(ask::status(&client()?)),
        Command::Invite => until_interrupted(ask::invite(&client()?, ui)),
        Command::Join(args) => until_interrupted(join::join(&home?, &args, ui)),
        Command::Peers => until_interrupted(ask::peers(&client()?)),
        // These two leave work in the node when they are interrupted, and say so themselves.
        Command::Publish(args) => waiting()?.block_on(publish::publish(&client()?, &args, ui)),
        Command::Fetch(args) => waiting()?.block_on(fetch::fetch(&home?, &args, common.json, ui)),
        Command::Stats(args) => until_interrupted(ask::stats(&client()?, &args, ui)),
        Command::Search(args) => until_interrupted(search::search(&client()?, args, ui)),
        Command::Jobs => until_interrupted(ask::jobs(&client()?)),
        Command::Cancel(args) => until_interrupted(ask::cancel(&client()?, &args, ui)),
        Command::Refuse(args) => until_interrupted(ask::refuse(&client()?, &args, ui)),
        Command::Allow(args) => until_interrupted(ask::allow(&client()?, &args, ui)),
    }
}

/// A command that only waits for others, until it ends or the user presses Ctrl-C.
fn until_interrupted(
    command: impl Future<Output = Result<Outcome, Halt>>,
) -> Result<Outcome, Halt> {
    waiting()?.block_on(async { Interrupts::listen()?.or(command).await })
}

/// A runtime for commands that only wait.
fn waiting() -> Result<Runtime, Failure> {
    built(&mut Builder::new_current_thread())
}

/// A runtime for commands that hold nodes.
fn working() -> Result<Runtime, Failure> {
    built(&mut Builder::new_multi_thread())
}

fn built(builder: &mut Builder) -> Result<Runtime, Failure> {
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| Failure::new(Code::Failed, format!("can't start: {error}")))
}
