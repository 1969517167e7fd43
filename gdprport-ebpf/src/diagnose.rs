//! What an operator should read in the daemon's log: rare, and never about a single flow.

use aya_log_ebpf::warn;

use crate::count;

/// A socket's storage had no room for its owner: `net.core.optmem_max` bounds it, and so does memory.
///
/// Its own program part, which the verifier sees once per program and whose stack is its own. `context` only
/// stands for the program's, of which the message needs nothing.
#[cold]
#[inline(never)]
pub fn unkept<T>(context: *const T) {
    if let Some(so_far) = count::unkept() {
        warn!(
            context,
            "no memory for the owner of a socket ({} times on this processor): it will be told as unknown; \
             raise net.core.optmem_max",
            so_far
        );
    }
}
