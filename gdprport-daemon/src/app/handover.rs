//! What a daemon with pins notes for the next one: how far all that it read was told and written.
//!
//! The ring buffer keeps by itself how far it was read. What was read and not yet written dies with the
//! daemon, so the position up to which everything *is* written is noted too; between the two lies what a
//! killed daemon may have lost.

use std::collections::VecDeque;

use gdprport_common::Counters;
use jiff::Timestamp;

use super::daemon::Daemon;
use crate::host::clock::boottime_ns;

/// Positions that wait to be written, at most: one a second, and the oldest says how far it is.
const MARKS: usize = 8;

/// How far what was read is known to be written.
#[derive(Debug, Default)]
pub struct Written {
    position: u64,
    marks: VecDeque<Mark>,
}

#[derive(Debug)]
struct Mark {
    position: u64,
    at: Timestamp,
    /// What each sink had been given one look later, when all that was read before had settled.
    given: Option<Vec<u64>>,
}

/// One sink's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkBooks {
    /// Events given to it.
    pub given: u64,
    /// Of these, still waiting.
    pub queued: u64,
}

impl Written {
    /// Nothing after this position is known to be written.
    #[must_use]
    pub const fn from(position: u64) -> Self {
        Self { position, marks: VecDeque::new() }
    }

    /// Looks, at least as long apart as a flow takes to settle: at the position read so far, the sinks, and since
    /// when the oldest summary is being counted. Says up to which position everything is written.
    pub fn look(
        &mut self,
        position: u64,
        sinks: &[SinkBooks],
        counting_since: Option<Timestamp>,
        now: Timestamp,
    ) -> u64 {
        while let Some(mark) = self.marks.front() {
            let out = mark.given.as_ref().is_some_and(|given| {
                sinks.iter().zip(given).all(|(sink, given)| sink.given.saturating_sub(sink.queued) >= *given)
            });
            // A summary that was begun after the mark holds nothing from before it.
            if !out || counting_since.is_some_and(|since| since <= mark.at) {
                break;
            }
            self.position = mark.position;
            self.marks.pop_front();
        }
        for mark in self.marks.iter_mut().filter(|mark| mark.given.is_none()) {
            mark.given = Some(sinks.iter().map(|sink| sink.given).collect());
        }
        if self.marks.len() < MARKS {
            self.marks.push_back(Mark { position, at: now, given: None });
        }
        self.position
    }
}

impl Daemon {
    /// Notes for the next daemon that everything up to these books was told.
    pub(super) fn note(&mut self, told: &Counters, now: Timestamp) {
        let Some(position) = self.probes.ring_position() else { return };
        let sinks = self.sink_books();
        let written = self.written.look(position, &sinks, self.publisher.counting_since(), now);
        if let Err(error) = self.probes.write_checkpoint(told, boottime_ns(), written) {
            tracing::warn!(%error, "nothing was noted for the next daemon");
        }
    }

    fn sink_books(&self) -> Vec<SinkBooks> {
        let stats = self.publisher.fanout().stats();
        stats
            .iter()
            .map(|sink| SinkBooks { given: sink.counts.received, queued: sink.counts.queued })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("time")
    }

    fn sink(given: u64, queued: u64) -> SinkBooks {
        SinkBooks { given, queued }
    }

    #[test]
    fn a_position_is_written_once_every_sink_has_written_what_came_of_it() {
        let mut written = Written::from(7);
        assert_eq!(written.look(100, &[sink(1, 1), sink(1, 0)], None, at(1)), 7);
        assert_eq!(written.look(200, &[sink(3, 3), sink(3, 0)], None, at(2)), 7, "not settled before now");
        assert_eq!(written.look(300, &[sink(5, 3), sink(5, 0)], None, at(3)), 7, "one sink is behind");
        assert_eq!(written.look(400, &[sink(9, 6), sink(9, 0)], None, at(4)), 100);
        assert_eq!(written.look(400, &[sink(9, 0), sink(9, 0)], None, at(5)), 300);
        assert_eq!(written.look(400, &[sink(9, 0), sink(9, 0)], None, at(6)), 400);
    }

    #[test]
    fn what_a_summary_counts_is_not_written_before_the_summary() {
        let mut written = Written::default();
        for second in 1..100 {
            assert_eq!(written.look(100, &[], Some(at(1)), at(second)), 0);
        }
        assert_eq!(written.look(100, &[], None, at(100)), 100);
    }

    #[test]
    fn without_a_sink_what_was_read_is_as_good_as_written() {
        let mut written = Written::default();
        let looks: Vec<u64> = (1..5).map(|second| written.look(100, &[], None, at(second))).collect();
        assert_eq!(looks, [0, 0, 100, 100]);
    }
}
