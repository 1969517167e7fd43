//! Times in which something was lost or nobody watched.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{Span, Timestamp};

use crate::audit::context::Context;
use crate::audit::draft::Draft;
use crate::audit::finding::{FindingId, Severity, Subject};
use crate::audit::wording;
use crate::event::Bound;
use crate::ledger::{KILLED, Observed, Run, RunEnd};

const ID: FindingId = FindingId::CoverageGap;

/// Seconds between two runs, or since the last one, that are no gap: a restart takes a few, and a batch is written each second.
const RESTART_S: i64 = 60;

/// Seconds without a daemon, all together, from which it is more than maintenance.
const DOWN_S: i64 = 3_600;

/// Losses that are named one by one, the latest.
const NAMED: usize = 5;

/// Losses of one reason that are this close are one: reports come once a second.
const NEIGHBOURS_S: i64 = 60;

/// Begin and end.
type Period = (Timestamp, Timestamp);

/// `coverage-gap`, one finding for each reason:
/// - what the daemon reported as lost, by its reason as in events. Severity `medium`, as of the event.
/// - runs that were killed: what came between their last batch and the next run is missing, and how much of that they ran on
///   for is not known. `low`; a time in which it matters is the next kind too.
/// - times before, between and after runs, of more than a minute. Hooks that are pinned keep what happens meanwhile as
///   far as there is room, and what they could not keep is a loss of its own. `medium` from an hour on, else `low`.
///
/// Not judged without a ledger.
pub(super) fn check(context: &mut Context<'_>) {
    let Some(observed) = context.ledger(&[ID]) else { return };
    lost(context, observed);
    killed(context, observed);
    down(context, observed);
}

fn subject(reason: &str) -> Subject {
    Subject { detail: Some(reason.into()), ..Subject::default() }
}

fn period(from: Timestamp, to: Timestamp) -> String {
    let length = to.as_second() - from.as_second();
    format!("{} for {}", wording::moment(from), wording::span(length.max(1)))
}

/// Periods that touch, or nearly, put together; ascending.
fn merged(mut periods: Vec<Period>) -> Vec<Period> {
    periods.sort();
    let mut merged: Vec<Period> = Vec::new();
    for (from, to) in periods {
        match merged.last_mut() {
            Some(last) if from.as_second() - last.1.as_second() <= NEIGHBOURS_S => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

fn total(periods: &[Period]) -> i64 {
    periods.iter().map(|(from, to)| (to.as_second() - from.as_second()).max(0)).sum()
}

fn latest(periods: &[Period]) -> String {
    let mut texts: Vec<String> =
        periods.iter().rev().take(NAMED).map(|(from, to)| period(*from, *to)).collect();
    if periods.len() > NAMED {
        texts.push(format!("and {} more", periods.len() - NAMED));
    }
    texts.join("; ")
}

fn lost(context: &mut Context<'_>, observed: &Observed) {
    let mut reasons: BTreeMap<Arc<str>, (Vec<Period>, u64, Option<Bound>)> = BTreeMap::new();
    // What a killed run left has a finding of its own.
    for gap in observed.gaps.iter().filter(|gap| *gap.reason != *KILLED) {
        let entry = reasons.entry(Arc::clone(&gap.reason)).or_default();
        entry.0.push((gap.from, gap.to));
        entry.1 = entry.1.saturating_add(gap.lost);
        // A count that is a bound from below makes the sum one; from above, as well.
        entry.2 = match (entry.2, gap.bound) {
            (Some(Bound::AtLeast), _) | (_, Some(Bound::AtLeast)) => Some(Bound::AtLeast),
            (bound, None) => bound,
            (_, bound) => bound,
        };
    }
    for (reason, (periods, count, bound)) in reasons {
        let periods = merged(periods);
        let about = match bound {
            None => "",
            Some(Bound::AtLeast) => "at least ",
            Some(Bound::AtMost) => "at most ",
        };
        let message = format!(
            "Something was lost ({reason}) in {}, {} all together",
            wording::counted(periods.len() as u64, "period"),
            wording::span(total(&periods).max(1))
        );
        let draft = Draft::new(ID, Severity::Medium, subject(&reason), message)
            .evidence("lost", format!("{about}{}", wording::thousands(count)))
            .evidence("when", latest(&periods))
            .advice(format!("See `{reason}` in gdprport-events(7) for its cause"));
        context.add(draft);
    }
}

fn killed(context: &mut Context<'_>, observed: &Observed) {
    let last = observed.runs.len().saturating_sub(1);
    let killed = |(at, run): &(usize, &Run)| match run.end {
        Some(RunEnd::Killed) => true,
        Some(RunEnd::Stopped) => false,
        None => *at < last,
    };
    let runs: Vec<&Run> = observed.runs.iter().enumerate().filter(killed).map(|(_, run)| run).collect();
    if runs.is_empty() {
        return;
    }
    let ends: Vec<_> = runs.iter().rev().take(NAMED).map(|run| wording::moment(run.to)).collect();
    let message = format!(
        "The daemon was killed {}: what came after its last batch may be missing",
        if runs.len() == 1 { "once".to_owned() } else { wording::counted(runs.len() as u64, "time") }
    );
    let draft = Draft::new(ID, Severity::Low, subject("killed"), message)
        .evidence("when", ends.join("; "))
        .advice("Find out who kills it: `journalctl -u gdprport`");
    context.add(draft);
}

fn down(context: &mut Context<'_>, observed: &Observed) {
    let end = observed.to.min(context.now);
    let ends = std::iter::once(observed.from).chain(observed.runs.iter().map(|run| run.to));
    let begins = observed.runs.iter().map(|run| run.from).chain(std::iter::once(end));
    let mut periods: Vec<Period> = ends.zip(begins).collect();
    periods
        .retain(|(from, to)| to.as_second() - from.as_second() > RESTART_S && *from >= Timestamp::UNIX_EPOCH);
    let periods = merged(periods);
    let Some((from, to)) = periods.last().copied() else { return };
    // A daemon that ends in order says so. Of any other it is not known whether it ran on and could not write.
    let unclear = observed.runs.iter().any(|run| {
        run.end != Some(RunEnd::Stopped) && periods.iter().any(|(from, to)| *from <= run.to && run.to < *to)
    });
    let still = to == end && end.saturating_add(Span::new().hours(1)).is_ok_and(|soon| soon > context.now);
    let seconds = total(&periods);
    let severity = if seconds >= DOWN_S { Severity::Medium } else { Severity::Low };
    let message = if still {
        let what = if unclear { "stored anything" } else { "watched" };
        format!("No daemon has {what} since {}", wording::moment(from))
    } else {
        let or = if unclear { ", or it could not write its ledger" } else { "" };
        format!("For {} of the period no daemon ran{or}", wording::span(seconds))
    };
    let draft = Draft::new(ID, severity, subject("no-daemon"), message)
        .evidence("when", latest(&periods))
        .advice("Start the daemon with the host (`systemctl enable --now gdprport`), with `--pin` so that restarts lose nothing");
    context.add(draft);
}
