//! Reporting a connect that never left this host.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_ktime_get_boot_ns};
use gdprport_common::{Hook, RecordKind, SocketOwner};

use crate::count::Occasion;
use crate::flow::SocketTuple;
use crate::{emit, flow, overload};

/// Reports a connect of `owner`, or counts it in a group. `context` is what the helper for socket cookies takes in this program.
///
/// # Safety
/// `context` is the program's.
#[inline(always)]
pub(crate) unsafe fn report(context: *mut c_void, kind: RecordKind, owner: &SocketOwner) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let Some(occasion) = Occasion::seen(Hook::Denied) else { return };
        let now = bpf_ktime_get_boot_ns();
        // The kernel does not let these hooks read a port of the socket; nothing was sent from one.
        let tuple = SocketTuple {
            family: owner.peer_family,
            peer: owner.peer,
            peer_port: owner.peer_port,
            ..SocketTuple::default()
        };
        let room = if overload::is_nearly_full() { None } else { emit::room() };
        let Some(mut entry) = room else {
            return overload::unsent(context, kind, &tuple, owner, now, occasion);
        };
        let cookie = bpf_get_socket_cookie(context);
        entry.write(flow::unsent(kind, cookie, &tuple, owner, now));
        emit::submit(entry, occasion);
    }
}
