//! Rows of a live view: groups of open flows, and strangers of which none is open any more; in an order.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;

use jiff::Timestamp;

use super::ended::Ended;
use super::group::{FlowGroup, Rank, RowKey};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What is open; without any flow if none is.
    pub group: FlowGroup,
    /// Connections in violation that ended or failed since it is looked at, as far as events reported them.
    pub ended: u64,
    /// When the last event of these came; `None`: there was none.
    pub last: Option<Timestamp>,
}

impl Row {
    /// What makes it this row, whatever comes to it.
    #[must_use]
    pub fn key(&self) -> RowKey {
        RowKey::of(&self.group)
    }

    /// How bad it is, at its worst.
    #[must_use]
    pub fn rank(&self) -> Rank {
        self.group.rank()
    }
}

/// What rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Violations first, then accepted ones, undecided, declared; the latest of the strangers first, then the most flows.
    Verdict,
    /// The most open flows first.
    Flows,
    /// The most bytes first.
    Bytes,
    /// The oldest first.
    Age,
    /// By the peer's address.
    Peer,
    /// By the program's name.
    Process,
}

impl Sort {
    /// All, in the order in which one follows the other.
    pub const ALL: [Self; 6] =
        [Self::Verdict, Self::Flows, Self::Bytes, Self::Age, Self::Peer, Self::Process];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Flows => "flows",
            Self::Bytes => "bytes",
            Self::Age => "age",
            Self::Peer => "peer",
            Self::Process => "process",
        }
    }

    /// The one after it, and the first after the last.
    #[must_use]
    pub fn next(self) -> Self {
        let place = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ALL[(place + 1) % Self::ALL.len()]
    }

    fn compare(self, a: &Row, b: &Row) -> Ordering {
        let by = |key: fn(&Row) -> u64| Reverse(key(a)).cmp(&Reverse(key(b)));
        let flows = |row: &Row| row.group.flows;
        let bytes = |row: &Row| row.group.bytes_sent.saturating_add(row.group.bytes_received);
        match self {
            Self::Verdict => {
                let rank = Reverse(a.rank()).cmp(&Reverse(b.rank()));
                rank.then_with(|| Reverse(a.last).cmp(&Reverse(b.last))).then_with(|| by(flows))
            }
            Self::Flows => by(flows),
            Self::Bytes => by(bytes),
            // Those that are older than the daemon have no time, and come first.
            Self::Age => (a.group.flows == 0, a.group.oldest).cmp(&(b.group.flows == 0, b.group.oldest)),
            Self::Peer => a.group.peer.ip.cmp(&b.group.peer.ip),
            Self::Process => {
                let name = |row: &Row| row.group.identity().name().map(str::to_lowercase);
                // Without a name comes last.
                let key = |row: &Row| name(row).map_or((true, String::new()), |name| (false, name));
                key(a).cmp(&key(b))
            }
        }
    }

    /// Orders rows. What is equal is in an order all the same, so that no row jumps about.
    pub fn order(self, rows: &mut [Row], reverse: bool) {
        rows.sort_by(|a, b| {
            let order = self.compare(a, b);
            let order = if reverse { order.reverse() } else { order };
            let of = |row: &Row| {
                let group = &row.group;
                (group.port.number, group.direction, group.peer.ip, group.identity())
            };
            order.then_with(|| of(a).cmp(&of(b)))
        });
    }
}

/// Groups that are open together with strangers of which an event came since `since`.
#[must_use]
pub fn merge(groups: &[FlowGroup], ended: &Ended, since: Timestamp) -> Vec<Row> {
    let mut gone: HashMap<&RowKey, (&FlowGroup, u64, Timestamp)> = ended.since(since).collect();
    let mut rows: Vec<Row> = groups
        .iter()
        .map(|group| {
            let of = gone.remove(&RowKey::of(group));
            let (ended, last) = of.map_or((0, None), |(_, ended, last)| (ended, Some(last)));
            Row { group: group.clone(), ended, last }
        })
        .collect();
    let rest = gone.into_values();
    rows.extend(rest.map(|(group, ended, last)| Row { group: group.clone(), ended, last: Some(last) }));
    rows
}
