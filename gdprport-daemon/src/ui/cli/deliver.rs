//! `gdprport deliver` and `gdprport sink …`: what can be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::deliver::CONFIG;

/// What `gdprport deliver --help` says besides.
pub(super) const EXAMPLES: &str = "\
Examples:
  gdprport deliver                       as the service does
  gdprport deliver --config my.toml --state state --socket deliver.sock

It reads the spool that the daemon writes and needs no privileges but to read
it. SIGHUP reads the configuration again: sinks that are the same go on, and
each of the others continues where it was. gdprport-sinks(5) has the keys.";

/// What `gdprport sink --help` says besides.
pub(super) const SINK_EXAMPLES: &str = "\
Examples:
  gdprport sink status
  sudo gdprport sink test siem";

/// What `gdprport sink status --help` says besides.
const STATUS_EXAMPLES: &str = "\
Examples:
  gdprport sink status
  gdprport sink status --json | jq '.sinks[] | {name, state}'";

/// What `gdprport sink test --help` says besides.
const TEST_EXAMPLES: &str = "\
Examples:
  sudo gdprport sink test siem

Sends one event of the kind `sink.test` over a connection of its own, whatever
the filter says, and shows what the receiver answered. Where no deliverer runs
it is done by this command, from the configuration.

Exit status: 0 it arrived, 1 it did not.";

/// `gdprport deliver …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct DeliverArgs {
    /// The configuration whose sinks are served.
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub(in crate::ui) config: PathBuf,
    /// Keep what is known of each sink in this directory, instead of the one that the configuration names or
    /// /var/lib/gdprport-deliver.
    #[arg(long, value_name = "DIR")]
    pub(in crate::ui) state: Option<PathBuf>,
    /// Take a configuration that others than root can change, and log a warning: to try something out.
    #[arg(long)]
    pub(in crate::ui) any_owner: bool,
}

/// `gdprport sink …`
#[derive(Debug, Subcommand)]
pub(in crate::ui) enum SinkCommand {
    /// Show every sink: how far it is, what was delivered, refused and lost, and what is wrong.
    #[command(override_usage = "gdprport sink status [OPTIONS]", after_help = STATUS_EXAMPLES)]
    Status(SinkArgs),
    /// Send a marked event to a receiver and show what it answers. For root.
    #[command(override_usage = "gdprport sink test [OPTIONS] <NAME>", after_help = TEST_EXAMPLES)]
    Test {
        /// The sink's name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        args: SinkArgs,
    },
}

/// What every `gdprport sink …` takes.
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct SinkArgs {
    /// The configuration that names the deliverer's socket, and has the sinks where no deliverer runs.
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub(in crate::ui) config: PathBuf,
    /// Take a configuration that others than root can change.
    #[arg(long)]
    pub(in crate::ui) any_owner: bool,
}
