//! Which encodings there are, by the names that configurations and the command line use.

use super::{cef, ecs, native, ocsf};
use crate::event::Event;

/// A language in which events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// gdprport's own, schema `gdprport.event/1`: complete.
    Native,
    /// Open Cybersecurity Schema Framework 1.8.0, JSON.
    Ocsf,
    /// Elastic Common Schema 9, JSON.
    Ecs,
    /// ArcSight's Common Event Format, version 0, text.
    Cef,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: &[Self] = &[Self::Native, Self::Ocsf, Self::Ecs, Self::Cef];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Ocsf => "ocsf",
            Self::Ecs => "ecs",
            Self::Cef => "cef",
        }
    }

    /// The encoding of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|encoding| encoding.as_str() == name)
    }

    /// True if its records are JSON objects.
    #[must_use]
    pub const fn is_json(self) -> bool {
        match self {
            Self::Native | Self::Ocsf | Self::Ecs => true,
            Self::Cef => false,
        }
    }

    /// Appends one event as one record, without a line feed at its end: no byte of it is a line feed or another control
    /// character of C0.
    pub fn write(self, event: &Event, record: &mut Vec<u8>) {
        match self {
            Self::Native => {
                native(event, record);
                record.pop();
            }
            Self::Ocsf => ocsf(event, record),
            Self::Ecs => ecs(event, record),
            Self::Cef => cef(event, record),
        }
    }
}
