//! How a run of the daemon is asked for, and why it may fail.

use std::path::PathBuf;

use super::config::Config;
use super::first_look::FirstLookTo;
use super::policy::{PolicyError, PolicyFiles, Trust};
use super::privacy::PrivacyError;
use super::remedy::with_remedy;
use crate::control::server::BindError;
use crate::control::server::scrapes::ListenError;
use crate::host::brake::Brake;
use crate::host::probes::LoadError;
use crate::ledger::{InUse, Settings as LedgerSettings};
use crate::sink::evidence::EvidenceSettings;
use crate::sink::spool::SpoolSettings;
use crate::sink::{Format, Render, SinkError};

/// How the daemon is to run.
pub(crate) struct RunOptions {
    /// Where the policy is.
    pub policy: PolicyFiles,
    /// What is done about policy files that others than root can change.
    pub trust: Trust,
    /// Sizes and intervals.
    pub config: Config,
    /// While it is pulled nothing is denied.
    pub brake: Brake,
    pub socket: PathBuf,
    /// What to write to standard output, if anything.
    pub stdout: Option<Format>,
    /// A file for JSON lines.
    pub file: Option<PathBuf>,
    /// The message of a journal entry, if the journal is wanted.
    pub journald: Option<Render>,
    /// The ledger; `None`: none is kept.
    pub ledger: Option<LedgerSettings>,
    /// The spool, which the deliverer reads; `None`: none is written.
    pub spool: Option<SpoolSettings>,
    /// The evidence log; `None`: none is kept.
    pub evidence: Option<EvidenceSettings>,
    /// A directory on a bpffs in which the kernel side outlives the daemon.
    pub pins: Option<PathBuf>,
    /// Who gets what is found on the host if there is no policy; nobody looks for it otherwise.
    pub first_look: Option<FirstLookTo>,
}

/// Why the daemon did not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The control socket cannot be taken.
    #[error(transparent)]
    Control(#[from] BindError),
    /// The kernel programs cannot run.
    #[error("{}", with_remedy(.0))]
    Kernel(#[from] LoadError),
    /// A sink cannot be opened.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// What is to be hidden cannot be.
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
    /// Another daemon writes the ledger.
    #[error(transparent)]
    Ledger(#[from] InUse),
    /// The address of the metrics cannot be taken.
    #[error(transparent)]
    Metrics(#[from] ListenError),
    /// `/proc` is not as it should be.
    #[error("cannot read /proc: {0}; mount it (`mount -t proc proc /proc`)")]
    Proc(std::io::Error),
    /// The process lacks something every process has.
    #[error("cannot start: {0}")]
    System(std::io::Error),
}
