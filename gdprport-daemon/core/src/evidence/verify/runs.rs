//! Whether each event that was emitted is in the log: `seq` counts the events of a run without a gap.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::finding::{Finding, Findings, What};
use crate::evidence::own::Own;

/// Runs that are followed at a time. A log of ten years with a start each hour has some 90,000.
const RUNS_MAX: usize = 1 << 20;

/// What joins an event to its run. The rest of the line is not read.
#[derive(Debug, Deserialize)]
pub(in crate::evidence) struct EventHead {
    seq: u64,
    pub(super) time: Timestamp,
    agent: Agent,
}

#[derive(Debug, Deserialize)]
struct Agent {
    run: Uuid,
}

/// How far a run is.
#[derive(Debug, Default)]
struct Run {
    /// The `seq` that comes next; `None`: not known, since what was before is erased.
    next: Option<u64>,
    /// Events that are missing so far.
    missing: u64,
    /// Events that gap entries declare.
    declared: u64,
    /// The first entry before which events are missing, and its time.
    first: Option<(u64, Timestamp)>,
}

/// An event's place in its run.
#[derive(Debug, Clone, Copy)]
struct Place {
    entry: u64,
    run: Uuid,
    seq: u64,
    time: Timestamp,
}

/// The runs of a log.
#[derive(Debug, Default)]
pub(in crate::evidence) struct Runs {
    runs: HashMap<Uuid, Run>,
    /// Whether entries before are erased, so that the beginning of a run may be among them.
    erased: bool,
    /// Events that declared gaps have.
    pub(in crate::evidence) declared: u64,
}

impl Runs {
    /// An event stands at this entry.
    pub(in crate::evidence) fn event(&mut self, entry: u64, head: &EventHead, findings: &mut Findings) {
        let place = Place { entry, run: head.agent.run, seq: head.seq, time: head.time };
        self.number(place, findings);
    }

    /// The log states something about a run.
    pub(in crate::evidence) fn own(&mut self, entry: u64, own: &Own, findings: &mut Findings) {
        match own {
            Own::Started { run, .. } => {
                if let Some(run) = self.of(*run) {
                    run.next.get_or_insert(1);
                }
            }
            Own::Gap { run, events, .. } => {
                self.declared = self.declared.saturating_add(*events);
                if let Some(run) = self.of(*run) {
                    run.declared = run.declared.saturating_add(*events);
                }
            }
            Own::Stopped { run, emitted, time } => {
                if let Some(of) = self.of(*run)
                    && let Some(next) = of.next
                    && *emitted >= next
                {
                    of.missing = of.missing.saturating_add(emitted - next + 1);
                    of.first.get_or_insert((entry, *time));
                    of.next = Some(emitted.saturating_add(1));
                }
            }
            Own::Oversized { run, seq, time, .. } => {
                self.number(Place { entry, run: *run, seq: *seq, time: *time }, findings);
            }
            _ => {}
        }
    }

    /// A run, unless there are too many.
    fn of(&mut self, id: Uuid) -> Option<&mut Run> {
        if !self.runs.contains_key(&id) {
            if self.runs.len() >= RUNS_MAX {
                return None;
            }
            self.runs.insert(id, Run { next: (!self.erased).then_some(1), ..Run::default() });
        }
        self.runs.get_mut(&id)
    }

    fn number(&mut self, place: Place, findings: &mut Findings) {
        let Place { entry, run: id, seq, time } = place;
        let Some(run) = self.of(id) else {
            let detail =
                format!("there are more than {RUNS_MAX} runs: the events of the others are not joined");
            findings.at(What::Unreadable, entry, Some(time), detail);
            return;
        };
        let next = run.next.unwrap_or(seq);
        if seq < next {
            let detail = format!("event {seq} of run {id} stands behind event {}", next - 1);
            findings.at(What::Reordered, entry, Some(time), detail);
            return;
        }
        if seq > next {
            run.missing = run.missing.saturating_add(seq - next);
            run.first.get_or_insert((entry, time));
        }
        run.next = Some(seq.saturating_add(1));
    }

    /// Entries are not there because they were erased: where each run goes on is not known.
    pub(in crate::evidence) fn skip(&mut self) {
        self.erased = true;
        self.runs.retain(|_, run| run.missing > run.declared);
        self.runs.values_mut().for_each(|run| run.next = None);
    }

    /// What is missing of each run and was not declared.
    pub(in crate::evidence) fn finish(self, findings: &mut Findings) {
        let mut missing: Vec<(Uuid, Run)> =
            self.runs.into_iter().filter(|(_, run)| run.missing > run.declared).collect();
        missing.sort_by_key(|(_, run)| run.first);
        for (id, run) in missing {
            let count = run.missing - run.declared;
            let detail = format!(
                "{count} event(s) of run {id} were emitted and are not in the log, the first of them before this entry"
            );
            let (entry, time) = run.first.unzip();
            findings.add(Finding { what: What::Unlogged, entry, to: None, time, detail });
        }
    }
}
