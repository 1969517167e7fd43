//! How often the host is looked at.
//!
//! Belongs here: when, and what it may cost. Does not belong here: what is asked (`question`).

use std::time::Duration;

/// Time between two comparisons of everything. A flow whose end no record reports stays in the table for so long and a
/// second more. Ten seconds: as soon as anybody looks twice, and on a host with 500 processes a thousandth of one CPU.
const COMPARE_EVERY: Duration = Duration::from_secs(10);

/// The same while no flow is open: there is only something to find whose opening was missed.
const COMPARE_IDLE_EVERY: Duration = Duration::from_secs(60);

/// What all polls together may take of one CPU: one part in so many. After one that took longer than its share the next
/// waits, so that neither a host with very many sockets and processes nor a process that makes them costs more.
const SHARE: u32 = 200;

/// When the next looks are due; boottime ns.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Not before.
    poll_ns: u64,
    compared_ns: u64,
    compare_soon: bool,
    /// Not before, for what a comparison has found.
    list_ns: u64,
}

impl Pace {
    /// Whether the polls so far leave room for another one.
    pub(super) const fn may_poll(&self, now_ns: u64) -> bool {
        now_ns >= self.poll_ns
    }

    /// Whether everything is to be compared with the next poll, which is then to come at once. `idle`: no flow is open.
    pub(super) fn is_comparison_due(&self, now_ns: u64, idle: bool) -> bool {
        let every = if idle { COMPARE_IDLE_EVERY } else { COMPARE_EVERY };
        self.compare_soon || now_ns.saturating_sub(self.compared_ns) >= nanos(every)
    }

    /// Asks for a comparison with the next poll.
    pub(super) const fn compare_soon(&mut self) {
        self.compare_soon = true;
    }

    /// A poll is over that took `cost`, in processor time.
    pub(super) fn polled(&mut self, now_ns: u64, cost: Duration, comparison: bool) {
        self.poll_ns = now_ns.saturating_add(nanos(cost.saturating_mul(SHARE)));
        if comparison {
            self.compared_ns = now_ns;
            self.compare_soon = false;
        }
    }

    /// Whether the listings so far leave room for one more, for what a comparison has found.
    pub(super) const fn may_list(&self, now_ns: u64) -> bool {
        now_ns >= self.list_ns
    }

    /// A listing is over that took `cost`.
    pub(super) fn listed(&mut self, now_ns: u64, cost: Duration) {
        self.list_ns = now_ns.saturating_add(nanos(cost.saturating_mul(SHARE)));
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn everything_is_compared_more_often_while_flows_are_open() {
        let mut pace = Pace::default();
        pace.polled(100 * SECOND, Duration::ZERO, true);
        pace.polled(109 * SECOND, Duration::ZERO, false);
        for (second, open, idle) in [(109, false, false), (110, true, false), (160, true, true)] {
            let due = |idle| pace.is_comparison_due(second * SECOND, idle);
            assert_eq!((due(false), due(true)), (open, idle), "second {second}");
        }
        pace.compare_soon();
        assert!(pace.is_comparison_due(101 * SECOND, true));
        pace.polled(111 * SECOND, Duration::ZERO, true);
        assert!(!pace.is_comparison_due(112 * SECOND, false));
    }

    #[test]
    fn a_look_that_costs_much_is_not_repeated_soon() {
        let mut pace = Pace::default();
        assert!(pace.may_poll(0));
        pace.polled(10 * SECOND, Duration::from_millis(100), false);
        assert!(!pace.may_poll(29 * SECOND));
        assert!(pace.may_poll(30 * SECOND));
        pace.polled(0, Duration::MAX, true);
        assert!(!pace.may_poll(u64::MAX - 1));
        pace.listed(10 * SECOND, Duration::from_millis(100));
        assert!(!pace.may_list(29 * SECOND) && pace.may_list(30 * SECOND));
    }
}
