//! What rules that may move only so much have moved. Their number is bounded by the status.

use super::family::{Family, Samples};
use crate::control::api::VolumeStatus;

const RULE: &[&str] = &["port", "rule", "per"];

pub(super) fn metrics(rules: &[VolumeStatus]) -> Vec<Family> {
    let each = |value: fn(&VolumeStatus) -> u64| {
        rules.iter().fold(Samples::default(), |samples, of| {
            samples.with([&*of.port, &*of.volume.rule, of.volume.per.as_str()], value(of))
        })
    };
    vec![
        Family::gauge(
            "gdprport_rule_moved_bytes",
            RULE,
            "Bytes that the flows of a rule with a `volume` have moved in the window that goes on, as far as they were seen.",
            each(|of| of.volume.bytes),
        ),
        Family::gauge(
            "gdprport_rule_max_bytes",
            RULE,
            "Bytes that they may move in a window: beyond it they are in violation, `volume-exceeded`.",
            each(|of| of.volume.max),
        ),
    ]
}
