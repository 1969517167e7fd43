//! What a record of processing lacks.

use crate::audit::context::Context;
use crate::audit::draft::Draft;
use crate::audit::finding::{Edit, FindingId, Severity, Subject};
use crate::audit::propose;
use crate::audit::wording;
use crate::policy::{DeclaredPort, ProcessingRecord};

/// What Art. 30(1) GDPR asks for, by key of a record.
const ASKED: [(&str, &str); 6] = [
    ("purpose", "the purposes of the processing, Art. 30(1)(b)"),
    ("subjects", "the categories of data subjects, Art. 30(1)(c)"),
    ("data", "the categories of personal data, Art. 30(1)(c)"),
    ("recipients", "the categories of recipients, Art. 30(1)(d); [] says that there are none"),
    (
        "transfers",
        "transfers to third countries with their safeguards, Art. 30(1)(e); [] says that there are none",
    ),
    ("retention", "the time limits for erasure, Art. 30(1)(f)"),
];

/// `record-incomplete`: a declared port without `[port.record]`, or with one that lacks keys of Art. 30(1)(b) to (f) GDPR; and a
/// policy without a `[controller]`, or without its `contact` (a). Measures (g) are asked for "where possible", and are not missed.
///
/// Evidence: which keys. Severity: `medium` without any record or controller, `low` if keys are missing.
/// The proposal leaves open what is missing: only the controller knows it.
/// Nothing is found without a policy: every listener is undeclared then.
pub(super) fn check(context: &mut Context<'_>) {
    let Some(policy) = context.policy else { return };
    let contact = policy.controller.as_ref().map(|controller| controller.contact.is_some());
    if contact != Some(true) {
        let (severity, what) = match contact {
            None => (Severity::Medium, "does not name the controller"),
            Some(_) => (Severity::Low, "does not say how to reach the controller"),
        };
        let subject = Subject { detail: Some("controller".into()), ..Subject::default() };
        let message = format!("The policy {what}, which Art. 30(1)(a) GDPR asks for");
        let draft = Draft::new(FindingId::RecordIncomplete, severity, subject, message)
            .place(&context.nowhere())
            .evidence(wording::MISSING, if contact.is_none() { "[controller]" } else { "contact" })
            .advice("Write `name`, `contact` and, if there is one, `dpo` into `[controller]`");
        context.add(draft);
    }
    for port in &policy.ports {
        record(context, port);
    }
}

fn record(context: &mut Context<'_>, port: &DeclaredPort) {
    let none = ProcessingRecord::default();
    let record = port.record.as_deref().unwrap_or(&none);
    let missing = record.missing();
    if missing.is_empty() {
        return;
    }
    let (severity, message) = if port.record.is_none() {
        (Severity::Medium, format!("{} has no record of processing", port.name))
    } else {
        let keys = missing.join(", ");
        (Severity::Low, format!("The record of processing of {} lacks {keys}", port.name))
    };
    let asked: Vec<_> = ASKED.into_iter().filter(|(key, _)| missing.contains(key)).collect();
    let toml = propose::record(record, &asked);
    let draft = Draft::new(FindingId::RecordIncomplete, severity, Context::subject(port), message)
        .evidence(wording::MISSING, missing.join(", "));
    let what = "Complete the record: only the controller knows what belongs there";
    let draft = match &port.record_place {
        Some(place) if place.column == 1 => draft.place(place).proposal(what, Edit::Replace, toml),
        Some(place) => draft.place(place).advice(what),
        None => draft.place(&port.place).proposal(what, Edit::Insert, toml),
    };
    context.add(draft);
}
