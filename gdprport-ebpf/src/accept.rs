//! `accept` itself, where the kernel lets programs see a function return: the acceptor is known even if nobody asks
//! for the peer's address (`accept(fd, NULL)`, io_uring).
//!
//! The only thing that is read is the returned socket. Where it lies in the context depends on how many arguments the
//! function has, hence two programs. No field of the socket is read, for its offset would be the kernel's own: what
//! the record lacks, the daemon has by the cookie.

use core::ptr::read_volatile;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::bpf_sock;
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_ktime_get_boot_ns};
use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;
use gdprport_common::{Hook, RecordKind, SocketRole};

use crate::count::Occasion;
use crate::flow::SocketTuple;
use crate::maps::{OWNERS, watched};
use crate::{emit, flow, owner};

/// `inet_csk_accept(sk, flags, err, kern)`, until Linux 6.9. The verifier refuses it elsewhere: there is no fifth word.
#[fexit(function = "inet_csk_accept")]
fn gp_accept_of_four(ctx: FExitContext) -> i32 {
    accepted(returned(&ctx, 4));
    0
}

/// `inet_csk_accept(sk, arg)`, since Linux 6.10. The verifier refuses it elsewhere: the third word is no socket.
#[fexit(function = "inet_csk_accept")]
fn gp_accept_of_two(ctx: FExitContext) -> i32 {
    accepted(returned(&ctx, 2));
    0
}

/// What a function with so many arguments returned. Read as a word of the context, for only so does the verifier know
/// that it is a socket.
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
    // SAFETY: `sk` is a socket of the kernel, which the helpers check; `stored` is checked before its use.
    unsafe {
        let stored = OWNERS.get(sk);
        if stored.is_null() {
            return;
        }
        let Some(occasion) = Occasion::seen(Hook::Accept) else { return };
        if (*stored).role == SocketRole::Accepted as u8 || !watched(u32::from((*stored).local_port)) {
            return occasion.filtered();
        }
        let caller = owner::current((*stored).caller.netns_cookie);
        let owner = owner::accepted(stored, &caller);
        emit::emit(occasion, || {
            let cookie = bpf_get_socket_cookie(sk.cast());
            let time_ns = bpf_ktime_get_boot_ns();
            flow::opened(RecordKind::Accepted, cookie, &SocketTuple::default(), &owner, time_ns)
        });
    }
}
