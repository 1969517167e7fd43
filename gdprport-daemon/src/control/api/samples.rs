//! Replies of a busy host, for the tests of server, client and tables.

#[cfg(test)]
mod deliver;
mod flows;
mod groups;
mod policy;

#[cfg(test)]
pub(crate) use deliver::deliver;
pub(crate) use flows::flows;
pub(crate) use groups::groups;
pub(crate) use policy::policy_text;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use gdprport_core::counters::{ContainerCounters, OverloadCounters, OwnerCounters, PortCounters};
use gdprport_core::event::{ByReason, KernelCounts, SinkCounts};
use gdprport_core::model::PostureState;
use gdprport_core::overload::OverloadCounts;
use gdprport_core::policy::Mode;
use gdprport_core::verdict::ReasonId;

const DIGEST: &str = "sha256:3f1c9b7e5a2d4c8f0e6b1a3d5f7092846b8cade0f1325476980badcfe1023547";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

/// A burst that there was no room to describe.
fn overload() -> OverloadCounters {
    let counts = OverloadCounts {
        opened: 25_012,
        failed: 130,
        closed: 25_006,
        ends_of_described: 2,
        bytes_sent: 41_300_112,
        bytes_received: 3_204_551,
        ..OverloadCounts::default()
    };
    OverloadCounters { counts, groups: 411, missing: 0, described_later: 6 }
}

fn kernel() -> Kernel {
    Kernel {
        release: "6.1.0-42-amd64".to_owned(),
        boot_id: "5c2b9c0e-6d0f-4b1c-9f0a-8a1d2f3b4c5d".to_owned(),
    }
}

fn hook(name: &str, gives: &str, since: &str, cost: &str, error: Option<(HookState, &str)>) -> Hook {
    Hook {
        name: name.to_owned(),
        state: error.map_or(HookState::Attached, |(state, _)| state),
        gives: gives.to_owned(),
        since: since.to_owned(),
        cost: cost.to_owned(),
        error: error.map(|(_, why)| why.to_owned()),
        runs: None,
        run_ns: None,
    }
}

fn hooks() -> Vec<Hook> {
    vec![
        hook(
            "cgroup/connect4",
            "the owner of outgoing IPv4 flows",
            "4.17",
            "owners of outgoing flows are unknown",
            None,
        ),
        hook(
            "cgroup/connect6",
            "the owner of outgoing IPv6 flows",
            "4.17",
            "owners of outgoing flows are unknown",
            None,
        ),
        hook(
            "cgroup/getpeername4",
            "the accepting process",
            "5.8",
            "accepted flows show their listener",
            None,
        ),
        hook("sock_ops", "begin and end of flows", "4.13", "nothing is seen", None),
        hook(
            "tracepoint/sched/exec",
            "race-free executables",
            "4.7",
            "short-lived executables are unknown",
            None,
        ),
        hook(
            "fexit/inet_csk_accept",
            "the accepting process where no peer address was asked for",
            "5.5",
            "flows accepted without asking for the peer show their listener, not the worker",
            Some((HookState::Missing, "this kernel has no BPF trampolines for it (EINVAL)")),
        ),
        hook(
            "tracepoint/cgroup/mkdir",
            "paths of short-lived cgroups",
            "5.0",
            "units that end within milliseconds are shown without their name",
            Some((HookState::Failed, "tracefs is not mounted: mount -t tracefs none /sys/kernel/tracing")),
        ),
    ]
}

/// A port on which nothing happened.
fn idle(name: &str, number: u16, protocol: Option<&str>, declared: bool) -> PortStatus {
    PortStatus {
        name: Arc::from(name),
        number,
        protocol: protocol.map(Arc::from),
        declared,
        mode: Mode::Observe,
        open: 0,
        counters: PortCounters::default(),
    }
}

fn places() -> BTreeMap<String, PlaceCounts> {
    let counts =
        |seen, emitted, filtered, grouped, dropped| PlaceCounts { seen, emitted, filtered, grouped, dropped };
    [
        ("established".to_owned(), counts(3_194_825, 3_144_663, 0, 50_150, 12)),
        ("payload".to_owned(), counts(19_975_766, 1_572_627, 18_403_139, 0, 0)),
    ]
    .into()
}

fn events() -> ByReason {
    [("flow.open".into(), 1_572_320), ("flow.close".into(), 1_572_110), ("violation".into(), 225)].into()
}

pub(crate) fn status() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        pid: 812,
        started: at("2026-11-20T08:15:00Z"),
        uptime_s: 277_503,
        kernel: kernel(),
        without: Vec::new(),
        part_of_cgroups: None,
        hooks: hooks(),
        pins: Some(Pins {
            directory: "/sys/fs/bpf/gdprport".to_owned(),
            hooks: 13,
            adopted: Some(true),
            noted: Some(at("2026-11-23T05:59:58Z")),
            refused: None,
        }),
        policy: PolicyStatus {
            source: PolicySource::Files(vec![
                "/etc/gdprport/policy.toml".to_owned(),
                "/etc/gdprport/policy.d/orders.toml".to_owned(),
            ]),
            digest: DIGEST.to_owned(),
            applied: at("2026-11-22T09:00:00Z"),
            age_s: 102_003,
            last_reload: Some(Reload {
                at: at("2026-11-23T13:00:00Z"),
                ok: false,
                problems: reload_refused().problems,
                problem_count: 2,
            }),
            trial: Some(policy::trial()),
            ports: 3,
            rules: 7,
            exceptions: 1,
            unresolved: vec![Unresolved {
                name: "backup-1.internal".to_owned(),
                error: "no such name".to_owned(),
                undecided: "nightly-backup of customers-db".to_owned(),
            }],
        },
        enforcement: None,
        ports: vec![
            PortStatus {
                open: 212,
                counters: PortCounters {
                    opened: 1_482_113,
                    closed: 1_481_901,
                    failed: 37,
                    declared_flows: 1_482_096,
                    undecided: 2,
                    violations_total: 15,
                    violations: [(ReasonId::UndeclaredPeer, 12), (ReasonId::UndeclaredProcess, 5)].into(),
                    posture: [(PostureState::Tls13, 1_204), (PostureState::Unknown, 2)].into(),
                    accepted: 3,
                    ..PortCounters::default()
                },
                ..idle("customers-db", 5_432, Some("postgresql"), true)
            },
            PortStatus {
                open: 4,
                counters: PortCounters {
                    opened: 90_210,
                    closed: 90_206,
                    declared_flows: 90_210,
                    ..PortCounters::default()
                },
                ..idle("sessions", 6_379, Some("redis"), true)
            },
            idle("hr-directory", 636, Some("ldaps"), true),
            PortStatus {
                open: 1,
                counters: PortCounters {
                    opened: 3,
                    closed: 2,
                    violations_total: 3,
                    violations: [(ReasonId::UndeclaredPort, 3)].into(),
                    ..PortCounters::default()
                },
                ..idle("mongodb", 27_017, Some("mongodb"), false)
            },
        ],
        coverage: CoverageStatus {
            since: at("2026-11-20T08:15:00Z"),
            kernel: KernelCounts {
                seen: 23_170_591,
                emitted: 4_717_290,
                filtered: 18_403_139,
                grouped: 50_150,
                dropped: [("ring-full".into(), 12)].into(),
                owners_unkept: 0,
            },
            places: places(),
            ring: RingStatus { bytes: 4 << 20, unread: 1_264 },
            records: 4_720_002,
            received: 4_717_290,
            delivered: 3_144_655,
            suppressed: 1_572_635,
            dropped: ByReason::new(),
            evicted: 0,
            posture_given_up: 0,
            opening_missed: 0,
            end_missed: 0,
            found_late: 0,
            overload: overload(),
            unseen: ByReason::new(),
            unwatched: 0,
            evicted_listeners: 0,
            unwatched_listeners: 0,
            flows_open: 217,
            flows_cap: 65_536,
            last_loss: Some(at("2026-11-22T17:40:11Z")),
        },
        owners: OwnerCounters {
            asked: 1_572_410,
            remembered: 1_560_021,
            exe_executed: 12_204,
            exe_live: 176,
            exe_named: 9,
            exe_unknown: 0,
            forgotten: 0,
            names_late: 0,
            names_awaited: 0,
        },
        containers: ContainerCounters {
            looked_up: 214,
            known: 209,
            unknown: 5,
            dropped: 0,
            stuck: 0,
            renamed: 0,
        },
        evidence: None,
        privacy: None,
        volumes: Vec::new(),
        translations: TranslationStatus { asked: 4_711, translated: 38, ..TranslationStatus::default() },
        ledger: LedgerStatus {
            state: LedgerStanding::Unavailable,
            why: Some("no space is left on /var/lib/gdprport: make room".to_owned()),
            path: Some("/var/lib/gdprport/ledger.db".to_owned()),
            since: Some(at("2026-08-01T09:12:00Z")),
            stored_until: Some(at("2026-11-23T13:18:02Z")),
            synced_until: Some(at("2026-11-23T13:17:41Z")),
            rows: 41_210,
            batches: 277_300,
            waiting: 3,
            lost: 12,
            bytes: 31 << 20,
            wal_bytes: 4 << 20,
            set_aside: None,
            last_error: Some("no space is left on /var/lib/gdprport: make room".to_owned()),
        },
        events: events(),
        sinks: vec![
            SinkStatus {
                counts: SinkCounts {
                    name: "file:/var/log/gdprport/events.ndjson".into(),
                    received: 3_144_655,
                    delivered: 3_144_655,
                    queued: 0,
                    dropped: ByReason::new(),
                },
                last_error: None,
                bytes: 5_031_448_000,
                spool: None,
            },
            SinkStatus {
                counts: SinkCounts {
                    name: "journald".into(),
                    received: 3_144_655,
                    delivered: 3_144_637,
                    queued: 3,
                    dropped: [("queue-full".into(), 15)].into(),
                },
                last_error: Some("No space left on device".to_owned()),
                bytes: 5_031_419_200,
                spool: None,
            },
        ],
        control: ControlStatus {
            connections: 1,
            connections_cap: 64,
            accepted: 40,
            ..ControlStatus::default()
        },
        memory: Memory { rss_kib: 19_884 },
        cpu_ns: 412_610_000_000,
    }
}

/// The same host without a failure.
#[cfg(test)]
pub(crate) fn healthy() -> Status {
    let mut status = status();
    status.hooks.retain(|hook| hook.state == HookState::Attached);
    status.policy.last_reload = None;
    status.policy.trial = None;
    status.policy.unresolved.clear();
    status.coverage.kernel.dropped.clear();
    status.coverage.kernel.seen -= status.coverage.kernel.grouped;
    status.coverage.kernel.grouped = 0;
    status.coverage.overload = OverloadCounters::default();
    status.coverage.last_loss = None;
    status.sinks.truncate(1);
    status.ledger = LedgerStatus {
        state: LedgerStanding::Ok,
        why: None,
        last_error: None,
        waiting: 0,
        lost: 0,
        ..status.ledger
    };
    status
}

pub(crate) fn reload_refused() -> ReloadReply {
    ReloadReply {
        applied: false,
        digest: DIGEST.to_owned(),
        problems: "/etc/gdprport/policy.toml:14:1: error: a port has no key `prot`\n 14 | prot = 5432\n    | ^^^^\n    = help: did you mean `port`?\n\n\
            /etc/gdprport/policy.toml:16:1: error: a port has no key `lisen`\n 16 | lisen = \"any\"\n    | ^^^^^\n    = help: did you mean `listen`?"
            .to_owned(),
        warnings: String::new(),
        existing: None,
    }
}

pub(crate) fn doctor() -> DoctorReport {
    let check = |id: &str, result, found: &str, remedy: Option<&str>| Check {
        id: id.to_owned(),
        result,
        found: found.to_owned(),
        remedy: remedy.map(ToOwned::to_owned),
    };
    DoctorReport {
        kernel: kernel(),
        checks: vec![
            check("privileges", CheckResult::Ok, "root, with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON", None),
            check("cgroup2", CheckResult::Ok, "mounted at /sys/fs/cgroup", None),
            check(
                "tracefs",
                CheckResult::Degraded,
                "not mounted: units that end within milliseconds are shown without their name",
                Some("mount -t tracefs none /sys/kernel/tracing"),
            ),
            check(
                "btf",
                CheckResult::Failed,
                "/sys/kernel/btf/vmlinux is missing: socket storage cannot be created",
                Some("boot a kernel built with CONFIG_DEBUG_INFO_BTF=y"),
            ),
        ],
        hooks: hooks(),
    }
}
