//! `gdprport policy …`: what can be typed.

use std::path::PathBuf;

use clap::Subcommand;

use super::apply::{self, ApplyArgs};
use super::explain::ExplainArgs;
use super::learn::{self, DiffArgs, LearnArgs, ReplayArgs};

/// `gdprport policy …`
#[derive(Debug, Subcommand)]
pub(in crate::ui) enum PolicyCommand {
    /// Check policy files as the daemon would: every problem, with line and column.
    #[command(after_help = "\
Examples:
  gdprport policy check                             the host's own policy
  gdprport policy check policy.toml policy.d/*.toml

Files that others than root can change are refused, as by the daemon; for
another user than root, and with --any-owner, that is only a warning.

Exit status: 0 valid, 2 problems.")]
    Check {
        /// The files, read together as one policy; without any, those in /etc/gdprport.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Take files that others than root can change, with a warning for each.
        #[arg(long)]
        any_owner: bool,
    },
    /// Show why a flow is declared, a violation or undecided: rule by rule, key by key.
    #[command(
        override_usage = "gdprport policy explain [OPTIONS] --port NAME|NUMBER\n       gdprport policy explain [OPTIONS] --flow ID\n       gdprport policy explain [OPTIONS] --row N",
        after_help = "\
Examples:
  gdprport policy explain --flow 1:aBcD…=     an open flow, by its id in events
  gdprport policy explain --row 4711          a row of the ledger, judged today
  gdprport policy explain --port customers-db --from 10.0.2.7 \\
    --unit postgresql@15-main.service --tls 1.3

The last one is a flow that could be, and needs no daemon.
What is not given is not known, and keys that ask for it are undecided."
    )]
    Explain(Box<ExplainArgs>),
    /// Propose a policy, or what one lacks, from what the ledger has seen: one rule for each process and its peers.
    #[command(override_usage = "gdprport policy learn [OPTIONS]", after_help = learn::LEARN)]
    Learn(LearnArgs),
    /// Show what a policy would have said of the past: what would change, by the ledger.
    #[command(override_usage = "gdprport policy replay [OPTIONS] [FILE]...", after_help = learn::REPLAY)]
    Replay(ReplayArgs),
    /// Say in words what another version of a policy means, what allows more first.
    #[command(override_usage = "gdprport policy diff [OPTIONS] A B", after_help = learn::DIFF)]
    Diff(DiffArgs),
    /// Put another policy in force: say what it changes, ask, and take it back by itself unless it is confirmed.
    #[command(override_usage = "gdprport policy apply [OPTIONS] FILE", after_help = apply::APPLY)]
    Apply(ApplyArgs),
    /// Keep the policy that is on trial.
    #[command(after_help = apply::CONFIRM)]
    Confirm,
    /// Take back the policy that is on trial.
    #[command(after_help = apply::REVERT)]
    Revert,
    /// Print the JSON Schema of the policy file, for editors.
    #[command(after_help = "\
Examples:
  gdprport policy schema > policy.schema.json")]
    Schema,
}
