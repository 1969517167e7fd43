//! Where a sink begins in the spool, and why there.

use gdprport_core::delivery::Start;
use jiff::Timestamp;

use super::cursor::{Found, Kept, Place};
use crate::control::api::SinkTotals;

/// Where a sink begins, and why there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) kept: Kept,
    /// The place is behind the newest record, wherever that is.
    pub(super) seek_end: bool,
    /// It completes "begins …".
    pub(super) said: String,
}

impl Beginning {
    pub(super) fn of(found: Found, start: Start) -> Self {
        let why = match found {
            Found::Cursor(kept) => return Self::again(kept),
            Found::None => "it is new".to_owned(),
            Found::OfAnother => "its receiver is another one now".to_owned(),
            Found::Unusable(why) => {
                // It was somewhere in the spool, and what lies behind that place must not be skipped.
                return Self::new(Start::Oldest, &format!("its cursor cannot be used: {why}"));
            }
        };
        Self::new(start, &why)
    }

    /// Where it was.
    pub(super) fn again(kept: Kept) -> Self {
        let index = kept.place.index;
        let index = index.map_or_else(|| "the oldest event".to_owned(), |index| format!("event {index}"));
        Self { kept, seek_end: false, said: format!("at {index}, where it was") }
    }

    fn new(start: Start, why: &str) -> Self {
        let at = match start {
            Start::Oldest => "with the oldest event of the spool",
            Start::Now => "with what comes from now on",
        };
        Self {
            kept: Kept { place: Place::default(), totals: SinkTotals::since(Timestamp::now()), unread: None },
            seek_end: start == Start::Now,
            said: format!("{at}: {why}"),
        }
    }
}
