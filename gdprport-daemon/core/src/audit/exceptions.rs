//! Which exception of the policy accepts a finding, and exceptions that end or match nothing.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Span, Timestamp};

use super::context::Context;
use super::draft::Draft;
use super::finding::{Accepted, Edit, FindingId, Severity, Subject};
use super::propose;
use super::wording::day;
use crate::ledger::{Edge, VerdictKey};
use crate::model::Process;
use crate::policy::{About, Exception, Outline};

/// Days before the end of an exception from which it is found: as of a rule.
const SOON_DAYS: i64 = 30;

/// The exception that accepts a finding as a whole: with every peer and every process of it. The first in the policy.
pub(super) fn accepting<'a>(policy: &'a Outline, draft: &Draft<'_>, now: Timestamp) -> Option<&'a Exception> {
    let found = &draft.finding;
    let about = about(&found.subject);
    let processes: Vec<Process> = draft.identities.iter().map(|identity| identity.process()).collect();
    let (first_peer, first) = (draft.peers.first().copied(), processes.first());
    policy.exceptions.iter().find(|exception| {
        let accepts =
            |peer, process| exception.accepts(found.id.as_str(), &About { peer, process, ..about }, day(now));
        // Peers and processes are compared one apart from the other, so that not every pair needs to be.
        accepts(first_peer, first)
            && draft.peers.iter().all(|peer| accepts(Some(*peer), first))
            && processes.iter().all(|process| accepts(first_peer, Some(process)))
    })
}

fn about(subject: &Subject) -> About<'_> {
    About { port: subject.port.as_deref(), number: subject.number, ..About::default() }
}

fn about_edge<'a>(edge: &'a Edge, process: &'a Process) -> About<'a> {
    let port = &edge.key.port;
    About {
        port: Some(&port.name),
        number: Some(port.number),
        peer: Some(edge.key.peer),
        process: Some(process),
    }
}

/// Flows by the exception that accepts them; those that none accepts with `None`.
pub(super) fn part<'a, 'e>(
    policy: Option<&'a Outline>,
    id: FindingId,
    edges: &[&'e Edge],
    now: Timestamp,
) -> Vec<(Option<&'a Exception>, Vec<&'e Edge>)> {
    let exceptions = policy.map_or(&[][..], |policy| &policy.exceptions);
    let mut parts: Vec<(Option<&Exception>, Vec<&Edge>)> = Vec::new();
    for edge in edges {
        let process = edge.key.identity.process();
        let about = about_edge(edge, &process);
        let by = exceptions.iter().find(|exception| exception.accepts(id.as_str(), &about, day(now)));
        match parts.iter_mut().find(|(other, _)| other.map(std::ptr::from_ref) == by.map(std::ptr::from_ref))
        {
            Some((_, part)) => part.push(edge),
            None => parts.push((by, vec![edge])),
        }
    }
    parts
}

pub(super) fn accepted(exception: &Exception) -> Accepted {
    Accepted {
        why: Arc::clone(&exception.why),
        by: Arc::clone(&exception.accepted_by),
        until: exception.until,
        place: exception.place.clone(),
    }
}

/// `exception-expiring`: an exception that has ended (`low`: what it accepted is found again, with its own severity), that ends
/// within 30 days (`low`), or that matches neither a finding of this audit nor a violation of the period (`info`: it accepts in
/// advance what nobody needs).
///
/// Whether it matches is not judged where what it names was not, nor, for the reason of a violation, without a ledger.
pub(super) fn check(context: &mut Context<'_>) {
    let Some(policy) = context.policy else { return };
    let today = day(context.now);
    let soon = today.saturating_add(Span::new().days(SOON_DAYS));
    for exception in &policy.exceptions {
        let (severity, what, toml) = if exception.until < today {
            (Severity::Low, format!("ended on {}", exception.until), None)
        } else if exception.until <= soon {
            (Severity::Low, format!("ends on {}", exception.until), Some(later(exception)))
        } else if !is_judged(context, exception) || used(context, exception) {
            continue;
        } else {
            (Severity::Info, "matches nothing".to_owned(), None)
        };
        let port = exception.port.as_ref().map_or_else(String::new, |port| format!(" on {port}"));
        let message = format!("The exception for {}{port} {what}", exception.finding);
        let subject = Subject {
            port: exception.port.clone(),
            detail: Some(format!("{}: {}", exception.finding, exception.why).into()),
            ..Subject::default()
        };
        let draft = Draft::new(FindingId::ExceptionExpiring, severity, subject, message)
            .place(&exception.place)
            .evidence("why", &*exception.why)
            .evidence("accepted by", &*exception.accepted_by)
            .evidence("until", exception.until.to_string());
        let draft = match toml {
            Some(toml) if exception.place.column == 1 => draft.proposal(
                "Decide again, and state until when; otherwise let it end and remove it",
                Edit::Replace,
                toml,
            ),
            Some(_) => draft.advice("Decide again, and state until when; otherwise let it end and remove it"),
            None => draft.proposal("Remove it, or decide again", Edit::Remove, String::new()),
        };
        context.add(draft);
    }
}

fn later(exception: &Exception) -> String {
    let until: Date = exception.until.saturating_add(Span::new().months(6));
    propose::exception(exception, until)
}

/// Whether something that it names was looked for.
fn is_judged(context: &Context<'_>, exception: &Exception) -> bool {
    let is_finding = FindingId::ALL.iter().any(|id| id.as_str() == &*exception.finding);
    let of_finding = is_finding && context.was_judged(&exception.finding);
    // The reason of a violation, or both.
    if is_finding { of_finding } else { context.observed.is_some() }
}

/// Whether it accepts a finding or a violation of the period.
fn used(context: &Context<'_>, exception: &Exception) -> bool {
    let (now, policy) = (context.now, context.policy);
    let accepts = |draft: &Draft<'_>| match draft.exception {
        Some(other) => std::ptr::eq(other, exception),
        None => policy
            .and_then(|policy| accepting(policy, draft, now))
            .is_some_and(|by| std::ptr::eq(by, exception)),
    };
    let violates = |edge: &&Edge| match &*edge.key.verdict {
        VerdictKey::Violation { reasons, .. } => {
            reasons.iter().any(|reason| reason.as_str() == &*exception.finding)
        }
        _ => false,
    };
    let edges = context.observed.iter().flat_map(|observed| &observed.edges);
    context.found().iter().any(accepts)
        || edges.filter(violates).any(|edge| {
            let process = edge.key.identity.process();
            exception.accepts(&exception.finding, &about_edge(edge, &process), day(now))
        })
}
