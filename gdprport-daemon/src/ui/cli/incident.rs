//! `gdprport report incident …`: its options.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gdprport_core::incident::AskedPort;
use jiff::Timestamp;

use super::language::Language;
use super::since::Since;

/// What `gdprport report incident --help` says besides.
pub(super) const EXAMPLES: &str = "\
Examples:
  sudo gdprport report incident --port 5432 --from 2d --out breach
  sudo gdprport report incident --port customers-db \\
    --from 2026-11-28T08:00:00Z --to 2026-11-28T10:00:00Z
  sudo gdprport report incident --port 5432 --from 2d --to 1d --lang de \\
    --aware 2026-11-29T09:30:00Z --out breach

Without --out the draft is printed as Markdown; --out writes index.html,
incident.md and incident.json. It says what was reachable by whom, what
happened, how it was protected at that time, and what was not watched. The rest
is marked to be filled in.

Exit status: 0 written, 1 failed, 2 wrong usage, an invalid policy or ledger.";

/// `gdprport report incident …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct IncidentArgs {
    /// The port: its number, or the name of its declaration or service.
    #[arg(long, value_name = "PORT")]
    pub(in crate::ui) port: AskedPort,
    /// Begin of the time, as a duration (2d), a day (2026-11-28, in UTC) or a time (2026-11-28T08:00:00Z).
    #[arg(long, value_name = "WHEN")]
    pub(in crate::ui) from: Since,
    /// Its end; now, if it is not given.
    #[arg(long, value_name = "WHEN")]
    pub(in crate::ui) to: Option<Since>,
    /// When the controller became aware of the breach, if somebody knows.
    #[arg(long, value_name = "TIME")]
    pub(in crate::ui) aware: Option<Timestamp>,
    /// How long after that the authority has to be notified; without it what `notify_within` of the policy's [controller] says, or
    /// the 72 hours of the law in force.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(in crate::ui) deadline: Option<Duration>,
    /// The directory to write; it is made if it is missing.
    #[arg(long, value_name = "DIR")]
    pub(in crate::ui) out: Option<PathBuf>,
    /// The language: en, de or fr.
    #[arg(long, value_name = "LANGUAGE", hide_possible_values = true, default_value = "en")]
    pub(in crate::ui) lang: Language,
    /// Policy file that names the controller instead of those in /etc/gdprport; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) policy: Vec<PathBuf>,
    /// Read policy files that others than root can change too.
    #[arg(long)]
    pub(in crate::ui) any_owner: bool,
    /// The ledger to read instead of the host's.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) ledger: Option<PathBuf>,
    /// Write into a directory that has other files in it too.
    #[arg(long, requires = "out")]
    pub(in crate::ui) force: bool,
}
