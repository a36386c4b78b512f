//! Help is an interface: a changed text is a decision, not an accident.

mod common;

use common::{Place, golden};

const COMMANDS: [&str; 23] = [
    "",
    "demo",
    "network",
    "network new",
    "init",
    "run",
    "start",
    "stop",
    "restart",
    "status",
    "invite",
    "join",
    "peers",
    "publish",
    "search",
    "fetch",
    "jobs",
    "cancel",
    "stats",
    "refuse",
    "eris",
    "eris encode",
    "eris decode",
];

#[test]
fn every_help_text_is_the_one_agreed_on() {
    let place = Place::new();
    for command in COMMANDS {
        let words = command.split_whitespace().chain(["--help"]);
        let args: Vec<&str> = words.collect();
        let ran = place.run(&args).expect(0);
        assert_eq!(ran.stderr, "", "{command}");
        let name = format!("help-{}.txt", command.replace(' ', "-"));
        golden(&name.replace("help-.txt", "help.txt"), &ran.stdout);
    }
}

#[test]
fn help_and_its_long_flag_say_the_same() {
    let place = Place::new();
    assert_eq!(place.run(&["help"]).stdout, place.run(&["--help"]).stdout);
}

#[test]
fn help_lists_every_exit_code() {
    let help = Place::new().run(&["help"]).expect(0).stdout;
    for code in oboro_node::api::Code::ALL {
        let exit = code.exit();
        let listed = help
            .lines()
            .any(|line| line.trim_start().starts_with(&format!("{exit}  ")));
        assert!(listed, "{exit}");
    }
}

#[test]
fn the_version_is_the_package_version() {
    let version = Place::new().run(&["--version"]).expect(0).stdout;
    assert_eq!(version, format!("oboro {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_shows_no_hidden_option_and_no_environment_of_the_user() {
    let place = Place::new();
    let help = place.run(&["run", "--help"]).stdout;
    assert!(!help.contains("--detached"));
    assert!(!help.contains(place.home().to_str().unwrap()));
}
