//! Which sockets want their payload to be captured, and how many. What is captured is `payload`'s.

use gdprport_common::SocketOwner;

use crate::count;
use crate::maps::WANTING;

/// Requests the socket's payload: from here on its packets are inspected.
///
/// # Safety
/// `stored` is the storage of a socket that this program holds; the socket is locked, as it is in `sock_ops` callbacks.
#[inline(always)]
pub(crate) unsafe fn request(stored: *mut SocketOwner) {
    // SAFETY: guaranteed by the caller, so no other program changes this at the same time.
    unsafe {
        if (*stored).wants_payload == 0
            && let Some(wanting) = WANTING.get_ptr_mut(0)
        {
            (*stored).wants_payload = 1;
            count::add(wanting, 1);
        }
    }
}

/// Stops requesting the socket's payload.
///
/// # Safety
/// As for [`request`]. `cgroup_skb` sees what a socket sends with the socket locked; for what it receives the socket is
/// not locked, and this must not be called.
#[inline(always)]
pub(crate) unsafe fn cancel(stored: *mut SocketOwner) {
    // SAFETY: as in `request`.
    unsafe {
        if (*stored).wants_payload != 0
            && let Some(wanting) = WANTING.get_ptr_mut(0)
        {
            (*stored).wants_payload = 0;
            count::add(wanting, u64::MAX);
        }
    }
}
