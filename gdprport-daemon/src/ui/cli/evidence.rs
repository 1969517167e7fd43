//! `gdprport evidence …`: its options.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::since::Since;

/// What `gdprport evidence --help` says besides.
pub(super) const EXAMPLES: &str = "\
Examples:
  gdprport evidence verify evidence --key host.pub
  sudo gdprport evidence key > host.pub

Each of them takes the directory of the log; without one it is the host's, by
[evidence] in gdprport.toml.";

/// What `gdprport evidence verify --help` says besides.
const VERIFY: &str = "\
Examples:
  gdprport evidence verify evidence --key host.pub
  gdprport evidence verify evidence --key host.pub --checkpoint paper.txt
  gdprport evidence verify evidence --key host.pub --tsa tsa.pem --stamps stamps

It needs the files and the public key only, and runs on any machine. A log that
was made anew with the right key is found only by a checkpoint that was kept
elsewhere: print one now and then and keep it where nobody with root on the host
can reach it. With --tsa it also says by when entries were there, as an
authority signed it (RFC 3161).

Exit status: 0 nothing was found, 1 findings, or nothing could be verified.";

/// What `gdprport evidence erase --help` says besides.
const ERASE: &str = "\
Examples:
  sudo gdprport evidence erase --before 400d --why 'retention of 400 days'
  sudo gdprport evidence erase --from 2026-03-01 --before 2026-04-01 \\
    --why 'request 17 of a data subject'

The running daemon does it, or else this command. Whole bundles of 256 entries
go; what shares a bundle with entries outside of the time stays until those go
too. The proofs of everything else stand.";

/// What `gdprport evidence export --help` says besides.
const EXPORT: &str = "\
Examples:
  sudo gdprport evidence export --from 2026-03-01 --to 2026-03-02 \\
    --output march-1.evidence
  gdprport evidence verify march-1.evidence --key host.pub

It has every entry between the last checkpoint before the time and the first
behind it, so that it shows that nothing was left out. With --checkpoint it also
proves that a checkpoint that was kept elsewhere is of the same log.";

/// What `gdprport evidence rotate --help` says besides.
const ROTATE: &str = "\
Examples:
  sudo gdprport evidence rotate > host.pub

The running daemon does it, or else this command. Whoever knows the old public
key can verify the log still: an entry, signed by both, leads from one to the
other. The old private key is gone then.";

/// `gdprport evidence …`
#[derive(Debug, Clone, Subcommand)]
pub(in crate::ui) enum EvidenceCommand {
    /// Verify a log from its files: what was changed, is missing, or was not logged, and where.
    #[command(override_usage = "gdprport evidence verify [OPTIONS] [DIR] --key KEY", after_help = VERIFY)]
    Verify(VerifyArgs),
    /// Print the latest checkpoint, to be kept elsewhere: on paper, in a safe, with an auditor.
    #[command(after_help = "\
Examples:
  sudo gdprport evidence checkpoint > checkpoint.txt
  sudo gdprport evidence checkpoint | lp")]
    Checkpoint(PlaceArgs),
    /// Print the public key of this host's log, for whoever verifies it.
    #[command(after_help = "\
Examples:
  sudo gdprport evidence key > host.pub")]
    Key(KeyArgs),
    /// Erase entries: their text goes, and every proof stands.
    #[command(override_usage = "gdprport evidence erase [OPTIONS] [DIR] --before WHEN --why TEXT", after_help = ERASE)]
    Erase(EraseArgs),
    /// Write what was logged in a time into a file that is verified alone.
    #[command(
        override_usage = "gdprport evidence export [OPTIONS] [DIR] --from WHEN --output FILE",
        after_help = EXPORT
    )]
    Export(ExportArgs),
    /// Sign with another key from now on: both keys sign that it is so.
    #[command(override_usage = "gdprport evidence rotate [OPTIONS] [DIR]", after_help = ROTATE)]
    Rotate(RotateKeyArgs),
}

/// `gdprport evidence verify …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct VerifyArgs {
    /// The directory of the log instead of the host's, or a copy of it, or the file of an export.
    #[arg(value_name = "DIR")]
    pub(in crate::ui) dir: Option<PathBuf>,
    /// The public key: a file, or the key itself (name+id+key).
    #[arg(long, value_name = "KEY")]
    pub(in crate::ui) key: String,
    /// Checkpoints that were kept elsewhere: a signed note, or events as a receiver stored them; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) checkpoint: Vec<PathBuf>,
    /// Verify timestamps of its checkpoints too, by authorities whose certificates are in this file, in PEM.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) tsa: Option<PathBuf>,
    /// The directory of the timestamps, or a copy of it, instead of the one of this host's deliverer.
    #[arg(long, value_name = "DIR", requires = "tsa")]
    pub(in crate::ui) stamps: Option<PathBuf>,
}

/// Where a log is.
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct PlaceArgs {
    /// The directory of the log instead of the host's.
    #[arg(value_name = "DIR")]
    pub(in crate::ui) dir: Option<PathBuf>,
}

/// `gdprport evidence key`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct KeyArgs {
    /// The directory of the log instead of the host's: its key is beside it (DIR.key).
    #[arg(value_name = "DIR")]
    pub(in crate::ui) dir: Option<PathBuf>,
    /// The file of its private key, if it is somewhere else.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) key: Option<PathBuf>,
}

/// `gdprport evidence erase …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct EraseArgs {
    /// Erase what was emitted before this: a duration (400d), a day (2026-04-01, in UTC) or a time.
    #[arg(long, value_name = "WHEN")]
    pub(in crate::ui) before: Since,
    /// … and from this time on; from the beginning, if it is not given.
    #[arg(long, value_name = "WHEN")]
    pub(in crate::ui) from: Option<Since>,
    /// Why, as the log will state it.
    #[arg(long, value_name = "TEXT")]
    pub(in crate::ui) why: String,
    /// The directory of a log that no daemon writes, instead of the host's: its key is beside it (DIR.key).
    #[arg(value_name = "DIR")]
    pub(in crate::ui) dir: Option<PathBuf>,
    /// The file of its private key, if it is somewhere else.
    #[arg(long, value_name = "FILE", requires = "dir")]
    pub(in crate::ui) key: Option<PathBuf>,
}

/// `gdprport evidence rotate`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct RotateKeyArgs {
    /// The directory of a log that no daemon writes, instead of the host's: its key is beside it (DIR.key).
    #[arg(value_name = "DIR")]
    pub(in crate::ui) dir: Option<PathBuf>,
    /// The file of its private key, if it is somewhere else.
    #[arg(long, value_name = "FILE", requires = "dir")]
    pub(in crate::ui) key: Option<PathBuf>,
}

/// `gdprport evidence export …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct ExportArgs {
    /// What was logged from this time on: a duration (7d), a day (2026-03-01, in UTC) or a time.
    #[arg(long, value_name = "WHEN")]
    pub(in crate::ui) from: Since,
    /// … and before this time; until now, if it is not given.
    #[arg(long, value_name = "WHEN")]
    pub(in crate::ui) to: Option<Since>,
    /// The file, which must not be there yet.
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::ui) output: PathBuf,
    /// Checkpoints that were kept elsewhere, as for `verify`; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) checkpoint: Vec<PathBuf>,
    /// The directory of the log instead of the host's.
    #[arg(value_name = "DIR")]
    pub(in crate::ui) dir: Option<PathBuf>,
}
