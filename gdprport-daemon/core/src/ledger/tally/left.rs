//! Rows that were drained and forgotten, and that flows left afterwards.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use super::row::DayRow;

/// What left a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    /// How many flows.
    pub(super) moved: u64,
    /// When the first did: until then it was seen there.
    pub(super) first: Timestamp,
    /// When the last did.
    pub(super) last: Timestamp,
}

/// What left rows since the last drain, by the row's name.
#[derive(Debug, Default)]
pub(super) struct Left(HashMap<u64, (Arc<DayRow>, Leaving), RandomState>);

impl Left {
    /// A flow left a row. False if it finds no room among so many.
    #[cold]
    pub(super) fn add(&mut self, row: &Arc<DayRow>, now: Timestamp, most: usize) -> bool {
        if let Some((_, leaving)) = self.0.get_mut(&row.name) {
            leaving.moved += 1;
            leaving.last = now;
            return true;
        }
        if self.0.len() >= most {
            return false;
        }
        self.0.insert(row.name, (Arc::clone(row), Leaving { moved: 1, first: now, last: now }));
        true
    }

    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes them.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Arc<DayRow>, Leaving)> + '_ {
        self.0.drain().map(|(_, left)| left)
    }
}
