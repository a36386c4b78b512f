//! Seeds for the node: short stories, spelled the way `arbitrary` reads them.
//!
//! Does not know: what the node makes of them.

use super::steps::ALL;

/// Bytes that spell steps.
#[derive(Default)]
struct Script(Vec<u8>);

impl Script {
    /// The variant of this number of an enum that has `of`.
    fn variant(&mut self, number: u64, of: u64) -> &mut Self {
        // Read as (value × of) >> 32.
        let value = (number << 32).div_ceil(of) as u32;
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// One more step, of this number.
    fn step(&mut self, number: u64) -> &mut Self {
        self.bytes(&[1]).variant(number, 12)
    }

    fn grant(&mut self, link: u8) -> &mut Self {
        self.step(2).bytes(&[link, 255])
    }

    /// A word of this number with its fields, on a stream of stranger 0.
    fn ask(&mut self, stream: u8, open: bool, word: u64, fields: &[u8]) -> &mut Self {
        self.step(5)
            .bytes(&[0, stream, open.into(), 1])
            .variant(word, 13)
            .bytes(fields)
            .bytes(&[0])
    }

    /// Everybody answers as well as he can.
    fn oblige(&mut self) -> &mut Self {
        self.step(7).bytes(&[ALL])
    }

    /// The shell comes back with much, about everything.
    fn well(&mut self) -> &mut Self {
        self.step(8).bytes(&[ALL]).variant(0, 3).bytes(&[200])
    }

    /// The shell comes back with nothing.
    fn empty(&mut self) -> &mut Self {
        self.step(8).bytes(&[0]).variant(1, 3)
    }

    fn wait(&mut self, millis: u16) -> &mut Self {
        self.step(9).bytes(&millis.to_le_bytes())
    }

    fn rest(&mut self, minutes: u8) -> &mut Self {
        self.step(10).bytes(&[minutes])
    }

    fn want(&mut self, number: u64, fields: &[u8]) -> &mut Self {
        self.step(11).variant(number, 5).bytes(fields)
    }
}

/// All stories.
pub(crate) fn all() -> Vec<Vec<u8>> {
    [served(), put(), published(), fetched(), searched(), idle()].to_vec()
}

/// Somebody gets what is there, lists entries and leaves one.
fn served() -> Vec<u8> {
    let mut script = Script::default();
    script.ask(0, true, 0, &[&[0][..], &31u32.to_le_bytes()].concat());
    script.well().well().grant(0).well().grant(0).well();
    script.ask(1, true, 3, &[12, 0, 32]).well();
    script.ask(2, true, 2, &[0, 0]).well();
    script.0
}

/// Somebody puts an extent of four chunks, and says one chunk too many.
fn put() -> Vec<u8> {
    let mut script = Script::default();
    script.ask(0, true, 1, &[0, 4, 9, 0]).empty();
    script.ask(0, false, 5, &[4, 9]);
    script.ask(0, false, 4, &[0, 9, 0]).well();
    script.0
}

/// The user publishes a file under two words.
fn published() -> Vec<u8> {
    let mut script = Script::default();
    script.want(0, &[2]);
    for _ in 0..10 {
        script.well().grant(0).grant(1).oblige();
    }
    script.0
}

/// The user fetches a file that is there.
fn fetched() -> Vec<u8> {
    let mut script = Script::default();
    script.want(2, &[1, 0, 0]);
    for _ in 0..4 {
        script.oblige().well().grant(0).grant(1);
    }
    script.0
}

/// The user searches for a word that is there.
fn searched() -> Vec<u8> {
    let mut script = Script::default();
    script.want(1, &[0, 30]).well().oblige().rest(1);
    script.0
}

/// Nobody says anything for a while.
fn idle() -> Vec<u8> {
    let mut script = Script::default();
    script.wait(30_000).rest(2).well().rest(3);
    script.0
}

#[cfg(test)]
mod tests {
    use arbitrary::{Arbitrary as _, Unstructured};

    use super::super::scene::{Ending, Scene};
    use super::super::steps::{Outcome, Step, Want, Word};
    use super::*;

    fn steps(script: &[u8]) -> Vec<Step> {
        Vec::arbitrary_take_rest(Unstructured::new(script)).expect("a script")
    }

    #[test]
    fn a_script_spells_the_steps_that_were_meant() {
        let put = steps(&put());
        let Step::Ask {
            open: true, words, ..
        } = &put[0]
        else {
            panic!("{:?}", put[0]);
        };
        assert!(matches!(
            words[..],
            [Word::Put {
                chunks: 4,
                fill: 9,
                ..
            }]
        ));
        assert!(matches!(
            put[1],
            Step::Done {
                how: Outcome::Empty,
                ..
            }
        ));
        assert!(matches!(
            steps(&fetched())[0],
            Step::Want(Want::Fetch {
                honest: true,
                resume: None,
                ..
            })
        ));
        assert!(matches!(steps(&idle())[1], Step::Rest { minutes: 2 }));
    }
    #[test]
    fn what_the_user_wants_in_a_story_comes_to_its_end() {
        for (story, ending) in [
            (published(), Ending::Published),
            (searched(), Ending::Found),
            (fetched(), Ending::Fetched),
        ] {
            let mut scene = Scene::new();
            steps(&story).iter().for_each(|step| scene.step(step));
            let endings: Vec<_> = scene.jobs.values().copied().collect();
            assert_eq!(endings, [Some(ending)]);
            scene.end();
        }
    }
}
