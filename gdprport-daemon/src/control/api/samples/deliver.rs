//! A deliverer with a sink that works, one whose receiver is away, and one with a mistake.

use super::at;
use crate::control::api::{
    ConfigStanding, DeliverStatus, FailureStanding, LagStanding, LastStamp, SinkStanding, SinkState,
    SinkTotals, SpoolStanding, StampsStanding,
};

fn sink(name: &str, state: SinkState) -> SinkStanding {
    SinkStanding {
        name: name.to_owned(),
        transport: "syslog".to_owned(),
        place: "tls://siem.example.org:6514".to_owned(),
        encoding: "cef".to_owned(),
        state,
        problems: None,
        began: "at event 1, where it was".to_owned(),
        lag: LagStanding::default(),
        totals: SinkTotals {
            delivered: 81_204,
            bytes: 97_444_800,
            filtered: 12,
            refused: 2,
            ..SinkTotals::since(at("2026-11-20T08:15:00Z"))
        },
        delivered_at: Some(at("2026-11-23T13:19:58Z")),
        failed_attempts: 0,
        failure: None,
        refused: None,
        lost: None,
    }
}

fn stamps() -> StampsStanding {
    StampsStanding {
        place: "https://tsa.example.org/tsr".to_owned(),
        directory: "/var/lib/gdprport-deliver/stamps".to_owned(),
        every_s: 3_600,
        kept: 12,
        last: Some(LastStamp { time: at("2026-11-23T12:30:00Z"), sequence: 41, entries: Some(70_000) }),
        stamped: 3,
        failed_attempts: 2,
        failure: Some(FailureStanding {
            why: "https://tsa.example.org/tsr: connection refused".to_owned(),
            since: at("2026-11-23T12:50:00Z"),
            attempts: 2,
            next: None,
        }),
    }
}

pub(crate) fn deliver() -> DeliverStatus {
    let away = SinkStanding {
        transport: "http".to_owned(),
        encoding: "native".to_owned(),
        lag: LagStanding { events: 4_120, bytes: 5_191_200, seconds: 1_802 },
        totals: SinkTotals { lost: 7, ..SinkTotals::since(at("2026-11-20T08:15:00Z")) },
        delivered_at: None,
        failed_attempts: 31,
        failure: Some(FailureStanding {
            why: "http://logs.example.org: connection refused".to_owned(),
            since: at("2026-11-23T12:50:00Z"),
            attempts: 19,
            next: Some(at("2026-11-23T13:20:30Z")),
        }),
        ..sink("logs", SinkState::Failing)
    };
    let faulty =
        SinkStanding { problems: Some("no `address`".to_owned()), ..sink("siem", SinkState::Faulty) };
    DeliverStatus {
        version: "0.1.0".to_owned(),
        pid: 901,
        started: at("2026-11-22T09:00:00Z"),
        config: ConfigStanding {
            path: "/etc/gdprport/gdprport.toml".to_owned(),
            read: at("2026-11-23T13:00:00Z"),
            refused: Some("2:1: error".to_owned()),
        },
        spool: SpoolStanding {
            read: Some(at("2026-11-29T10:00:00Z")),
            path: "/var/lib/gdprport/spool".to_owned(),
            events: 90_000,
            bytes: 113_400_000,
            oldest: Some(at("2026-11-21T00:00:00Z")),
            error: None,
        },
        cpu_ns: 9_120_000_000,
        rss_kib: 14_120,
        sinks: vec![sink("siem", SinkState::Idle), away, faulty],
        timestamps: Some(stamps()),
    }
}
