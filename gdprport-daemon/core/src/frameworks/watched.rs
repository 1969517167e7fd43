//! How long a host was watched, as far as every answer has to say it.

use super::figures::{Facts, Figures};
use super::model::Answer;
use crate::figures::{counted, duration};

/// How long it was watched, and what of it is missing.
pub(super) fn watched(answer: &mut Answer, figures: &Figures) {
    if figures.watched_s < figures.period_s {
        let (watched, period) = (duration(figures.watched_s), duration(figures.period_s));
        answer.lacks.push(format!("Of {period} only {watched} were watched"));
    }
    if figures.gaps > 0 {
        answer.lacks.push(format!("{} reported in this period", counted(figures.gaps as u64, "loss")));
    }
}

pub(super) fn is_watched(facts: &Facts<'_>, figures: &Figures) -> bool {
    facts.observed.is_some() && (figures.watched_s > 0 || figures.flows > 0)
}

pub(super) fn not_watched(facts: &Facts<'_>) -> String {
    match &facts.records.about.no_ledger {
        Some(_) => "There is no ledger: nothing was observed".to_owned(),
        None => "Nothing was watched in this period".to_owned(),
    }
}
