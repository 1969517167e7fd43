//! Audits that the tests of all renderings share.

use std::io::{self, Write};
use std::sync::Arc;

use gdprport_core::audit::{
    Accepted, Audit, Edit, Evidence, Finding, FindingId, NotJudged, Proposal, Severity, Subject,
};
use gdprport_core::policy::Place;
use jiff::Timestamp;

/// What is written, as a text.
pub(crate) fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).expect("memory takes it");
    String::from_utf8(bytes).expect("it is text")
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(crate) fn place(file: &str, line: usize) -> Place {
    Place { file: file.into(), line, column: 1 }
}

fn finding(id: FindingId, severity: Severity, message: &str, evidence: &[(&str, &str)]) -> Finding {
    let evidence =
        evidence.iter().map(|(what, value)| Evidence { what: (*what).into(), value: (*value).to_owned() });
    Finding {
        id,
        severity,
        fingerprint: format!("{:032x}", 7 + id as u128).into(),
        subject: Subject { port: Some("customers-db".into()), number: Some(5432), ..Subject::default() },
        message: message.to_owned(),
        evidence: evidence.collect(),
        place: Some(place("/etc/gdprport/policy.toml", 17)),
        proposal: None,
        accepted: None,
        known_since: None,
    }
}

fn proposal(what: &str, edit: Option<Edit>, toml: &str) -> Option<Proposal> {
    let toml = Some(toml.to_owned()).filter(|toml| !toml.is_empty());
    Some(Proposal { what: what.to_owned(), edit, toml })
}

/// Findings of every severity, one of them accepted, and what was not judged.
pub(crate) fn audit() -> Audit {
    let mut exposed = finding(
        FindingId::ExposedListener,
        Severity::High,
        "postgres (postgresql@15-main.service) listens on 0.0.0.0:5432, and customers-db may be bound to 10.0.2.15 only",
        &[
            ("bound to", "0.0.0.0:5432"),
            ("reached by", "every address of the host"),
            ("executable", "/usr/lib/postgresql/15/bin/postgres"),
        ],
    );
    exposed.subject.address = Some("0.0.0.0".into());
    exposed.proposal = proposal(
        "Bind the service to the addresses that need it; if it is meant to be reached there, declare it",
        Some(Edit::Replace),
        "[[port]]\nname = \"customers-db\"\nport = 5432\nlisten = [\"any\"]\ntls = { min = \"1.3\" }\n",
    );
    let mut broad = finding(
        FindingId::BroadRule,
        Severity::Medium,
        "Rule orders of customers-db allows any address, and 2 addresses used it in 60d",
        &[("used by", "10.0.2.7 (1,204), 10.0.2.9 (12)"), ("proposed", "0 more than seen")],
    );
    broad.subject.rule = Some("orders".into());
    broad.proposal = proposal(
        "Allow the addresses that used it, and name others that need it",
        Some(Edit::Replace),
        "[[port.allow]]\nrole = \"orders\"\ndirection = \"in\"\npeers = [\"10.0.2.7\", \"10.0.2.9\"]\n",
    );
    let mut unused = finding(
        FindingId::UnusedRule,
        Severity::Low,
        "Rule reports of customers-db allowed nothing that was seen in 60d",
        &[("flows", "0"), ("watched", "60d without a loss")],
    );
    unused.proposal =
        proposal("Remove the rule, or keep it with an exception that says why", Some(Edit::Remove), "");
    let changed = finding(
        FindingId::PolicyChanged,
        Severity::Info,
        "The policy was changed at 2026-10-20 12:00 UTC",
        &[("before", "sha256:0a"), ("after", "sha256:0b")],
    );
    let mut plain = finding(
        FindingId::PlaintextSeen,
        Severity::High,
        "12 connections of customers-db that this host accepted were not encrypted",
        &[("peers", "10.0.9.9 (12)"), ("last seen", "2026-11-28 12:00 UTC")],
    );
    plain.accepted = Some(Accepted {
        why: "the old reporting host is replaced in January".into(),
        by: "dpo@example.org".into(),
        until: "2027-01-31".parse().expect("a day"),
        place: place("/etc/gdprport/policy.d/accepted.toml", 3),
    });
    Audit {
        at: time("2026-11-29T12:00:00Z"),
        since: Some(time("2026-09-30T12:00:00Z")),
        host: "db1.example".into(),
        policy: Some(format!("sha256:{}", "ab".repeat(32)).into()),
        findings: vec![exposed, broad, unused, changed],
        accepted: vec![plain],
        not_judged: vec![NotJudged {
            ids: vec![FindingId::CertificateExpiring, FindingId::UnusualVolume],
            partly: false,
            why: "learning: volume is compared after 21 days of watching".to_owned(),
        }],
    }
}

/// Nothing found, nothing known.
pub(crate) fn nothing() -> Audit {
    let not_judged =
        vec![NotJudged { ids: FindingId::ALL.to_vec(), partly: false, why: "there is no ledger".to_owned() }];
    let (findings, accepted) = (Vec::new(), Vec::new());
    Audit { since: None, policy: None, findings, accepted, not_judged, ..audit() }
}

/// The same as [`audit`], with names that an attacker chose wherever names can be.
pub(crate) fn hostile() -> Audit {
    const NAME: &str =
        "</td><script>alert(1)</script> [x](http://evil.example) ```\n# h1 | `a` {0} \u{1b}[2J\u{202e} @all";
    let mut audit = audit();
    audit.host = NAME.into();
    for finding in audit.findings.iter_mut().chain(&mut audit.accepted) {
        finding.message = NAME.to_owned();
        finding.subject.process = Some(NAME.into());
        finding.subject.detail = Some(NAME.into());
        finding.evidence.push(Evidence { what: "peers".into(), value: NAME.to_owned() });
        finding.place = Some(place(&format!("../../{NAME}/a b?.toml"), 0));
        finding.proposal = proposal(NAME, Some(Edit::Append), &format!("# {NAME}\n"));
        if let Some(accepted) = &mut finding.accepted {
            (accepted.why, accepted.by) = (Arc::from(NAME), Arc::from(NAME));
        }
    }
    audit.not_judged[0].why = NAME.to_owned();
    audit
}
