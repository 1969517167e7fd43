//! The replies of the control socket, rendered from the snapshots of the parts.

use std::collections::HashMap;
use std::sync::Arc;

use gdprport_core::community_id::CommunityId;
use gdprport_core::counters::PortCounters;
use gdprport_core::event::{ByReason, Kind, Port};
use gdprport_core::flow::Flow;
use gdprport_core::model::PostureState;
use gdprport_core::privacy::Shown;
use gdprport_core::shared::Shared;
use gdprport_core::volume::Volumes;
use jiff::Timestamp;

use super::coverage::{Coverage, Snapshot};
use super::enforcer::Enforcer;
use super::keeper::Keeper;
use super::monitor::{Monitor, flow_object, peer_name};
use super::policy::needed_by;
use super::reload::PolicyState;
use super::session::Session;
use super::translations::Translations;
use crate::control::api::{
    CheckpointStatus, ControlStatus, CoverageStatus, EvidenceStatus, ExplainQuery, ExplainReply,
    ExplainedFlow, FlowQuery, FlowRow, FlowsReply, Hook, HookState, Kernel, Memory, Pins, PolicySource,
    PolicyStatus, PortStatus, RingStatus, SinkStatus, SpoolStatus, Status, Unresolved, VerdictRow,
    VolumeStatus, Without,
};
use crate::host::clock::boottime_ns;
use crate::host::confine::{self, Capability};
use crate::host::probes::catalog::Need;
use crate::host::probes::{HookRuns, HookStatus, PinsOutcome, Probes};
use crate::host::usage;
use crate::sink::evidence::Standing;
use crate::sink::{SinkStats, Spooled};

/// Rules with a volume that a status lists.
const VOLUMES: usize = 100;

/// What the replies are made from.
pub(super) struct Sources<'a> {
    pub session: &'a Session,
    /// What is watched.
    pub monitor: &'a Monitor<Probes>,
    /// What was lost.
    pub coverage: &'a Coverage,
    /// Where the policy came from.
    pub policy: &'a PolicyState,
    pub translations: &'a Translations,
    /// How the ledger is.
    pub keeper: &'a Keeper,
    /// What decides connections.
    pub enforcer: &'a Enforcer,
}

impl Sources<'_> {
    /// The state of the daemon now.
    #[must_use]
    pub(super) fn status(&self, control: ControlStatus) -> Status {
        let Self { session, monitor, coverage, policy, translations, keeper, enforcer } = self;
        let probes = &monitor.evidence.kernel;
        let now = monitor.now();
        let counters = probes.counters().ok();
        let snapshot = Snapshot::of(monitor, counters);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: session.started,
            uptime_s: session.uptime_ns() / 1_000_000_000,
            kernel: Kernel { release: session.host.kernel.clone(), boot_id: session.host.boot_id.clone() },
            without: without(),
            part_of_cgroups: probes.part_of_cgroups().map(|at| at.display().to_string()),
            hooks: hooks(probes),
            pins: pins(monitor),
            policy: policy_status(monitor, policy, now),
            enforcement: enforcer.status(monitor, &counters.unwrap_or_default()),
            ports: ports(monitor),
            volumes: volumes(monitor),
            coverage: CoverageStatus {
                ring: ring(probes),
                ..snapshot.status(coverage.since(), now, coverage.last_loss())
            },
            owners: monitor.evidence.resolver.counters(),
            containers: monitor.evidence.resolver.container_counters(),
            translations: translations.status(),
            ledger: keeper.status(snapshot.unledgered),
            evidence: monitor.publisher.evidence_standing().map(evidence),
            events: events(&snapshot),
            sinks: sinks(snapshot),
            control,
            memory: Memory { rss_kib: usage::resident_kib() },
            cpu_ns: u64::try_from(usage::cpu_time().as_nanos()).unwrap_or(u64::MAX),
            privacy: monitor.publisher.privacy().map(|privacy| privacy.applied()),
        }
    }

    /// The open flows that match.
    #[must_use]
    pub(super) fn flows(&self, query: &FlowQuery) -> FlowsReply {
        let Self { session, monitor, .. } = self;
        let mut matching: Vec<(&Flow, Shared<Port>)> = monitor
            .flows
            .iter()
            .filter_map(|flow| {
                let port = monitor.publisher.port(flow.port_index?)?.port;
                let wanted = query.wants(&port.name, port.number, &flow.verdict);
                wanted.then_some((flow, port))
            })
            .collect();
        matching.sort_by_key(|(flow, _)| (flow.opened_ns.unwrap_or(session.started_ns), flow.cookie));
        let total = matching.len() as u64;
        let now = monitor.now();
        let privacy = monitor.publisher.privacy();
        let mut shown = privacy.map(|privacy| Shown::new(Arc::clone(privacy)));
        let rows = matching.into_iter().take(query.limit);
        let flows = rows.map(|(flow, port)| self.row(flow, port, shown.as_mut(), now)).collect();
        let watched = query.port.is_none()
            || monitor.active_policy.watched().any(|port| query.wants_port(&port.name, port.number));
        FlowsReply { watched, matching: total, privacy: privacy.map(|privacy| privacy.applied()), flows }
    }

    /// `shown`: how it is shown under `[privacy]`.
    pub(super) fn row(
        &self,
        flow: &Flow,
        port: Shared<Port>,
        shown: Option<&mut Shown>,
        now: Timestamp,
    ) -> FlowRow {
        let Self { session, monitor, .. } = self;
        let clock = monitor.publisher.clock();
        let (name, accepted) = (peer_name(flow, monitor.active_policy.names()), monitor.accepted(flow, now));
        let mut flow = flow.clone();
        if let Some(shown) = shown {
            shown.flow(&mut flow);
        }
        FlowRow {
            port,
            flow: flow_object(&flow, name, clock, now),
            direction: flow.direction,
            local: flow.local,
            peer: flow.peer,
            verdict: VerdictRow::from(&*flow.verdict),
            accepted,
            opened: flow.opened_ns.map_or(session.started, |ns| clock.timestamp(ns)),
            process: flow.process,
            peer_process: flow.peer_process,
            posture: flow.posture,
        }
    }

    /// Why the open flows of an id are judged as they are.
    #[must_use]
    pub(super) fn explain(&self, query: &ExplainQuery) -> ExplainReply {
        let Self { monitor, .. } = self;
        let (cookie, now) = (query.cookie(), monitor.now());
        let mut shown = monitor.publisher.privacy().map(|privacy| Shown::new(Arc::clone(privacy)));
        // By the true one nobody may ask whether somebody is connected whom pseudonyms hide.
        let id = if shown.is_some() { None } else { serde_json::from_value(query.flow.as_str().into()).ok() };
        let found: Vec<&Flow> = match cookie.and_then(|cookie| monitor.flows.get(cookie)) {
            Some(flow) => vec![flow],
            None => {
                let wanted = |flow: &&Flow| id.is_some_and(|id: CommunityId| id == flow.id);
                monitor.flows.iter().filter(wanted).take(ExplainQuery::MOST).collect()
            }
        };
        let explained = found.into_iter().filter_map(|flow| {
            let port = monitor.publisher.port(flow.port_index?)?.port;
            let explanation = monitor.active_policy.explain(&flow.facts(), now);
            let volumes = monitor.volumes.as_ref();
            let moved = |role: &str| volumes?.of(flow.port_index?, role);
            let accepted = monitor.accepted(flow, now).map(|accepted| (*accepted).clone());
            let explanation = explanation.with_volumes(&flow.verdict, accepted, moved);
            Some(ExplainedFlow { flow: self.row(flow, port, shown.as_mut(), now), explanation })
        });
        ExplainReply { policy: monitor.active_policy.digest().to_owned(), flows: explained.collect() }
    }
}

fn without() -> Vec<Without> {
    let given = confine::in_force().map_or(u64::MAX, |confined| confined.given);
    let without = |capability: &Capability| {
        Some(Without { capability: capability.name.to_owned(), cost: capability.cost?.to_owned() })
    };
    confine::missing(given).filter_map(without).collect()
}

fn pins(monitor: &Monitor<Probes>) -> Option<Pins> {
    let probes = &monitor.evidence.kernel;
    let (directory, hooks) = probes.pins()?;
    let previous = probes.previous_pins();
    Some(Pins {
        directory: directory.display().to_string(),
        hooks: u32::try_from(hooks).unwrap_or(u32::MAX),
        adopted: previous.map(|previous| matches!(previous.outcome, PinsOutcome::Adopted(_))),
        noted: previous.map(|previous| monitor.publisher.clock().timestamp(previous.checkpoint_ns)),
        refused: previous.and_then(|previous| match &previous.outcome {
            PinsOutcome::Adopted(_) => None,
            PinsOutcome::Discarded(why) => Some(why.to_string()),
        }),
    })
}

fn policy_status(monitor: &Monitor<Probes>, state: &PolicyState, now: Timestamp) -> PolicyStatus {
    let policy = monitor.active_policy.policy();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let unresolved = monitor.active_policy.undecidable().into_iter().map(|name| Unresolved {
        name: name.name.to_owned(),
        error: name.why.clone().unwrap_or_else(|| "it is being asked for".to_owned()),
        undecided: needed_by(&name),
    });
    PolicyStatus {
        source: if policy.is_catalog_only() {
            PolicySource::Catalog
        } else {
            PolicySource::Files(state.in_force.files.clone())
        },
        digest: policy.digest().to_owned(),
        applied: state.applied,
        age_s: u64::try_from(now.duration_since(state.applied).as_secs()).unwrap_or(0),
        last_reload: state.last_reload.clone(),
        trial: state.trial.as_ref().map(|trial| trial.status(boottime_ns())),
        ports: count(policy.watched().filter(|port| port.declared).count()),
        rules: count(policy.rules()),
        exceptions: count(policy.exceptions()),
        unresolved: unresolved.collect(),
    }
}

fn ports(monitor: &Monitor<Probes>) -> Vec<PortStatus> {
    let mut open: HashMap<usize, (u64, PortCounters)> = HashMap::new();
    for flow in monitor.flows.iter() {
        if let Some(index) = flow.port_index {
            let (count, counters) = open.entry(index).or_default();
            let state = flow.posture.as_ref().map_or(PostureState::Unknown, |posture| posture.state);
            *count += 1;
            *counters.posture.entry(state).or_default() += 1;
            counters.moved(flow.bytes_sent.unwrap_or(0), flow.bytes_received.unwrap_or(0));
        }
    }
    let ports = monitor.active_policy.watched().map(|info| {
        let mut counters = monitor.counters.get(info.number, &info.name).cloned().unwrap_or_default();
        let (open, of_open) = open.remove(&info.index).unwrap_or_default();
        counters.add(&of_open);
        PortStatus {
            name: Arc::clone(&info.name),
            number: info.number,
            protocol: info.protocol.clone(),
            declared: info.declared,
            mode: info.enforcement.mode,
            open,
            counters,
        }
    });
    ports.collect()
}

/// Those that are nearest to what they may move come first.
fn volumes(monitor: &Monitor<Probes>) -> Vec<VolumeStatus> {
    let rules = monitor.volumes.iter().flat_map(Volumes::iter);
    let mut rules: Vec<VolumeStatus> =
        rules.map(|(port, volume)| VolumeStatus { port: Arc::clone(port), volume }).collect();
    // By shares of 1/1000, so that the order is one.
    let share =
        |rule: &VolumeStatus| u128::from(rule.volume.bytes) * 1_000 / u128::from(rule.volume.max.max(1));
    rules.sort_by_key(|rule| std::cmp::Reverse(share(rule)));
    rules.truncate(VOLUMES);
    rules
}

fn sinks(snapshot: Snapshot) -> Vec<SinkStatus> {
    let status = |stats: SinkStats| SinkStatus {
        counts: stats.counts,
        last_error: stats.last_error,
        bytes: stats.bytes,
        spool: stats.spooled.map(spool),
    };
    snapshot.publisher.sinks.into_iter().map(status).collect()
}

fn events(snapshot: &Snapshot) -> ByReason {
    let kinds = Kind::ALL.iter().zip(snapshot.publisher.kinds);
    kinds.filter(|(_, count)| *count > 0).map(|(kind, count)| (kind.as_str().into(), count)).collect()
}

fn ring(probes: &Probes) -> RingStatus {
    let (unread, bytes) = probes.ring_fill();
    RingStatus { bytes, unread }
}

fn hooks(probes: &Probes) -> Vec<Hook> {
    let runs: HashMap<&str, HookRuns> = probes.runs().into_iter().collect();
    let with_runs = |status: &HookStatus| {
        let counted = runs.get(status.spec.name);
        Hook {
            runs: counted.map(|runs| runs.count),
            run_ns: counted.map(|runs| u64::try_from(runs.time.as_nanos()).unwrap_or(u64::MAX)),
            ..hook(status)
        }
    };
    probes.hooks().iter().map(with_runs).collect()
}

const fn spool(spooled: Spooled) -> SpoolStatus {
    let Spooled { records, bytes, max_bytes, oldest, removed, removed_kept } = spooled;
    SpoolStatus { records, bytes, max_bytes, oldest, removed, removed_kept }
}

/// A hook as the control socket shows it.
#[must_use]
pub(super) fn hook(hook: &HookStatus) -> Hook {
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
        runs: None,
        run_ns: None,
    }
}

fn evidence(standing: Standing) -> EvidenceStatus {
    let Standing { dir, key, size, facts, problem } = standing;
    let checkpoint = facts.map(|facts| CheckpointStatus {
        sequence: facts.sequence,
        time: facts.time,
        reason: facts.reason.word().to_owned(),
    });
    EvidenceStatus { path: dir.display().to_string(), key, size, checkpoint, problem }
}

#[cfg(test)]
mod tests {
    use crate::control::api::samples;
    use crate::control::metrics::{Format, render, sensor};
    use crate::sink::DropReason;

    /// Or its first loss would be no increase to whoever watches the metrics.
    #[test]
    fn every_reason_to_drop_has_a_metric_that_is_zero_before() {
        let text = render(sensor(&samples::healthy()), Format::OpenMetrics);
        for reason in DropReason::ALL {
            let zero = format!(",reason=\"{}\"}} 0\n", reason.as_str());
            assert!(text.contains(&zero), "{zero}");
        }
        assert!(text.contains("gdprport_events_dropped_total{reason=\"undecodable\"} 0\n"));
    }
}
