//! All metrics of the deliverer, from one status of it.

use std::collections::BTreeSet;

use super::family::{Family, Samples, Value};
use crate::control::api::{DeliverStatus, SinkStanding, StampsStanding};

/// The most sinks that have values of their own; how many more there are is a value too.
const SINKS_MAX: usize = 64;

/// Characters of a sink's name.
const NAME_MAX: usize = 40;

/// Every metric of the deliverer; one of which nothing is known has no value.
#[must_use]
pub(crate) fn deliverer(status: &DeliverStatus) -> Vec<Family> {
    let mut all = vec![
        Family::info(
            "gdprport_deliver_build_info",
            &["version"],
            "The version of the deliverer.",
            [&status.version],
        ),
        Family::gauge(
            "gdprport_deliver_start_time_seconds",
            &[],
            "When the deliverer began, in seconds since 1970.",
            Samples::one(status.started),
        ),
        Family::counter(
            "process_cpu_seconds_total",
            &[],
            "Processor time of the deliverer, in user and kernel mode together.",
            Samples::one(Value::seconds(status.cpu_ns)),
        ),
        Family::gauge(
            "process_resident_memory_bytes",
            &[],
            "Resident memory of the deliverer.",
            Samples::one(status.rss_kib.saturating_mul(1_024)),
        ),
        Family::gauge(
            "gdprport_deliver_config_accepted",
            &[],
            "1 if the configuration is used as it was read last, 0 if that was refused and the one before is used.",
            Samples::one(status.config.refused.is_none()),
        ),
        Family::gauge(
            "gdprport_deliver_spool_readable",
            &[],
            "1 if the deliverer can read the spool.",
            Samples::one(status.spool.error.is_none()),
        ),
        Family::gauge(
            "gdprport_deliver_sinks_unnamed",
            &[],
            "Sinks without values here: those that are faulty and have no name of their own, and those beyond 64.",
            Samples::one((status.sinks.len() - named(&status.sinks).len().min(SINKS_MAX)) as u64),
        ),
    ];
    let named = named(&status.sinks);
    let shown = &named[..named.len().min(SINKS_MAX)];
    all.extend(standing(shown, status.spool.error.is_none()));
    all.extend(totals(shown));
    all.extend(stamps(status.timestamps.as_ref()));
    all
}

/// The sinks that have a name of their own: one that is faulty may have none, or another one's.
fn named(sinks: &[SinkStanding]) -> Vec<&SinkStanding> {
    let plain = |name: &str| {
        (1..=NAME_MAX).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let mut taken = BTreeSet::new();
    sinks.iter().filter(|sink| plain(&sink.name) && taken.insert(&sink.name)).collect()
}

/// Timestamps of checkpoints, if any are asked for.
fn stamps(known: Option<&StampsStanding>) -> Vec<Family> {
    let last = known.and_then(|known| known.last.as_ref());
    let failure = known.and_then(|known| known.failure.as_ref());
    vec![
        Family::gauge(
            "gdprport_deliver_stamped_timestamp_seconds",
            &[],
            "The time of the latest timestamp of a checkpoint, as the authority signed it, in seconds since 1970; no value if there is none.",
            Samples::maybe(last.map(|last| last.time)),
        ),
        Family::gauge(
            "gdprport_deliver_unstamped_since_timestamp_seconds",
            &[],
            "Since when no timestamp could be had, in seconds since 1970; no value while nothing is wrong.",
            Samples::maybe(failure.map(|failure| failure.since)),
        ),
        Family::counter(
            "gdprport_deliver_stamp_failed_attempts_total",
            &[],
            "Attempts to get a timestamp that failed, since the deliverer started; no value if none are asked for.",
            Samples::maybe(known.map(|known| known.failed_attempts)),
        ),
    ]
}

/// `readable`: whether it is known what lies in the spool.
fn standing(sinks: &[&SinkStanding], readable: bool) -> Vec<Family> {
    let (mut states, mut kinds) = (Samples::default(), Samples::default());
    for sink in sinks {
        states.add([&sink.name, sink.state.as_str()], 1_u64);
        kinds.add([&sink.name, &sink.transport, &sink.encoding], 1_u64);
    }
    let surveyed = if readable { sinks } else { &[] };
    let each =
        |value: fn(&SinkStanding) -> u64| Samples::by(surveyed.iter().map(|sink| (&*sink.name, value(sink))));
    let since = sinks.iter().filter_map(|sink| Some((&*sink.name, sink.failure.as_ref()?.since)));
    let success = sinks.iter().filter_map(|sink| Some((&*sink.name, sink.delivered_at?)));
    vec![
        Family::gauge(
            "gdprport_deliver_sink",
            &["sink", "type", "encoding"],
            "1 for each sink that is configured, with the kind of its receiver and its encoding.",
            kinds,
        ),
        Family::gauge(
            "gdprport_deliver_state",
            &["sink", "state"],
            "1 for the state of each sink: `starting`, `idle`, `sending`, `failing`, `no-spool` or `faulty` (its configuration has mistakes).",
            states,
        ),
        Family::gauge(
            "gdprport_deliver_lag_events",
            &["sink"],
            "Events in the spool that the sink has not dealt with; no value while it cannot be read.",
            each(|sink| sink.lag.events),
        ),
        Family::gauge(
            "gdprport_deliver_lag_bytes",
            &["sink"],
            "The same in bytes of the spool.",
            each(|sink| sink.lag.bytes),
        ),
        Family::gauge(
            "gdprport_deliver_lag_seconds",
            &["sink"],
            "For how long the oldest of them waits.",
            each(|sink| sink.lag.seconds),
        ),
        Family::gauge(
            "gdprport_deliver_failing_since_timestamp_seconds",
            &["sink"],
            "Since when nothing arrives, in seconds since 1970; no value while it does.",
            Samples::by(since),
        ),
        Family::gauge(
            "gdprport_deliver_last_success_timestamp_seconds",
            &["sink"],
            "When the receiver last confirmed something, in seconds since 1970; no value if it has not since the deliverer started.",
            Samples::by(success),
        ),
    ]
}

fn totals(sinks: &[&SinkStanding]) -> Vec<Family> {
    let each =
        |value: fn(&SinkStanding) -> u64| Samples::by(sinks.iter().map(|sink| (&*sink.name, value(sink))));
    vec![
        Family::counter(
            "gdprport_deliver_delivered_events_total",
            &["sink"],
            "Events that the receiver has confirmed. This and the sums below outlive the deliverer.",
            each(|sink| sink.totals.delivered),
        ),
        Family::counter(
            "gdprport_deliver_delivered_bytes_total",
            &["sink"],
            "Bytes of their records in the spool.",
            each(|sink| sink.totals.bytes),
        ),
        Family::counter(
            "gdprport_deliver_filtered_events_total",
            &["sink"],
            "Events that the filter left out.",
            each(|sink| sink.totals.filtered),
        ),
        Family::counter(
            "gdprport_deliver_refused_events_total",
            &["sink"],
            "Events that the receiver refused for good.",
            each(|sink| sink.totals.refused),
        ),
        Family::counter(
            "gdprport_deliver_lost_events_total",
            &["sink"],
            "Events that were gone from the spool before they were sent, or could not be read: so many at least.",
            each(|sink| sink.totals.lost),
        ),
        Family::counter(
            "gdprport_deliver_uncounted_losses_total",
            &["sink"],
            "Losses of which nobody knows how many events they are, as where the spool was removed. What is known is in `lost_events`.",
            each(|sink| sink.totals.uncounted),
        ),
        Family::counter(
            "gdprport_deliver_failed_attempts_total",
            &["sink"],
            "Attempts that failed and are made again, since the deliverer started.",
            each(|sink| sink.failed_attempts),
        ),
    ]
}
