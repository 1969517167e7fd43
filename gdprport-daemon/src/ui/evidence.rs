//! What a verification of the evidence log has found, for people.

use gdprport_core::evidence::{Finding, Findings, LatestStamp, Stamps, Verified};
use gdprport_core::figures::thousands;
use jiff::Timestamp;
use serde::Serialize;

use super::format::clean;
use super::tone::Tone;

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Json<'a> {
    schema: &'static str,
    log: &'a str,
    size: u64,
    root: String,
    checkpoint: Option<CheckpointJson>,
    entries: u64,
    events: u64,
    bytes: u64,
    checkpoints: u64,
    elsewhere: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamps: Option<&'a Stamps>,
    declared_missing: u64,
    erased: &'a gdprport_core::evidence::Erased,
    away: &'a [gdprport_core::evidence::Away],
    findings: &'a [Finding],
    findings_count: u64,
}

#[derive(Debug, Serialize)]
struct CheckpointJson {
    sequence: u64,
    time: Timestamp,
    reason: &'static str,
}

impl<'a> Json<'a> {
    pub(super) fn of(verified: &'a Verified) -> Self {
        Self {
            schema: "gdprport.evidence.verification/1",
            log: &verified.origin,
            size: verified.head.size,
            root: verified.head.root.base64(),
            checkpoint: verified.facts.map(|facts| CheckpointJson {
                sequence: facts.sequence,
                time: facts.time,
                reason: facts.reason.word(),
            }),
            entries: verified.entries,
            events: verified.events,
            bytes: verified.bytes,
            checkpoints: verified.checkpoints,
            elsewhere: verified.elsewhere,
            timestamps: verified.stamps.as_ref(),
            declared_missing: verified.declared_missing,
            erased: &verified.erased,
            away: &verified.away,
            findings: verified.findings.kept(),
            findings_count: verified.findings.count(),
        }
    }
}

/// Findings that are shown; `--json` has up to 1,000.
const SHOWN: usize = 20;

/// What was verified, and what was found.
pub(super) fn show(verified: &Verified) -> String {
    let mut text = String::new();
    let mut line = |tone: Tone, mark: &str, words: String| {
        text.push_str(&format!("{} {words}\n", tone.paint(mark)));
    };
    let count = verified.findings.count();
    let (good, entries) = (count == 0, thousands(verified.entries));
    let when = verified.facts.map_or(String::new(), |facts| format!(", signed {:.0}", facts.time));
    line(
        if good { Tone::Good } else { Tone::Bad },
        if good { "✓" } else { "✗" },
        format!("{}: {} entries{when}", clean(&verified.origin), thousands(verified.head.size)),
    );
    line(
        Tone::Plain,
        " ",
        format!(
            "{entries} entries are there and right, {} of them events; {} checkpoints of the log's own",
            thousands(verified.events),
            thousands(verified.checkpoints)
        ),
    );
    let stamps = verified.stamps.as_ref();
    if let Some((stamps, LatestStamp { time, entries, authority })) =
        stamps.and_then(|stamps| Some((stamps, stamps.latest.as_ref()?)))
    {
        line(
            Tone::Good,
            "✓",
            format!(
                "{} timestamp(s) are of this log: its first {} entries were there on {time:.0}, says {}",
                thousands(stamps.count),
                thousands(*entries),
                clean(authority)
            ),
        );
    }
    match verified.elsewhere {
        0 if stamps.is_some_and(|stamps| stamps.count > 0) => line(
            Tone::Warn,
            "!",
            "no checkpoint from elsewhere was given that fits: what came after the last timestamp may have been made anew with the right key"
                .into(),
        ),
        0 => line(
            Tone::Warn,
            "!",
            "no checkpoint from elsewhere was given that fits: a log that was made anew with the right key is not found without one"
                .into(),
        ),
        given => line(Tone::Good, "✓", format!("{} checkpoint(s) from elsewhere are of this log", thousands(given))),
    }
    for range in verified.erased.ranges() {
        let entries = thousands(range.to - range.from);
        line(
            Tone::Note,
            "–",
            format!(
                "{entries} entries from {} on were erased by {:.0}: {} ({})",
                thousands(range.from),
                range.time,
                clean(&range.why),
                clean(&range.by)
            ),
        );
    }
    if verified.declared_missing > 0 {
        let events = thousands(verified.declared_missing);
        line(Tone::Warn, "!", format!("{events} events are not in the log, which says so itself"));
    }
    for away in verified.away.iter().rev().take(SHOWN).rev() {
        let how = if away.orderly { "it was stopped" } else { "it ended without a word" };
        line(Tone::Note, "–", format!("from {:.0} to {:.0} no daemon wrote: {how}", away.from, away.to));
    }
    text.push_str(&findings(&verified.findings));
    text
}

/// What is wrong, one line for each.
pub(super) fn findings(all: &Findings) -> String {
    let mut text = String::new();
    for finding in all.kept().iter().take(SHOWN) {
        let place = match (finding.entry, finding.to) {
            (Some(from), Some(to)) => {
                format!("entries {} to {}", thousands(from), thousands(to.saturating_sub(1)))
            }
            (Some(entry), None) => format!("entry {}", thousands(entry)),
            (None, _) => "the log".to_owned(),
        };
        let time = finding.time.map_or(String::new(), |time| format!(", about {time:.0}"));
        let (mark, what) = (Tone::Bad.paint("✗"), Tone::Bad.paint(&finding.what.to_string()));
        text.push_str(&format!("{mark} {what}: {place}{time}: {}\n", clean(&finding.detail)));
    }
    let more = all.count().saturating_sub(SHOWN as u64);
    if more > 0 {
        let mark = Tone::Bad.paint("✗");
        text.push_str(&format!("{mark} and {} more findings (--json has up to 1,000)\n", thousands(more)));
    }
    text
}
