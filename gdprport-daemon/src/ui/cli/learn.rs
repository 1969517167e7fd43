//! `gdprport policy learn …`, `replay …` and `diff …`: what can be typed.

use std::path::PathBuf;

use clap::Args;

use super::since::Since;

/// What `gdprport policy learn --help` says besides.
pub(super) const LEARN: &str = "\
Examples:
  sudo gdprport policy learn --since 14d --output proposal.toml
  sudo gdprport policy learn --merge policy.toml --output policy.new.toml

Each rule is what was seen and no more: a process that is known exactly, and the
addresses that it was seen with, with the days and the rows of the ledger that
support it. What was a violation, or is not known well enough, is a comment that
says why. With --merge the file keeps every byte, and a rule that somebody wrote
is never changed: what it lacks is a comment beside it.

Exit status: 0 written, 1 failed, 2 an invalid policy or no ledger.";

/// What `gdprport policy replay --help` says besides.
pub(super) const REPLAY: &str = "\
Examples:
  gdprport policy replay proposal.toml            before it is put in force
  gdprport policy replay policy.toml policy.d/*.toml --since 7d --all

Nothing is put in force. The ledger keeps less than a rule may ask for
(cgroups, labels, ids of containers, numbers of groups, addresses of host
names): what that would decide cannot be judged, and is never counted as
declared.

Exit status: 0 nothing that was declared would be a violation, 1 something
would, or it failed, 2 an invalid policy or no ledger.";

/// What `gdprport policy diff --help` says besides.
pub(super) const DIFF: &str = "\
Examples:
  gdprport policy diff /etc/gdprport policy.new.toml     this host's, another
  gdprport policy diff sha256:1dc4f0a9 sha256:9b01c2d3   two that applied

A and B are files, directories with policy.toml and policy.d, or digests of
policies that applied once, with at least eight digits. Comments, order within a
table and names of [peers] are no difference.

Exit status: 0 both mean the same, 1 they differ or it failed, 2 an invalid
policy or no ledger.";

/// `gdprport policy learn …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct LearnArgs {
    /// Since when, as a duration (14d, 12h) or a day (2026-11-01, in UTC).
    #[arg(long, value_name = "WHEN", default_value = "14d")]
    pub(in crate::ui) since: Since,
    /// The ledger to read instead of the host's.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) ledger: Option<PathBuf>,
    /// Put what is missing into this policy file, instead of writing a policy of its own. Printed, or written with --output.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) merge: Option<PathBuf>,
    /// With --merge: another file of the same policy, which is read and not changed; may be given several times.
    #[arg(long, value_name = "FILE", requires = "merge")]
    pub(in crate::ui) policy: Vec<PathBuf>,
    /// Propose rules in force for what was a violation too; each says that it was one.
    #[arg(long)]
    pub(in crate::ui) include_violations: bool,
    /// Write into this file, which must not exist, instead of to standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::ui) output: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long, requires = "output")]
    pub(in crate::ui) force: bool,
}

/// `gdprport policy replay …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct ReplayArgs {
    /// The files, read together as one policy; without any, those in /etc/gdprport.
    #[arg(value_name = "FILE")]
    pub(in crate::ui) files: Vec<PathBuf>,
    /// Since when is judged, as a duration (30d, 12h) or a day (2026-11-01, in UTC).
    #[arg(long, value_name = "WHEN", default_value = "30d")]
    pub(in crate::ui) since: Since,
    /// The ledger to read instead of the host's.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) ledger: Option<PathBuf>,
    /// List what stays as it is too.
    #[arg(long)]
    pub(in crate::ui) all: bool,
}

/// `gdprport policy diff …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct DiffArgs {
    /// The one before: a file, a directory, or a digest.
    #[arg(value_name = "A")]
    pub(in crate::ui) before: String,
    /// The one now.
    #[arg(value_name = "B")]
    pub(in crate::ui) now: String,
    /// The ledger that knows the digests, instead of the host's.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) ledger: Option<PathBuf>,
}
