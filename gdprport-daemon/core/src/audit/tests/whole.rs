//! A host on which everything is wrong, and the audit as a whole.

use std::sync::Arc;

use jiff::Span;

use super::world::*;
use crate::audit::{CountriesFile, FindingId, Subject};
use crate::countries::Countries;
use crate::inventory::Recognised;
use crate::ledger::{Identity, PolicyPeriod, RunEnd};
use crate::model::{Direction, PostureState};
use crate::policy::Source;

const WRONG: &str = r#"version = 1

[[port]]
name = "customers-db"
port = 5432
listen = ["10.0.2.15"]

[[port.allow]]
role = "orders"
direction = "in"
peers = ["any"]
process = { exe = "/usr/lib/postgresql/15/bin/postgres" }

[[port.allow]]
role = "reports"
direction = "in"
peers = ["10.0.9.0/24"]

[[port.allow]]
role = "never"
direction = "out"
peers = ["10.0.9.9"]
process = { user = "etl" }

[[port.allow]]
role = "old"
direction = "in"
peers = ["10.0.9.9"]
process = { user = "etl" }
until = 2026-01-31

[[port]]
name = "health"
port = 2575

[port.record]
purpose = "treatment"
subjects = ["patients"]
special_category = true

[[port]]
name = "gone"
port = 3306
listen = ["10.0.2.15"]
tls = { min = "1.2" }

[port.record]
purpose = "a"
subjects = ["b"]
data = ["c"]
recipients = []
transfers = []
retention = "d"

[[port.allow]]
role = "soon"
direction = "out"
peers = ["10.0.9.9"]
process = { user = "etl" }
until = 2026-12-20
"#;

/// A host on which everything is wrong that can be found.
pub(super) fn wrong() -> World {
    let mut world = World::good();
    let countries = Countries::parse(b"198.51.100.0/24,US").expect("no mistakes");
    world.countries = CountriesFile::Read(Arc::new(countries));
    let text = WRONG.to_owned() + &exception("weak-tls-seen", "2026-11-01");
    world.files = vec![Source { name: "policy.toml".to_owned(), text }];
    let db = port("customers-db", 5432, true);
    let health = port("health", 2575, true);
    let hl7 = program("/opt/hl7", "hl7.service");
    let ledger = world.ledger();
    coverage(ledger, "health", 2575, DAYS);
    coverage(ledger, "gone", 3306, DAYS);
    let mut plain = edge(Arc::clone(&db), "10.0.9.7", by_rule("reports"));
    plain.key.posture = posture(PostureState::Plaintext).into();
    let mut weak = edge(Arc::clone(&db), "10.0.9.8", by_rule("reports"));
    weak.key.posture = posture(PostureState::WeakTls).into();
    let mut sick = edge(health, "10.0.7.7", by_rule("none"));
    sick.key.posture = posture(PostureState::Plaintext).into();
    let mut nobody = edge(Arc::clone(&db), "10.0.2.7", by_rule("orders"));
    nobody.key.identity = Arc::new(Identity::UNKNOWN);
    nobody.key.direction = Direction::Out;
    let mut shown = edge(Arc::clone(&db), "10.0.2.7", by_rule("orders"));
    shown.key.posture = certificate(now() + Span::new().hours(24 * 9)).into();
    let mut abroad = edge(Arc::clone(&db), "198.51.100.7", by_rule("orders"));
    abroad.counts.bytes_sent = 4_096;
    ledger.edges = vec![edge(db, "10.0.2.7", by_rule("orders")), plain, weak, sick, nobody, shown, abroad];
    ledger.gaps = vec![gap("ring-full", ago(3), 2, 7)];
    let mut killed = run(ago(60), ago(30));
    killed.end = Some(RunEnd::Killed);
    ledger.runs = vec![killed, run(ago(30) + Span::new().seconds(9), now())];
    ledger.volume = vec![volume(ago(1), 9 << 30)];
    ledger.policies = vec![
        PolicyPeriod { digest: Some("sha256:old".into()), from: ago(60), to: Some(ago(40)) },
        PolicyPeriod { digest: Some("replaced".into()), from: ago(40), to: None },
    ];
    let redis = program("/usr/bin/redis-server", "redis.service");
    let host = world.host();
    host.listeners = vec![
        listening("0.0.0.0", 5432, &postgres(), &[Recognised::Port], Some("postgresql")),
        listening("10.0.2.15", 2575, &hl7, &[Recognised::Port], Some("hl7")),
        listening("0.0.0.0", 6379, &redis, &[Recognised::Executable, Recognised::Port], Some("redis")),
        listening("10.0.2.15", 16_379, &redis, &[Recognised::Executable], Some("redis")),
    ];
    world
}

/// All but what a policy has to ask for.
#[test]
fn everything_that_is_wrong_is_found() {
    let audit = wrong().audit();
    let never = [FindingId::NotEnforcing];
    for id in FindingId::ALL {
        let found = audit.findings.iter().any(|finding| finding.id == id);
        assert_ne!(found, never.contains(&id), "{id}");
    }
    let key = |finding: &crate::audit::Finding| (std::cmp::Reverse(finding.severity), finding.id);
    assert!(audit.findings.is_sorted_by_key(key), "the most severe first");
    let nowhere = [FindingId::CoverageGap, FindingId::PolicyChanged, FindingId::UnattributedFlows];
    for finding in &audit.findings {
        assert!(finding.place.is_some() || nowhere.contains(&finding.id), "{finding:?}");
        assert!(!finding.evidence.is_empty(), "{finding:?}");
    }
    insta::assert_snapshot!(
        audit
            .findings
            .iter()
            .map(|f| format!("{:6} {:27} {}\n", f.severity, f.id, f.message))
            .collect::<String>()
    );
}

#[test]
fn every_finding_has_a_fingerprint_of_its_own_that_stays() {
    let world = wrong();
    let audit = world.audit();
    let prints = |audit: &crate::audit::Audit| {
        audit.findings.iter().map(|f| f.fingerprint.clone()).collect::<Vec<_>>()
    };
    let mut first = prints(&audit);
    let mut later = world;
    for edge in &mut later.ledger().edges {
        edge.counts.flows += 5;
        edge.last = now();
    }
    assert_eq!(prints(&later.audit()), first);
    assert!(first.iter().all(|print| print.len() == 32));
    first.sort();
    first.dedup();
    assert_eq!(first.len(), audit.findings.len());
}

/// Fields are told apart though their texts put together are the same.
#[test]
fn a_fingerprint_is_of_every_field() {
    let print = |port: Option<&str>, rule: Option<&str>| {
        let subject =
            Subject { port: port.map(Into::into), rule: rule.map(Into::into), ..Subject::default() };
        crate::audit::draft::fingerprint(FindingId::UnusedRule, &subject)
    };
    let prints = [
        print(Some("ab"), None),
        print(Some("a"), Some("b")),
        print(None, Some("ab")),
        print(Some("ab"), Some("")),
    ];
    for (at, one) in prints.iter().enumerate() {
        assert!(prints[at + 1..].iter().all(|other| other != one));
    }
    assert_eq!(
        &*print(Some("customers-db"), Some("orders")),
        "409fee68de8f5a9b79a5b62602fa04fd",
        "it is part of the interface"
    );
}

#[test]
fn without_anything_nothing_is_claimed() {
    let settings = crate::audit::Settings {
        host: "db1".into(),
        asked: ago(90),
        digest: None,
        first_file: "/etc/gdprport/policy.toml".into(),
        no_ledger: "there is no ledger".into(),
        no_inventory: "the host was not looked at".into(),
        earlier: Vec::new(),
        countries: CountriesFile::NotAsked,
    };
    let audit = crate::audit::judge(None, None, None, None, &settings, now());
    assert!(audit.findings.is_empty() && audit.accepted.is_empty());
    let why = |id| audit.not_judged.iter().find(|not| not.ids.contains(&id)).map(|not| &*not.why);
    assert_eq!(why(FindingId::CertificateExpiring), Some("there is no ledger"));
    assert_eq!(why(FindingId::ShadowService), Some("the host was not looked at"));
}
