//! Hosts with a past, for charts: as long, with as many ports and as well watched as a test asks for.

use std::sync::Arc;

use gdprport_core::ledger::{
    Counts, CoverageHours, Edge, EdgeKey, Identity, Observed, PortKey, PostureKey, VerdictKey, VolumeHour,
};
use gdprport_core::model::{Direction, PostureState, TlsVersion};
use gdprport_core::records::{About, Past, Records, gather};
use gdprport_core::verdict::ReasonId;
use jiff::{SignedDuration, Timestamp};

/// What a host is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host<'h> {
    pub(super) days: i64,
    pub(super) names: &'h [&'h str],
    /// Whether the ledger begins later, and the daemon stood still for some days.
    pub(super) has_gaps: bool,
    pub(super) has_violations: bool,
}

pub(super) const NAMES: [&str; 12] = [
    "customers-db",
    "orders-db",
    "search-index-of-all-customers",
    "shop-mail",
    "sessions",
    "ldap",
    "reports",
    "archive",
    "billing",
    "crm",
    "telemetry",
    "backup",
];

const HOUR_S: i64 = 3_600;

/// The same number from the same numbers, that looks like any.
fn mixed(a: i64, b: i64) -> u64 {
    let mut x = (a.unsigned_abs() << 32) ^ b.unsigned_abs() ^ 0x9e37_79b9_7f4a_7c15;
    for _ in 0..3 {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    x ^ (x >> 31)
}

pub(super) fn records(host: Host<'_>) -> Records {
    let to: Timestamp = "2026-11-29T12:00:00Z".parse().expect("a time");
    let asked =
        Timestamp::from_second((to.as_second() - host.days * 86_400) / 86_400 * 86_400).expect("a time");
    let begin = if host.has_gaps { asked + SignedDuration::from_hours(host.days * 24 / 6) } else { asked };
    let (mut rows, mut coverage, mut volume) = (Vec::new(), Vec::new(), Vec::new());
    let hours = (to.as_second() - asked.as_second()) / HOUR_S;
    for (index, name) in (0..).zip(host.names) {
        let number = u16::try_from(5_432 + index).expect("few");
        let port = Arc::new(PortKey { name: (*name).into(), number, declared: false });
        for day in 0..=hours / 24 {
            let (mut sent, mut received) = (0, 0);
            for hour in day * 24..((day + 1) * 24).min(hours) {
                let at = asked + SignedDuration::from_hours(hour);
                let stands_still = host.has_gaps && (hours / 2..hours / 2 + hours / 12).contains(&hour);
                if at < begin || stands_still {
                    continue;
                }
                coverage.push(CoverageHours {
                    hour: at,
                    hours: 1,
                    port: Arc::clone(&port),
                    watched_s: 3_600,
                    seen: 1,
                    lost: 0,
                });
                let weekday = at.as_second().div_euclid(86_400).rem_euclid(7);
                let works = if matches!(weekday, 2 | 3) { 1 } else { 4 }
                    * (1 + 12_u64.saturating_sub((hour % 24 - 13).unsigned_abs()));
                let bytes = works * (mixed(index, hour) % 700 + 300) * (1 << (22 - 2 * index.min(9)));
                let (bytes_sent, bytes_received) = (bytes, bytes / (2 + mixed(index, 7) % 9));
                (sent, received) = (sent + bytes_sent, received + bytes_received);
                let (port, rule) = (Arc::clone(&port), None);
                volume.push(VolumeHour {
                    hour: at,
                    port,
                    direction: Direction::In,
                    rule,
                    flows: 1,
                    bytes_sent,
                    bytes_received,
                });
            }
            if sent == 0 {
                continue;
            }
            let day_at = asked + SignedDuration::from_hours(day * 24);
            let mut add = |state: PostureState, verdict: VerdictKey, flows: u64, bytes: (u64, u64)| {
                let version = (state == PostureState::Tls13).then_some(TlsVersion::Tls13);
                let key = EdgeKey {
                    port: Arc::clone(&port),
                    direction: Direction::In,
                    identity: Arc::new(Identity::UNKNOWN),
                    peer: "10.0.2.7/32".parse().expect("a network"),
                    verdict: Arc::new(verdict),
                    posture: Arc::new(PostureKey { state, version, cipher: None, certificate_until: None }),
                    policy: None,
                };
                let counts = Counts {
                    flows,
                    closed: flows,
                    bytes_sent: bytes.0,
                    bytes_received: bytes.1,
                    ..Counts::default()
                };
                let day = jiff::tz::Offset::UTC.to_datetime(day_at).date();
                rows.push((
                    i64::try_from(rows.len()).expect("few") + 1,
                    Edge { day, key, counts, first: day_at, last: day_at },
                ));
            };
            add(
                PostureState::Tls13,
                VerdictKey::Declared { rule: "apps".into() },
                40 + mixed(index, day) % 900,
                (sent, received),
            );
            if index % 3 == 1 {
                add(
                    PostureState::WeakTls,
                    VerdictKey::Declared { rule: "old".into() },
                    mixed(day, 3) % 40,
                    (0, 0),
                );
            }
            if index % 4 == 2 {
                add(
                    PostureState::Unknown,
                    VerdictKey::Undecided { nearest: None },
                    mixed(day, 4) % 200,
                    (0, 0),
                );
            }
            if index % 5 == 3 {
                add(PostureState::NoData, VerdictKey::Declared { rule: "checks".into() }, 60, (0, 0));
            }
            if host.has_violations && (mixed(index, day).is_multiple_of(6) || host.days < 4) {
                let reasons = if index % 2 == 0 {
                    vec![ReasonId::UndeclaredPeer]
                } else {
                    vec![ReasonId::UndeclaredPeer, ReasonId::Plaintext]
                };
                let verdict = VerdictKey::Violation { reasons, nearest: None };
                add(PostureState::Plaintext, verdict, 1 + mixed(day, index) % 12, (0, 0));
            }
        }
    }
    let about = About {
        host: "db-1.example.org".into(),
        version: "0.1.0".into(),
        made: to,
        asked,
        from: begin,
        to,
        policy: None,
        pseudonyms: false,
        no_ledger: None,
    };
    let observed = Observed {
        from: begin,
        to,
        edges: Vec::new(),
        listeners: Vec::new(),
        coverage,
        gaps: Vec::new(),
        policies: Vec::new(),
        runs: Vec::new(),
        notes: Vec::new(),
        volume,
    };
    gather(about, None, Some(Past { observed: &observed, rows: &rows }), &|_| None)
}
