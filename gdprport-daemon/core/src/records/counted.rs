//! How many connections a row of the ledger stands for.
//!
//! A connection whose encryption is not known yet has a row of its own, and moves to another one as soon as it is: the
//! ledger counts it in both. Whoever adds rows up has to count it once.

use std::collections::HashSet;

use ipnet::IpNet;

use crate::ledger::{Edge, Identity};
use crate::model::{Direction, PostureState};

/// Whose connections with whom.
pub(super) type Between<'e> = (u16, Direction, &'e Identity, IpNet);

pub(super) fn between(edge: &Edge) -> Between<'_> {
    (edge.key.port.number, edge.key.direction, &edge.key.identity, edge.key.peer)
}

/// Whether what began in a row went on to another one, or has not ended: its encryption was not known yet.
fn is_passing(edge: &Edge) -> bool {
    edge.key.posture.state == PostureState::Unknown && edge.counts.opened == edge.counts.flows
}

/// Rows as they are counted.
#[derive(Debug, Clone, Default)]
pub struct Counted<'e> {
    /// Whose connections have a row in which their encryption was known, or in which they came from another one.
    settled: HashSet<Between<'e>, foldhash::fast::RandomState>,
}

impl<'e> Counted<'e> {
    /// Of these rows.
    #[must_use]
    pub fn of(rows: impl IntoIterator<Item = &'e Edge>) -> Self {
        Self { settled: rows.into_iter().filter(|edge| !is_passing(edge)).map(between).collect() }
    }

    /// Whether connections of this row went on to another one of them.
    #[must_use]
    pub fn goes_on(&self, edge: &Edge) -> bool {
        is_passing(edge) && self.settled.contains(&between(edge))
    }

    /// Connections and failed attempts that stand for good in this row.
    #[must_use]
    pub fn flows(&self, edge: &Edge) -> u64 {
        if self.goes_on(edge) {
            edge.counts.closed.saturating_add(edge.counts.failed)
        } else {
            edge.counts.flows
        }
    }
}
