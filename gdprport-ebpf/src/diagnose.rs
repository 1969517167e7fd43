//! Messages to operators in the daemon's log: rare, and never about a single flow.

use core::ptr;

use aya_log_ebpf::warn;

use crate::count;

/// Warns that there was no memory to store the owner of a socket, which `net.core.optmem_max` bounds too.
///
/// A global function, which the verifier checks once and by itself. Such a one returns a number; this one whether it warned.
/// It is not marked as cold, which puts it into a section of its own: there the loader takes a call of it for one of another.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn gp_owner_unkept() -> bool {
    let Some(so_far) = count::owner_unkept() else { return false };
    warn!(
        // The macro needs some context and reads nothing from it.
        ptr::null::<()>(),
        "no memory for the owner of a socket ({} times on this processor): it is reported as unknown; \
         raise net.core.optmem_max",
        so_far
    );
    true
}
