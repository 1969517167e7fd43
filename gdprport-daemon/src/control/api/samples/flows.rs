//! Open flows of a busy host.

use std::sync::Arc;

use gdprport_core::community_id::CommunityId;
use gdprport_core::event::samples::containers;
use gdprport_core::event::{Cookie, Flow, Peer, Port};
use gdprport_core::model::{Attribution, Direction, Endpoint, Outcome, Posture, PostureState, Process};
use gdprport_core::shared::Shared;
use gdprport_core::verdict::{Nearest, Reason, ReasonId, Verdict};

use super::super::FlowRow;
use super::at;

fn process(pid: u32, exe: &str, user: &str, unit: Option<&str>, attribution: Attribution) -> Process {
    Process {
        pid,
        exe: Some(Arc::from(exe)),
        comm: exe.rsplit('/').next().map(Arc::from),
        uid: 1_001,
        user: Some(Arc::from(user)),
        gid: 1_001,
        unit: unit.map(Arc::from),
        attribution,
        ..Process::UNKNOWN
    }
}

fn row(
    direction: Direction,
    local: &str,
    peer: &str,
    process: Option<Process>,
    verdict: &Verdict,
) -> FlowRow {
    let socket = |text: &str| {
        let address: std::net::SocketAddr = text.parse().expect("an address");
        Endpoint::new(address.ip(), address.port())
    };
    let (local, peer) = (socket(local), socket(peer));
    let opened = at("2026-11-23T13:19:59.9Z");
    FlowRow {
        port: Shared::new(Port {
            name: Arc::from("customers-db"),
            number: 5_432,
            protocol: Some(Arc::from("postgresql")),
        }),
        flow: Flow {
            id: CommunityId::tcp(local, peer),
            cookie: Cookie(0x9f3),
            direction,
            local,
            peer: Peer { ip: peer.ip, port: peer.port, name: None },
            nat: None,
            opened: Some(opened),
            duration_ms: Some(100),
            bytes_sent: Some(412),
            bytes_received: Some(1_503_238_553),
            rtt_us: Some(210),
            retransmits: Some(0),
            outcome: Outcome::Established,
            would_deny: false,
        },
        direction,
        local,
        peer,
        peer_process: None,
        process: process.map(Shared::new),
        posture: Some(Shared::new(Posture::new(PostureState::Tls13, "ServerHello: TLS 1.3"))),
        verdict: verdict.into(),
        accepted: None,
        opened,
    }
}

fn uncounted(mut row: FlowRow) -> FlowRow {
    (row.flow.bytes_sent, row.flow.bytes_received) = (None, None);
    row
}

pub(crate) fn flows() -> Vec<FlowRow> {
    let declared = Verdict::Declared { rule: Arc::from("orders-api") };
    let violation = Verdict::Violation {
        reasons: vec![
            Reason {
                id: ReasonId::UndeclaredPeer,
                detail: "203.0.113.7 is in no peer group of a rule".to_owned(),
            },
            Reason {
                id: ReasonId::UndeclaredProcess,
                detail: "no rule allows /usr/bin/python3.11".to_owned(),
            },
        ],
        nearest: Some(Nearest {
            role: Arc::from("nightly-backup"),
            failed: vec!["peers".into(), "unit".into()],
        }),
    };
    let undecided =
        Verdict::Undecided { missing: vec!["backup-1.internal does not resolve".into()], nearest: None };
    let postgres = "/usr/lib/postgresql/15/bin/postgres";
    let contained = |pid, container| {
        let mut process =
            process(pid, "/usr/local/bin/node", "node", Some("docker-4f1d.scope"), Attribution::Exact);
        process.container = Some(container);
        Some(process)
    };
    let hostile = process(666, "/tmp/\u{1b}[2J\u{7}evil\n", "etl", None, Attribution::Snapshot);
    let unit = Some("postgresql@15-main.service");
    vec![
        row(
            Direction::In,
            "10.0.2.15:5432",
            "10.0.2.77:48212",
            Some(process(1_203, postgres, "postgres", unit, Attribution::Exact)),
            &declared,
        ),
        row(
            Direction::Out,
            "10.1.2.3:48212",
            "203.0.113.7:5432",
            Some(process(812, "/usr/bin/python3.11", "etl", Some("etl.service"), Attribution::Exact)),
            &violation,
        ),
        row(
            Direction::Out,
            "10.1.2.3:50113",
            "10.0.2.15:5432",
            contained(48_120, containers::compose()),
            &declared,
        ),
        row(
            Direction::In,
            "10.0.2.15:5432",
            "10.1.2.3:50114",
            contained(48_121, containers::pod()),
            &violation,
        ),
        row(
            Direction::Out,
            "10.1.2.3:50115",
            "10.0.2.15:5432",
            contained(48_122, containers::rootless()),
            &violation,
        ),
        row(
            Direction::Out,
            "10.1.2.3:50116",
            "10.0.2.15:5432",
            contained(48_123, containers::pending()),
            &undecided,
        ),
        row(
            Direction::Out,
            "10.1.2.3:50117",
            "10.0.2.15:5432",
            contained(48_124, containers::unknown()),
            &undecided,
        ),
        row(
            Direction::Out,
            "[fd00:2::aaaa:bbbb:cccc:1]:50999",
            "[fd00:2::1]:5432",
            Some(hostile),
            &undecided,
        ),
        uncounted(row(Direction::In, "127.0.0.1:5432", "127.0.0.1:35512", None, &violation)),
    ]
}
