//! Findings about a flow, and of an audit.

use jiff::civil::Date;

use crate::audit::{
    Accepted, Change, Evidence, Finding, FindingChange, FindingId, Proposal, Severity, Subject, fingerprint,
};
use crate::event::{self, AuditFindingEvent, Body, FindingEvent, FlowEvent, FlowFindingEvent, PolicyRef};
use crate::model::Posture;
use crate::policy::Place;
use crate::shared::Shared;
use crate::verdict::Verdict;

/// About this flow.
pub(super) fn of_flow(flow: FlowEvent) -> Body {
    Body::Finding(Box::new(FindingEvent::Flow(FlowFindingEvent {
        finding: event::Finding {
            id: event::FindingId::PostureUnknown,
            detail: "the flow ended and its encryption was never told".to_owned(),
        },
        flow: FlowEvent {
            posture: Some(Shared::new(Posture::unknown("nothing was sent"))),
            verdict: Shared::new(Verdict::Undecided {
                missing: vec!["the encryption is not known".to_owned()],
                nearest: None,
            }),
            ..flow
        },
    })))
}

/// A finding with everything that one may have.
pub fn finding() -> Finding {
    let place = Place { file: "/etc/gdprport/policy.toml".into(), line: 12, column: 1 };
    let subject = Subject {
        port: Some("customers-db".into()),
        number: Some(5432),
        rule: Some("reports".into()),
        address: Some("10.0.2.0/24".into()),
        process: Some("/usr/bin/python3.11".into()),
        detail: Some("plaintext".into()),
    };
    Finding {
        id: FindingId::PlaintextSeen,
        severity: Severity::High,
        fingerprint: fingerprint(FindingId::PlaintextSeen, &subject),
        subject,
        message: "12 flows of customers-db were not encrypted".to_owned(),
        evidence: vec![Evidence { what: "flows".into(), value: "12".to_owned() }],
        place: Some(place.clone()),
        proposal: Some(Proposal { what: "Have the server demand TLS".to_owned(), edit: None, toml: None }),
        accepted: Some(Accepted {
            why: "reports move in January".into(),
            by: "dpo@example.org".into(),
            until: Date::constant(2027, 1, 31),
            place: Place { line: 40, ..place },
        }),
        known_since: None,
    }
}

/// A change of it, accepted or not.
pub fn change(change: Change, accepted: bool) -> FindingChange {
    let mut finding = finding();
    finding.accepted = finding.accepted.filter(|_| accepted);
    let time = |text: &str| text.parse().expect("a timestamp");
    FindingChange { change, finding, since: time("2026-11-01T04:12:00Z"), at: time("2026-11-23T04:12:00Z") }
}

/// Of every change, and of one that is accepted.
pub(super) fn bodies(policy: Option<PolicyRef>) -> impl Iterator<Item = Body> {
    let plain = [Change::New, Change::Changed, Change::Settled, Change::Reopened].map(|of| (of, false));
    plain.into_iter().chain([(Change::Changed, true)]).map(move |(of, accepted)| {
        let event = AuditFindingEvent::new(change(of, accepted), policy.clone());
        Body::Finding(Box::new(FindingEvent::Audit(event)))
    })
}
