//! A policy on trial.

use gdprport_core::policy::Source;

use super::super::{PolicyPlace, PolicyText, TrialStatus};

pub(super) fn trial() -> TrialStatus {
    TrialStatus {
        until: "2026-11-23T13:20:30Z".parse().expect("a timestamp"),
        left_s: 27,
        before: "sha256:9b01c2d3".to_owned(),
        file: "/etc/gdprport/policy.d/orders.toml".to_owned(),
    }
}

pub(crate) fn policy_text() -> PolicyText {
    let source = |name: &str| Source { name: name.to_owned(), text: "version = 1\n".to_owned() };
    PolicyText {
        digest: "sha256:3f1c9b7e".to_owned(),
        files: [source("/etc/gdprport/policy.toml"), source("/etc/gdprport/policy.d/orders.toml")].into(),
        place: PolicyPlace::Directory("/etc/gdprport".to_owned()),
        trial: Some(trial()),
    }
}
