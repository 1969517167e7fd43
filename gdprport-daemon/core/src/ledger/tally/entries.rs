//! What is rare: the run, policies, gaps, notes. Bounded, for the ledger may be out of reach for days.

use crate::event::Gap;
use crate::ledger::Entry;

/// Entries between two drains, at most. There are a few in an hour; while something is lost there are a few every second,
/// so that this is for minutes, and gaps grow together from then on.
const MOST: usize = 1_024;

/// Bytes of policies' texts between two drains, at most: ten of the largest that are accepted are no more.
const TEXT_BYTES: usize = 64 << 20;

/// Entries in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Entries {
    entries: Vec<Entry>,
    text_bytes: usize,
}

impl Entries {
    /// Takes one; false if there is no room for it.
    pub(super) fn push(&mut self, entry: Entry) -> bool {
        let bytes = text_bytes(&entry);
        if self.entries.len() < MOST && self.text_bytes + bytes <= TEXT_BYTES {
            self.text_bytes += bytes;
            self.entries.push(entry);
            return true;
        }
        let Entry::Gap(gap) = entry else { return false };
        let same = |entry: &&mut Entry| matches!(entry, Entry::Gap(known) if is_same(known, &gap));
        match self.entries.iter_mut().rev().find(same) {
            Some(Entry::Gap(known)) => {
                known.from = known.from.min(gap.from);
                known.to = known.to.max(gap.to);
                known.lost = known.lost.saturating_add(gap.lost);
                true
            }
            _ => false,
        }
    }

    pub(super) fn take(&mut self) -> Vec<Entry> {
        self.text_bytes = 0;
        std::mem::take(&mut self.entries)
    }
}

fn is_same(one: &Gap, other: &Gap) -> bool {
    one.reason == other.reason && one.bound == other.bound
}

fn text_bytes(entry: &Entry) -> usize {
    match entry {
        Entry::Policy { sources, .. } => {
            sources.iter().map(|source| source.name.len() + source.text.len()).sum()
        }
        Entry::Began { .. } | Entry::Ended { .. } | Entry::Gap(_) | Entry::Note(_) => 0,
    }
}
