//! Whether the peer's FIN is among what a socket received, for a socket whose own FIN went first.
//!
//! The kernel leaves `FIN_WAIT2` for `CLOSE` in the same way when the peer's FIN comes, when a reset comes and when the
//! process closes; and it counts a FIN as a byte. Two cases:
//! 1. The process closed the socket, which sent the FIN: nothing but a FIN is taken from then on, so it came if what was
//!    received grew after our FIN was acknowledged. Nearly all sockets; they cost no run more.
//! 2. The process shut the sending side down and goes on to receive: from then on each segment is looked at for a FIN, and
//!    it came if the stream was received up to its end.
//!
//! A socket whose sending side was shut down before these programs were there stays not known.

use core::ptr::{read_unaligned, read_volatile};

use aya_ebpf::bindings::{BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG, bpf_sock, bpf_sock_ops};
use aya_ebpf::helpers::generated::bpf_sock_ops_cb_flags_set;
use gdprport_common::{Closing, FLAG_PEER_FIN, FLAG_PEER_FIN_UNKNOWN, SocketOwner};

use crate::flow::ports;
use crate::maps::{OWNERS, watched};

/// The flag of the last segment of a direction (RFC 9293 3.1).
const FIN: u32 = 1;
/// A TCP header without options.
const HEADER: usize = 20;

/// Our FIN is about to leave.
#[inline(never)]
pub fn sent(ops: *mut bpf_sock_ops) {
    // SAFETY: `ops` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return;
        }
        let mut stored = OWNERS.get(sk);
        if stored.is_null() {
            // Followed since an earlier daemon, or by another agent of this host.
            let (local_port, peer_port) = ports(ops);
            if !watched(local_port) && !watched(peer_port) {
                return;
            }
            let mut nobody = SocketOwner::default();
            stored = OWNERS.get_or_insert(sk, &mut nobody);
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

/// Our FIN was acknowledged: remembers how much had come by then.
#[inline(always)]
pub fn acknowledged(ops: *mut bpf_sock_ops) {
    // SAFETY: `ops` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let received = read_volatile(&raw const (*ops).bytes_received);
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return;
        }
        let stored = OWNERS.get(sk);
        if !stored.is_null() && (*stored).closing == Closing::Released as u8 {
            (*stored).fin_mark = received as u32;
            (*stored).closing = Closing::Counted as u8;
        }
    }
}

/// A segment has come to a socket that shut its sending side down: remembers where the stream ends if it tells.
#[inline(never)]
pub fn segment(ops: *mut bpf_sock_ops) {
    // SAFETY: `ops` is the program's context; what is read of the segment lies before its end; `sk` and `stored` are
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
        let stored = OWNERS.get(sk);
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

/// What is known of the peer's FIN as a socket leaves `FIN_WAIT2`, as flags of the record.
#[inline(always)]
pub fn theirs(owner: &SocketOwner, received: u64, next: u32) -> u8 {
    let came = if owner.closing == Closing::Counted as u8 {
        received as u32 != owner.fin_mark
    } else if owner.closing == Closing::Ending as u8 {
        next == owner.fin_mark
    } else if owner.closing == Closing::Watched as u8 {
        false
    } else {
        return FLAG_PEER_FIN_UNKNOWN;
    };
    if came { FLAG_PEER_FIN } else { 0 }
}
