//! What a thread keeps of the daemon's rights: each gives up the rest as its first act.
//!
//! A thread shares its memory with the others: this holds against being talked into something (a path, a link, a name that
//! leads elsewhere), not against somebody who runs code in the process.

use std::path::{Path, PathBuf};

use rustix::thread::{CapabilitySet, capabilities};

use super::files::{self, Places};
use super::state::{confined, keep};

/// What a thread does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role<'a> {
    /// It works on what it is given, and writes to no file.
    Closed,
    /// It serves a socket, which it removes at the end, in this directory.
    Server(&'a Path),
    /// It writes these files, and others beside them.
    Writer(&'a [PathBuf]),
    /// It reads files that modes may hide from it: the policy.
    Reader,
    /// It reads files below init's root directory: the state of containers.
    HostReader,
    /// It asks the kernel about sockets and connections.
    Asker,
    /// It writes maps of the kernel side that are open.
    Tables,
    /// It asks the kernel in another network namespace, which it has entered.
    Inside,
}

impl Role<'_> {
    fn needs(self) -> CapabilitySet {
        match self {
            Self::Closed | Self::Server(_) => CapabilitySet::empty(),
            // Root's, where somebody starts it by hand: for a file below another user's home, and the group of a new ledger.
            Self::Writer(_) => CapabilitySet::DAC_OVERRIDE | CapabilitySet::CHOWN,
            Self::Reader => CapabilitySet::DAC_READ_SEARCH,
            Self::HostReader => CapabilitySet::DAC_READ_SEARCH | CapabilitySet::SYS_PTRACE,
            Self::Asker => CapabilitySet::NET_ADMIN,
            Self::Tables => CapabilitySet::BPF,
            Self::Inside => CapabilitySet::NET_ADMIN | CapabilitySet::BPF,
        }
    }

    /// Where it may write; `None`: it is not confined. The kernel lets a confined thread look at no process but its own
    /// children (`hook_ptrace_access_check`, security/landlock/task.c), so one that looks at others cannot be.
    fn places(&self) -> Option<Places<'_>> {
        match self {
            Self::Closed | Self::Reader | Self::Asker | Self::Tables => Some(Places::None),
            Self::Server(directory) => Some(Places::RemoveIn(directory)),
            Self::Writer(files) => Some(Places::Write(files)),
            Self::HostReader | Self::Inside => None,
        }
    }
}

/// Gives up all but what the role needs, in the calling thread and those that it starts. Does nothing outside of a daemon.
pub(crate) fn enter(role: Role<'_>) {
    let Some((sandbox, _)) = confined() else { return };
    let permitted = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
    let kept = permitted & role.needs();
    if let Err(error) = keep(kept, kept) {
        tracing::warn!(%error, ?role, "a thread keeps capabilities that it does not need");
    }
    if sandbox.files
        && let Some(places) = role.places()
        && let Err(error) = files::confine(places)
    {
        tracing::warn!(error, ?role, "a thread is not kept to its files");
    }
}

/// Makes entering a network namespace possible, in a thread that does only this and then enters [`Role::Inside`].
pub(crate) fn raise_for_namespaces() {
    if confined().is_none() {
        return;
    }
    if let Ok(sets) = capabilities(None) {
        // Without it the kernel refuses, and that is reported.
        let _ = keep(sets.effective | (sets.permitted & CapabilitySet::SYS_ADMIN), sets.permitted);
    }
}
