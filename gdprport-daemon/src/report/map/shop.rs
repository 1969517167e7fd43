//! The host of the map's picture in README.md: a shop's database, its mail, a directory elsewhere, and a cache that nobody declared.

use std::sync::Arc;

use gdprport_core::ledger::{ContainerIdentity, Edge, Identity, VerdictKey};
use gdprport_core::model::{Direction, PostureState, TlsVersion};
use gdprport_core::records::Records;
use gdprport_core::verdict::ReasonId;

use super::super::record::samples::{Seen, edge, identity, made_of};

const POLICY: &str = r#"
version = 1
[controller]
name = "Example GmbH"
contact = "privacy@example.org"
[[port]]
name = "customers-db"
port = 5432
listen = ["10.0.2.15", "loopback"]
protocol = "postgresql"
tls = { min = "1.2" }
[[port]]
name = "shop-mail"
port = [25, 587]
[[port]]
name = "staff-directory"
port = 636
service = ["10.0.9.5"]
"#;

/// What is the same of a service's rows.
type Service = (&'static str, u16, bool);

const DB: Service = ("customers-db", 5432, true);
const MAIL: Service = ("shop-mail", 587, true);
const DIRECTORY: Service = ("staff-directory", 636, true);
const CACHE: Service = ("redis", 6379, false);

fn declared(rule: &str) -> VerdictKey {
    VerdictKey::Declared { rule: rule.into() }
}

fn violation(reasons: &[ReasonId], nearest: Option<&str>) -> VerdictKey {
    VerdictKey::Violation { reasons: reasons.to_vec(), nearest: nearest.map(Into::into) }
}

fn row(
    (port, direction, who): (Service, Direction, &Arc<Identity>),
    peer: &'static str,
    verdict: VerdictKey,
    version: Option<TlsVersion>,
    (flows, bytes): (u64, u64),
) -> Edge {
    let state = match version {
        Some(TlsVersion::Tls13) => PostureState::Tls13,
        Some(_) => PostureState::StarttlsUpgraded,
        None => PostureState::Plaintext,
    };
    let mut edge = edge(Seen { port, peer, verdict, state, version, flows, bytes }, who);
    edge.key.direction = direction;
    edge
}

/// The record of that host.
pub(super) fn shop() -> Records {
    let postgres = identity("/usr/lib/postgresql/15/bin/postgres", "postgresql@15-main.service", "postgres");
    let backup = identity("/usr/lib/postgresql/15/bin/pg_dump", "nightly-backup.service", "backup");
    let postfix = identity("/usr/lib/postfix/sbin/smtp", "postfix@-.service", "postfix");
    let sssd = identity("/usr/libexec/sssd/sssd_be", "sssd.service", "root");
    let python = identity("/usr/bin/python3.11", "cron.service", "alice");
    let cache = Arc::new(Identity {
        container: Some(ContainerIdentity {
            runtime: Some("docker".into()),
            name: Some("shop-cache-1".into()),
            image: Some("redis:7".into()),
            ..ContainerIdentity::default()
        }),
        unit: None,
        ..Identity::clone(&identity("/usr/local/bin/redis-server", "", "redis"))
    });
    let (into, out) = (Direction::In, Direction::Out);
    let (v12, v13) = (Some(TlsVersion::Tls12), Some(TlsVersion::Tls13));
    let undeclared = || violation(&[ReasonId::UndeclaredPort], None);
    let stranger = [ReasonId::UndeclaredPeer, ReasonId::Plaintext];
    let rows = vec![
        row((DB, into, &postgres), "10.0.2.7/32", declared("orders"), v13, (120_412, 48_210_334_112)),
        row((DB, into, &postgres), "10.0.2.8/32", declared("orders"), v13, (98_204, 31_210_334_112)),
        row(
            (DB, into, &postgres),
            "203.0.113.77/32",
            violation(&stranger, Some("orders")),
            None,
            (3, 20_412),
        ),
        row((DB, into, &postgres), "127.0.0.1/32", declared("backup"), v13, (30, 9_410_334_112)),
        row((DB, out, &backup), "127.0.0.1/32", declared("backup"), v13, (30, 9_410_334_112)),
        row((MAIL, out, &postfix), "192.0.2.25/32", declared("relay"), v12, (4_812, 310_334_000)),
        row((DIRECTORY, out, &sssd), "10.0.9.5/32", declared("logins"), v13, (2_160, 4_334_000)),
        row((CACHE, into, &cache), "172.18.0.5/32", undeclared(), None, (41, 90_112)),
        row(
            (DB, out, &python),
            "10.0.9.8/32",
            violation(&[ReasonId::UndeclaredProcess], Some("orders")),
            v13,
            (7, 120_112),
        ),
    ];
    let rows: Vec<(i64, Edge)> = (1..).zip(rows).collect();
    made_of(POLICY, &rows)
}
