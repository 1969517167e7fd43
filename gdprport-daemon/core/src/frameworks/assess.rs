//! From the facts to what there is for each control.

use super::answer::answer;
use super::control::Framework;
use super::figures::{Facts, Figures};
use super::model::{Answered, Assessed};

/// What there is for the controls of these frameworks, each once, in the order of [`Framework::ALL`].
#[must_use]
pub fn answers(asked: &[Framework], facts: &Facts<'_>) -> Vec<Assessed> {
    let figures = Figures::of(facts);
    let of = |framework: Framework| Assessed {
        framework,
        controls: framework
            .controls()
            .map(|control| Answered { control, answer: answer(control.topic, facts, &figures) })
            .collect(),
    };
    Framework::ALL.into_iter().filter(|framework| asked.contains(framework)).map(of).collect()
}
