//! MPTCP: one connection of a process over several TCP connections, its paths.
//!
//! A process has the MPTCP socket, which is none of TCP. The kernel's workers open further paths, and accept them; whose they
//! are shows only by the MPTCP socket, which the first path leads to. It has a storage of its own here.

use aya_ebpf::bindings::{bpf_sock, bpf_sock_addr};
use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_ktime_get_boot_ns, bpf_skc_to_mptcp_sock};
use core::ptr::{self, read_volatile};
use gdprport_common::{Caller, Hook, MptcpOwner, RecordKind, SocketOwner, SocketRole};

use crate::count::Occasion;
use crate::flow::SocketTuple;
use crate::maps::{MPTCP_OWNERS, watched};
use crate::{emit, flow, owner};

/// 1 if the kernel has MPTCP and lets programs find its sockets (since Linux 5.19); the daemon sets it.
#[unsafe(no_mangle)]
static MPTCP_SOCKETS: u32 = 0;

/// Returns the MPTCP socket that a path belongs to, null if it is an ordinary connection.
///
/// # Safety
/// `path` is a full socket from the program's context and was checked not to be null.
#[inline(always)]
unsafe fn connection(path: *mut bpf_sock) -> *mut bpf_sock {
    // SAFETY: guaranteed by the caller. The verifier does not look at what the constant excludes.
    unsafe {
        if read_volatile(&raw const MPTCP_SOCKETS) == 0 {
            ptr::null_mut()
        } else {
            bpf_skc_to_mptcp_sock(path.cast()).cast()
        }
    }
}

/// Notes who connects an MPTCP socket, or returns who did if this is a kernel worker that opens another path.
///
/// # Safety
/// As for [`connection`].
#[inline(always)]
pub(crate) unsafe fn connects(path: *mut bpf_sock, caller: &mut Caller) {
    // SAFETY: guaranteed by the caller; sockets and storage are checked before their use.
    unsafe {
        let connection = connection(path);
        if !connection.is_null() {
            connected(connection, caller);
        }
    }
}

/// A function of its own, for its stack: a connect may need much of it later.
///
/// # Safety
/// `connection` is what [`connection`] returned and not null, and `caller` the caller's own value.
#[inline(never)]
unsafe fn connected(connection: *mut bpf_sock, caller: *mut Caller) {
    // SAFETY: guaranteed by the caller; the storage is checked before its use.
    unsafe {
        let caller = &mut *caller;
        if caller.tgid != 0 {
            let role = SocketRole::Connected as u8;
            let mut owner = MptcpOwner { caller: *caller, role, ..MptcpOwner::default() };
            let stored = MPTCP_OWNERS.get_or_insert(connection, &mut owner);
            if !stored.is_null() {
                *stored = owner;
            }
            return;
        }
        let stored = MPTCP_OWNERS.get(connection);
        if !stored.is_null()
            && ((*stored).role == SocketRole::Connected as u8 || (*stored).role == SocketRole::Accepted as u8)
        {
            *caller = (*stored).caller;
        }
    }
}

/// Notes who listens on an MPTCP socket; the sockets that it accepts inherit it.
///
/// # Safety
/// As for [`connection`].
#[inline(always)]
pub(crate) unsafe fn listens(path: *mut bpf_sock, listener: &SocketOwner) {
    // SAFETY: as in `connects`.
    unsafe {
        let connection = connection(path);
        if connection.is_null() {
            return;
        }
        let mut owner = MptcpOwner { caller: listener.caller, role: listener.role, ..MptcpOwner::default() };
        let stored = MPTCP_OWNERS.get_or_insert(connection, &mut owner);
        if !stored.is_null() {
            *stored = owner;
        }
    }
}

/// A path was accepted. The first one is that of which the acceptor is reported; a further one belongs to who accepted the
/// MPTCP socket, if that is known.
///
/// # Safety
/// As for [`connection`]; `stored` is the path's storage.
#[inline(always)]
pub(crate) unsafe fn arrived(path: *mut bpf_sock, cookie: u64, stored: *mut SocketOwner) {
    // SAFETY: as in `connects`.
    unsafe {
        let connection = connection(path);
        if connection.is_null() {
            return;
        }
        let known = MPTCP_OWNERS.get(connection);
        if known.is_null() {
            return;
        }
        if (*known).role == SocketRole::Accepted as u8 {
            (*stored).caller = (*known).caller;
            (*stored).role = SocketRole::Accepted as u8;
        } else if (*known).first_path == 0 {
            (*known).first_path = cookie;
        }
    }
}

/// A process asks for the peer's address of an MPTCP socket, as `accept` does: as for TCP it is the acceptor if it can have
/// inherited the listener.
///
/// # Safety
/// `ctx` is the program's context, and `sk` its socket, of MPTCP and not null.
#[inline(always)]
pub(crate) unsafe fn acceptor(ctx: *mut bpf_sock_addr, sk: *mut bpf_sock) {
    // SAFETY: guaranteed by the caller; `stored` is checked before its use.
    unsafe {
        if !watched(read_volatile(&raw const (*sk).src_port)) {
            return;
        }
        let stored = MPTCP_OWNERS.get(sk);
        if stored.is_null() {
            return;
        }
        let Some(occasion) = Occasion::seen(Hook::Accept) else { return };
        if (*stored).role != SocketRole::Bound as u8 || (*stored).first_path == 0 {
            return occasion.filtered();
        }
        let mut caller = Caller { netns_cookie: bpf_get_netns_cookie(ctx.cast()), ..Caller::default() };
        owner::read_current(&mut caller);
        if caller.tgid == 0 || !owner::descends_from(&caller, &(*stored).caller) {
            return occasion.filtered();
        }
        (*stored).caller = caller;
        (*stored).role = SocketRole::Accepted as u8;
        let (cookie, role) = ((*stored).first_path, SocketRole::Accepted as u8);
        emit::emit(occasion, || {
            flow::opened(
                RecordKind::Accepted,
                cookie,
                &SocketTuple::default(),
                &caller,
                role,
                bpf_ktime_get_boot_ns(),
            )
        });
    }
}
