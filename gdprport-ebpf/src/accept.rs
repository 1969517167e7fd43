//! `accept` itself, where the kernel lets programs run on function return: the acceptor is known even if the peer's
//! address is not requested (`accept(fd, NULL)`, io_uring).
//!
//! Only the returned socket is read. Its place in the context depends on how many arguments the function has, so there
//! are two programs. No field of the socket is read, because its offset depends on the kernel: the daemon finds what
//! the record lacks by the cookie.

use core::ptr::read_volatile;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::bpf_sock;
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_ktime_get_boot_ns};
use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;
use gdprport_common::{Caller, Hook, RecordKind, SOCKET_GROUPED, SocketRole};

use crate::count::Occasion;
use crate::flow::SocketTuple;
use crate::maps::watched;
use crate::{emit, flow, owner, owners};

/// `inet_csk_accept(sk, flags, err, kern)`, until Linux 6.9. The verifier rejects it elsewhere: there is no fifth word.
#[fexit(function = "inet_csk_accept")]
fn gp_accept_of_four(ctx: FExitContext) -> i32 {
    accepted(returned(&ctx, 4));
    0
}

/// `inet_csk_accept(sk, arg)`, since Linux 6.10. The verifier rejects it elsewhere: the third word is no socket.
#[fexit(function = "inet_csk_accept")]
fn gp_accept_of_two(ctx: FExitContext) -> i32 {
    accepted(returned(&ctx, 2));
    0
}

/// What a function with that many arguments returned. It is read as a word of the context, because only then does the
/// verifier know that it is a socket.
#[inline(always)]
fn returned(ctx: &FExitContext, arguments: usize) -> *mut bpf_sock {
    // SAFETY: the context is an array of words, the arguments and then the return value; the verifier checks the index.
    unsafe { read_volatile(ctx.as_ptr().cast::<*mut bpf_sock>().add(arguments)) }
}

#[inline(always)]
fn accepted(sk: *mut bpf_sock) {
    if sk.is_null() {
        return;
    }
    // SAFETY: `sk` is a kernel socket, which the helpers check; `stored` is checked before its use.
    unsafe {
        let stored = owners::find(sk, sk.cast());
        if stored.is_null() {
            return;
        }
        let Some(occasion) = Occasion::seen(Hook::Accept) else { return };
        // Of a connection that was counted in a group the listener's process stays the owner, so that its end is counted in
        // the same one.
        if (*stored).role == SocketRole::Accepted as u8
            || (*stored).flags & SOCKET_GROUPED != 0
            || !watched(u32::from((*stored).local_port))
        {
            return occasion.filtered();
        }
        let mut caller = Caller { netns_cookie: (*stored).caller.netns_cookie, ..Caller::default() };
        owner::read_current(&mut caller);
        if caller.tgid == 0 {
            return occasion.filtered();
        }
        owner::set_acceptor(stored, &caller);
        emit::emit(occasion, || {
            let cookie = bpf_get_socket_cookie(sk.cast());
            let (role, now) = (SocketRole::Accepted as u8, bpf_ktime_get_boot_ns());
            flow::opened(RecordKind::Accepted, cookie, &SocketTuple::default(), &caller, role, now)
        });
    }
}
