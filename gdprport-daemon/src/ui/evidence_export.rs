//! What a verification of an export has found, for people.

use gdprport_core::evidence::{ExportVerified, Facts, Finding};
use gdprport_core::figures::thousands;
use jiff::Timestamp;
use serde::Serialize;

use super::evidence::findings;
use super::format::clean;
use super::tone::Tone;

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct ExportJson<'a> {
    schema: &'static str,
    log: &'a str,
    from: u64,
    to: u64,
    /// When the checkpoints at its ends were made.
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    entries: u64,
    events: u64,
    hidden: u64,
    declared_missing: u64,
    elsewhere: u64,
    uncompared: u64,
    findings: &'a [Finding],
    findings_count: u64,
}

impl<'a> ExportJson<'a> {
    pub(super) fn of(verified: &'a ExportVerified) -> Self {
        let time = |facts: Option<Facts>| facts.map(|facts| facts.time);
        Self {
            schema: "gdprport.evidence.export.verification/1",
            log: &verified.origin,
            from: verified.from,
            to: verified.to,
            since: time(verified.since),
            until: time(verified.until),
            entries: verified.entries,
            events: verified.events,
            hidden: verified.hidden,
            declared_missing: verified.declared_missing,
            elsewhere: verified.elsewhere,
            uncompared: verified.uncompared,
            findings: verified.findings.kept(),
            findings_count: verified.findings.count(),
        }
    }
}

/// What was verified, and what was found.
pub(super) fn show_export(verified: &ExportVerified) -> String {
    let mut text = String::new();
    let mut line = |tone: Tone, mark: &str, words: String| {
        text.push_str(&format!("{} {words}\n", tone.paint(mark)));
    };
    let good = verified.findings.count() == 0;
    let signed = verified.facts.map_or(String::new(), |facts| format!(", signed {:.0}", facts.time));
    line(
        if good { Tone::Good } else { Tone::Bad },
        if good { "✓" } else { "✗" },
        format!(
            "{}: entries {} to {} of {}{signed}",
            clean(&verified.origin),
            thousands(verified.from),
            thousands(verified.to.saturating_sub(1)),
            thousands(verified.head.size)
        ),
    );
    line(
        Tone::Plain,
        " ",
        format!(
            "{} entries are there, {} of them events",
            thousands(verified.entries),
            thousands(verified.events)
        ),
    );
    if good && let Some(until) = verified.until {
        let since = verified.since.map_or_else(
            || "from the beginning of the log".to_owned(),
            |since| format!("from {:.0}", since.time),
        );
        line(Tone::Good, "✓", format!("{since} to {:.0} nothing was left out", until.time));
    }
    if verified.hidden > 0 {
        line(Tone::Note, "–", format!("{} more entries were erased", thousands(verified.hidden)));
    }
    if verified.declared_missing > 0 {
        let events = thousands(verified.declared_missing);
        line(Tone::Warn, "!", format!("{events} events are not in the log, which says so itself"));
    }
    match (verified.elsewhere, verified.uncompared) {
        (0, 0) => line(
            Tone::Warn,
            "!",
            "no checkpoint from elsewhere was given: a log that was made anew with the right key is not found without one"
                .into(),
        ),
        (compared, uncompared) => {
            if compared > 0 {
                let count = thousands(compared);
                line(Tone::Good, "✓", format!("{count} checkpoint(s) from elsewhere are of this log"));
            }
            if uncompared > 0 {
                let count = thousands(uncompared);
                line(
                    Tone::Warn,
                    "!",
                    format!("{count} checkpoint(s) from elsewhere are not in it: give them to `evidence export --checkpoint`"),
                );
            }
        }
    }
    text.push_str(&findings(&verified.findings));
    text
}
