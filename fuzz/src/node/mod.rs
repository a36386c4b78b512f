//! A whole node, told an arbitrary sequence of things: strangers who link, speak and vanish, a shell that comes back late
//! or badly, a user who wants things, and time.

mod frames;
mod library;
mod lines;
mod plain;
mod scene;
pub(crate) mod script;
mod shell;
mod steps;
mod words;

use arbitrary::{Arbitrary as _, Unstructured};

use self::scene::Scene;
use self::steps::Step;

/// Steps of one input that are taken; what follows would only be slow.
const STEPS_MAX: usize = 64;

/// Plays the steps that the bytes spell. With `OBORO_FUZZ_SHOW` set they are printed, to read a finding.
pub fn run(data: &[u8]) {
    let Ok(steps) = Vec::<Step>::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let show = std::env::var_os("OBORO_FUZZ_SHOW").is_some();
    let mut scene = Scene::new();
    for step in steps.iter().take(STEPS_MAX) {
        if show {
            eprintln!("{step:?}");
        }
        scene.step(step);
    }
    scene.end();
}
