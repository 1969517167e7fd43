//! The policy that is active.

use super::family::{Family, Samples};
use crate::control::api::{PolicySource, PolicyStatus};

pub(super) fn metrics(policy: &PolicyStatus) -> Vec<Family> {
    let source = match policy.source {
        PolicySource::Files(_) => "files",
        PolicySource::Catalog => "catalog",
    };
    vec![
        Family::info(
            "gdprport_policy_info",
            &["source", "digest"],
            "The active policy: read from `files`, or none (`catalog`: nothing is declared), and its digest.",
            [source, &policy.digest],
        ),
        Family::gauge(
            "gdprport_policy_applied_timestamp_seconds",
            &[],
            "When the active policy was applied, in seconds since 1970.",
            Samples::one(policy.applied),
        ),
        Family::gauge(
            "gdprport_policy_reload_successful",
            &[],
            "1 if the last reload was applied, 0 if it was refused and the policy before stays; no value before the first.",
            Samples::maybe(policy.last_reload.as_ref().map(|reload| reload.ok)),
        ),
        Family::gauge(
            "gdprport_policy_ports",
            &[],
            "Ports that the active policy declares.",
            Samples::one(policy.ports),
        ),
        Family::gauge(
            "gdprport_policy_rules",
            &[],
            "Rules of the active policy.",
            Samples::one(policy.rules),
        ),
        Family::gauge(
            "gdprport_policy_exceptions",
            &[],
            "Exceptions of the active policy.",
            Samples::one(policy.exceptions),
        ),
        Family::gauge(
            "gdprport_policy_unresolved_names",
            &[],
            "Host names of the active policy that do not resolve now: what only they could allow is undecided.",
            Samples::one(policy.unresolved.len() as u64),
        ),
    ]
}
