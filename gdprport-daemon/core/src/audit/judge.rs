//! The audit: every check in its order, exceptions, and what could not be judged.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::checks;
use super::context::Context;
use super::exceptions;
use super::finding::{Audit, Finding, FindingId, NotJudged};
use super::settings::Settings;
use crate::inventory::Inventory;
use crate::ledger::{HourlyLedger, Observed};
use crate::policy::Outline;

/// Days of volume by hour that an audit has to be given, whatever its period is.
pub const VOLUME_DAYS: i64 = checks::READ_DAYS;

/// Judges a policy and a host. `None` for what there is not; what cannot be judged without it is listed as such.
#[must_use]
pub fn judge(
    policy: Option<&Outline>,
    observed: Option<&Observed>,
    hours: Option<&HourlyLedger>,
    inventory: Option<&Inventory>,
    settings: &Settings,
    now: Timestamp,
) -> Audit {
    let mut context = Context::new(policy, observed, inventory, settings, now);
    context.hours = hours;
    checks::all(&mut context);
    exceptions::check(&mut context);
    let (drafts, mut reasons, partly) = context.finish();
    let (mut findings, mut accepted) = (Vec::new(), Vec::new());
    for draft in drafts {
        let by =
            draft.exception.or_else(|| policy.and_then(|policy| exceptions::accepting(policy, &draft, now)));
        let finding = draft.finding;
        match by {
            Some(by) => accepted.push(Finding { accepted: Some(exceptions::accepted(by)), ..finding }),
            None => findings.push(finding),
        }
    }
    findings.sort_by(order);
    accepted.sort_by(order);
    reasons.sort();
    Audit {
        at: now,
        since: observed.map(|observed| observed.from),
        host: Arc::clone(&settings.host),
        policy: settings.digest.clone(),
        findings,
        accepted,
        not_judged: not_judged(reasons, &partly),
    }
}

/// The most severe first, then by id, then by port and the rest of the subject.
fn order(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    let key = |f: &Finding| (Reverse(f.severity), f.id, f.subject.number);
    key(a).cmp(&key(b)).then_with(|| a.subject.cmp(&b.subject))
}

/// Each reason once, with everything that it kept from being judged.
fn not_judged(reasons: Vec<(String, FindingId)>, partly: &BTreeSet<String>) -> Vec<NotJudged> {
    let mut list: Vec<NotJudged> = Vec::new();
    for (why, id) in reasons {
        match list.last_mut().filter(|last| last.why == why) {
            Some(last) if last.ids.contains(&id) => {}
            Some(last) => last.ids.push(id),
            None => list.push(NotJudged { ids: vec![id], partly: partly.contains(&why), why }),
        }
    }
    list
}
