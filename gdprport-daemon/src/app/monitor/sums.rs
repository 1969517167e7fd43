//! Connections that there was no room to describe: sums that are to be sent, and flows whose end will be counted.

use std::collections::{HashSet, VecDeque};

use gdprport_core::event::{CountedBy, FlowEvent, OverloadWhy};
use gdprport_core::flow::{Change, ChangeKind, Removal};
use gdprport_core::overload::OverloadCounts;
use gdprport_core::suppress::{Counted, Overloaded, Summed};
use jiff::Timestamp;

/// Flows that left the full table, by cookie, as long as their ends are awaited: as many as the table holds, and of more those
/// that left last. The end of one that was forgotten here is described.
#[derive(Debug, Default)]
pub(in crate::app) struct Evicted {
    cookies: HashSet<u64>,
    /// In the order in which they left. A place may be of one that has ended.
    left: VecDeque<u64>,
}

impl Evicted {
    /// One left a table that holds so many.
    pub(super) fn insert(&mut self, cookie: u64, most: usize) {
        while self.left.len() >= most.max(1) {
            let first = self.left.pop_front();
            first.map(|cookie| self.cookies.remove(&cookie));
        }
        self.left.push_back(cookie);
        self.cookies.insert(cookie);
    }

    /// Whether the end of this one is awaited.
    #[cfg(test)]
    pub(in crate::app) fn contains(&self, cookie: u64) -> bool {
        self.cookies.contains(&cookie)
    }

    /// Whether this one left; it has ended, or is in the table again.
    pub(super) fn take(&mut self, cookie: u64) -> bool {
        !self.cookies.is_empty() && self.cookies.remove(&cookie)
    }
}

/// What a change counts for instead of being described: a flow that leaves the full table, and later its end.
pub(super) fn of_evicted(change: &Change, evicted: &mut Evicted, most: usize) -> Option<OverloadCounts> {
    let flow = &change.flow;
    match change.kind {
        ChangeKind::Removed(Removal::TableFull) => {
            evicted.insert(flow.cookie, most);
            Some(OverloadCounts { evicted: 1, ..OverloadCounts::default() })
        }
        ChangeKind::Closed if change.was.is_none() && evicted.take(flow.cookie) => Some(OverloadCounts {
            closed: 1,
            bytes_sent: flow.bytes_sent.unwrap_or(0),
            bytes_received: flow.bytes_received.unwrap_or(0),
            ..OverloadCounts::default()
        }),
        // It was found on the host, and is in the table again.
        ChangeKind::Opened => {
            evicted.take(flow.cookie);
            None
        }
        _ => None,
    }
}

/// Sums that are to be sent.
#[derive(Debug, Default)]
pub(in crate::app) struct Sums {
    kernel: Option<Overloaded>,
    table: Option<Overloaded>,
}

impl Sums {
    /// Those of connections that the kernel side had no room for.
    pub(super) fn of_kernel(&mut self, now: Timestamp) -> &mut Overloaded {
        self.kernel.get_or_insert_with(|| Overloaded::new(OverloadWhy::KernelOverload, now))
    }

    /// Adds what one flow counts for, as it is shown, that there was no room for in the table.
    pub(super) fn add_evicted(&mut self, event: &FlowEvent, counts: OverloadCounts, now: Timestamp) {
        let counted = Counted {
            by: CountedBy::Peer,
            peer: event.flow.peer.ip.into(),
            counts,
            first: now,
            last: now,
            violation: None,
            findings: 0,
        };
        let sums = self.table.get_or_insert_with(|| Overloaded::new(OverloadWhy::FlowTableFull, now));
        sums.add(event, counted, now);
    }

    /// All of them, each once.
    pub(super) fn take(&mut self, now: Timestamp) -> impl Iterator<Item = Summed> + use<> {
        let sums = [self.kernel.take(), self.table.take()].into_iter().flatten();
        sums.flat_map(move |mut sums| sums.take(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_evicted_flows_as_many_are_awaited_as_the_table_holds() {
        let mut evicted = Evicted::default();
        for cookie in 1..=5 {
            evicted.insert(cookie, 3);
        }
        assert!(!evicted.take(2), "it left first and was forgotten");
        assert!(evicted.take(3) && !evicted.take(3), "it ends once");
        assert!(evicted.take(5));
    }
}
