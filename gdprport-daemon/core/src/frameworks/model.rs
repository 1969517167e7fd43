//! What there is for each control.

use schemars::JsonSchema;
use serde::Serialize;

use super::control::{Control, Framework};
use crate::records::Rows;

/// What there is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// There is evidence, and nothing is known that it lacks.
    Evidence,
    /// There is some, and something is missing or speaks against it.
    InPart,
    /// There is nothing.
    Nothing,
}

/// What a statement rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Somebody wrote it into the policy.
    Declared,
    /// The ledger has it.
    Observed,
}

/// A statement, one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Said {
    /// What it rests on.
    pub basis: Basis,
    /// The sentence, without a full stop.
    pub text: String,
}

/// What there is for a control.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// What there is.
    pub has: Vec<Said>,
    /// What is missing or speaks against it, each one sentence.
    pub lacks: Vec<String>,
    /// Files of an evidence pack where it is.
    pub places: Vec<&'static str>,
    /// Rows of the ledger that speak against it.
    pub rows: Rows,
}

impl Answer {
    pub(super) fn observed(&mut self, text: impl Into<String>) {
        self.has.push(Said { basis: Basis::Observed, text: text.into() });
    }

    pub(super) fn declared(&mut self, text: impl Into<String>) {
        self.has.push(Said { basis: Basis::Declared, text: text.into() });
    }

    /// It in a word.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        match (self.has.is_empty(), self.lacks.is_empty()) {
            (true, _) => Standing::Nothing,
            (false, true) => Standing::Evidence,
            (false, false) => Standing::InPart,
        }
    }
}

/// A control with what there is for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The control.
    pub control: &'static Control,
    /// What there is.
    pub answer: Answer,
}

/// A framework with its controls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessed {
    /// Which.
    pub framework: Framework,
    /// Its controls, in their order.
    pub controls: Vec<Answered>,
}
