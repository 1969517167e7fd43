//! `gdprport top …`: what can be typed.

use std::path::PathBuf;

use clap::Args;

/// What `gdprport top --help` says besides.
pub(super) const EXAMPLES: &str = "\
Examples:
  gdprport top                              ports, then violations first
  gdprport top port:customers-db            one port
  gdprport top verdict:violation,undecided  what no rule allows
  gdprport top -- peer:10.0.0.0/8 -tls:yes  from there, and not by TLS

A filter has words: port: peer: unit: process: container: user: verdict: tls:
dir: reason: with a value, or any text that is shown. In it, / changes the
filter, Enter opens what is selected, ? shows all keys, q quits.

It needs a terminal of 60 columns, and the daemon's control socket; the history
is the ledger's. NO_COLOR and --color never are heeded.";

/// `gdprport top …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct TopArgs {
    /// Show only what matches, as in `port:5432 -verdict:declared`.
    #[arg(value_name = "FILTER")]
    pub(in crate::ui) filter: Vec<String>,
    /// The ledger for the history, instead of the one that the daemon writes.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) ledger: Option<PathBuf>,
}
