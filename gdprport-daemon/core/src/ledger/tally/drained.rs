//! What rows come to: edges by day, volume and flows by hour.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::row::{Hour, Row, begin_of, day_of};
use crate::ledger::{Edge, PortKey, VolumeHour};
use crate::model::Direction;

/// What rows come to.
#[derive(Debug, Default)]
pub(super) struct Drained {
    pub(super) edges: Vec<Edge>,
    pub(super) volume: Vec<VolumeHour>,
    /// Flows and failed connects that began, by hour and port.
    pub(super) began: Vec<(Hour, Arc<PortKey>, u64)>,
    /// Where they stand in `edges`; only where rows are of several hours, so that a day may have several.
    edges_by_name: Option<HashMap<u64, usize, RandomState>>,
    volume_by_key: HashMap<(Hour, usize, Direction, usize), usize, RandomState>,
    began_by_key: HashMap<(Hour, usize), usize, RandomState>,
}

impl Drained {
    /// Of so many rows, which may be of several hours.
    pub(super) fn new(rows: usize, several_hours: bool) -> Self {
        Self {
            edges: Vec::with_capacity(rows),
            edges_by_name: several_hours.then(HashMap::default),
            ..Self::default()
        }
    }

    /// Takes what was added up in a row. In the order in which rows were first counted in.
    pub(super) fn take(&mut self, row: &mut Row) {
        let Row { key, hour, name, counts, first, last, .. } = row;
        let counts = std::mem::take(counts);
        let edge = Edge { day: day_of(*hour), key: key.clone(), counts, first: *first, last: *last };
        self.add_volume(&edge, *hour);
        let at = self.edges.len();
        let known = self.edges_by_name.as_mut().map_or(at, |by_name| *by_name.entry(*name).or_insert(at));
        match self.edges.get_mut(known).filter(|known| known.day == edge.day && known.key == edge.key) {
            Some(known) => {
                known.counts.add(&edge.counts);
                known.last = edge.last;
            }
            None => self.edges.push(edge),
        }
    }

    fn add_volume(&mut self, edge: &Edge, hour: Hour) {
        let Edge { key, counts, .. } = edge;
        let flows = counts.opened.saturating_add(counts.failed);
        if (flows, counts.bytes_sent, counts.bytes_received) == (0, 0, 0) {
            return;
        }
        let port = Arc::as_ptr(&key.port).addr();
        let rule = key.verdict.rule();
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
