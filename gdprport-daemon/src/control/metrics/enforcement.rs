//! Connections that the kernel decides.

use super::family::{Family, Samples};
use crate::control::api::{Decisions, EnforcementStatus};

pub(super) fn metrics(status: Option<&EnforcementStatus>) -> Vec<Family> {
    vec![
        Family::gauge(
            "gdprport_enforcing",
            &[],
            "1 while connections are decided as the policy asks, 0 if they are not (`not-enforcing`); no value if it asks for nothing.",
            Samples::maybe(status.map(|status| status.error.is_none())),
        ),
        Family::counter(
            "gdprport_decisions_total",
            &["direction", "result"],
            "Connections of ports with a mode, by what became of them: all but `denied` passed.",
            status.map(decisions).unwrap_or_default(),
        ),
        Family::counter(
            "gdprport_bind_decisions_total",
            &["result"],
            "Sockets that were bound to a port with `listener = \"deny\"`, by what became of them: all but `denied` were.",
            match status.and_then(|status| status.binds) {
                None => Samples::default(),
                Some(binds) => {
                    let mut samples = Samples::default();
                    results(&binds).into_iter().for_each(|(result, count)| samples.add([result], count));
                    samples
                }
            },
        ),
        Family::counter(
            "gdprport_denied_syns_repeated_total",
            &[],
            "SYNs that a client sent again after the first was denied: each attempt is one decision.",
            Samples::maybe(status.map(|status| status.repeated)),
        ),
        Family::counter(
            "gdprport_endings_total",
            &["result"],
            "Connections that were to be ended because the policy denies them (`existing` and `posture = \"reset\"`), by what became of it.",
            match status {
                None => Samples::default(),
                Some(EnforcementStatus { endings, .. }) => Samples::by([
                    ("ended", endings.ended),
                    ("gone", endings.gone),
                    ("failed", endings.failed),
                ]),
            },
        ),
    ]
}

fn decisions(status: &EnforcementStatus) -> Samples {
    let mut samples = Samples::default();
    for (direction, became) in [("out", status.decisions), ("in", status.arrivals)] {
        for (result, count) in results(&became) {
            samples.add([direction, result], count);
        }
    }
    samples
}

const fn results(became: &Decisions) -> [(&'static str, u64); 6] {
    [
        ("left", became.left),
        ("allowed", became.allowed),
        ("unknown", became.unknown),
        ("would-deny", became.would_deny),
        ("denied", became.denied),
        ("unsettled", became.unsettled),
    ]
}
