//! `gdprport enforce …`: what can be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::app::Config;

/// What `gdprport enforce --help` says besides.
pub(super) const EXAMPLES: &str = "\
Examples:
  sudo gdprport enforce off --why \"orders cannot reach the database\"
  sudo gdprport enforce on

What is enforced, and what was denied, is in `gdprport daemon status`.";

/// `gdprport enforce …`
#[derive(Debug, Subcommand)]
pub(in crate::ui) enum EnforceCommand {
    /// The emergency brake: let every connection pass from now on, whatever the policy says, until `enforce on`.
    #[command(after_help = "\
Examples:
  sudo gdprport enforce off --why \"orders cannot reach the database\"

Needs root and the kernel, no daemon. The daemon goes on to watch and to report.
What was denied stays reported. It holds over restarts: the mark is a file
beside the configuration, /etc/gdprport/enforcement.off.

Exit status: 0 nothing is enforced, 1 it failed.")]
    Off(OffArgs),
    /// Let the brake go: the daemon enforces again what its policy says.
    #[command(after_help = "\
Examples:
  sudo gdprport enforce on")]
    On(OnArgs),
}

/// `gdprport enforce off …`
#[derive(Debug, Args)]
pub(in crate::ui) struct OffArgs {
    /// Why, for who finds it: shown in `daemon status`.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(in crate::ui) why: String,
    /// The daemon's configuration, beside which the mark is.
    #[arg(long, value_name = "FILE", default_value = Config::PLACE)]
    pub(in crate::ui) config: PathBuf,
}

/// `gdprport enforce on …`
#[derive(Debug, Args)]
pub(in crate::ui) struct OnArgs {
    /// The daemon's configuration, beside which the mark is.
    #[arg(long, value_name = "FILE", default_value = Config::PLACE)]
    pub(in crate::ui) config: PathBuf,
}
