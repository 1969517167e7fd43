//! What rows come to: edges by day, volume and flows by hour.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::left::Leaving;
use super::row::{DayRow, Hour, Row, begin_of};
use crate::ledger::{Counts, Edge, PortKey, VolumeHour};
use crate::model::Direction;

/// What rows come to.
#[derive(Debug, Default)]
pub(super) struct Drained {
    pub(super) edges: Vec<Edge>,
    pub(super) volume: Vec<VolumeHour>,
    /// Flows and failed connects that began, by hour and port.
    pub(super) began: Vec<(Hour, Arc<PortKey>, u64)>,
    /// Where they stand in `edges`; only where a row of a day may come several times: by hours, or because
    /// it was forgotten meanwhile.
    edges_by_name: Option<HashMap<u64, usize, RandomState>>,
    volume_by_key: HashMap<(Hour, usize, Direction, usize), usize, RandomState>,
    began_by_key: HashMap<(Hour, usize), usize, RandomState>,
}

impl Drained {
    /// Of so many rows, of which a day's may come several times.
    pub(super) fn new(rows: usize, several: bool) -> Self {
        Self {
            edges: Vec::with_capacity(rows),
            edges_by_name: several.then(HashMap::default),
            ..Self::default()
        }
    }

    /// Takes what was added up in a row. In the order in which rows were first counted in.
    pub(super) fn take(&mut self, row: &mut Row) {
        let Row { of, hour, counts, first, last, .. } = row;
        let counts = std::mem::take(counts);
        let edge = Edge { day: of.day, key: of.key.clone(), counts, first: *first, last: *last };
        self.add_volume(&edge, *hour);
        if let Some(known) = self.place(of.name, edge) {
            known.last = *last;
        }
    }

    /// Takes what left a row that was forgotten.
    pub(super) fn take_left(&mut self, row: &DayRow, leaving: Leaving) {
        let Leaving { moved, first, last } = leaving;
        let counts = Counts { moved, ..Counts::default() };
        let edge = Edge { day: row.day, key: row.key.clone(), counts, first, last };
        if let Some(known) = self.place(row.name, edge) {
            known.last = known.last.max(last);
        }
    }

    /// Puts an edge to the one of the same row, and returns that; `None`: it is the first.
    fn place(&mut self, name: u64, edge: Edge) -> Option<&mut Edge> {
        let next = self.edges.len();
        let at = self.edges_by_name.as_mut().map_or(next, |by_name| *by_name.entry(name).or_insert(next));
        let is_same = |known: &Edge| known.day == edge.day && known.key == edge.key;
        if !self.edges.get(at).is_some_and(is_same) {
            self.edges.push(edge);
            return None;
        }
        let known = self.edges.get_mut(at)?;
        known.counts.add(&edge.counts);
        Some(known)
    }

    fn add_volume(&mut self, edge: &Edge, hour: Hour) {
        let Edge { key, counts, .. } = edge;
        let flows = counts.opened.saturating_add(counts.failed);
        if (flows, counts.bytes_sent, counts.bytes_received) == (0, 0, 0) {
            return;
        }
        let port = Arc::as_ptr(&key.port).addr();
        let rule = key.verdict.volume_of();
        let rule_at = rule.map_or(0, |rule| Arc::as_ptr(rule).addr());
        let at = *self.volume_by_key.entry((hour, port, key.direction, rule_at)).or_insert_with(|| {
            self.volume.push(VolumeHour {
                hour: begin_of(hour),
                port: Arc::clone(&key.port),
                direction: key.direction,
                rule: rule.cloned(),
                flows: 0,
                bytes_sent: 0,
                bytes_received: 0,
            });
            self.volume.len() - 1
        });
        if let Some(volume) = self.volume.get_mut(at) {
            volume.flows = volume.flows.saturating_add(flows);
            volume.bytes_sent = volume.bytes_sent.saturating_add(counts.bytes_sent);
            volume.bytes_received = volume.bytes_received.saturating_add(counts.bytes_received);
        }
        if flows == 0 {
            return;
        }
        let at = *self.began_by_key.entry((hour, port)).or_insert_with(|| {
            self.began.push((hour, Arc::clone(&key.port), 0));
            self.began.len() - 1
        });
        if let Some((_, _, began)) = self.began.get_mut(at) {
            *began = began.saturating_add(flows);
        }
    }
}
