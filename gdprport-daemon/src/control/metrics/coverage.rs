//! What was seen and what was lost, from the kernel programs to the tables.

use super::family::{Family, Samples};
use crate::control::api::{CoverageStatus, PlaceCounts};

pub(super) fn metrics(coverage: &CoverageStatus) -> Vec<Family> {
    let places = |count: fn(&PlaceCounts) -> u64| {
        Samples::by(coverage.places.iter().map(|(place, counts)| (&**place, count(counts))))
    };
    let mut all = vec![
        Family::counter(
            "gdprport_kernel_seen_total",
            &["place"],
            "Occasions for a record, by the place in the kernel programs: emitted, filtered, grouped or dropped.",
            places(|counts| counts.seen),
        ),
        Family::counter(
            "gdprport_kernel_emitted_total",
            &["place"],
            "Records that the kernel programs put into the ring buffer.",
            places(|counts| counts.emitted),
        ),
        Family::counter(
            "gdprport_kernel_filtered_total",
            &["place"],
            "Occasions with nothing new to report.",
            places(|counts| counts.filtered),
        ),
        Family::counter(
            "gdprport_kernel_grouped_total",
            &["place"],
            "Occasions that were counted in a group of connections, because the ring buffer was nearly full.",
            places(|counts| counts.grouped),
        ),
        Family::counter(
            "gdprport_kernel_dropped_total",
            &["place"],
            "Records lost because the ring buffer was full.",
            places(|counts| counts.dropped),
        ),
        Family::counter(
            "gdprport_kernel_owners_unkept_total",
            &[],
            "Owners of sockets for which the kernel had no memory (`net.core.optmem_max`): their flows have no process.",
            Samples::one(coverage.kernel.owners_unkept),
        ),
        Family::counter(
            "gdprport_records_total",
            &[],
            "Records that the daemon has read.",
            Samples::one(coverage.records),
        ),
        Family::gauge(
            "gdprport_ring_size_bytes",
            &[],
            "Size of the ring buffer between the kernel programs and the daemon.",
            Samples::one(coverage.ring.bytes),
        ),
        Family::gauge(
            "gdprport_ring_unread_bytes",
            &[],
            "Bytes of the ring buffer that wait to be read.",
            Samples::one(coverage.ring.unread),
        ),
    ];
    all.extend(tables(coverage));
    all
}

fn tables(coverage: &CoverageStatus) -> Vec<Family> {
    let summed = &coverage.overload.counts;
    let lost = [
        ("flow-table", coverage.evicted),
        ("listener-table", coverage.evicted_listeners),
        ("end", coverage.end_missed),
        ("opening", coverage.found_late),
        ("posture", coverage.posture_given_up),
    ];
    vec![
        Family::counter(
            "gdprport_losses_total",
            &["what"],
            "Flows and listeners forgotten by a full table (`flow-table`, `listener-table`), and flows whose `end`, `opening` or `posture` was not seen.",
            Samples::by(lost),
        ),
        Family::counter(
            "gdprport_overload_connections_total",
            &["what"],
            "Connections that were counted because there was no room to describe each: those that were `opened`, `failed` and `closed`, and ends of `described` ones.",
            Samples::by([
                ("closed", summed.closed),
                ("described", summed.ends_of_described),
                ("failed", summed.failed),
                ("opened", summed.opened),
            ]),
        ),
        Family::counter(
            "gdprport_overload_groups_total",
            &[],
            "Groups in which the kernel programs have counted connections.",
            Samples::one(coverage.overload.groups),
        ),
        Family::counter(
            "gdprport_flows_opening_missed_total",
            &[],
            "Ends reported of flows whose beginning was lost.",
            Samples::one(coverage.opening_missed),
        ),
        Family::counter(
            "gdprport_unwatched_total",
            &["what"],
            "Flows and listeners no longer reported because a reload removed their port.",
            Samples::by([("flow", coverage.unwatched), ("listener", coverage.unwatched_listeners)]),
        ),
        Family::gauge(
            "gdprport_unseen",
            &["reason"],
            "What of the host could not be looked at the last time, by the reason of its gap; no value if all was.",
            Samples::by(coverage.unseen.iter().map(|(reason, count)| (&**reason, *count))),
        ),
        Family::gauge(
            "gdprport_last_loss_timestamp_seconds",
            &[],
            "When something was last lost, in the kernel, the daemon or a sink, in seconds since 1970; no value if nothing was.",
            Samples::maybe(coverage.last_loss),
        ),
        Family::gauge(
            "gdprport_flow_table_flows",
            &[],
            "Flows in the table.",
            Samples::one(coverage.flows_open),
        ),
        Family::gauge(
            "gdprport_flow_table_capacity_flows",
            &[],
            "Flows that the table can hold.",
            Samples::one(coverage.flows_cap),
        ),
    ]
}
