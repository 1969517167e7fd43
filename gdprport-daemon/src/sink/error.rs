//! Why a sink cannot be set up, each as a sentence with its remedy.

use std::io;
use std::path::PathBuf;

/// A sink cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The directory of an events file does not exist.
    #[error("cannot write events to {}: the directory {} does not exist: create it or name another file", path.display(), directory.display())]
    NoDirectory {
        path: PathBuf,
        /// The directory that is missing.
        directory: PathBuf,
    },
    /// The path of an events file is taken by something else.
    #[error("cannot write events to {}: it is neither a regular file nor a character device: name another file", path.display())]
    NotAFile { path: PathBuf },
    /// An events file cannot be opened.
    #[error("cannot write events to {}: {source}: make it writable for the daemon's user or name another file", path.display())]
    Open { path: PathBuf, source: io::Error },
    /// journald's socket cannot be reached.
    #[error("cannot send events to journald at {}: {source}: is systemd-journald running?", path.display())]
    Journald { path: PathBuf, source: io::Error },
    /// Another daemon writes the spool.
    #[error(
        "the spool {} is written by another gdprport ({}): stop it, or give this one a spool of its own with --spool",
        .dir.display(),
        .pid.map_or_else(|| "its process id is not known".to_owned(), |pid| format!("process {pid}"))
    )]
    SpoolInUse {
        dir: PathBuf,
        /// The daemon, as it wrote itself into the lock file.
        pid: Option<u32>,
    },
    /// Another daemon writes the evidence log.
    #[error(
        "the evidence log {} is written by another gdprport ({}): stop it, or give this one a log of its own with --evidence",
        .dir.display(),
        .pid.map_or_else(|| "its process id is not known".to_owned(), |pid| format!("process {pid}"))
    )]
    EvidenceInUse {
        dir: PathBuf,
        /// The daemon, as it wrote itself into the lock file.
        pid: Option<u32>,
    },
    /// Standard output cannot be used.
    #[error(
        "cannot write events to standard output: {source}: start the daemon with it open, or name a file"
    )]
    Stdout { source: io::Error },
    /// The sink's thread cannot be started.
    #[error(
        "cannot start the thread of the sink {name}: {source}: raise the limit on tasks (TasksMax=, ulimit -u)"
    )]
    Thread { name: String, source: io::Error },
}
