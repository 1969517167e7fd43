//! `gdprport audit …`: its options.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use gdprport_core::audit::Severity;

use super::period::watch_period;
use super::since::Since;

/// How an audit is used.
pub(super) const EXAMPLES: &str = "\
Examples:
  sudo gdprport audit                      policy, ledger and host, as they are
  sudo gdprport audit --since 14d --fail-on medium
  sudo gdprport audit --record --fail-on never  every day, by a timer
  gdprport audit --no-scan --policy policy.toml --sarif > audit.sarif

What listens now is looked at, as `gdprport scan` does; what happened is read
from the ledger that the daemon keeps. What cannot be judged is listed as such:
nothing is claimed of it. Every finding is explained in
/usr/share/doc/gdprport/docs/audit.md.

Exit status: 0 nothing found that is as severe as --fail-on, 1 something was,
2 wrong usage or an invalid policy, 3 no daemon to record it.";

/// `gdprport audit …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct AuditArgs {
    /// Since when is judged, as a duration (90d, 12h) or a day (2026-11-01, in UTC).
    #[arg(long, value_name = "WHEN", default_value = "90d")]
    pub(in crate::ui) since: Since,
    /// The least severity of a finding that nobody accepted for exit status 1: info, low, medium, high or never.
    #[arg(long, value_name = "SEVERITY", hide_possible_values = true, default_value = "low")]
    pub(in crate::ui) fail_on: FailOn,
    /// Print a page of Markdown instead.
    #[arg(long, conflicts_with_all = ["json", "sarif"])]
    pub(in crate::ui) markdown: bool,
    /// Print SARIF 2.1.0 instead, for what collects findings of many tools.
    #[arg(long, conflicts_with = "json")]
    pub(in crate::ui) sarif: bool,
    /// Policy file to judge instead of those in /etc/gdprport; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) policy: Vec<PathBuf>,
    /// Judge policy files that others than root can change too.
    #[arg(long)]
    pub(in crate::ui) any_owner: bool,
    /// The ledger to read instead of the host's.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) ledger: Option<PathBuf>,
    /// Do not look at the host: judge the policy and the ledger only.
    #[arg(long)]
    pub(in crate::ui) no_scan: bool,
    /// Watch connections for so long too, from 1s to 1h, so that services are known by their first bytes. For root.
    #[arg(long, value_name = "TIME", value_parser = watch_period, conflicts_with = "no_scan")]
    pub(in crate::ui) watch: Option<Duration>,
    /// Hand the findings to the daemon, which sends an event of each that is new, has changed, is settled or has come
    /// back since the audit recorded before. For root.
    #[arg(long)]
    pub(in crate::ui) record: bool,
}

/// The severity from which findings are a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::ui) enum FailOn {
    /// Any finding.
    Info,
    /// Any that is worth knowing.
    Low,
    /// Any that is worth a look.
    Medium,
    /// Any that is worth a look now.
    High,
    /// None.
    Never,
}

impl FailOn {
    /// Whether a finding of this severity is a failure.
    pub(in crate::ui) fn fails(self, severity: Severity) -> bool {
        let least = match self {
            Self::Info => Severity::Info,
            Self::Low => Severity::Low,
            Self::Medium => Severity::Medium,
            Self::High => Severity::High,
            Self::Never => return false,
        };
        severity >= least
    }
}
