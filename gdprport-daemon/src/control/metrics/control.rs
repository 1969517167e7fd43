//! The control socket and the address of the metrics.

use super::family::{Family, Samples};
use crate::control::api::ControlStatus;

pub(super) fn metrics(control: &ControlStatus) -> Vec<Family> {
    vec![
        Family::gauge(
            "gdprport_control_connections",
            &["at"],
            "Open connections to the control `socket`, and to the address of `[metrics]` (`metrics`).",
            Samples::by([("socket", control.connections), ("metrics", control.metrics_connections)]),
        ),
        Family::counter(
            "gdprport_control_accepted_total",
            &[],
            "Connections accepted, to both.",
            Samples::one(control.accepted),
        ),
        Family::counter(
            "gdprport_control_refused_total",
            &["reason"],
            "Connections refused (`full`), ended (`broken`: malformed, oversized, too slow), and requests turned away (`busy`, `forbidden`).",
            Samples::by([
                ("full", control.refused),
                ("broken", control.broken),
                ("busy", control.busy),
                ("forbidden", control.forbidden),
            ]),
        ),
        Family::gauge(
            "gdprport_followers",
            &[],
            "Clients that follow the events.",
            Samples::one(control.followers),
        ),
        Family::counter(
            "gdprport_follower_lost_events_total",
            &[],
            "Events not sent to a follower that reads too slowly.",
            Samples::one(control.follower_lost),
        ),
    ]
}
