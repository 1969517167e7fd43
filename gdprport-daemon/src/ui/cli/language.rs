//! The language of a report.

use clap::ValueEnum;

use crate::report::Lang;

/// A language of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::ui) enum Language {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
}

impl From<Language> for Lang {
    fn from(language: Language) -> Self {
        match language {
            Language::En => Self::En,
            Language::De => Self::De,
            Language::Fr => Self::Fr,
        }
    }
}
