//! Connects that the kernel decides.

use super::family::{Family, Samples};
use crate::control::api::EnforcementStatus;

pub(super) fn metrics(status: Option<&EnforcementStatus>) -> Vec<Family> {
    let decisions = status.map(|status| status.decisions).unwrap_or_default();
    vec![
        Family::gauge(
            "gdprport_enforcing",
            &[],
            "1 while connects are decided as the policy asks, 0 if they are not (`not-enforcing`); no value if it asks for nothing.",
            Samples::maybe(status.map(|status| status.error.is_none())),
        ),
        Family::counter(
            "gdprport_decisions_total",
            &["result"],
            "Connects to ports with a mode, by what became of them: all but `denied` passed.",
            match status {
                None => Samples::default(),
                Some(_) => Samples::by([
                    ("left", decisions.left),
                    ("allowed", decisions.allowed),
                    ("unknown", decisions.unknown),
                    ("would-deny", decisions.would_deny),
                    ("denied", decisions.denied),
                    ("unsettled", decisions.unsettled),
                ]),
            },
        ),
    ]
}
