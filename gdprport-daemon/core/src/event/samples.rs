//! One realistic event of every kind, for the tests of everything that handles events.

pub mod containers;
mod enforced;
pub mod exceptions;
pub mod findings;
pub mod overload;
pub mod rich;
pub mod sinks;
pub mod summaries;
pub mod volume;

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::community_id::CommunityId;
use crate::model::{
    Attribution, Direction, Endpoint, Nat, Outcome, Parent, Posture, PostureState, Process, Proof,
    TlsVersion, Translation, UserlandProxy,
};
use crate::shared::Shared;
use crate::verdict::{Nearest, Reason, ReasonId, Verdict};

/// A time from its text.
pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

/// When the samples happen.
pub fn now() -> Timestamp {
    time("2026-11-23T13:20:00.123456Z")
}

/// A stamper of a run that always has the same id.
pub fn stamper() -> Stamper {
    Stamper::new(
        Host { name: "db-1".into(), boot_id: "5f0b3f0e-6a53-4d0e-8b3c-2b0f3f1c9a77".into() },
        Agent {
            version: "0.1.0".into(),
            run: Uuid::try_parse("019ab3c2-0000-7a31-9d53-0c2f6a4e8b11").expect("a UUID"),
            privacy: None,
        },
    )
}

/// One event of a kind.
pub fn event(kind: Kind) -> Event {
    stamper().stamp(now(), body(kind))
}

/// One event of every kind, and the second form of those that have two.
pub fn events() -> Vec<Event> {
    let mut stamper = stamper();
    let mut bodies: Vec<Body> = Kind::ALL.iter().map(|&kind| body(kind)).collect();
    bodies.push(Body::Violation(Box::new(Violation::Listener(exposed_listener()))));
    bodies.extend(exceptions::bodies(&forbidden(), &exposed_listener()));
    bodies.extend(volume::bodies(&declared(Outcome::Established)));
    bodies.extend(findings::bodies(policy()));
    bodies.push(Body::FlowUpdate(Box::new(FlowEvent {
        process: None,
        policy: None,
        verdict: Shared::new(Verdict::Undecided {
            missing: vec!["the owner of the socket".to_owned()],
            nearest: None,
        }),
        ..declared(Outcome::Established)
    })));
    let mut proxied = declared(Outcome::Established);
    let exe = Some("/usr/bin/docker-proxy".into());
    change_process(&mut proxied, |process| {
        (process.exe, process.proxy) = (exe, Some(UserlandProxy::DockerProxy));
    });
    bodies.push(Body::FlowOpen(Box::new(proxied)));
    let mut published = outgoing();
    published.nat = Some(Nat::Translated(Box::new(Translation {
        peer: Some(endpoint("10.244.3.4", 5432)),
        destination: Some(endpoint("192.0.2.10", 15432)),
        source: Some(endpoint("192.0.2.20", 62_001)),
    })));
    bodies.push(Body::FlowOpen(Box::new(FlowEvent {
        flow: published,
        process: Some(Shared::new(containers::contained(python(), containers::pod()))),
        peer_process: Some(Shared::new(containers::contained(python(), containers::compose()))),
        posture: Some(Shared::new(Posture::unknown("not looked at"))),
        ..forbidden()
    })));
    for container in [containers::rootless(), containers::pending(), containers::unknown()] {
        bodies.push(Body::FlowOpen(Box::new(FlowEvent {
            process: Some(Shared::new(containers::contained(python(), container))),
            ..declared(Outcome::Established)
        })));
    }
    bodies.push(Body::Coverage(Box::new(loss())));
    bodies.extend(enforced::bodies(&forbidden(), &summaries::fixed(port(), policy()), &exposed_listener()));
    bodies.extend(overload::bodies(summaries::fixed(port(), policy()), forbidden()));
    bodies.extend(summaries::bodies(&summaries::fixed(port(), policy()), &forbidden().verdict));
    bodies.into_iter().map(|body| stamper.stamp(now(), body)).collect()
}

/// The body of an event of a kind.
pub fn body(kind: Kind) -> Body {
    match kind {
        Kind::FlowOpen => Body::FlowOpen(Box::new(declared(Outcome::Established))),
        Kind::FlowFail => Body::FlowFail(Box::new(FlowEvent {
            flow: Flow { outcome: Outcome::Refused, duration_ms: Some(0), rtt_us: None, ..outgoing() },
            ..forbidden()
        })),
        Kind::FlowClose => {
            let mut close = declared(Outcome::Closed);
            close.flow.duration_ms = Some(83_223);
            close.flow.bytes_sent = Some(1_840_412);
            close.flow.bytes_received = Some(96);
            close.flow.retransmits = Some(0);
            Body::FlowClose(Box::new(close))
        }
        Kind::FlowUpdate => {
            let mut update = declared(Outcome::Established);
            update.flow.opened = None;
            update.flow.duration_ms = None;
            update.flow.bytes_sent = Some(10);
            update.flow.bytes_received = Some(20);
            Body::FlowUpdate(Box::new(update))
        }
        Kind::FlowPosture => Body::FlowPosture(Box::new(FlowEvent {
            posture: Some(Shared::new(Posture {
                version: Some(TlsVersion::Tls13),
                proof: Some(Proof::Echo),
                ..Posture::new(PostureState::Tls13, "the server chose TLS 1.3")
            })),
            ..declared(Outcome::Established)
        })),
        Kind::Finding => findings::of_flow(declared(Outcome::Closed)),
        Kind::FlowSummary => Body::FlowSummary(Box::new(summaries::fixed(port(), policy()))),
        Kind::Violation => Body::Violation(Box::new(Violation::Flow(forbidden()))),
        Kind::ListenerOpen => Body::ListenerOpen(Box::new(ListenerEvent {
            listener: Listener::new(endpoint("10.0.2.15", 5432), Cookie(0x31)),
            verdict: Verdict::Declared { rule: "customers-db".into() },
            ..exposed_listener()
        })),
        Kind::ListenerFail => Body::ListenerFail(Box::new(enforced::unbound(exposed_listener()))),
        Kind::ListenerClose => Body::ListenerClose(Box::new(exposed_listener())),
        Kind::Coverage => Body::Coverage(Box::new(CoverageEvent {
            port: None,
            coverage: Coverage {
                dropped: BTreeMap::new(),
                evicted: 0,
                overload: None,
                kernel: None,
                gaps: Vec::new(),
                ..loss().coverage
            },
        })),
        Kind::PolicyApplied => Body::PolicyApplied(Box::new(PolicyEvent {
            policy: AppliedPolicy {
                digest: "sha256:3f1c".into(),
                previous: None,
                files: vec!["/etc/gdprport/policy.toml".to_owned()],
                ports: 3,
                rules: 7,
                warnings: vec!["the name backup-1.internal does not resolve".to_owned()],
                trial_until: Some(time("2026-07-11T09:05:00.25Z")),
                reverted: true,
            },
        })),
        Kind::DaemonStart => Body::DaemonStart(Box::new(DaemonStart {
            daemon: DaemonInfo {
                pid: 311,
                kernel: "6.1.0-28-amd64".into(),
                hooks: vec![
                    Hook { name: "cgroup/connect4".into(), attached: true, missing: None },
                    Hook {
                        name: "fexit/inet_csk_accept".into(),
                        attached: false,
                        missing: Some("this kernel offers no fexit".to_owned()),
                    },
                ],
                previous: Some(PreviousDaemon {
                    version: Some("0.0.9".into()),
                    noted: time("2026-11-23T13:19:59Z"),
                    adopted: false,
                    refused: Some("its ABI is version 1, this one's 2".to_owned()),
                }),
            },
            policy: policy(),
        })),
        Kind::DaemonStop => Body::DaemonStop(Box::new(DaemonStop {
            daemon: DaemonEnd { pid: 311, reason: "SIGTERM".to_owned(), uptime_ms: 86_400_000, kept: true },
        })),
        Kind::SinkLost => sinks::lost(),
        Kind::SinkTest => sinks::test(),
        Kind::EvidenceCheckpoint => sinks::checkpoint(),
    }
}

/// A flow event on the sample port that its rule allows.
pub fn declared(outcome: Outcome) -> FlowEvent {
    let (local, peer) = (endpoint("10.0.2.15", 5432), endpoint("10.0.2.7", 48212));
    FlowEvent {
        port: port(),
        flow: Flow {
            id: CommunityId::tcp(local, peer),
            cookie: Cookie(0x9f2),
            direction: Direction::In,
            local,
            peer: Peer { ip: peer.ip, port: peer.port, name: None },
            nat: None,
            opened: Some(now()),
            duration_ms: Some(0),
            bytes_sent: None,
            bytes_received: None,
            rtt_us: Some(180),
            retransmits: None,
            outcome,
            would_deny: false,
        },
        process: Some(Shared::new(postgres())),
        peer_process: None,
        posture: None,
        verdict: Shared::new(Verdict::Declared { rule: "orders-api".into() }),
        accepted: None,
        overload: None,
        volume: None,
        policy: policy(),
    }
}

/// A flow event that no rule allows.
pub fn forbidden() -> FlowEvent {
    FlowEvent {
        port: port(),
        flow: outgoing(),
        process: Some(Shared::new(python())),
        peer_process: None,
        posture: None,
        verdict: Shared::new(Verdict::Violation {
            reasons: vec![Reason {
                id: ReasonId::UndeclaredPeer,
                detail: "203.0.113.7 is in none of the peers that orders-api and nightly-backup allow"
                    .to_owned(),
            }],
            nearest: Some(Nearest {
                role: "nightly-backup".into(),
                failed: vec!["peers".to_owned(), "unit".to_owned()],
            }),
        }),
        accepted: None,
        overload: None,
        volume: None,
        policy: policy(),
    }
}

fn outgoing() -> Flow {
    let (local, peer) = (endpoint("10.1.2.3", 48212), endpoint("203.0.113.7", 5432));
    Flow {
        id: CommunityId::tcp(local, peer),
        cookie: Cookie(0x9f3),
        direction: Direction::Out,
        local,
        peer: Peer { ip: peer.ip, port: peer.port, name: Some("db.example.net".into()) },
        nat: None,
        opened: Some(time("2026-11-23T13:19:59.9Z")),
        duration_ms: Some(223),
        bytes_sent: Some(412),
        bytes_received: Some(96),
        rtt_us: Some(180),
        retransmits: Some(0),
        outcome: Outcome::Established,
        would_deny: false,
    }
}

/// A listener in violation.
fn exposed_listener() -> ListenerEvent {
    ListenerEvent {
        port: port(),
        listener: Listener::new(endpoint("0.0.0.0", 5432), Cookie(0x30)),
        process: Some(Shared::new(postgres())),
        verdict: Verdict::Violation {
            reasons: vec![Reason {
                id: ReasonId::ExposedListener,
                detail: "bound to 0.0.0.0, declared are 10.0.2.15 and loopback".to_owned(),
            }],
            nearest: None,
        },
        accepted: None,
        policy: policy(),
    }
}

/// A coverage event about the sample port that reports losses in every place.
pub fn loss() -> CoverageEvent {
    CoverageEvent {
        port: Some(port()),
        coverage: Coverage {
            from: time("2026-11-23T13:19:00Z"),
            to: now(),
            received: 4_711,
            delivered: 4_000,
            suppressed: 700,
            dropped: BTreeMap::from([("undecodable".into(), 11)]),
            evicted: 4,
            evicted_listeners: 0,
            opening_missed: 3,
            end_missed: 2,
            unwatched: 5,
            unwatched_listeners: 1,
            overload: Some(overload::seen()),
            kernel: Some(KernelCounts {
                seen: 5_000,
                emitted: 4_711,
                filtered: 260,
                grouped: 20,
                dropped: BTreeMap::from([("ring-full".into(), 9)]),
                owners_unkept: 6,
            }),
            sinks: vec![SinkCounts {
                name: "file".into(),
                received: 4_000,
                delivered: 3_990,
                queued: 10,
                dropped: BTreeMap::new(),
            }],
            gaps: vec![
                Gap {
                    from: time("2026-11-23T13:19:10Z"),
                    to: time("2026-11-23T13:19:11Z"),
                    lost: 9,
                    bound: None,
                    summed: None,
                    reason: "ring-full".into(),
                },
                Gap {
                    from: time("2026-11-23T13:19:10Z"),
                    to: time("2026-11-23T13:19:11Z"),
                    lost: 3,
                    bound: Some(Bound::AtMost),
                    summed: None,
                    reason: "unwritten".into(),
                },
                overload::gap(),
            ],
        },
    }
}

/// Changes the process of a sample.
///
/// # Panics
/// If it has none.
pub fn change_process(event: &mut FlowEvent, change: impl FnOnce(&mut Process)) {
    let mut process = Process::clone(event.process.as_ref().expect("the sample has a process"));
    change(&mut process);
    event.process = Some(Shared::new(process));
}

/// The port of the samples.
pub fn port() -> Shared<Port> {
    Shared::new(Port { name: "customers-db".into(), number: 5432, protocol: Some("postgresql".into()) })
}

/// The policy of the samples.
pub fn policy() -> Option<PolicyRef> {
    Some(PolicyRef { digest: "sha256:3f1c".into() })
}

fn postgres() -> Process {
    Process {
        pid: 4_242,
        exe: Some("/usr/lib/postgresql/15/bin/postgres".into()),
        comm: Some("postgres".into()),
        uid: 110,
        user: Some("postgres".into()),
        gid: 118,
        group: Some("postgres".into()),
        unit: Some("postgresql@15-main.service".into()),
        slice: Some("system-postgresql.slice".into()),
        cgroup: Some("/system.slice/system-postgresql.slice/postgresql@15-main.service".into()),
        ..python()
    }
}

fn python() -> Process {
    Process {
        pid: 812,
        started: Some(time("2026-11-23T13:10:00.25Z")),
        exe: Some("/usr/bin/python3.11".into()),
        comm: Some("python3".into()),
        uid: 1001,
        user: Some("etl".into()),
        gid: 1001,
        group: Some("etl".into()),
        unit: Some("etl.service".into()),
        slice: Some("system.slice".into()),
        cgroup: Some("/system.slice/etl.service".into()),
        netns: Some(4_026_531_840),
        parent: Some(Parent { pid: 1, exe: Some("/usr/lib/systemd/systemd".into()) }),
        attribution: Attribution::Exact,
        ..Process::UNKNOWN
    }
}

fn endpoint(ip: &str, port: u16) -> Endpoint {
    Endpoint::new(ip.parse().expect("an address"), port)
}
