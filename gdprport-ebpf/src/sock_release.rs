//! The end of a socket whose connect never left this host: no route, a firewall, or another program that denied it; or
//! a Fast Open whose caller sent nothing. What the policy denied was reported at the call (`sock_addr`).
//!
//! Such a connect never reaches TCP, so `sock_ops` sees nothing of it. For all other sockets this marks that their
//! process closed them (`fin`).

use core::ptr::read_volatile;

use aya_ebpf::bindings::{BPF_TCP_SYN_SENT, bpf_sock};
use aya_ebpf::macros::cgroup_sock;
use aya_ebpf::programs::SockContext;
use gdprport_common::{Closing, RecordKind, SocketRole, Started};

use crate::maps::watched;
use crate::{owners, unsent};

#[cgroup_sock(sock_release)]
fn gp_sock_release(ctx: SockContext) -> i32 {
    released(ctx.sock);
    1
}

#[inline(always)]
fn released(sk: *mut bpf_sock) {
    // SAFETY: `sk` is the program's context, a full socket; `stored` is checked before its use.
    unsafe {
        let stored = owners::find(sk, sk.cast());
        if stored.is_null() {
            return;
        }
        if (*stored).closing == Closing::Open as u8 {
            (*stored).closing = Closing::Released as u8;
        }
        // Nearly every socket returns here: TCP handled it, and `sock_ops` reports its end.
        if (*stored).started != Started::No as u8 {
            return;
        }
        let owner = *stored;
        owners::forget_spare(sk.cast());
        if owner.role != SocketRole::Connected as u8 {
            return;
        }
        if !watched(u32::from(owner.peer_port)) {
            return;
        }
        // With TCP_FASTOPEN_CONNECT and a known cookie connect succeeds, and the SYN waits for the first bytes.
        let unsent = read_volatile(&raw const (*sk).state) == BPF_TCP_SYN_SENT;
        let kind = if unsent { RecordKind::Failed } else { RecordKind::Denied };
        unsent::report(sk.cast(), kind, &owner);
    }
}
