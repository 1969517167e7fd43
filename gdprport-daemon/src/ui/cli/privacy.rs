//! `gdprport privacy …`: what can be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::app::Config;

/// What `gdprport privacy --help` says besides.
pub(super) const EXAMPLES: &str = "\
Examples:
  sudo gdprport privacy rotate
  sudo gdprport privacy resolve --user alice --uid 1000";

/// What `gdprport privacy rotate --help` says besides.
const ROTATE: &str = "\
Examples:
  sudo gdprport privacy rotate              then `systemctl restart gdprport`
  sudo gdprport privacy rotate --keep 3";

/// What `gdprport privacy resolve --help` says besides.
const RESOLVE: &str = "\
Examples:
  sudo gdprport privacy resolve --user alice --uid 1000
  sudo gdprport privacy resolve --address 10.0.0.9
  sudo gdprport privacy resolve --address 10.0.0.9 \\
    --key /etc/gdprport/keys/pseudonyms.until-2026-11-29T091500.000000Z

A key that was replaced is kept beside the new one, with the time in its name.";

/// `gdprport privacy …`
#[derive(Debug, Subcommand)]
pub(in crate::ui) enum PrivacyCommand {
    /// Write a new key, the first one too. The one before is kept beside it; the daemon takes the new one when it is restarted.
    #[command(override_usage = "gdprport privacy rotate [OPTIONS]", after_help = ROTATE)]
    Rotate(RotateArgs),
    /// Print the pseudonyms of users and addresses, to find them in events. No command finds the user of a pseudonym.
    #[command(
        override_usage = "gdprport privacy resolve [OPTIONS] <--user NAME|--uid ID|--address IP>",
        after_help = RESOLVE,
    )]
    Resolve(ResolveArgs),
}

/// `gdprport privacy rotate …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct RotateArgs {
    /// The configuration whose [privacy] names the key.
    #[arg(long, value_name = "FILE", default_value = Config::PLACE)]
    pub(in crate::ui) config: PathBuf,
    /// The key's file, instead of the one that the configuration names.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) key: Option<PathBuf>,
    /// How many old keys are kept, the newest. Pseudonyms of those that are removed can never be found again.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(in crate::ui) keep: usize,
}

/// `gdprport privacy resolve …`
#[derive(Debug, Clone, Args)]
#[command(group(clap::ArgGroup::new("what").args(["user", "uid", "address"]).required(true).multiple(true)))]
pub(in crate::ui) struct ResolveArgs {
    /// A name of a user or group; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(in crate::ui) user: Vec<String>,
    /// An id of a user or group; may be given several times.
    #[arg(long, value_name = "ID")]
    pub(in crate::ui) uid: Vec<u32>,
    /// An address of a peer; may be given several times.
    #[arg(long, value_name = "IP")]
    pub(in crate::ui) address: Vec<std::net::IpAddr>,
    /// The configuration whose [privacy] names the key and says how much of an address is kept.
    #[arg(long, value_name = "FILE", default_value = Config::PLACE)]
    pub(in crate::ui) config: PathBuf,
    /// The key's file, instead of the one that the configuration names: an old one, for events from before it was replaced.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) key: Option<PathBuf>,
}
