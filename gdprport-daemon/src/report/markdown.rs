//! An audit as a page of Markdown (CommonMark with tables), for a wiki or a ticket.
//!
//! Names of processes, units and peers are other people's words: nothing of them is read as Markdown, as HTML, or as a way to
//! turn the text around.

use std::fmt::Write as _;

use gdprport_core::audit::{Audit, Edit, Finding, Severity};
use gdprport_core::text::is_control_or_bidi;
use jiff::Timestamp;

/// Severities, from the one that is read first.
const SEVERITIES: [Severity; 4] = [Severity::High, Severity::Medium, Severity::Low, Severity::Info];

/// The page.
pub(crate) fn markdown(audit: &Audit) -> String {
    let mut page = String::new();
    let mut put = |text: &str| page.push_str(text);
    put(&format!("# Audit of {}\n\n", plain(&audit.host)));
    put(&format!("Made {}. ", day_time(audit.at)));
    put(&match audit.since {
        Some(since) => format!("The ledger was read from {} on.", day_time(since)),
        None => "No ledger was read: what happened before is not judged.".to_owned(),
    });
    put(&match &audit.policy {
        Some(digest) => format!(" Policy: {}.\n\n", code(digest)),
        None => " There is no policy.\n\n".to_owned(),
    });
    put("| severity | findings | accepted |\n|---|---:|---:|\n");
    for severity in SEVERITIES {
        let of =
            |findings: &[Finding]| findings.iter().filter(|finding| finding.severity == severity).count();
        put(&format!("| {severity} | {} | {} |\n", of(&audit.findings), of(&audit.accepted)));
    }
    if audit.findings.is_empty() {
        put("\nNothing was found that nobody accepted.\n");
    }
    for severity in SEVERITIES {
        let of: Vec<&Finding> =
            audit.findings.iter().filter(|finding| finding.severity == severity).collect();
        if !of.is_empty() {
            put(&format!("\n## {}\n", capital(severity.as_str())));
        }
        of.iter().for_each(|found| put(&finding(found)));
    }
    if !audit.accepted.is_empty() {
        put("\n## Accepted\n\nFound, and accepted by an exception of the policy.\n");
        audit.accepted.iter().for_each(|found| put(&finding(found)));
    }
    if !audit.not_judged.is_empty() {
        put("\n## Not judged\n\nNothing is claimed of these.\n\n");
        for not in &audit.not_judged {
            let ids: Vec<String> = not.ids.iter().map(|id| code(id.as_str())).collect();
            put(&format!("- {}: {}\n", ids.join(", "), plain(&not.why)));
        }
    }
    page
}

fn finding(found: &Finding) -> String {
    let about = found.id.about();
    let mut text = format!("\n### {}\n\n{}.\n\n", about.title, plain(found.message.trim_end_matches('.')));
    let mut row = |name: &str, value: String| {
        writeln!(text, "- **{name}:** {value}").expect("writing to a String cannot fail");
    };
    if let Some(accepted) = &found.accepted {
        row(
            "accepted by",
            format!("{}, until {}: {}", plain(&accepted.by), accepted.until, plain(&accepted.why)),
        );
    }
    for evidence in &found.evidence {
        row(&plain(&evidence.what), code(&evidence.value));
    }
    if let Some(since) = found.known_since {
        row("known since", since.strftime("%Y-%m-%d").to_string());
    }
    if let Some(place) = &found.place {
        row("place", code(&format!("{}:{}", place.file, place.line)));
    }
    if !about.law.is_empty() {
        row("serves", about.law.to_owned());
    }
    row("finding", format!("{} {}", code(found.id.as_str()), code(&found.fingerprint)));
    if let Some(proposal) = &found.proposal {
        row(
            "to do",
            format!("{}.{}", plain(proposal.what.trim_end_matches('.')), proposal.edit.map_or("", how)),
        );
        if let Some(toml) = &proposal.toml {
            text.push_str(&block(toml));
        }
    }
    text
}

/// How a proposal is applied.
const fn how(edit: Edit) -> &'static str {
    match edit {
        Edit::Append => " Add to the policy:",
        Edit::Insert => " Insert behind the keys of the table at that place:",
        Edit::Replace => " Replace the keys of the table at that place:",
        Edit::Remove => " The table at that place, with those below it, is removed.",
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn day_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A line without what would steer a reader's terminal or turn the text around.
fn line(text: &str) -> String {
    text.chars().map(|c| if is_control_or_bidi(c) { '\u{fffd}' } else { c }).collect()
}

/// Text in which nothing is markup: every ASCII punctuation that Markdown or HTML may read is escaped.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A host name or an address with a scheme would be made a link, and a name behind @ or # a mention.
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' | '@' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped.replace("://", ":&#47;&#47;")
}

/// Text as code: in a span that is longer than any run of backticks in it.
fn code(text: &str) -> String {
    let text = line(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    // In a table or list a pipe within code is code; a span is never empty.
    if text.is_empty() { "–".to_owned() } else { format!("{fence}{pad}{text}{pad}{fence}") }
}

/// Lines as a block of TOML below a list item.
fn block(toml: &str) -> String {
    let fence = "`".repeat(longest_run(toml).max(2) + 1);
    let lines: String = toml.lines().map(|text| format!("  {}\n", line(text))).collect();
    format!("\n  {fence}toml\n{lines}  {fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
