//! Tian's traceback, as far as creates allow it: a relay sends the create it was given back to the node it came from,
//! which has seen this circuit, and to one that has not, and times how each refuses.

use std::time::Duration;

use oboro_core::Event;
use oboro_core::wire::frame::{Frame, Frames};
use oboro_crypto::record::RECORD_PLAIN;
use rand_core::RngCore;

use super::super::World;
use super::Question;
use crate::measured::{Measured, Measures};
use crate::models::measure::{auc, power};
use crate::scenario::Kind;

/// Creates traced at the most.
const CASES: usize = 1_500;

/// How long a node took to refuse the create, and one of random bytes: the node that had seen it first.
type Case = [[Option<f64>; 2]; 2];

#[derive(Default)]
pub(super) struct Traces {
    cases: Vec<Case>,
}

impl World {
    /// Creates in what came to a tracer.
    pub(in crate::world) fn trace(&mut self, tracer: usize, event: &Event) {
        let (Some(Kind::Tracer), Event::Records { link, plain }) =
            (self.machines[tracer].kind, event)
        else {
            return;
        };
        let Some(before) = self.links.get(*link).map(|end| end.other) else {
            return;
        };
        if self.machines[before].kind.is_some() {
            return;
        }
        for record in plain.chunks(RECORD_PLAIN) {
            let mut frames = Frames::new(record);
            while let Ok(Some(frame)) = frames.next_frame() {
                if let Frame::Create(_, body) = frame {
                    self.trace_back(tracer, before, body);
                }
            }
        }
    }

    fn trace_back(&mut self, tracer: usize, before: usize, body: &[u8]) {
        let case = self.attacks.traces.cases.len();
        if case >= CASES {
            return;
        }
        let Some(other) = self.another(|index| index != before) else {
            return;
        };
        self.attacks.traces.cases.push(Case::default());
        let mut noise = body.to_vec();
        self.attacks.rng.fill_bytes(&mut noise);
        for (victim, other) in [(before, false), (other, true)] {
            // Which comes first is left to chance: the second waits for the line.
            for idle in self.either() {
                let body = if idle { noise.as_slice() } else { body };
                let question = Question::Trace { case, other, idle };
                self.create(tracer, victim, body, question);
            }
        }
    }
}

impl Traces {
    pub(super) fn answered(&mut self, case: usize, other: bool, idle: bool, took: Duration) {
        if let Some(case) = self.cases.get_mut(case) {
            case[usize::from(other)][usize::from(idle)] = Some(took.as_secs_f64());
        }
    }

    pub(super) fn report(&self, out: &mut Measures) {
        let scores = |other: usize| -> Vec<f64> {
            let both = self.cases.iter().filter_map(|case| {
                let all = case.iter().flatten().all(Option::is_some);
                let [asked, idle] = case[other];
                all.then_some(idle? - asked?)
            });
            both.collect()
        };
        let (seen, unseen) = (scores(0), scores(1));
        if seen.is_empty() {
            return;
        }
        let area = Measured::sampled(auc(&seen, &unseen), seen.len());
        out.insert("trace: AUC".to_owned(), area);
        let found = Measured::sampled(power(&seen, &unseen, 0.05), seen.len());
        out.insert("trace: found at 5 % false alarms".to_owned(), found);
    }
}
