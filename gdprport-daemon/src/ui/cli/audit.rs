//! `gdprport audit …`: its options.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gdprport_core::audit::Severity;

/// How an audit is used.
pub(super) const EXAMPLES: &str = "\
Examples:
  sudo gdprport audit                         policy, ledger and host of this machine
  sudo gdprport audit --since 14d --fail-on medium
  gdprport audit --no-scan --policy policy.toml --sarif > audit.sarif

What listens now is looked at, as `gdprport scan` does; what happened is read from
the ledger that the daemon keeps. What cannot be judged is listed as such: nothing
is claimed of it. Every finding is explained in docs/audit.md.

Exit status: 0 nothing found that is as severe as --fail-on, 1 something was,
2 wrong usage or an invalid policy.";

/// `gdprport audit …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct AuditArgs {
    /// The period that is judged, back from now: `90d`, `12h`.
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = period)]
    pub(in crate::ui) since: std::time::Duration,
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

/// The longest period: longer than a ledger keeps.
const LONGEST_DAYS: u64 = 3_660;

fn period(text: &str) -> Result<std::time::Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|_| "write it as 90d, 12h or 30m".to_owned())?;
    if duration.as_secs() == 0 || duration.as_secs() > LONGEST_DAYS * 86_400 {
        return Err(format!("from 1s to {LONGEST_DAYS}d"));
    }
    Ok(duration)
}
