//! Messages to operators in the daemon's log: rare, and never about a single flow.

use aya_log_ebpf::warn;

use crate::count;

/// Warns that there was no memory to store the owner of a socket, which `net.core.optmem_max` bounds too.
///
/// A function of its own, so that the verifier checks it once per program and it has its own stack. The message reads
/// nothing from `context`; the macro needs some context.
#[cold]
#[inline(never)]
pub(crate) fn owner_unkept<T>(context: *const T) {
    if let Some(so_far) = count::owner_unkept() {
        warn!(
            context,
            "no memory for the owner of a socket ({} times on this processor): it is reported as unknown; \
             raise net.core.optmem_max",
            so_far
        );
    }
}
