//! Whether the peer's FIN is among what a socket received, for a socket that sent its own FIN first.
//!
//! The kernel goes from `FIN_WAIT2` to `CLOSE` in the same way when the peer's FIN arrives, when a reset arrives and
//! when the process closes; and it counts a FIN as a byte. Two cases:
//! 1. The process closed the socket, which sent the FIN: from then on only a FIN is accepted, so it arrived if
//!    `bytes_received` grew after our FIN was acknowledged. Nearly all sockets; they cost no extra program run.
//! 2. The process shut the sending side down and continues to receive: from then on each segment is checked for a FIN,
//!    which arrived if the stream was received up to its end.
//!
//! For a socket whose sending side was shut down before these programs were attached, it stays unknown.

use core::ptr::{read_unaligned, read_volatile};

use aya_ebpf::bindings::{
    BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG, BPF_TCP_CLOSING, BPF_TCP_LAST_ACK, bpf_sock, bpf_sock_ops,
};
use aya_ebpf::helpers::generated::bpf_sock_ops_cb_flags_set;
use gdprport_common::{Closing, FLAG_PEER_FIN, FLAG_PEER_FIN_UNKNOWN, SocketOwner};

use crate::flow::ports;
use crate::maps::watched;
use crate::owners;

/// The flag of the last segment of a direction (RFC 9293 3.1).
const FIN: u32 = 1;
/// A TCP header without options.
const HEADER: usize = 20;

/// Our FIN is about to be sent.
#[inline(never)]
pub(crate) fn sent(ops: *mut bpf_sock_ops) {
    // SAFETY: `ops` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return;
        }
        let mut stored = owners::find(sk, ops.cast());
        if stored.is_null() {
            // An earlier daemon or another agent on this host requested the callback.
            let (local_port, peer_port) = ports(ops);
            if !watched(local_port) && !watched(peer_port) {
                return;
            }
            let mut empty = SocketOwner::default();
            stored = owners::find_or_insert(sk, ops.cast(), &mut empty);
            if stored.is_null() {
                return;
            }
        }
        if (*stored).closing == Closing::Open as u8 {
            let flags = read_volatile(&raw const (*ops).bpf_sock_ops_cb_flags);
            bpf_sock_ops_cb_flags_set(ops, (flags | BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG) as i32);
            (*stored).closing = Closing::Watched as u8;
        }
    }
}

/// Our FIN was acknowledged: stores how much was received by then.
#[inline(always)]
pub(crate) fn acknowledged(ops: *mut bpf_sock_ops) {
    // SAFETY: `ops` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let received = read_volatile(&raw const (*ops).bytes_received);
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return;
        }
        let stored = owners::find(sk, ops.cast());
        if !stored.is_null() && (*stored).closing == Closing::Released as u8 {
            (*stored).fin_mark = received as u32;
            (*stored).closing = Closing::Counted as u8;
        }
    }
}

/// A socket whose sending side is shut down receives a segment: if it has a FIN, stores where the stream ends.
#[inline(never)]
pub(crate) fn inspect_segment(ops: *mut bpf_sock_ops) {
    // SAFETY: `ops` is the program's context; the segment is read only up to its end; `sk` and `stored` are
    // checked before their use.
    unsafe {
        if read_volatile(&raw const (*ops).skb_tcp_flags) & FIN == 0 {
            return;
        }
        let len = read_volatile(&raw const (*ops).skb_len);
        let header: *const u8 = read_volatile(&raw const (*ops).__bindgen_anon_3.skb_data).cast();
        let end: *const u8 = read_volatile(&raw const (*ops).__bindgen_anon_4.skb_data_end).cast();
        if header.wrapping_add(HEADER) > end {
            return;
        }
        let seq = u32::from_be(read_unaligned(header.add(4).cast::<u32>()));
        let header_len = u32::from(*header.add(12) >> 4) * 4;
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return;
        }
        let stored = owners::find(sk, ops.cast());
        if stored.is_null() {
            return;
        }
        let closing = (*stored).closing;
        if closing == Closing::Watched as u8 || closing == Closing::Ending as u8 {
            (*stored).fin_mark = seq.wrapping_add(len).wrapping_sub(header_len).wrapping_add(1);
            (*stored).closing = Closing::Ending as u8;
        }
    }
}

/// Returns whether a socket that leaves the state `old` for CLOSE sent a FIN that was not acknowledged: it was reset, or
/// nobody answered any more.
///
/// # Safety
/// `ops` is the program's context.
#[inline(always)]
pub(crate) unsafe fn is_unacked(ops: *mut bpf_sock_ops, old: u32) -> bool {
    // SAFETY: guaranteed by the caller.
    unsafe {
        (old == BPF_TCP_LAST_ACK || old == BPF_TCP_CLOSING)
            && read_volatile(&raw const (*ops).snd_una) != read_volatile(&raw const (*ops).snd_nxt)
    }
}

/// Returns what is known of the peer's FIN when a socket leaves `FIN_WAIT2`, as flags of the record.
#[inline(always)]
pub(crate) fn peer_fin_flags(owner: &SocketOwner, received: u64, rcv_nxt: u32) -> u8 {
    let arrived = if owner.closing == Closing::Counted as u8 {
        received as u32 != owner.fin_mark
    } else if owner.closing == Closing::Ending as u8 {
        rcv_nxt == owner.fin_mark
    } else if owner.closing == Closing::Watched as u8 {
        false
    } else {
        return FLAG_PEER_FIN_UNKNOWN;
    };
    if arrived { FLAG_PEER_FIN } else { 0 }
}
