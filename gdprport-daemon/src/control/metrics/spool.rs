//! The spool, as the daemon writes it. How far receivers are behind it is the deliverer's to say.

use super::family::{Family, Samples};
use crate::control::api::{SinkStatus, SpoolStatus};

pub(super) fn metrics(sinks: &[SinkStatus]) -> Vec<Family> {
    let spool = sinks.iter().find_map(|sink| sink.spool.as_ref());
    let of = |value: fn(&SpoolStatus) -> u64| Samples::maybe(spool.map(value));
    let removed = spool.map(|spool| [("ordinary", spool.removed), ("kept", spool.removed_kept)]);
    vec![
        Family::gauge("gdprport_spool_events", &[], "Events in the spool.", of(|spool| spool.records)),
        Family::gauge("gdprport_spool_size_bytes", &[], "Size of the spool.", of(|spool| spool.bytes)),
        Family::gauge(
            "gdprport_spool_max_size_bytes",
            &[],
            "Size that the spool may have; beyond it the oldest events are removed.",
            of(|spool| spool.max_bytes),
        ),
        Family::gauge(
            "gdprport_spool_oldest_timestamp_seconds",
            &[],
            "When the oldest file of the spool was begun, in seconds since 1970.",
            Samples::maybe(spool.and_then(|spool| spool.oldest)),
        ),
        Family::counter(
            "gdprport_spool_removed_events_total",
            &["class"],
            "Events removed from the spool for want of room or by age: `ordinary` ones, and those that are `kept` longest.",
            Samples::by(removed.into_iter().flatten()),
        ),
    ]
}
