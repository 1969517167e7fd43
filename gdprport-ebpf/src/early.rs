//! Payload that arrives before its socket: with the segment that completes a handshake, or with the SYN.
//!
//! A server's socket exists from that segment on. A deferred accept (`TCP_DEFER_ACCEPT`) waits for payload; a client
//! that has `TCP_QUICKACK` off, or `sendto` with `MSG_FASTOPEN` and no cookie, sends its request with the last
//! acknowledgement; SYN cookies and TCP Fast Open (RFC 7413) create the socket from one segment. In all these cases
//! `cgroup_skb` sees the segment at the listener (`tcp_v4_rcv`, net/ipv4/tcp_ipv4.c), and the kernel then creates the
//! socket and calls `sock_ops` for the same segment, on the same CPU and without a soft interrupt in between.
//!
//! So `cgroup_skb` keeps the segment per CPU, and nothing is sent until a connection is established by it: any host
//! that can reach the port could otherwise fill the ring buffer.

use core::hint::black_box;
use core::ptr::read_volatile;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use gdprport_common::{Hook, PAYLOAD_CAP, PAYLOAD_LONG, PayloadHeader, RecordKind, SocketOwner};

use crate::count::Occasion;
use crate::maps::EARLY;
use crate::segment::{TcpSegment, cost, more_may_matter};
use crate::{emit, overload};

/// Keeps the payload of a segment that reached a listener.
///
/// # Safety
/// `skb` is the context of a program at ingress: a soft interrupt, which no other one interrupts. `packet` is what it has.
#[inline(always)]
pub(crate) unsafe fn keep(skb: *mut __sk_buff, packet: TcpSegment) {
    // SAFETY: `skb` is the program's context, `early` the map's value of this CPU.
    unsafe {
        let TcpSegment { start, len, .. } = packet;
        if len == 0 {
            return;
        }
        let Some(early) = EARLY.get_ptr_mut(0) else { return };
        (*early).len = 0;
        let kept = if len <= PAYLOAD_CAP as u32 {
            len
        } else if !more_may_matter(skb, start, len) {
            PAYLOAD_CAP as u32
        } else if len <= PAYLOAD_LONG as u32 {
            len
        } else {
            PAYLOAD_LONG as u32
        };
        // The verifier loses the comparisons above; after the black box it sees the bound in the mask.
        let kept = (black_box(kept).wrapping_sub(1) & (PAYLOAD_LONG as u32 - 1)) + 1;
        if bpf_skb_load_bytes(skb.cast(), start, (&raw mut (*early).record.bytes).cast(), kept) != 0 {
            return;
        }
        let (sequence, acknowledged, syn) = (packet.sequence(), packet.acknowledged(), packet.is_syn());
        // A SYN has its own sequence number, before that of the first byte (RFC 9293 3.4).
        (*early).sequence = if syn { sequence.wrapping_add(1) } else { sequence };
        (*early).acknowledged = acknowledged;
        (*early).ports = packet.ports();
        (*early).syn = u32::from(syn);
        (*early).kept = kept;
        (*early).len = len;
    }
}

/// Sends the payload of the segment by which this socket was established, if it had any.
///
/// Another segment cannot be taken for it: ports and the acknowledged number are those of this handshake, or of a SYN
/// the first sequence number. Who does not take part in the handshake knows neither.
///
/// # Safety
/// `stored` is the storage of the socket that is being established, whose `out_base` and `in_base` are set.
#[inline(always)]
pub(crate) unsafe fn send(stored: *mut SocketOwner, ports: u32, cookie: u64, time_ns: u64) {
    // SAFETY: guaranteed by the caller; `early` is the map's value of this CPU.
    unsafe {
        let Some(early) = EARLY.get_ptr_mut(0) else { return };
        let len = read_volatile(&raw const (*early).len);
        if len == 0 || (*early).ports != ports {
            return;
        }
        let sequence = (*early).sequence;
        let own = if (*early).syn == 0 {
            (*early).acknowledged == (*stored).out_base
        } else {
            sequence == (*stored).in_base
        };
        if !own {
            return;
        }
        (*early).len = 0;
        let Some(occasion) = Occasion::seen(Hook::Payload) else { return };
        (*stored).spent_in = cost(len);
        (*stored).end_in = sequence.wrapping_add(len);
        if overload::is_half_full() {
            return occasion.dropped();
        }
        let kept = ((*early).kept.wrapping_sub(1) & (PAYLOAD_LONG as u32 - 1)) + 1;
        (*early).record.header = PayloadHeader {
            kind: RecordKind::Payload as u8,
            sent: 0,
            len: kept as u16,
            offset: sequence.wrapping_sub((*stored).in_base),
            time_ns,
            cookie,
        };
        emit::copy((&raw const (*early).record).cast(), size_of::<PayloadHeader>() as u32 + kept, occasion);
    }
}
