//! The part of the status about coverage: what was seen, what was lost, and what could not be looked at.

use super::format::{counts, moment, thousands};
use super::screen::Screen;
use super::table::{fact, title};
use super::tone::Tone;
use crate::control::api::Status;
use gdprport_core::event::ByReason;

/// What was seen and what was lost.
pub(super) fn coverage(status: &Status, screen: &Screen) -> String {
    let coverage = &status.coverage;
    let mut text = title("COVERAGE", &format!("since {}", moment(coverage.since)));
    let mut add = |name, tone, value: &str| text.push_str(&fact(name, tone, value, screen.width));
    let (kernel, n) = (&coverage.kernel, thousands);
    let mut seen =
        format!("{} seen = {} emitted + {} filtered", n(kernel.seen), n(kernel.emitted), n(kernel.filtered));
    if kernel.grouped > 0 {
        seen.push_str(&format!(" + {} grouped", n(kernel.grouped)));
    }
    add("kernel", tone_of(&kernel.dropped), &format!("{seen} + {}", lost(&kernel.dropped)));
    if kernel.owners_unkept > 0 {
        let times = n(kernel.owners_unkept);
        add("owners", Tone::Bad, &format!("{times} not kept for want of memory: raise net.core.optmem_max"));
    }
    let received = format!(
        "{} received = {} delivered + {} suppressed",
        n(coverage.received),
        n(coverage.delivered),
        n(coverage.suppressed)
    );
    add("daemon", tone_of(&coverage.dropped), &format!("{received} + {}", lost(&coverage.dropped)));
    if let Some(at) = coverage.last_loss {
        add("last loss", Tone::Warn, &moment(at));
    }
    let table = format!("{} of {} in the table", n(coverage.flows_open), n(coverage.flows_cap));
    if coverage.evicted == 0 {
        add("flows", Tone::Plain, &table);
    } else {
        add("flows", Tone::Bad, &format!("{table}, {} evicted", n(coverage.evicted)));
    }
    let summed = &coverage.overload.counts;
    if summed.began() + summed.closed + summed.ends_of_described > 0 {
        let counts = format!(
            "{} opened, {} failed, {} ended: counted, not described; how they were encrypted is not known",
            n(summed.opened),
            n(summed.failed),
            n(summed.closed + summed.ends_of_described)
        );
        add("overload", Tone::Warn, &counts);
    }
    if coverage.evicted_listeners > 0 {
        let forgotten = format!("{} forgotten: there are too many", n(coverage.evicted_listeners));
        add("listeners", Tone::Bad, &forgotten);
    }
    if coverage.end_missed + coverage.found_late > 0 {
        let missed = format!(
            "{} ends and {} openings of flows not seen when they came",
            n(coverage.end_missed),
            n(coverage.found_late)
        );
        add("missed", Tone::Bad, &missed);
    }
    if !coverage.unseen.is_empty() {
        let unseen = counts(coverage.unseen.iter().map(|(reason, n)| (reason, *n)));
        add("unseen", Tone::Bad, &format!("not all of the host: {unseen}"));
    }
    if coverage.posture_given_up > 0 {
        let given_up = format!("{} flows unknown: too many undecided at once", n(coverage.posture_given_up));
        add("encryption", Tone::Bad, &given_up);
    }
    let translations = &status.translations;
    if translations.asked > 0 {
        let open = translations.unanswered + translations.dropped;
        let asked = format!(
            "{} connections asked about, {} translated, {} unknown",
            n(translations.asked),
            n(translations.translated),
            n(open)
        );
        add("addresses", if open == 0 { Tone::Plain } else { Tone::Warn }, &asked);
    }
    let control = &status.control;
    let turned_away = control.refused + control.broken + control.busy + control.forbidden;
    let control = format!(
        "{} of {} connections, {} following the events, {} turned away, {} events lost by slow followers",
        n(control.connections),
        n(control.connections_cap),
        n(control.followers),
        n(turned_away),
        n(control.follower_lost)
    );
    add("control", Tone::Plain, &control);
    text
}

pub(super) fn tone_of(dropped: &ByReason) -> Tone {
    if dropped.values().any(|n| *n > 0) { Tone::Bad } else { Tone::Plain }
}

pub(super) fn lost(dropped: &ByReason) -> String {
    let sum = thousands(dropped.values().sum());
    if sum == "0" {
        return "0 lost".to_owned();
    }
    format!("{sum} lost ({})", counts(dropped.iter().map(|(reason, n)| (reason, *n))))
}
