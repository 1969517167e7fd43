//! `gdprport policy apply …`: what can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::super::format::duration;
use super::since::Since;
use crate::control::api::{TRIAL_MAX_S, TRIAL_MIN_S};

/// What `gdprport policy apply --help` says besides.
pub(super) const APPLY: &str = "\
Examples:
  sudo gdprport policy apply policy.new.toml --confirm 60s
  sudo gdprport policy apply db.toml --as /etc/gdprport/policy.d/db.toml

Shows what FILE means that the policy in force does not, and what it would have
said of the past, and asks. With --confirm it is in force at once and nothing is
written: the policy before it comes back by itself, also if the terminal hangs
or the daemon ends, unless the return key or `gdprport policy confirm` in
another terminal keeps it. Only then the daemon's file is replaced; the text
before is kept beside it, with the ending `.previous`.

Exit status: 0 in force, 1 not confirmed or it failed, 2 an invalid policy,
3 no daemon.";

/// What `gdprport policy confirm --help` says besides.
pub(super) const CONFIRM: &str = "\
Examples:
  sudo gdprport policy confirm";

/// What `gdprport policy revert --help` says besides.
pub(super) const REVERT: &str = "\
Examples:
  sudo gdprport policy revert";

/// `gdprport policy apply …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct ApplyArgs {
    /// The file to put in force.
    #[arg(value_name = "FILE")]
    pub(in crate::ui) file: PathBuf,
    /// The file of the daemon's policy whose place it takes; without it, the only one, or policy.toml.
    #[arg(long = "as", value_name = "PATH")]
    pub(in crate::ui) place: Option<String>,
    /// Take it back after this time (60s, 5m), unless it is confirmed.
    #[arg(long, value_name = "TIME", value_parser = trial)]
    pub(in crate::ui) confirm: Option<Duration>,
    /// Do not ask.
    #[arg(long, short)]
    pub(in crate::ui) yes: bool,
    /// Judge the past since then, as a duration (7d, 12h) or a day (2026-11-01, in UTC).
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    pub(in crate::ui) since: Since,
    /// The ledger that knows the past, instead of the host's.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) ledger: Option<PathBuf>,
}

/// Reads how long a trial lasts.
fn trial(text: &str) -> Result<Duration, String> {
    let range = TRIAL_MIN_S..=TRIAL_MAX_S;
    match humantime::parse_duration(text.trim()) {
        Ok(time) if range.contains(&time.as_secs()) => Ok(time),
        Ok(_) => Err(format!("a trial takes {} to {}", duration(TRIAL_MIN_S), duration(TRIAL_MAX_S))),
        Err(_) => Err("write a duration such as 60s or 5m".to_owned()),
    }
}
