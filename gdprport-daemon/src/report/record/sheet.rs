//! A record as a sheet: a line for each activity, as the templates of CNIL, ICO and DSK have one.

use super::super::csv::{MARK, line};
use super::super::words::Lang;
use super::cells::{list, text};
use super::page::{Cell, Kind};
use gdprport_core::policy::{Controller, ProcessingRecord, TlsDemand};
use gdprport_core::records::{Activity, Capacity, Records};

/// The file, with the mark by which spreadsheets know UTF-8.
pub(crate) fn sheet(records: &Records, lang: Lang) -> String {
    let mut file = String::from(MARK);
    for (at, activity) in records.activities.iter().chain(&records.undeclared).enumerate() {
        let columns = columns(records.controller.as_ref(), activity, lang);
        if at == 0 {
            line(&mut file, columns.iter().map(|(name, _)| name.as_str()));
        }
        line(&mut file, columns.iter().map(|(_, value)| value.as_str()));
    }
    file
}

fn columns(controller: Option<&Controller>, activity: &Activity, lang: Lang) -> Vec<(String, String)> {
    let words = lang.words();
    let none = ProcessingRecord::default();
    let record = activity.declared.as_deref().unwrap_or(&none);
    let of = |field: fn(&Controller) -> Option<&str>| text(controller.and_then(field), lang);
    let (capacity, others) = match &activity.capacity {
        Capacity::Controller => (words.as_controller, None),
        Capacity::Processor(others) => (words.as_processor, Some(&**others)),
    };
    // The policy's, and the port's own.
    let joint: Option<Vec<_>> = match (controller.and_then(|c| c.joint.as_deref()), &record.joint) {
        (None, None) => None,
        (all, own) => Some(all.into_iter().chain(own.as_deref()).flatten().collect()),
    };
    let special = record.special_category.map(|special| if special { words.yes } else { words.no });
    let tls = match &activity.tls {
        TlsDemand::None => None,
        TlsDemand::NotRequired { why } => Some(why.to_string()),
        TlsDemand::AtLeast(version) => Some(version.name().to_owned()),
    };
    let plain = |text: &str| Cell::new(Kind::Plain, text);
    let declared = [
        (words.capacity, plain(if activity.is_declared { capacity } else { words.not_declared })),
        (words.controller_name, of(|controller| Some(&controller.name))),
        (words.contact, of(|controller| controller.contact.as_deref())),
        (words.joint, list(joint.as_deref(), lang)),
        (words.representative, of(|controller| controller.representative.as_deref())),
        (words.dpo, of(|controller| controller.dpo.as_deref())),
        (words.on_behalf, others.map_or_else(|| plain("–"), |others| list(Some(others), lang))),
        (words.purpose, text(record.purpose.as_deref(), lang)),
        (words.basis, text(record.basis.as_deref(), lang)),
        (words.subjects, list(record.subjects.as_deref(), lang)),
        (words.data, list(record.data.as_deref(), lang)),
        (words.special, text(special, lang)),
        (words.recipients, list(record.recipients.as_deref(), lang)),
        (words.transfers, list(record.transfers.as_deref(), lang)),
        (words.safeguards, list(record.safeguards.as_deref(), lang)),
        (words.retention, text(record.retention.as_deref(), lang)),
        (words.measures, list(record.measures.as_deref(), lang)),
        (words.tls_demand, text(tls.as_deref(), lang)),
        (words.location, list(record.location.as_deref(), lang)),
        (words.dpia, text(record.dpia.as_deref(), lang)),
        (words.owner, text(record.owner.as_deref(), lang)),
    ];
    let mut columns = vec![
        (words.activity.to_owned(), activity.name.to_string()),
        (words.ports.to_owned(), activity.ports().join("; ")),
    ];
    let name = |kind: &str, what: &str| format!("{kind}: {what}");
    columns
        .extend(declared.into_iter().map(|(what, cell)| (name(words.declared, what), cell.lines.join("; "))));
    columns.extend(
        observed(activity, lang).into_iter().map(|(what, value)| (name(words.observed, what), value)),
    );
    columns
}

/// Plain numbers, which a sheet can add up; empty where nothing was seen.
fn observed(activity: &Activity, lang: Lang) -> Vec<(&'static str, String)> {
    let words = lang.words();
    let seen = activity.seen.as_ref();
    let of = |value: &dyn Fn(&gdprport_core::records::Seen) -> String| seen.map(value).unwrap_or_default();
    let coverage = activity.coverage;
    vec![
        (words.connections, of(&|seen| seen.all.volume.flows.to_string())),
        (words.failed, of(&|seen| seen.all.volume.failed.to_string())),
        (words.sent, of(&|seen| seen.all.volume.sent.to_string())),
        (words.received, of(&|seen| seen.all.volume.received.to_string())),
        (words.first, of(&|seen| seen.all.first.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())),
        (words.last, of(&|seen| seen.all.last.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())),
        (words.outcome_violation, of(&|seen| seen.outcomes.violation.to_string())),
        (words.outcome_undecided, of(&|seen| seen.outcomes.undecided.to_string())),
        (words.other_ends, of(&|seen| seen.counterparts.len().to_string())),
        (
            words.encryption,
            of(&|seen| {
                let (encrypted, of) = seen.shares.encrypted();
                format!("{encrypted} / {of}")
            }),
        ),
        (words.coverage, format!("{} / {} s", coverage.watched_s, coverage.period_s)),
        (words.amount, coverage.lost.to_string()),
        (
            words.ledger_rows,
            of(&|seen| {
                let rows = &seen.all.rows.0;
                match (rows.first(), rows.last()) {
                    (Some(first), Some(last)) => format!("{} ({first}–{last})", rows.len()),
                    _ => String::new(),
                }
            }),
        ),
    ]
}
