//! An audit on a terminal: one line that says it all, then each finding with what it rests on and what would settle it.

use gdprport_core::audit::{Audit, Edit, Finding, Severity};

use super::format::{clean, counted, duration, list, moment, thousands};
use super::screen::Screen;
use super::table::{fact, title, wrap};
use super::tone::Tone;

#[cfg(test)]
mod tests;

/// From the one that is read first.
const SEVERITIES: [Severity; 4] = [Severity::High, Severity::Medium, Severity::Low, Severity::Info];

/// Columns before what belongs to a finding.
const INDENT: &str = "    ";

/// The widest that a sentence is written: longer lines are hard to read on any screen.
const READABLE: u16 = 110;

const fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::High => Tone::Bad,
        Severity::Medium => Tone::Warn,
        Severity::Low => Tone::Note,
        Severity::Info => Tone::Dim,
    }
}

/// The audit.
pub(super) fn show(audit: &Audit, screen: &Screen) -> String {
    let width = screen.width.min(READABLE);
    let mut text = summary(audit, width);
    for severity in SEVERITIES {
        let of: Vec<&Finding> =
            audit.findings.iter().filter(|finding| finding.severity == severity).collect();
        if !of.is_empty() {
            text.push_str(&title(&severity.as_str().to_uppercase(), &counted(of.len() as u64, "finding")));
            of.iter().for_each(|found| text.push_str(&finding(found, width)));
        }
    }
    if !audit.accepted.is_empty() {
        text.push_str(&title("ACCEPTED", "by exceptions of the policy"));
        audit.accepted.iter().for_each(|found| text.push_str(&finding(found, width)));
    }
    if !audit.not_judged.is_empty() {
        text.push_str(&title("NOT JUDGED", "nothing is claimed of these"));
        for not in &audit.not_judged {
            text.push_str(&lines(Tone::Plain, &list(&not.ids), "  ", width));
            text.push_str(&lines(Tone::Dim, &not.why, INDENT, width));
        }
    }
    text
}

fn summary(audit: &Audit, width: u16) -> String {
    let count =
        |severity| audit.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    let found: Vec<String> = SEVERITIES
        .into_iter()
        .filter(|severity| count(*severity) > 0)
        .map(|severity| format!("{} {severity}", thousands(count(severity))))
        .collect();
    let worst = audit.findings.iter().map(|finding| finding.severity).max();
    let found = if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") };
    let mut line = format!("● {found}");
    if !audit.accepted.is_empty() {
        line.push_str(&format!(", {} accepted", thousands(audit.accepted.len() as u64)));
    }
    let mut text = lines(worst.map_or(Tone::Good, tone), &line, "", width);
    let period = match audit.since {
        Some(since) => {
            let seconds = u64::try_from(audit.at.as_second() - since.as_second()).unwrap_or(0);
            format!("{} since {}", duration(seconds), moment(since))
        }
        None => "no ledger: the past is not judged".to_owned(),
    };
    let policy = match &audit.policy {
        Some(digest) => digest.get(..23).map_or_else(|| digest.to_string(), |begin| format!("{begin}…")),
        None => "none".to_owned(),
    };
    let ids: usize = audit.not_judged.iter().map(|not| not.ids.len()).sum();
    let not = if ids == 0 {
        String::new()
    } else {
        format!("; {} not judged, see the end", counted(ids as u64, "check"))
    };
    text.push_str(&lines(Tone::Dim, &format!("{}, {period}; policy {policy}{not}", audit.host), "  ", width));
    text
}

fn finding(found: &Finding, width: u16) -> String {
    let mut text = String::from("\n");
    let id = found.id.as_str();
    let sentence = format!("{id}  {}", found.message);
    for (i, line) in wrap(&sentence, usize::from(width).saturating_sub(2)).iter().enumerate() {
        // The id is the first word of the first line, as no id is wider than a screen.
        let painted = match line.strip_prefix(id).filter(|_| i == 0) {
            Some(rest) => format!("{}{}", tone(found.severity).paint(id), Tone::Strong.paint(rest)),
            None => Tone::Strong.paint(line),
        };
        text.push_str(&format!("  {painted}\n"));
    }
    let mut add = |name: &str, tone: Tone, value: &str| {
        text.push_str(&indented(&named(name, tone, value, width.saturating_sub(2))));
    };
    if let Some(accepted) = &found.accepted {
        add(
            "accepted",
            Tone::Good,
            &format!("by {} until {}: {}", accepted.by, accepted.until, accepted.why),
        );
        add("in", Tone::Plain, &format!("{}:{}", accepted.place.file, accepted.place.line));
    }
    for evidence in &found.evidence {
        add(&evidence.what, Tone::Plain, &evidence.value);
    }
    if let Some(since) = found.known_since {
        add("known since", Tone::Plain, &since.strftime("%Y-%m-%d").to_string());
    }
    if let Some(place) = &found.place {
        add("place", Tone::Plain, &format!("{}:{}", place.file, place.line));
    }
    if let Some(proposal) = &found.proposal {
        add("to do", Tone::Note, &format!("{}{}", proposal.what, proposal.edit.map_or("", how)));
        for line in proposal.toml.iter().flat_map(|toml| toml.lines()) {
            text.push_str(&format!("{INDENT}    {}\n", clean(line)));
        }
    }
    text
}

/// A fact whose name may be a few words: a longer one stands above its value.
fn named(name: &str, tone: Tone, value: &str, width: u16) -> String {
    const ROOM: usize = 13;
    if name.chars().count() < ROOM {
        fact(&clean(name), tone, value, width)
    } else {
        format!("  {}\n{}", Tone::Dim.paint(&clean(name)), fact("", tone, value, width))
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// How a proposal is applied.
const fn how(edit: Edit) -> &'static str {
    match edit {
        Edit::Append => "; add to the policy:",
        Edit::Insert => "; insert behind the keys of that table:",
        Edit::Replace => "; replace the keys of that table:",
        Edit::Remove => " (the table at that place, with those below it)",
    }
}

fn lines(tone: Tone, text: &str, indent: &str, width: u16) -> String {
    let room = usize::from(width).saturating_sub(indent.len());
    wrap(text, room).iter().map(|line| format!("{indent}{}\n", tone.paint(line))).collect()
}
