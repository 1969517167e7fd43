//! The record of processing activities for tools that import one: Fideslang and the Data Privacy Vocabulary.
//!
//! Belongs here: `fides` and `dpv` write the two forms, `known` has the words that both know exactly, `seen` what was observed, `yaml`
//! writes YAML. What is declared stands in the fields of the form; what was observed never does: it has a place of its own.

mod dpv;
mod fides;
mod known;
mod seen;
#[cfg(test)]
mod tests;
mod yaml;

pub(crate) use dpv::dpv;
pub(crate) use fides::fides;
