//! What colluders' logs come to by the measures of the survey that the design rests on: the posterior over all who may
//! have asked, its entropy, a user's year, and what it costs to hide.

use super::super::World;
use crate::measured::{Measured, Measures};
use crate::models::measure::{Measures as Judged, Trial};
use crate::scenario::Kind;
use oboro_core::limits::GUARD_DAYS;

/// Days of a year.
const YEAR: u32 = 365;

impl World {
    pub(super) fn report_bayes(&self, out: &mut Measures) {
        let colludes = |index: usize| self.machines[index].kind == Some(Kind::Colluder);
        let mut kinds = self.scenario.hostile.iter();
        let Some(hostile) = kinds.find(|hostile| hostile.kind == Kind::Colluder) else {
            return;
        };
        let honest = self.machines.iter().filter(|m| m.kind.is_none()).count();
        let honest = u32::try_from(honest).unwrap_or(u32::MAX);
        let watched = u32::try_from(self.seen.guarded()).unwrap_or(u32::MAX);
        let object = |(storer, linked): (usize, bool)| match (colludes(storer), linked) {
            (_, true) => Trial::suspect(true, 1.0, honest),
            // Whoever has a guard that colludes would have been seen to ask.
            (true, false) => Trial {
                observed: true,
                ..Trial::unobserved(honest.saturating_sub(watched).max(1))
            },
            (false, false) => Trial::unobserved(honest),
        };
        let objects: Vec<Trial> = self.seen.objects().map(object).collect();
        let files: Vec<Trial> = self
            .seen
            .files()
            .map(|(linked, seen)| match (linked, seen) {
                (true, _) => Trial::suspect(true, 1.0, honest),
                (false, true) => Trial {
                    observed: true,
                    ..Trial::unobserved(honest.saturating_sub(watched).max(1))
                },
                (false, false) => Trial::unobserved(honest),
            })
            .collect();
        for (name, trials) in [("object", &objects), ("file", &files)] {
            let judged = Judged::of(trials, honest);
            let mut say = |what: &str, is| {
                let is = Measured::sampled(is, trials.len());
                out.insert(format!("collude: {name}: {what}"), is);
            };
            say("observed", judged.observed);
            say("linked for sure", judged.recall_sure);
            say("vulnerability", judged.vulnerability);
            say("degree of anonymity", judged.anonymity);
        }
        let (linked, guarded) = self.seen.behind_guards();
        let behind = linked as f64 / guarded.max(1) as f64;
        // Of all files of a year behind one guard at least one is linked, unless none ever is.
        let sure = if behind > 0.0 { 1.0 } else { 0.0 };
        let year = user_year(hostile.share) * sure;
        out.insert(
            "collude: file linked if the guard colludes".to_owned(),
            Measured::share(linked, guarded),
        );
        out.insert(
            "collude: user-year".to_owned(),
            Measured::exact(year, guarded),
        );
        let (records, fetched) = self.tally.delivered();
        let bytes = records as f64 * oboro_crypto::record::RECORD_WIRE as f64;
        let content = (fetched * self.scenario.work.kib as usize * 1024) as f64;
        out.insert(
            "cost: link bytes for a byte delivered".to_owned(),
            Measured::exact(bytes / content.max(1.0), fetched),
        );
        out.insert(
            "cost: records for a file delivered".to_owned(),
            Measured::exact(records as f64 / fetched.max(1) as f64, fetched),
        );
    }
}

/// Probability that at least one of the guards of a year colludes, if a year begins at any time: guards are kept for
/// `GUARD_DAYS` at least, and by chance for up to so many days more.
fn user_year(share: f64) -> f64 {
    let (least, more) = (f64::from(GUARD_DAYS.0), f64::from(GUARD_DAYS.1));
    let mean = least + more / 2.0;
    let lasts = |days: f64| ((least + more - days) / more).clamp(0.0, 1.0);
    let year = f64::from(YEAR);
    // By days, what is left of the guard in use at the beginning, then of the one after it.
    let (mut one, mut two) = (0.0, 0.0);
    for day in 0..YEAR {
        let density = lasts(f64::from(day) + 0.5) / mean;
        let second = 1.0 - lasts(year - f64::from(day) - 0.5);
        one += density;
        two += density * second;
    }
    let none = 1.0 - one;
    let honest = 1.0 - share;
    1.0 - none * honest - (one - two) * honest.powi(2) - two * honest.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_has_two_guards_or_a_little_more() {
        let year = user_year(0.1);
        assert!((0.19..0.205).contains(&year), "{year}");
        assert!(user_year(0.0).abs() < 1e-9);
    }
}
