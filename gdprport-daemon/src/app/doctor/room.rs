//! The room on a file system.

use std::path::Path;

/// Bytes that are free for root where a file is.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path.parent()?).ok()?;
    Some(stat.f_bfree.saturating_mul(stat.f_frsize))
}
