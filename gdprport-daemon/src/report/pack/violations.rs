//! What no rule allowed, as a sheet: a line for each row of the ledger.

use std::io;

use gdprport_core::ledger::{Edge, VerdictKey};
use gdprport_core::model::{Attribution, TlsVersion};
use gdprport_core::records::Zone;
use jiff::Timestamp;

use super::super::csv::{MARK, line};

/// A connection stands in one row of a day for good; those that went on are in another row too.
const HEAD: [&str; 25] = [
    "ledger row",
    "day",
    "service",
    "port",
    "declared port",
    "direction",
    "other end",
    "zone",
    "program",
    "unit",
    "user",
    "process known by",
    "reasons",
    "nearest rule",
    "encryption",
    "tls version",
    "connections",
    "went on to another row",
    "failed",
    "bytes sent",
    "bytes received",
    "first",
    "last",
    "policy",
    "container",
];

/// Writes the file.
///
/// # Errors
/// If it cannot be written.
pub(super) fn sheet(rows: &[(i64, Edge)], out: &mut dyn io::Write) -> io::Result<()> {
    let mut text = String::from(MARK);
    line(&mut text, HEAD.into_iter());
    for (row, edge) in rows {
        if let VerdictKey::Violation { reasons, nearest } = &*edge.key.verdict {
            let reasons: Vec<&str> = reasons.iter().map(|reason| reason.as_str()).collect();
            let cells = cells(*row, edge, &reasons.join(" "), nearest.as_deref().unwrap_or_default());
            line(&mut text, cells.iter().map(String::as_str));
            out.write_all(text.as_bytes())?;
            text.clear();
        }
    }
    out.write_all(text.as_bytes())
}

fn cells(row: i64, edge: &Edge, reasons: &str, nearest: &str) -> [String; 25] {
    let key = &edge.key;
    let counts = &edge.counts;
    let identity = &key.identity;
    let or_empty = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let user = identity.user.as_ref().map(ToString::to_string);
    let container = identity.container.as_ref().map(|container| {
        let parts = [&container.namespace, &container.workload, &container.name, &container.image];
        parts.into_iter().flatten().map(|part| &**part).collect::<Vec<_>>().join(" · ")
    });
    [
        row.to_string(),
        edge.day.to_string(),
        key.port.name.to_string(),
        key.port.number.to_string(),
        if key.port.declared { "yes" } else { "no" }.to_owned(),
        key.direction.as_str().to_owned(),
        key.peer.to_string(),
        zone(Zone::of(&key.peer)).to_owned(),
        or_empty(identity.script.as_deref().or(identity.exe.as_deref())),
        or_empty(identity.unit.as_deref()),
        user.or_else(|| identity.uid.map(|uid| uid.to_string())).unwrap_or_default(),
        known(identity.attribution).to_owned(),
        reasons.to_owned(),
        nearest.to_owned(),
        key.posture.state.as_str().to_owned(),
        or_empty(key.posture.version.map(TlsVersion::name)),
        counts.standing().to_string(),
        counts.moved.to_string(),
        counts.failed.to_string(),
        counts.bytes_sent.to_string(),
        counts.bytes_received.to_string(),
        moment(edge.first),
        moment(edge.last),
        or_empty(key.policy.as_deref()),
        container.unwrap_or_default(),
    ]
}

const fn zone(zone: Zone) -> &'static str {
    match zone {
        Zone::Host => "this host",
        Zone::Private => "private",
        Zone::Public => "public",
        Zone::Unknown => "not known",
    }
}

const fn known(attribution: Attribution) -> &'static str {
    match attribution {
        Attribution::Exact => "its own call",
        Attribution::Listener => "who listened",
        Attribution::Snapshot => "who had the socket open",
        Attribution::Unknown => "not known",
    }
}

/// To the second, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
