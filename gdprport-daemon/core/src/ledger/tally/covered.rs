//! How long ports were watched, hour by hour, and what of each was seen and lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use super::row::{Hour, begin_of, hour_of};
use crate::ledger::{CoverageDelta, PortKey};

/// Time that was watched is passed on in pieces of this size: it is the same for every port, and a policy may have
/// thousands. A daemon that is killed leaves as much unclaimed.
const PIECE: Duration = Duration::from_secs(10);

/// Hours and ports between two drains, at most: a day of two thousand ports. Time that finds no room is not claimed.
const MOST: usize = 65_536;

/// What was watched since the last drain.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// Time that every port of the present policy was watched, by hour. Few: one, or two when an hour ends.
    spans: Vec<(Hour, Duration)>,
    deltas: HashMap<(Hour, usize), CoverageDelta, RandomState>,
}

impl Covered {
    /// All present ports were watched for this long up to `now`. How much of that is of which hour goes by the clock as
    /// it stands now.
    pub(super) fn watched(&mut self, elapsed: Duration, now: Timestamp) {
        // The loop is never still for as long.
        let mut rest = elapsed.min(Duration::from_secs(3_600));
        let mut end = now;
        for _ in 0..2 {
            let hour = hour_of(end);
            let of_hour = Duration::try_from(end.duration_since(begin_of(hour))).unwrap_or_default();
            let span = rest.min(of_hour);
            if !span.is_zero() {
                match self.spans.iter_mut().find(|(known, _)| *known == hour) {
                    Some((_, sum)) => *sum += span,
                    None => self.spans.push((hour, span)),
                }
            }
            rest -= span;
            let Ok(before) = begin_of(hour).checked_sub(Duration::from_nanos(1)) else { return };
            end = before;
            if rest.is_zero() {
                return;
            }
        }
    }

    /// Passes on what is complete: pieces, and hours that are not the present one; `None`: everything, because the ports
    /// change or the run ends.
    pub(super) fn pass_on(&mut self, ports: &[Arc<PortKey>], present: Option<Hour>) {
        let mut spans = std::mem::take(&mut self.spans);
        for (hour, span) in &mut spans {
            if *span >= PIECE || Some(*hour) != present {
                let seconds = u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
                *span -= Duration::from_secs(span.as_secs());
                for port in ports {
                    if let Some(delta) = self.delta(*hour, port) {
                        delta.watched_s = delta.watched_s.saturating_add(seconds);
                    }
                }
            }
        }
        // What is left of an hour that is over is less than a second.
        spans.retain(|(hour, span)| Some(*hour) == present && !span.is_zero());
        self.spans = spans;
    }

    /// Flows and failed connects that began.
    pub(super) fn began(&mut self, hour: Hour, port: &Arc<PortKey>, flows: u64) {
        if let Some(delta) = self.delta(hour, port) {
            delta.seen = delta.seen.saturating_add(flows);
        }
    }

    /// What was lost of a port.
    pub(super) fn lost(&mut self, hour: Hour, port: &Arc<PortKey>) {
        if let Some(delta) = self.delta(hour, port) {
            delta.lost = delta.lost.saturating_add(1);
        }
    }

    /// Takes what was passed on.
    pub(super) fn drain(&mut self) -> Vec<CoverageDelta> {
        let mut deltas: Vec<CoverageDelta> = self.deltas.drain().map(|(_, delta)| delta).collect();
        deltas.sort_unstable_by(|a, b| (a.hour, &a.port).cmp(&(b.hour, &b.port)));
        deltas
    }

    fn delta(&mut self, hour: Hour, port: &Arc<PortKey>) -> Option<&mut CoverageDelta> {
        let key = (hour, Arc::as_ptr(port).addr());
        if self.deltas.len() >= MOST && !self.deltas.contains_key(&key) {
            return None;
        }
        Some(self.deltas.entry(key).or_insert_with(|| CoverageDelta {
            hour: begin_of(hour),
            port: Arc::clone(port),
            watched_s: 0,
            seen: 0,
            lost: 0,
        }))
    }
}
