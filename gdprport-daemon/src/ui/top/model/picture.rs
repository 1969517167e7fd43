//! What was open at one time: ports with their rates, and groups.

use std::collections::HashMap;
use std::sync::Arc;

use gdprport_core::counters::PortCounters;
use gdprport_core::top::{Counts, Ended, Rates, Row, Tenths, merge};
use jiff::{SignedDuration, Timestamp};

use super::super::super::status::{fold, is_quiet};
use super::update::Answer;
use crate::control::api::{GroupsReply, PortStatus, StatusReply};

/// Over how long connections are averaged, in milliseconds.
const CONNECTIONS_MS: u64 = 10_000;

/// Over how long bytes are: those of open connections are read once a minute.
const BYTES_MS: u64 = 60_000;

/// How long a stranger is shown that is gone.
const RECENT: SignedDuration = SignedDuration::from_mins(15);

/// One port, or all of one declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui::top) struct PortLine {
    pub name: Arc<str>,
    /// The first number and the last.
    pub numbers: (u16, u16),
    pub declared: bool,
    /// Flows open now.
    pub open: u64,
    pub counters: PortCounters,
    /// Connections that began, a second; `None`: not known yet.
    pub began: Option<Tenths>,
    /// Bytes both ways, a second.
    pub bytes: Option<Tenths>,
    /// Violations, a second.
    pub violations: Option<Tenths>,
}

impl PortLine {
    /// Flows that were judged: all verdicts.
    pub(in crate::ui::top) const fn judged(&self) -> u64 {
        let PortCounters { declared_flows, undecided, violations_total, .. } = &self.counters;
        declared_flows.saturating_add(*undecided).saturating_add(*violations_total)
    }

    /// Flows by how they are encrypted: all, and those with TLS that counts.
    pub(in crate::ui::top) fn postures(&self) -> (u64, u64) {
        let all = self.counters.posture.values().sum();
        let tls = self.counters.posture.iter().filter(|(state, _)| state.is_tls());
        (all, tls.map(|(_, n)| n).sum())
    }
}

/// What was open at one time.
#[derive(Debug)]
pub(in crate::ui::top) struct Picture {
    /// When.
    pub at: Timestamp,
    pub status: StatusReply,
    pub ports: Vec<PortLine>,
    /// Ports of the catalog on which nothing ever happened: not among `ports`.
    pub quiet: usize,
    pub groups: GroupsReply,
    /// The groups, and strangers that are gone.
    pub rows: Vec<Row>,
}

/// Readings of all ports.
#[derive(Debug, Default)]
pub(in crate::ui::top) struct Meter {
    ports: HashMap<(Arc<str>, u16), Rates>,
}

impl Meter {
    fn read(&mut self, port: &PortStatus, run: i64, at_ms: u64) -> [Option<Tenths>; 3] {
        let of = &port.counters;
        let counts = Counts {
            began: of.opened.saturating_add(of.failed).saturating_add(of.summed.began()),
            violations: of.violations_total,
            bytes: of.bytes_sent.saturating_add(of.bytes_received),
        };
        let rates = self.ports.entry((Arc::clone(&port.name), port.number)).or_default();
        rates.read(run, at_ms, counts);
        [
            rates.per_second(CONNECTIONS_MS, |counts| counts.began),
            rates.per_second(BYTES_MS, |counts| counts.bytes),
            rates.per_second(CONNECTIONS_MS, |counts| counts.violations),
        ]
    }
}

impl Picture {
    /// Of an answer, with the readings before it.
    pub(in crate::ui::top) fn of(answer: Answer, meter: &mut Meter, ended: &Ended) -> Self {
        let Answer { at, at_ms, status, port, groups } = answer;
        let all = &status.status.ports;
        let run = status.status.started.as_microsecond();
        let folded = fold(all.iter().filter(|port| !is_quiet(port)));
        let ports: Vec<PortLine> = folded
            .iter()
            .map(|(port, last)| {
                let [began, bytes, violations] = meter.read(port, run, at_ms);
                PortLine {
                    name: Arc::clone(&port.name),
                    numbers: (port.number, *last),
                    declared: port.declared,
                    open: port.open,
                    counters: port.counters.clone(),
                    began,
                    bytes,
                    violations,
                }
            })
            .collect();
        // A reload may have removed some for good.
        if meter.ports.len() > 2 * ports.len() + 64 {
            let known = |name: &Arc<str>, number: u16| {
                ports.iter().any(|port| port.name == *name && port.numbers.0 == number)
            };
            meter.ports.retain(|(name, number), _| known(name, *number));
        }
        let since = at.checked_sub(RECENT).unwrap_or(Timestamp::MIN);
        let mut rows = merge(&groups.groups.rows, ended, since);
        if let Some(name) = &port {
            rows.retain(|row| &*row.group.port.name == name.as_str());
        }
        let quiet = all.iter().filter(|port| is_quiet(port)).count();
        Self { at, ports, quiet, groups, rows, status }
    }
}
