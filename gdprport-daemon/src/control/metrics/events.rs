//! Events and where they go.

use std::collections::BTreeMap;

use super::family::{Family, Samples};
use crate::control::api::{SinkStatus, Status};
use gdprport_core::event::ByReason;

/// Why sinks lose events. Each has a value from the start: whoever watches a count needs its zero, or the first loss is no
/// increase.
const DROPPED: [&str; 4] = ["queue-full", "io-error", "closed", "deadline"];

/// Why events are lost before there are any; likewise.
const LOST: [&str; 1] = ["undecodable"];

/// The most sinks that have values of their own: there is one of each kind.
const SINKS_MAX: usize = 32;

/// The counts, and zero of each reason that never occurred.
fn with_zeros<'c>(counts: &'c ByReason, reasons: &'static [&'static str]) -> BTreeMap<&'c str, u64> {
    let zeros = reasons.iter().map(|reason| (*reason, 0));
    zeros.chain(counts.iter().map(|(reason, count)| (&**reason, *count))).collect()
}

pub(super) fn metrics(status: &Status) -> Vec<Family> {
    let (sinks, coverage) = (&status.sinks[..status.sinks.len().min(SINKS_MAX)], &status.coverage);
    let of_sinks = |value: fn(&SinkStatus) -> u64| {
        Samples::by(sinks.iter().map(|sink| (&*sink.counts.name, value(sink))))
    };
    let mut dropped = Samples::default();
    for sink in sinks {
        for (reason, count) in with_zeros(&sink.counts.dropped, &DROPPED) {
            dropped.add([&sink.counts.name, reason], count);
        }
    }
    vec![
        Family::counter(
            "gdprport_events_total",
            &["kind"],
            "Events handed to the sinks, by kind.",
            Samples::by(status.events.iter().map(|(kind, count)| (&**kind, *count))),
        ),
        Family::counter(
            "gdprport_events_received_total",
            &[],
            "Occurrences that became an event, were left to a summary, or were dropped.",
            Samples::one(coverage.received),
        ),
        Family::counter(
            "gdprport_events_suppressed_total",
            &[],
            "Occurrences that the policy wants only as sums (`emit`).",
            Samples::one(coverage.suppressed),
        ),
        Family::counter(
            "gdprport_events_dropped_total",
            &["reason"],
            "Occurrences lost in the daemon before they became an event.",
            Samples::by(with_zeros(&coverage.dropped, &LOST)),
        ),
        Family::counter(
            "gdprport_sink_received_events_total",
            &["sink"],
            "Events that each sink was given.",
            of_sinks(|sink| sink.counts.received),
        ),
        Family::counter(
            "gdprport_sink_delivered_events_total",
            &["sink"],
            "Events that each sink has written.",
            of_sinks(|sink| sink.counts.delivered),
        ),
        Family::counter(
            "gdprport_sink_written_bytes_total",
            &["sink"],
            "Bytes that each sink has written.",
            of_sinks(|sink| sink.bytes),
        ),
        Family::counter(
            "gdprport_sink_dropped_events_total",
            &["sink", "reason"],
            "Events that each sink has lost, by reason.",
            dropped,
        ),
        Family::gauge(
            "gdprport_sink_queued_events",
            &["sink"],
            "Events that wait for each sink.",
            of_sinks(|sink| sink.counts.queued),
        ),
        Family::gauge(
            "gdprport_sink_failing",
            &["sink"],
            "1 if the sink has failed since it last succeeded; `gdprport daemon status` has the error.",
            of_sinks(|sink| sink.last_error.is_some().into()),
        ),
    ]
}
