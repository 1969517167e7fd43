//! How many connections rows of the ledger stand for.

use std::collections::BTreeMap;

use crate::ledger::Edge;

/// Connections and failed connects of several rows, each counted once.
///
/// A connection stands for good in one row of each day, so that adding up is too much over several days. It begins once and ends
/// once, so that the larger sum of the two is how many there were at least: those that began before the period and still go on
/// add nothing but one for all. It may begin in a row that it only passes through: never more are counted than stand for
/// good.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Connections {
    began: u64,
    ended: u64,
    /// On each day once.
    stood: u64,
}

impl Connections {
    /// Of these rows.
    pub(super) fn of<'a>(edges: impl IntoIterator<Item = &'a Edge>) -> u64 {
        let mut sum = Self::default();
        edges.into_iter().for_each(|edge| sum.add(edge));
        sum.count()
    }

    /// Of these rows, by what each is called.
    pub(super) fn by<'a>(
        edges: impl IntoIterator<Item = &'a Edge>,
        name: impl Fn(&Edge) -> String,
    ) -> BTreeMap<String, u64> {
        let mut sums: BTreeMap<String, Self> = BTreeMap::new();
        edges.into_iter().for_each(|edge| sums.entry(name(edge)).or_default().add(edge));
        sums.into_iter().map(|(name, sum)| (name, sum.count())).collect()
    }

    /// Counts a row in.
    pub(super) const fn add(&mut self, edge: &Edge) {
        let counts = &edge.counts;
        self.began = self.began.saturating_add(counts.opened).saturating_add(counts.failed);
        self.ended = self.ended.saturating_add(counts.closed).saturating_add(counts.failed);
        self.stood = self.stood.saturating_add(counts.standing());
    }

    /// How many there were, at least.
    pub(super) const fn count(self) -> u64 {
        let most = if self.began > self.ended { self.began } else { self.ended };
        // What began here and stands elsewhere is counted there.
        if self.stood == 0 || most > self.stood {
            self.stood
        } else if most == 0 {
            1
        } else {
            most
        }
    }
}
