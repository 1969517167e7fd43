//! The words of a draft in each language.

use super::super::Lang;
use super::table::IncidentWords;
use super::{de, en, fr};

impl Lang {
    /// The words of a draft notification.
    pub(crate) const fn incident(self) -> &'static IncidentWords {
        match self {
            Self::En => &en::WORDS,
            Self::De => &de::WORDS,
            Self::Fr => &fr::WORDS,
        }
    }
}

#[cfg(test)]
impl Lang {
    /// Every word of a draft with its name.
    pub(in crate::report::words) fn all_of_incident(self) -> Vec<(&'static str, &'static str)> {
        self.incident().all()
    }
}
