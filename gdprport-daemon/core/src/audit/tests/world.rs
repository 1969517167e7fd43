//! A host that was watched for sixty days, and what a test changes of it.

use std::sync::Arc;

use ipnet::IpNet;
use jiff::{Span, Timestamp};

use crate::audit::{Audit, CountriesFile, Earlier, Finding, FindingId, Settings, judge};
use crate::inventory::{Exposure, Inventory, Listening, Recognised, Service};
use crate::ledger::{
    Counts, CoverageHours, Edge, EdgeKey, GapRow, HourlyLedger, Identity, ListenerRow, Observed,
    PolicyPeriod, PortKey, PostureKey, Run, VerdictKey, VolumeHour,
};
use crate::model::{Attribution, Direction, Endpoint, PostureState, TlsVersion};
use crate::policy::{Source, outline};
use crate::verdict::ReasonId;

/// Days that the ledger has.
pub(super) const DAYS: i64 = 60;

/// A policy in which nothing is found.
pub(super) const GOOD: &str = r#"version = 1

[controller]
name = "Example GmbH"
contact = "privacy@example.org"

[[port]]
name = "customers-db"
port = 5432
listen = ["10.0.2.15"]
tls = { min = "1.3" }

[port.record]
purpose = "order fulfilment"
subjects = ["customers"]
data = ["contact"]
recipients = []
transfers = []
retention = "6 years"

[[port.allow]]
role = "orders"
direction = "in"
peers = ["10.0.2.0/24"]
process = { exe = "/usr/lib/postgresql/15/bin/postgres" }
"#;

#[derive(Debug, Clone)]
pub(super) struct World {
    pub files: Vec<Source>,
    pub observed: Option<Observed>,
    pub inventory: Option<Inventory>,
    /// Exceptions beside those of the files.
    pub exceptions: Vec<String>,
    pub asked: Timestamp,
    /// Whether the daemon has applied the policy since the ledger began.
    pub applied: bool,
    /// What is known of countries.
    pub countries: CountriesFile,
}

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(super) fn now() -> Timestamp {
    time("2026-11-29T12:00:00Z")
}

pub(super) fn ago(days: i64) -> Timestamp {
    now().checked_sub(Span::new().hours(24 * days)).expect("in range")
}

pub(super) fn port(name: &str, number: u16, declared: bool) -> Arc<PortKey> {
    Arc::new(PortKey { name: name.into(), number, declared })
}

pub(super) fn program(exe: &str, unit: &str) -> Arc<Identity> {
    Arc::new(Identity {
        attribution: Attribution::Exact,
        exe: Some(exe.into()),
        unit: Some(unit.into()),
        uid: Some(999),
        user: Some("postgres".into()),
        ..Identity::UNKNOWN
    })
}

pub(super) fn postgres() -> Arc<Identity> {
    program("/usr/lib/postgresql/15/bin/postgres", "postgresql@15-main.service")
}

pub(super) fn tls13() -> PostureKey {
    PostureKey {
        state: PostureState::Tls13,
        version: Some(TlsVersion::Tls13),
        cipher: None,
        certificate_until: None,
    }
}

pub(super) fn posture(state: PostureState) -> PostureKey {
    PostureKey { state, version: None, cipher: None, certificate_until: None }
}

/// TLS 1.2 whose server showed a certificate that is valid until then.
pub(super) fn certificate(until: Timestamp) -> PostureKey {
    PostureKey {
        version: Some(TlsVersion::Tls12),
        certificate_until: Some(until),
        ..posture(PostureState::Tls12)
    }
}

pub(super) fn by_rule(role: &str) -> VerdictKey {
    VerdictKey::Declared { rule: role.into() }
}

pub(super) fn violation(reason: ReasonId, nearest: Option<&str>) -> VerdictKey {
    VerdictKey::Violation { reasons: vec![reason], nearest: nearest.map(Into::into) }
}

/// Ten flows accepted from a peer yesterday, by postgres and in TLS 1.3.
pub(super) fn edge(port: Arc<PortKey>, peer: &str, verdict: VerdictKey) -> Edge {
    let peer: IpNet =
        peer.parse().or_else(|_| peer.parse::<std::net::IpAddr>().map(IpNet::from)).expect("a peer");
    Edge {
        day: "2026-11-28".parse().expect("a day"),
        key: EdgeKey {
            port,
            direction: Direction::In,
            identity: postgres(),
            peer,
            verdict: Arc::new(verdict),
            posture: Arc::new(tls13()),
            policy: None,
        },
        counts: Counts { flows: 10, opened: 10, closed: 10, ..Counts::default() },
        first: ago(50),
        last: ago(1),
    }
}

pub(super) fn orders(peer: &str) -> Edge {
    edge(port("customers-db", 5432, true), peer, by_rule("orders"))
}

pub(super) fn listening(
    address: &str,
    number: u16,
    holder: &Identity,
    by: &[Recognised],
    id: Option<&str>,
) -> Listening {
    let ip = address.parse().expect("an address");
    let named = id.and_then(crate::catalog::by_id);
    Listening {
        addresses: vec![ip],
        port: number,
        exposure: Some(Exposure::of(ip)),
        netns: 4_026_531_840,
        own_netns: true,
        holder: holder.clone(),
        claim: None,
        goes_by: None,
        service: Service {
            id: id.map(Into::into),
            name: named.map(|service| service.name.into()),
            by: by.to_vec(),
            why: None,
        },
        declared: None,
        peers: Vec::new(),
        postures: Vec::new(),
    }
}

pub(super) fn coverage(observed: &mut Observed, name: &str, number: u16, days: i64) {
    let mut hour = ago(days);
    while hour < now() {
        let port = port(name, number, true);
        observed.coverage.push(CoverageHours { hour, hours: 1, port, watched_s: 3_600, seen: 1, lost: 0 });
        hour += Span::new().hours(1);
    }
}

pub(super) fn gap(reason: &str, from: Timestamp, seconds: i64, lost: u64) -> GapRow {
    GapRow { from, to: from + Span::new().seconds(seconds), lost, bound: None, reason: reason.into() }
}

pub(super) fn run(from: Timestamp, to: Timestamp) -> Run {
    Run { run: "r".into(), version: "0.1.0".into(), from, to, end: None }
}

pub(super) fn volume(hour: Timestamp, bytes: u64) -> VolumeHour {
    VolumeHour {
        hour,
        port: port("customers-db", 5432, true),
        direction: Direction::In,
        rule: Some("orders".into()),
        flows: 1,
        bytes_sent: bytes,
        bytes_received: 0,
    }
}

impl World {
    /// A host in order.
    pub(super) fn good() -> Self {
        let mut observed = Observed {
            from: ago(DAYS),
            to: now(),
            edges: vec![orders("10.0.2.7")],
            listeners: Vec::new(),
            coverage: Vec::new(),
            gaps: Vec::new(),
            policies: Vec::new(),
            runs: vec![run(ago(DAYS), now())],
            notes: Vec::new(),
            volume: Vec::new(),
        };
        coverage(&mut observed, "customers-db", 5432, DAYS);
        let inventory = Inventory {
            from: Some(now()),
            to: Some(now()),
            listeners: vec![listening(
                "10.0.2.15",
                5432,
                &postgres(),
                &[Recognised::Port],
                Some("postgresql"),
            )],
            ..Inventory::default()
        };
        Self {
            files: vec![Source { name: "policy.toml".to_owned(), text: GOOD.to_owned() }],
            observed: Some(observed),
            inventory: Some(inventory),
            exceptions: Vec::new(),
            asked: ago(90),
            applied: true,
            countries: CountriesFile::NotAsked,
        }
    }

    /// The same with another text in its policy, everywhere.
    pub(super) fn with(from: &str, to: &str) -> Self {
        let mut world = Self::good();
        assert!(GOOD.contains(from), "{from}");
        world.files[0].text = GOOD.replace(from, to);
        world
    }

    pub(super) fn ledger(&mut self) -> &mut Observed {
        self.observed.as_mut().expect("a ledger")
    }

    pub(super) fn host(&mut self) -> &mut Inventory {
        self.inventory.as_mut().expect("an inventory")
    }

    /// A listener by the ledger: `outcome` is what the policy says of it.
    pub(super) fn ledger_listens(&mut self, key: &Arc<PortKey>, address: &str, holder: Arc<Identity>) {
        let local = Endpoint::new(address.parse().expect("an address"), key.number);
        self.ledger().listeners.push(ListenerRow {
            port: Arc::clone(key),
            local,
            identity: holder,
            verdict: Arc::new(by_rule("listen")),
            first: ago(9),
            last: ago(1),
            open: true,
        });
    }

    pub(super) fn audit(&self) -> Audit {
        let mut files = self.files.clone();
        files.iter_mut().for_each(|file| file.text.extend(self.exceptions.iter().map(String::as_str)));
        let (outline, policy) = outline(&files).unwrap_or_else(|problems| panic!("{problems}"));
        let digest: Arc<str> = policy.digest().into();
        let mut observed = self.observed.clone();
        if let Some(observed) = observed.as_mut().filter(|_| self.applied) {
            let since = observed.policies.last().map_or(observed.from, |last| last.from);
            observed.policies.retain(|period| period.from < since);
            observed.policies.push(PolicyPeriod { digest: Some(Arc::clone(&digest)), from: since, to: None });
        }
        let settings = Settings {
            host: "db1".into(),
            asked: self.asked,
            digest: Some(digest),
            first_file: "policy.toml".into(),
            no_ledger: "there is no ledger".into(),
            no_inventory: "the host was not looked at".into(),
            earlier: Vec::<Earlier>::new(),
            countries: self.countries.clone(),
        };
        let declared = (!self.files.is_empty()).then_some(&outline);
        let hours = observed.as_ref().map(|observed| HourlyLedger {
            from: observed.from,
            to: observed.to,
            volume: observed.volume.clone(),
            coverage: observed.coverage.clone(),
            gaps: observed.gaps.clone(),
        });
        judge(declared, observed.as_ref(), hours.as_ref(), self.inventory.as_ref(), &settings, now())
    }

    /// What is found, as `severity id`.
    pub(super) fn found(&self) -> Vec<String> {
        self.audit().findings.iter().map(|finding| format!("{} {}", finding.severity, finding.id)).collect()
    }

    /// The one finding that there is.
    pub(super) fn one(&self) -> Finding {
        let audit = self.audit();
        let [finding] = &audit.findings[..] else { panic!("{:#?}", audit.findings) };
        finding.clone()
    }
}

/// Why it was not judged; empty if it was.
pub(super) fn why_not(audit: &Audit, id: FindingId) -> Vec<String> {
    audit.not_judged.iter().filter(|not| not.ids.contains(&id)).map(|not| not.why.clone()).collect()
}

/// The value of a piece of evidence.
pub(super) fn evidence<'a>(finding: &'a Finding, what: &str) -> &'a str {
    let found = finding.evidence.iter().find(|evidence| *evidence.what == *what);
    &found.unwrap_or_else(|| panic!("no {what} in {:#?}", finding.evidence)).value
}

/// An exception for a finding of `customers-db`.
pub(super) fn exception(finding: &str, until: &str) -> String {
    format!(
        "\n[[exception]]\nfinding = \"{finding}\"\nport = \"customers-db\"\nwhy = \"moves next year\"\n\
         accepted_by = \"security team\"\nuntil = {until}\n"
    )
}
