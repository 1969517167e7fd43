//! The answers of the control socket, made from the daemon's state.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::account::kernel_counts;
use super::daemon::Daemon;
use super::policy::uses;
use crate::control::api::{
    ControlStatus, Counts, Coverage, FlowQuery, FlowRow, FlowsReply, Hook, HookState, Kernel, KernelCounts,
    Memory, OwnerStatus, Pins, PolicySource, PolicyStatus, PortStatus, SinkStatus, Status, Unresolved,
    VerdictRow,
};
use crate::host::clock::boottime_ns;
use crate::host::probes::catalog::Need;
use crate::host::probes::{HookState as Attached, Legacy};
use crate::host::process::ResolverStats;
use gdprport_core::event::{ByReason, Cookie};
use gdprport_core::flow::Flow;
use gdprport_core::model::PostureState;

impl Daemon {
    /// The state of the daemon now.
    #[must_use]
    pub fn status(&self, control: ControlStatus) -> Status {
        let now = self.now();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: self.started,
            uptime_s: boottime_ns().saturating_sub(self.started_ns) / 1_000_000_000,
            kernel: Kernel { release: self.host.kernel.clone(), boot_id: self.host.boot_id.clone() },
            hooks: self.probes.hooks().iter().map(hook).collect(),
            pins: self.pins(),
            policy: self.policy_status(now),
            ports: self.ports(),
            coverage: self.coverage_status(),
            owners: owners(self.resolver.stats()),
            sinks: self.sinks(),
            control,
            memory: Memory { rss_kib: rss_kib() },
        }
    }

    fn pins(&self) -> Option<Pins> {
        let (directory, hooks) = self.probes.pins()?;
        let previous = self.probes.previous();
        Some(Pins {
            directory: directory.display().to_string(),
            hooks: u32::try_from(hooks).unwrap_or(u32::MAX),
            adopted: previous.map(|previous| matches!(previous.legacy, Legacy::Adopted(_))),
            noted: previous.map(|previous| self.clock.timestamp(previous.noted_ns)),
            refused: previous.and_then(|previous| match &previous.legacy {
                Legacy::Adopted(_) => None,
                Legacy::Refused(unfit) => Some(unfit.to_string()),
            }),
        })
    }

    fn policy_status(&self, now: jiff::Timestamp) -> PolicyStatus {
        let force = &self.in_force;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let unresolved = force.policy.undecidable(&self.names).into_iter().map(|name| Unresolved {
            name: name.name.to_owned(),
            error: name.why.clone().unwrap_or_else(|| "it is being asked for".to_owned()),
            undecided: uses(&name),
        });
        PolicyStatus {
            source: if force.policy.is_catalog_only() {
                PolicySource::Catalog
            } else {
                PolicySource::Files(force.files.clone())
            },
            digest: force.policy.digest().to_owned(),
            applied: force.applied,
            age_s: u64::try_from(now.duration_since(force.applied).as_secs()).unwrap_or(0),
            last_reload: force.last_reload.clone(),
            ports: count(force.policy.watched().filter(|port| port.declared).count()),
            rules: count(force.policy.rules()),
            unresolved: unresolved.collect(),
        }
    }

    fn ports(&self) -> Vec<PortStatus> {
        let mut open: HashMap<_, (u64, BTreeMap<PostureState, u64>)> = HashMap::new();
        for flow in self.table.iter() {
            if let Some(port) = self.publisher.port_of(flow, &self.in_force.policy, &self.names) {
                let (count, posture) =
                    open.entry((port.port.number, Arc::clone(&port.port.name))).or_default();
                let state = flow.posture.as_ref().map_or(PostureState::Unknown, |posture| posture.state);
                *count += 1;
                *posture.entry(state).or_default() += 1;
            }
        }
        let books = |number, name: &Arc<str>| self.books.get(number, name).cloned().unwrap_or_default();
        self.in_force
            .policy
            .watched()
            .map(|info| {
                let mut books = books(info.number, &info.name);
                let now = open.remove(&(info.number, Arc::clone(&info.name))).unwrap_or_default();
                for (state, count) in now.1 {
                    *books.posture.entry(state).or_default() += count;
                }
                PortStatus {
                    name: Arc::clone(&info.name),
                    number: info.number,
                    protocol: info.protocol.clone(),
                    declared: info.declared,
                    open: now.0,
                    opened: books.opened,
                    closed: books.closed,
                    opening_missed: books.opening_missed,
                    evicted: books.evicted,
                    unwatched: books.unwatched,
                    failed: books.failed,
                    declared_flows: books.declared,
                    undecided: books.undecided,
                    violations_total: books.violations,
                    violations: books.by_reason,
                    posture: books.posture,
                }
            })
            .collect()
    }

    fn coverage_status(&self) -> Coverage {
        let counters = self.kernel_counters().unwrap_or_default();
        let counted = self.coverage(Vec::new(), self.now(), Some(&counters));
        let kernel = kernel_counts(&counters);
        let kernel = KernelCounts {
            seen: kernel.seen,
            emitted: kernel.emitted,
            filtered: kernel.filtered,
            dropped: counts(kernel.dropped),
            owners_unkept: kernel.owners_unkept,
        };
        Coverage {
            since: self.started,
            kernel,
            records: self.books.records,
            received: counted.received,
            delivered: counted.delivered,
            suppressed: counted.suppressed,
            dropped: counts(counted.dropped),
            evicted: counted.evicted,
            evicted_listeners: counted.evicted_listeners,
            opening_missed: counted.opening_missed,
            end_missed: counted.end_missed,
            unwatched: counted.unwatched,
            unwatched_listeners: counted.unwatched_listeners,
            posture_given_up: self.table.counters().given_up,
            flows_open: self.table.len() as u64,
            flows_cap: self.table.capacity() as u64,
            last_loss: self.losses.last_loss,
        }
    }

    fn sinks(&self) -> Vec<SinkStatus> {
        let stats = self.publisher.fanout().stats();
        stats
            .into_iter()
            .map(|stats| SinkStatus {
                name: stats.counts.name.into_owned(),
                received: stats.counts.received,
                delivered: stats.counts.delivered,
                queued: stats.counts.queued,
                dropped: counts(stats.counts.dropped),
                last_error: stats.last_error,
            })
            .collect()
    }

    /// The open flows that match.
    #[must_use]
    pub fn flows(&self, query: &FlowQuery) -> FlowsReply {
        let mut matching: Vec<(&Flow, Arc<str>, u16)> = self
            .table
            .iter()
            .filter_map(|flow| {
                let port = self.publisher.port_of(flow, &self.in_force.policy, &self.names)?.port;
                let wanted = query.wants(&port.name, port.number, &flow.verdict);
                wanted.then(|| (flow, Arc::clone(&port.name), port.number))
            })
            .collect();
        matching.sort_by_key(|(flow, ..)| (flow.opened_ns.unwrap_or(self.started_ns), flow.cookie));
        let total = matching.len() as u64;
        let rows = matching.into_iter().take(query.limit).map(|(flow, name, number)| FlowRow {
            id: flow.id.to_string(),
            cookie: Cookie(flow.cookie).to_string(),
            port: name,
            number,
            direction: flow.direction,
            local: flow.local,
            peer: flow.peer,
            process: flow.process.clone(),
            posture: flow.posture.clone(),
            verdict: VerdictRow::from(&*flow.verdict),
            opened: flow.opened_ns.map_or(self.started, |ns| self.clock.timestamp(ns)),
            bytes_sent: flow.bytes_sent,
            bytes_received: flow.bytes_received,
        });
        let watched = query.port.is_none()
            || self.in_force.policy.watched().any(|port| query.wants_port(&port.name, port.number));
        FlowsReply { watched, matching: total, flows: rows.collect() }
    }
}

/// A hook as the control socket shows it.
#[must_use]
pub fn hook(hook: &Attached) -> Hook {
    Hook {
        name: hook.spec.name.to_owned(),
        state: match (&hook.missing, hook.spec.need) {
            (None, _) => HookState::Attached,
            (Some(_), Need::Optional) => HookState::Missing,
            (Some(_), Need::Expected | Need::Required) => HookState::Failed,
        },
        gives: hook.spec.gives.to_owned(),
        since: hook.spec.since.to_owned(),
        cost: hook.spec.cost.to_owned(),
        error: hook.missing.clone(),
    }
}

const fn owners(stats: ResolverStats) -> OwnerStatus {
    OwnerStatus {
        asked: stats.asked,
        remembered: stats.remembered,
        exe_live: stats.exe_live,
        exe_named: stats.exe_named,
        exe_unknown: stats.exe_unknown,
        forgotten: stats.forgotten,
        names_late: stats.names_late,
        names_awaited: stats.names_awaited,
    }
}

fn counts(by_reason: ByReason) -> Counts {
    by_reason.into_iter().map(|(reason, count)| (Arc::from(reason.as_ref()), count)).collect()
}

/// This process's resident memory; 0 if `/proc` does not tell.
fn rss_kib() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * (rustix::param::page_size() as u64 / 1024)
}
