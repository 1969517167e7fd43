//! How far what was read from the ring buffer is durable: written by every sink.
//!
//! The ring buffer itself keeps how far it was read. What was read and not yet written is lost when the daemon is killed,
//! so a daemon with pins stores the durable position too; between the two lies what it may have lost.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::sink::SinkStats;

/// Positions that wait to be written, at most: one a second, and the oldest says how far it is. Somewhat more than the
/// seconds that a summary of `emit = "auto"` counts: with fewer there would be none from the time that follows the oldest,
/// and the position would lag behind by a second period.
const MARKS: usize = 400;

/// The position in the ring buffer up to which every sink has written what came of it.
#[derive(Debug, Default)]
pub(super) struct DurablePosition {
    position: u64,
    marks: VecDeque<Mark>,
}

#[derive(Debug)]
struct Mark {
    position: u64,
    at: Timestamp,
    /// What each sink had been given one call later, when all that was read before had settled.
    given: Option<Vec<u64>>,
}

impl DurablePosition {
    /// Nothing after this position is known to be written.
    #[must_use]
    pub(super) const fn from(position: u64) -> Self {
        Self { position, marks: VecDeque::new() }
    }

    /// Takes the position read so far, the sinks, and since when the oldest summary is being counted; to be called at
    /// least as long apart as a flow takes to settle. Returns the durable position.
    pub(super) fn advance(
        &mut self,
        position: u64,
        sinks: &[SinkStats],
        counting_since: Option<Timestamp>,
        now: Timestamp,
    ) -> u64 {
        while let Some(mark) = self.marks.front() {
            let out = mark.given.as_ref().is_some_and(|given| {
                sinks
                    .iter()
                    .zip(given)
                    .all(|(sink, given)| sink.counts.received.saturating_sub(sink.counts.queued) >= *given)
            });
            // A summary that was begun after the mark holds nothing from before it.
            if !out || counting_since.is_some_and(|since| since <= mark.at) {
                break;
            }
            self.position = mark.position;
            self.marks.pop_front();
        }
        for mark in self.marks.iter_mut().filter(|mark| mark.given.is_none()) {
            mark.given = Some(sinks.iter().map(|sink| sink.counts.received).collect());
        }
        if self.marks.len() < MARKS {
            self.marks.push_back(Mark { position, at: now, given: None });
        }
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("time")
    }

    fn sink(received: u64, queued: u64) -> SinkStats {
        let mut sink = SinkStats::default();
        (sink.counts.received, sink.counts.queued) = (received, queued);
        sink
    }

    #[test]
    fn a_position_is_durable_once_every_sink_has_written_it() {
        let mut durable = DurablePosition::from(7);
        assert_eq!(durable.advance(100, &[sink(1, 1), sink(1, 0)], None, at(1)), 7);
        assert_eq!(durable.advance(200, &[sink(3, 3), sink(3, 0)], None, at(2)), 7, "not settled before now");
        assert_eq!(durable.advance(300, &[sink(5, 3), sink(5, 0)], None, at(3)), 7, "one sink is behind");
        assert_eq!(durable.advance(400, &[sink(9, 6), sink(9, 0)], None, at(4)), 100);
        assert_eq!(durable.advance(400, &[sink(9, 0), sink(9, 0)], None, at(5)), 300);
        assert_eq!(durable.advance(400, &[sink(9, 0), sink(9, 0)], None, at(6)), 400);
    }

    #[test]
    fn what_a_summary_counts_is_not_durable_before_the_summary() {
        let mut durable = DurablePosition::default();
        for second in 1..100 {
            assert_eq!(durable.advance(100, &[], Some(at(1)), at(second)), 0);
        }
        assert_eq!(durable.advance(100, &[], None, at(100)), 100);
    }

    /// Of a host on which something is always being counted.
    #[test]
    fn the_position_lags_by_one_period_of_summaries_not_two() {
        let mut durable = DurablePosition::default();
        for second in 0..3_000 {
            let counting = (second >= 300).then(|| at(second - 300)).or(Some(at(0)));
            let position = durable.advance(second as u64, &[], counting, at(second));
            assert!(second as u64 - position <= 303, "{position} at {second}");
        }
    }

    #[test]
    fn without_a_sink_what_was_read_is_durable() {
        let mut durable = DurablePosition::default();
        let positions: Vec<u64> = (1..5).map(|second| durable.advance(100, &[], None, at(second))).collect();
        assert_eq!(positions, [0, 0, 100, 100]);
    }
}
