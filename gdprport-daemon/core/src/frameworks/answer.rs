//! What there is for each topic, with counts and dates of this ledger and this policy. Where there is nothing, nothing is said.

use jiff::{SignedDuration, Timestamp};

use super::control::Topic;
use super::figures::{Facts, Figures};
use super::model::Answer;
use super::restricted::{Side, restricted};
use super::watched::{is_watched, not_watched, watched};
use crate::audit::{FindingId, Severity};
use crate::figures::{counted, duration, thousands};

/// Seconds of a day.
const DAY_S: i64 = 86_400;
/// Twelve months, by days of a year.
const TWELVE_MONTHS: i64 = 365;
/// Six months, by days of half a year.
const SIX_MONTHS: i64 = 183;
/// Cipher suites that are named before the rest is counted.
const SUITES: usize = 8;

/// What there is for a topic.
pub(super) fn answer(topic: Topic, facts: &Facts<'_>, figures: &Figures) -> Answer {
    match topic {
        Topic::Flows => flows(facts, figures),
        Topic::Scope => scope(facts, figures),
        Topic::Allowed => allowed(figures),
        Topic::Review => review(facts, figures),
        Topic::Restricted => restricted(facts, figures, Side::All),
        Topic::RestrictedIn => restricted(facts, figures, Side::In),
        Topic::RestrictedOut => restricted(facts, figures, Side::Out),
        Topic::Untrusted => restricted(facts, figures, Side::Untrusted),
        Topic::Encrypted => encrypted(figures),
        Topic::Suites => suites(figures),
        Topic::Certificates => certificates(facts, figures),
        Topic::Logged => logged(facts, figures),
        Topic::Monitored => monitored(facts, figures),
        Topic::KeptForTwelve => kept_for_twelve(facts),
        Topic::Kept => kept(facts),
        Topic::Unchanged => unchanged(facts),
        Topic::Copied => nothing(&[
            "A policy and a ledger do not show where copies go: the sinks of gdprport.toml do (`gdprport sink status`)",
        ]),
        Topic::Accountable => accountable(facts, figures),
    }
}

fn nothing(why: &[&str]) -> Answer {
    Answer { lacks: why.iter().map(|why| (*why).to_owned()).collect(), ..Answer::default() }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn flows(facts: &Facts<'_>, figures: &Figures) -> Answer {
    let mut answer = Answer { places: vec!["index.html", "record.json"], ..Answer::default() };
    if is_watched(facts, figures) {
        answer.observed(format!(
            "{} with {} observed on the watched ports, each with its process",
            counted(figures.flows, "connection"),
            counted(figures.others as u64, "other end")
        ));
        watched(&mut answer, figures);
    } else {
        answer.lacks.push(not_watched(facts));
    }
    if figures.declared > 0 {
        answer.declared(format!("{} declared", counted(figures.declared as u64, "service")));
    } else {
        answer.lacks.push("No service is declared".to_owned());
    }
    if figures.undeclared > 0 {
        let services = counted(figures.undeclared as u64, "service");
        answer.lacks.push(format!("{services} seen and not declared"));
    }
    answer.lacks.push("Only this host, and only TCP on watched ports".to_owned());
    answer
}

fn scope(facts: &Facts<'_>, figures: &Figures) -> Answer {
    let mut answer = flows(facts, figures);
    answer.lacks.push("Whether somebody confirmed it, and when, is not recorded".to_owned());
    answer
}

fn allowed(figures: &Figures) -> Answer {
    let mut answer = Answer { places: vec!["frameworks.html", "record.csv"], ..Answer::default() };
    if figures.declared == 0 {
        answer.lacks.push("No service is declared".to_owned());
        return answer;
    }
    answer.declared(format!(
        "{} declared, {} of them with a business need; {}",
        counted(figures.declared as u64, "service"),
        thousands(figures.with_need as u64),
        counted(figures.rules as u64, "rule")
    ));
    let without = figures.declared - figures.with_need;
    if without > 0 {
        answer.lacks.push(format!("No business need declared for {}", counted(without as u64, "service")));
    }
    if figures.undeclared > 0 {
        let services = counted(figures.undeclared as u64, "service");
        answer.lacks.push(format!("{services} seen and not declared"));
    }
    answer.lacks.push("Who approved it is not recorded".to_owned());
    answer
}

fn review(facts: &Facts<'_>, figures: &Figures) -> Answer {
    let mut answer = Answer { places: vec!["policies.md"], ..Answer::default() };
    let Some(first) = facts.versions.first() else {
        answer.lacks.push("The ledger knows no policy of this period".to_owned());
        return answer;
    };
    let now = facts.records.about.to;
    let (since, how) = match figures.changed {
        Some(at) => (at, "The policy was changed last on"),
        None => (first.from, "The policy was not changed in this period; the ledger knows it since"),
    };
    let days = now.duration_since(since).as_secs() / DAY_S;
    answer.observed(format!("{how} {}, {} ago", day(since), counted(days.unsigned_abs(), "day")));
    if facts.versions.len() > 1 {
        let versions = counted(facts.versions.len() as u64, "version");
        answer.observed(format!("{versions} with the differences between them"));
    }
    if days > SIX_MONTHS {
        answer.lacks.push("That is more than six months".to_owned());
    }
    answer.lacks.push("That somebody reviewed it is not recorded: a change is no review".to_owned());
    answer
}

fn encrypted(figures: &Figures) -> Answer {
    let mut answer = Answer { places: vec!["index.html", "record.json"], ..Answer::default() };
    let (encrypted, all) = figures.encrypted;
    if all > 0 {
        let connections = counted(all, "connection");
        answer.observed(format!("{} of {connections} known to be encrypted", thousands(encrypted)));
    } else {
        answer.lacks.push("No connection was seen that had something to encrypt".to_owned());
    }
    if figures.with_demand > 0 {
        let services = counted(figures.with_demand as u64, "declared service");
        answer.declared(format!("{services} with a demand for TLS"));
    }
    let without = figures.declared - figures.with_demand;
    if without > 0 {
        let services = counted(without as u64, "declared service");
        answer.lacks.push(format!("{services} without a demand for TLS"));
    }
    if figures.unprotected > 0 {
        let connections = counted(figures.unprotected, "connection");
        answer.lacks.push(format!("{connections} in plaintext, refused or weak"));
        answer.rows = figures.unprotected_rows.clone();
    }
    if figures.unknown > 0 {
        let connections = counted(figures.unknown, "connection");
        answer.lacks.push(format!("{connections} of which it is not known, which count as not encrypted"));
    }
    if all > 0 {
        watched(&mut answer, figures);
    }
    answer
}

fn suites(figures: &Figures) -> Answer {
    let mut answer = Answer { places: vec!["record.json"], ..Answer::default() };
    if figures.suites.is_empty() {
        answer.lacks.push("No handshake of TLS was seen".to_owned());
        return answer;
    }
    for ((version, cipher), flows) in figures.suites.iter().take(SUITES) {
        let version = version.map_or("TLS", |version| version.name());
        let cipher = cipher.as_deref().unwrap_or("cipher suite not known");
        answer.observed(format!("{version}, {cipher}: {}", counted(*flows, "connection")));
    }
    if let Some(more) = figures.suites.len().checked_sub(SUITES).filter(|more| *more > 0) {
        answer.observed(format!("{more} more"));
    }
    answer.lacks.push(
        "Only what was negotiated on watched ports; that somebody reviewed it is not recorded".to_owned(),
    );
    watched(&mut answer, figures);
    answer
}

fn certificates(facts: &Facts<'_>, figures: &Figures) -> Answer {
    let mut answer = Answer { places: vec!["findings.md"], ..Answer::default() };
    if let Some(first) = figures.first_end {
        let seen = counted(figures.certificates as u64, "certificate");
        answer.observed(format!("{seen} seen in handshakes; the first ends on {}", day(first)));
    }
    let soon = of(facts, FindingId::CertificateExpiring);
    if soon > 0 {
        answer
            .lacks
            .push(format!("{} of certificates that end soon or have ended", counted(soon as u64, "finding")));
    }
    answer.lacks.push(
        "No inventory: TLS 1.3 shows no certificate to others, and keys are never looked at".to_owned(),
    );
    answer
}

fn of(facts: &Facts<'_>, id: FindingId) -> usize {
    facts.audit.findings.iter().filter(|finding| finding.id == id).count()
}

fn logged(facts: &Facts<'_>, figures: &Figures) -> Answer {
    let mut answer = Answer { places: vec!["coverage.md", "coverage.csv"], ..Answer::default() };
    if !is_watched(facts, figures) {
        answer.lacks.push(not_watched(facts));
        return answer;
    }
    answer.observed(format!(
        "{} and failed attempts of {} in {} of the ledger",
        counted(figures.flows, "connection"),
        duration(figures.watched_s),
        counted(facts.rows.len() as u64, "row")
    ));
    watched(&mut answer, figures);
    answer
}

fn monitored(facts: &Facts<'_>, figures: &Figures) -> Answer {
    let mut answer = Answer { places: vec!["findings.md", "violations.csv"], ..Answer::default() };
    if !is_watched(facts, figures) {
        answer.lacks.push(not_watched(facts));
        return answer;
    }
    let high = facts.audit.findings.iter().filter(|finding| finding.severity == Severity::High).count();
    answer.observed(format!(
        "{} compared with the policy as it happened: {}",
        counted(figures.flows, "connection"),
        counted(figures.violations, "violation")
    ));
    answer.observed(format!(
        "{} of an audit of this period",
        counted(facts.audit.findings.len() as u64, "open finding")
    ));
    if high > 0 {
        answer.lacks.push(format!("{} of high severity", counted(high as u64, "open finding")));
    }
    watched(&mut answer, figures);
    answer
}

/// For how long the ledger reaches back, in days.
fn reach(facts: &Facts<'_>) -> Option<(i64, String)> {
    let span = facts.span?;
    let days = facts.records.about.to.duration_since(span.begin).max(SignedDuration::ZERO).as_secs() / DAY_S;
    let said =
        format!("The ledger reaches back to {}, {}", day(span.begin), counted(days.unsigned_abs(), "day"));
    Some((days, said))
}

fn kept_for_twelve(facts: &Facts<'_>) -> Answer {
    let mut answer = Answer { places: vec!["coverage.md"], ..Answer::default() };
    match reach(facts) {
        None => answer.lacks.push("There is no ledger".to_owned()),
        // What is shorter is no evidence that twelve months are kept.
        Some((days, said)) if days < TWELVE_MONTHS => {
            answer.lacks.push(format!("{said}; twelve months are asked for"));
        }
        Some((_, said)) => {
            answer.observed(format!("{said}, and all of it is at hand"));
            answer.lacks.push(
                "Days may have been rolled up or removed since; the notes of coverage.md say which"
                    .to_owned(),
            );
        }
    }
    answer
}

fn kept(facts: &Facts<'_>) -> Answer {
    let mut answer = Answer { places: vec!["coverage.md"], ..Answer::default() };
    match reach(facts) {
        None => answer.lacks.push("There is no ledger".to_owned()),
        Some((_, said)) => {
            answer.observed(said);
            answer.lacks.push(
                "Which time is set stands in gdprport.toml; that nobody changes the ledger unseen is not proven"
                    .to_owned(),
            );
        }
    }
    answer
}

fn accountable(facts: &Facts<'_>, figures: &Figures) -> Answer {
    let mut answer = flows(facts, figures);
    answer.places = vec!["README.md", "MANIFEST.json"];
    if facts.is_signed {
        answer.places.push("MANIFEST.sig");
    } else {
        answer.lacks.push("It is not signed".to_owned());
    }
    answer
}

/// Whether a change of what was logged can be seen.
fn unchanged(facts: &Facts<'_>) -> Answer {
    let checkpoints = facts.log.map_or(&[][..], |log| &log.checkpoints);
    let (Some(first), Some(last)) = (checkpoints.first(), checkpoints.last()) else {
        return nothing(&[
            "The ledger is not signed, and there is no checkpoint of an evidence log of this period: whoever can write its file can change it",
        ]);
    };
    let mut answer = Answer { places: vec!["checkpoints.txt"], ..Answer::default() };
    answer.observed(format!(
        "{} of the evidence log from {} to {}, which signs what was emitted",
        counted(checkpoints.len() as u64, "checkpoint"),
        day(first.time),
        day(last.time)
    ));
    answer
        .lacks
        .push("A change of the log is found when somebody verifies it: nothing raises an alert".to_owned());
    answer.lacks.push(
        "The whole log made anew is found by a checkpoint that was kept elsewhere only; the ledger itself is not signed"
            .to_owned(),
    );
    answer
}
