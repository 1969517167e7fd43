//! What was counted of each flow that is open, so that nothing is counted twice.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::row::Place;
use crate::flow::Flow;

/// Flows that left a full table, or whose port was dropped: their end may be reported, with all of their bytes. Forgotten
/// are first those that left first; they and their bytes may then be counted twice, and that there were such flows is
/// counted as a loss in any case.
const DEPARTED: usize = 16_384;

/// Where a flow stands, and what was counted of it.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The row that it was last counted in; `None`: none.
    pub(super) place: Option<Place>,
    sent: Counted,
    received: Counted,
}

/// A count of bytes as far as it was added up; `None`: how many there were before is not known yet.
type Counted = Option<u64>;

impl Standing {
    const fn of(counted: Counted) -> Self {
        Self { place: None, sent: counted, received: counted }
    }

    /// Bytes sent and received that were not counted yet. A count that is smaller than before adds nothing.
    pub(crate) fn advance(&mut self, flow: &Flow) -> (u64, u64) {
        (advance(&mut self.sent, flow.bytes_sent), advance(&mut self.received, flow.bytes_received))
    }

    /// Whether all of its bytes are still to be counted, as of a flow that is not known.
    const fn is_fresh(&self) -> bool {
        matches!((self.sent, self.received), (Some(0), Some(0)))
    }
}

fn advance(counted: &mut Counted, count: Option<u64>) -> u64 {
    let Some(count) = count else { return 0 };
    let before = counted.replace(counted.unwrap_or(0).max(count));
    before.map_or(0, |before| count.saturating_sub(before))
}

/// Flows that are open, by cookie.
#[derive(Debug)]
pub(crate) struct OpenFlows {
    flows: HashMap<u64, Standing, RandomState>,
    most: usize,
    departed: HashMap<u64, Standing, RandomState>,
    /// In the order in which they left. A place may be of one that came back.
    left: VecDeque<u64>,
    began_ns: u64,
}

impl OpenFlows {
    /// Flows of a run that began at this boottime in ns; as many as the flow table holds.
    pub(crate) fn new(most: usize, began_ns: u64) -> Self {
        Self {
            flows: HashMap::default(),
            most,
            departed: HashMap::default(),
            left: VecDeque::new(),
            began_ns,
        }
    }

    /// A flow that is open from now on. Of one that was found and is not known, what it sent before is not known to have
    /// happened today, and a run before may have counted it: it counts from its first count on.
    pub(crate) fn opened(&mut self, flow: &Flow) -> Option<&mut Standing> {
        let standing = match self.departed.remove(&flow.cookie) {
            // It is the same flow: it still stands where it stood, however often it is reported as open.
            Some(before) if flow.found => before,
            _ => Standing::of((!flow.found).then_some(0)),
        };
        // The table holds no more; the ends of some may be awaited that it has given up.
        if self.flows.len() >= 2 * self.most {
            return None;
        }
        Some(self.flows.entry(flow.cookie).insert_entry(standing).into_mut())
    }

    /// One that is open and not known here: it counts from its present count on.
    pub(crate) fn adopt(&mut self, flow: &Flow) {
        if self.flows.len() < 2 * self.most {
            let (sent, received) = (flow.bytes_sent, flow.bytes_received);
            self.flows.entry(flow.cookie).or_insert(Standing { place: None, sent, received });
        }
    }

    /// One that is open.
    pub(crate) fn get_mut(&mut self, cookie: u64) -> Option<&mut Standing> {
        self.flows.get_mut(&cookie)
    }

    /// A flow that ended. Of one whose opening was not seen all bytes count, unless it began before this run: a run before
    /// may have counted them.
    pub(crate) fn ended(&mut self, flow: &Flow) -> Standing {
        if let Some(standing) = self.flows.remove(&flow.cookie) {
            return standing;
        }
        let in_this_run = flow.opened_ns.is_some_and(|opened| opened >= self.began_ns);
        let alone = || Standing::of(in_this_run.then_some(0));
        self.departed.remove(&flow.cookie).unwrap_or_else(alone)
    }

    /// A flow that nothing more will be reported of, but perhaps its end.
    pub(crate) fn removed(&mut self, flow: &Flow) {
        let cookie = flow.cookie;
        let Some(standing) = self.flows.remove(&cookie) else { return };
        // All that the end of one that began in this run reports counts in any case: it takes nobody's room.
        if standing.is_fresh() && !flow.found && self.left.len() >= DEPARTED {
            return;
        }
        while self.left.len() >= DEPARTED {
            let first = self.left.pop_front();
            first.and_then(|cookie| self.departed.remove(&cookie));
        }
        self.left.push_back(cookie);
        self.departed.insert(cookie, standing);
    }
}
