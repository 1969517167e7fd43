//! Records that the tests of all renderings share.

use std::sync::Arc;

use jiff::Timestamp;

use super::super::drawings::Drawings;
use super::super::samples::written;
use super::super::words::Lang;
use super::page::Page;
use gdprport_core::ledger::{
    Counts, CoverageHours, Edge, EdgeKey, GapRow, Identity, Note, NoteKind, Observed, PortKey, PostureKey,
    VerdictKey, VolumeHour,
};
use gdprport_core::model::{Attribution, Direction, PostureState, TlsVersion};
use gdprport_core::policy::{Source, outline};
use gdprport_core::records::{About, Past, Records, gather};
use gdprport_core::verdict::ReasonId;

/// The policy of that host.
pub(crate) const POLICY: &str = r#"
version = 1
[controller]
name = "Example GmbH"
contact = "privacy@example.org"
dpo = "dpo@example.org"
countries = "/srv/countries.csv"
[peers]
app-servers = ["10.0.2.0/24", "fd00:2::/64"]
[[port]]
name = "customers-db"
port = 5432
listen = ["10.0.2.15", "loopback"]
protocol = "postgresql"
tls = { min = "1.2" }
[port.record]
purpose = "order fulfilment"
basis = "contract"
subjects = ["customers"]
data = ["identity", "contact", "payment"]
special_category = false
recipients = ["payment processor"]
transfers = []
retention = "6 years"
measures = ["TLS between all hosts", "encrypted disks"]
owner = "team-orders"
location = ["Frankfurt"]
[[port.allow]]
role = "orders-api"
direction = "in"
peers = ["app-servers"]
process = { unit = "postgresql@*.service", user = "postgres" }
volume = { per = "1d", max = "40GiB" }
[[port.allow]]
role = "nightly-backup"
direction = "out"
peers = ["10.0.9.1"]
until = 2027-01-31
[[port]]
name = "shop-mail"
port = [25, 587]
[port.record]
on_behalf_of = ["Shop AG"]
purpose = "sending of order mails"
"#;

/// A name that breaks out of whatever it stands in.
pub(crate) const EVIL: &str = "</td></style><script>alert(1)</script><img src=x onerror=alert(1)>\"' &amp; \
    =cmd|'/c calc'!A0 [x](javascript:alert(1)) | `a` {{7*7}} \u{1b}[2J\u{202e} @all";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(crate) fn identity(exe: &str, unit: &str, user: &str) -> Arc<Identity> {
    Arc::new(Identity {
        attribution: Attribution::Exact,
        exe: Some(exe.into()),
        unit: Some(unit.into()),
        uid: Some(107),
        user: Some(user.into()),
        ..Identity::UNKNOWN
    })
}

/// What one row has seen.
pub(crate) struct Seen<'s> {
    /// Name, number, and whether the port is declared.
    pub(crate) port: (&'s str, u16, bool),
    pub(crate) peer: &'s str,
    pub(crate) verdict: VerdictKey,
    pub(crate) state: PostureState,
    pub(crate) version: Option<TlsVersion>,
    pub(crate) flows: u64,
    pub(crate) bytes: u64,
}

/// A row of accepted connections.
pub(crate) fn edge(seen: Seen<'_>, identity: &Arc<Identity>) -> Edge {
    let Seen { port: (name, number, declared), peer, verdict, state, version, flows, bytes } = seen;
    let key = EdgeKey {
        port: Arc::new(PortKey { name: name.into(), number, declared }),
        direction: Direction::In,
        identity: Arc::clone(identity),
        peer: peer.parse().expect("a network"),
        verdict: Arc::new(verdict),
        posture: Arc::new(PostureKey { state, version, cipher: None, certificate_until: None }),
        policy: Some("sha256:1dc4".into()),
    };
    let counts = Counts {
        flows,
        moved: 0,
        opened: 0,
        closed: flows,
        failed: 0,
        bytes_sent: bytes,
        bytes_received: bytes / 7,
    };
    let (first, last) = (at("2026-11-28T08:00:00Z"), at("2026-11-28T09:00:00Z"));
    Edge { day: jiff::civil::date(2026, 11, 28), key, counts, first, last }
}

fn about() -> About {
    About {
        host: "db-1.example.org".into(),
        version: "0.1.0".into(),
        made: at("2026-11-29T12:00:00Z"),
        asked: at("2026-08-31T12:00:00Z"),
        from: at("2026-09-30T00:00:00Z"),
        to: at("2026-11-29T12:00:00Z"),
        policy: Some(format!("sha256:{}", "1d".repeat(32)).into()),
        pseudonyms: false,
        no_ledger: None,
    }
}

/// Its rows.
pub(crate) fn edges(evil: Option<&str>) -> Vec<(i64, Edge)> {
    let postgres = identity("/usr/lib/postgresql/15/bin/postgres", "postgresql@15-main.service", "postgres");
    let stranger = identity(
        evil.unwrap_or("/usr/bin/python3.11"),
        evil.unwrap_or("cron.service"),
        evil.unwrap_or("alice"),
    );
    let db = ("customers-db", 5432, true);
    let declared = || VerdictKey::Declared { rule: evil.unwrap_or("orders-api").into() };
    let violation = || VerdictKey::Violation {
        reasons: vec![ReasonId::UndeclaredPeer, ReasonId::Plaintext],
        nearest: Some("orders-api".into()),
    };
    let (tls13, v13) = (PostureState::Tls13, Some(TlsVersion::Tls13));
    let plain = PostureState::Plaintext;
    let of = |port, peer, verdict, state, version, flows, bytes| Seen {
        port,
        peer,
        verdict,
        state,
        version,
        flows,
        bytes,
    };
    let all = vec![
        edge(of(db, "10.0.2.7/32", declared(), tls13, v13, 120_412, 48_210_334_112), &postgres),
        edge(of(db, "10.0.2.8/32", declared(), tls13, v13, 9_204, 2_210_334_112), &postgres),
        edge(
            of(
                db,
                "fd00:2::1234:5678:9abc:7/128",
                declared(),
                PostureState::StarttlsUpgraded,
                Some(TlsVersion::Tls12),
                804,
                210_334,
            ),
            &postgres,
        ),
        edge(of(db, "198.51.100.0/24", violation(), plain, None, 3, 20_412), &stranger),
        edge(
            of(
                db,
                "10.0.2.9/32",
                VerdictKey::Undecided { nearest: None },
                PostureState::Unknown,
                None,
                2,
                812,
            ),
            &postgres,
        ),
        edge(
            of(
                (evil.unwrap_or("redis"), 6379, false),
                "::1/128",
                VerdictKey::Violation { reasons: vec![ReasonId::UndeclaredPort], nearest: None },
                plain,
                None,
                41,
                90_112,
            ),
            &stranger,
        ),
    ];
    (101..).zip(all).collect()
}

/// The page of a record, with its drawings.
pub(crate) fn page(records: &Records, lang: Lang) -> Page {
    super::page(records, &Drawings::of(records, lang), lang)
}

/// The file of a page.
pub(crate) fn html(page: &Page) -> String {
    written(|out| super::html(page, out))
}

/// What the ledger of that host has of the period, but its rows.
pub(crate) fn observed(evil: Option<&str>) -> Observed {
    let port = Arc::new(PortKey { name: "customers-db".into(), number: 5432, declared: true });
    let hour = |day: u8| CoverageHours {
        hour: at(&format!("2026-11-{day:02}T08:00:00Z")),
        hours: 1,
        port: Arc::clone(&port),
        watched_s: 3_600,
        seen: 1,
        lost: u64::from(day == 3),
    };
    Observed {
        from: about().from,
        to: about().to,
        edges: Vec::new(),
        listeners: Vec::new(),
        coverage: (1..29).map(hour).collect(),
        gaps: vec![GapRow {
            from: at("2026-11-03T08:00:00Z"),
            to: at("2026-11-03T08:00:02Z"),
            lost: 12,
            bound: Some(gdprport_core::event::Bound::AtLeast),
            reason: "ledger:killed".into(),
        }],
        policies: Vec::new(),
        runs: Vec::new(),
        notes: vec![Note {
            at: at("2026-09-30T00:00:00Z"),
            kind: NoteKind::Begun,
            text: evil.unwrap_or("the ledger begins").into(),
        }],
        volume: [(27, 12 << 30), (28, 50 << 30)].map(|(day, bytes)| volume(day, bytes, evil)).into(),
    }
}

/// What a rule moved in an hour of that day.
fn volume(day: u8, bytes_sent: u64, evil: Option<&str>) -> VolumeHour {
    VolumeHour {
        hour: at(&format!("2026-11-{day:02}T08:00:00Z")),
        port: Arc::new(PortKey { name: "customers-db".into(), number: 5432, declared: true }),
        direction: Direction::In,
        rule: Some(evil.unwrap_or("orders-api").into()),
        flows: 1,
        bytes_sent,
        bytes_received: 0,
    }
}

fn gathered(policy: &str, rows: &[(i64, Edge)], evil: Option<&str>) -> Records {
    let source = Source { name: "policy.toml".to_owned(), text: policy.to_owned() };
    let (outline, _) = outline(&[source]).unwrap_or_else(|problems| panic!("{problems}"));
    let observed = observed(evil);
    let past = Past { observed: &observed, rows };
    gather(about(), Some(&outline), Some(past), &|_| evil.map(Into::into))
}

fn made(policy: &str, evil: Option<&str>) -> Records {
    gathered(policy, &edges(evil), evil)
}

/// The record of a host with this policy and these rows.
pub(crate) fn made_of(policy: &str, rows: &[(i64, Edge)]) -> Records {
    gathered(policy, rows, None)
}

/// A host with a database, mail for others, and a service that nobody declared.
pub(crate) fn records() -> Records {
    made(POLICY, None)
}

/// The same, with names that an attacker chose wherever names can be.
pub(crate) fn hostile() -> Records {
    // A policy with control characters is refused; the ledger may have any.
    let shown: String = EVIL.chars().filter(|c| !gdprport_core::text::is_control_or_bidi(*c)).collect();
    let quoted = shown.replace('\\', "\\\\").replace('"', "\\\"");
    let mut policy = POLICY.to_owned();
    for text in [
        "Example GmbH",
        "privacy@example.org",
        "order fulfilment",
        "payment processor",
        "Shop AG",
        "team-orders",
        "6 years",
        "orders-api",
    ] {
        policy = policy.replace(&format!("\"{text}\""), &format!("\"{quoted}\""));
    }
    let mut records = made(&policy, Some(EVIL));
    records.about.host = EVIL.into();
    records
}

/// Nothing declared, nothing known.
pub(crate) fn nothing() -> Records {
    let about = About { policy: None, no_ledger: Some("there is none".into()), ..about() };
    gather(about, None, None, &|_| None)
}
