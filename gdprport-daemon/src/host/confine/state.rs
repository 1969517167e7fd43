//! The steps in which the daemon gives up what it does not need any more.
//!
//! 1. [`begin`], before its first thread: no program that it would execute gains anything.
//! 2. [`settle`], once the kernel side is loaded: the capabilities of the start are gone, in this thread and all that it
//!    starts from here on. What threads may do that never look at another process is `role`'s.
//! 3. [`filter_calls`], when it watches: system calls that only the start makes, or nothing of it, are refused in all threads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use super::calls;
use super::capability::used;

/// What of it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sandbox {
    /// Whether system calls are refused that it never makes.
    pub(crate) system_calls: bool,
    /// Whether threads that only write are kept to their directories.
    pub(crate) files: bool,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self { system_calls: true, files: true }
    }
}

/// What is in force, for who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Confined {
    pub(crate) sandbox: Sandbox,
    /// The capabilities that it was started with, as bits.
    pub(crate) given: u64,
    /// Whether the filter of system calls is in force.
    pub(crate) filtered: bool,
}

/// Set once, by a daemon. Other commands of the program, and tests, are not confined.
static CONFINED: OnceLock<(Sandbox, CapabilitySet)> = OnceLock::new();
static FILTERED: AtomicBool = AtomicBool::new(false);

/// Begins: to be called while there is one thread.
pub(crate) fn begin(sandbox: Sandbox) {
    let given = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    if CONFINED.set((sandbox, given)).is_err() {
        return;
    }
    let outcome = set_no_new_privs(true).and_then(|()| clear_ambient_capability_set());
    if let Err(error) = outcome {
        tracing::warn!(%error, "a program that this daemon would execute could have its privileges");
    }
    // Only with CAP_SETPCAP, which root has and a service has not; a service manager has done it then.
    for capability in (CapabilitySet::all() - used()).iter() {
        if remove_capability_from_bounding_set(capability).is_err() {
            break;
        }
    }
}

/// What is in force; `None` in other commands of the program.
#[must_use]
pub(crate) fn in_force() -> Option<Confined> {
    let (sandbox, given) = *CONFINED.get()?;
    Some(Confined { sandbox, given: given.bits(), filtered: FILTERED.load(Ordering::Relaxed) })
}

/// What it was started with, and whether its files are confined; `None` if it is not a daemon's.
pub(super) fn confined() -> Option<(Sandbox, CapabilitySet)> {
    CONFINED.get().copied()
}

/// What threads keep that look at other processes and their sockets.
const LOOKING: CapabilitySet = CapabilitySet::SYS_PTRACE
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::NET_ADMIN)
    .union(CapabilitySet::SYS_ADMIN);

/// Gives up what only the start needs. `maps_work` is asked with the capabilities that are left: before Linux 5.19 the kernel
/// refuses a map to who holds its descriptor, and then CAP_BPF stays.
pub(crate) fn settle(maps_work: impl FnOnce() -> bool) {
    let Some((_, given)) = confined() else { return };
    let kept = given & LOOKING;
    // CAP_SYS_ADMIN includes it, where somebody has given only that.
    let own = given & CapabilitySet::BPF;
    let bpf = if own.is_empty() { given & CapabilitySet::SYS_ADMIN } else { own };
    // It raises CAP_SYS_ADMIN only where it enters a namespace.
    let effective = kept - CapabilitySet::SYS_ADMIN;
    let with_bpf = keep(effective, kept | bpf);
    let outcome = match with_bpf {
        Ok(()) if maps_work() => keep(effective, kept),
        Ok(()) => {
            tracing::debug!("this kernel asks for CAP_BPF at each look into a map: it stays");
            keep(effective | bpf, kept | bpf)
        }
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        tracing::warn!(%error, "the capabilities of the start cannot be given up");
    }
}

/// Sets this thread's capabilities. None can be passed on to a program.
pub(super) fn keep(effective: CapabilitySet, permitted: CapabilitySet) -> rustix::io::Result<()> {
    set_capabilities(None, CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() })
}

/// Refuses, in every thread, the system calls that a running daemon does not make.
pub(crate) fn filter_calls() {
    let Some((sandbox, _)) = confined() else { return };
    if !sandbox.system_calls {
        return;
    }
    match calls::refuse_others() {
        Ok(()) => FILTERED.store(true, Ordering::Relaxed),
        Err(error) => tracing::warn!(error, "no system call is refused"),
    }
}
