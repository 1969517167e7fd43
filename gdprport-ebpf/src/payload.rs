//! The first payload segments of flows whose encryption is to be told, and of nothing else.
//!
//! These programs run for every packet of the host, so the way out comes first: while no socket wants anything, a packet
//! leaves at once; one that carries no payload as soon as its headers are read; one whose socket has no owner in storage,
//! or wants nothing more, after one look-up. In each direction at most as many segments as `PAYLOAD_BUDGET` pays for are
//! handed over, the first `PAYLOAD_CAP` bytes of each; what they mean is decided by the daemon, which forgets them at once.
//!
//! A segment that completes a handshake deferred by `TCP_DEFER_ACCEPT` is seen on the listener's socket and
//! is left out: taking it there would let anybody who can reach the port fill the ring buffer.

use core::hint::black_box;
use core::ptr::read_volatile;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::{
    bpf_get_socket_cookie, bpf_ktime_get_boot_ns, bpf_sk_fullsock, bpf_skb_load_bytes,
};
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use gdprport_common::{
    Hook, PAYLOAD_BUDGET, PAYLOAD_CAP, PAYLOAD_COST, PAYLOAD_SMALL, PAYLOAD_TINY, PayloadHeader,
    PayloadRecord, RecordKind, SocketOwner,
};

use crate::count::Occasion;
use crate::maps::{OWNERS, WANTING};
use crate::{count, emit};

/// The verdict that lets a packet pass.
const PASS: i32 = 1;
/// `IPPROTO_TCP`.
const TCP: u8 = 6;
/// Length of an IPv6 header; packets with extension headers are left out.
const IPV6_HEADER: usize = 40;
/// The flag of the first segment of a connection (RFC 9293 3.1).
const SYN: u8 = 2;
/// What a direction has spent when, its budget gone, some 200 large packets more went by: a transfer in one direction.
/// No protocol of the catalog begins to encrypt that late, so the other direction is waited for no longer.
const FAR: u8 = u8::MAX;
/// Bytes of payload in a packet of a transfer, at least.
const LARGE: u32 = 1024;

#[cgroup_skb(egress)]
fn gp_egress(ctx: SkBuffContext) -> i32 {
    segment(ctx.skb.skb, true);
    PASS
}

#[cgroup_skb(ingress)]
fn gp_ingress(ctx: SkBuffContext) -> i32 {
    segment(ctx.skb.skb, false);
    PASS
}

/// From here on the socket's payload is wanted, and packets are looked at.
///
/// # Safety
/// `stored` is the storage of a socket that this program holds; the socket is locked, as in all callbacks of `sock_ops`.
#[inline(always)]
pub unsafe fn wanted(stored: *mut SocketOwner) {
    // SAFETY: the caller's promise; so no other program changes this at the same time.
    unsafe {
        if (*stored).wants_payload == 0
            && let Some(wanting) = WANTING.get_ptr_mut(0)
        {
            (*stored).wants_payload = 1;
            count::add(wanting, 1);
        }
    }
}

/// No more of the socket's payload is wanted.
///
/// # Safety
/// As for [`wanted`]. What a socket sends passes `cgroup_skb` with the socket locked; what it receives does not, and
/// must not call this.
#[inline(always)]
pub unsafe fn unwanted(stored: *mut SocketOwner) {
    // SAFETY: as in `wanted`.
    unsafe {
        if (*stored).wants_payload != 0
            && let Some(wanting) = WANTING.get_ptr_mut(0)
        {
            (*stored).wants_payload = 0;
            count::add(wanting, u64::MAX);
        }
    }
}

/// What a TCP packet says of itself; numbers in host byte order.
struct Segment {
    /// Where its payload begins in the packet; at most 120.
    start: u32,
    /// Bytes of its payload; 0 if it only acknowledges.
    len: u32,
    /// Its sequence number.
    sequence: u32,
    /// What it acknowledges.
    acknowledged: u32,
    /// It is the first segment of its direction.
    syn: bool,
}

impl Segment {
    /// True for one in sixteen, whatever the steps in which the acknowledged number grows: by its upper bits when it is
    /// multiplied with 2^32 divided by the golden ratio (Knuth, The Art of Computer Programming 3, 6.4).
    #[inline(always)]
    fn is_sample(&self) -> bool {
        self.acknowledged.wrapping_mul(0x9e37_79b1) >> 28 == 0
    }
}

/// Reads the headers of a packet; `None` if it is not TCP.
///
/// The headers are read where they lie, without a call: the kernel has them in one piece before these hooks run, for it
/// has pushed them itself (egress) or pulled them to look the socket up (`tcp_v4_rcv`, `tcp_v6_rcv`).
///
/// # Safety
/// `skb` is the program's context.
#[inline(always)]
unsafe fn headers(skb: *mut __sk_buff) -> Option<Segment> {
    // SAFETY: the caller's promise; every byte that is read lies before `end`, which the verifier checks.
    unsafe {
        let len = read_volatile(&raw const (*skb).len);
        let data = read_volatile(&raw const (*skb).data) as usize;
        let end = read_volatile(&raw const (*skb).data_end) as usize;
        // An IPv4 and a TCP header have 20 bytes each at least (RFC 791 3.1, RFC 9293 3.1).
        if data + 40 > end {
            return None;
        }
        let ip = data as *const u8;
        let version = *ip;
        let header = if version >> 4 == 4 {
            if *ip.add(9) != TCP {
                return None;
            }
            usize::from(version & 15) * 4
        } else {
            if *ip.add(6) != TCP {
                return None;
            }
            IPV6_HEADER
        };
        let tcp = data + header;
        if tcp + 20 > end {
            return None;
        }
        let tcp = tcp as *const u8;
        let start = header as u32 + u32::from(*tcp.add(12) >> 4) * 4;
        Some(Segment {
            start,
            len: len.saturating_sub(start),
            sequence: u32::from_be(tcp.add(4).cast::<u32>().read_unaligned()),
            acknowledged: u32::from_be(tcp.add(8).cast::<u32>().read_unaligned()),
            syn: *tcp.add(13) & SYN != 0,
        })
    }
}

#[inline(always)]
fn segment(skb: *mut __sk_buff, sent: bool) {
    // SAFETY: `skb` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let Some(wanting) = WANTING.get_ptr_mut(0) else { return };
        if read_volatile(wanting) == 0 {
            return;
        }
        let sk = read_volatile(&raw const (*skb).__bindgen_anon_2.sk);
        if sk.is_null() {
            return;
        }
        let Some(packet) = headers(skb) else { return };
        let Segment { start, len, sequence, syn, .. } = packet;
        // Half of all packets only acknowledge, and leave before anything is looked up: but for a few that are sent, as
        // whoever only receives sends nothing else, and wants nothing more after a while.
        if len == 0 && !(sent && packet.is_sample()) {
            return;
        }
        // What comes with a SYN is not this socket's yet.
        if syn && !sent {
            return;
        }
        let sk = bpf_sk_fullsock(sk);
        if sk.is_null() {
            return;
        }
        let stored = OWNERS.get(sk);
        if stored.is_null() || (*stored).wants_payload == 0 {
            return;
        }
        let (out, into) = ((*stored).spent_out, (*stored).spent_in);
        let all_spent = out >= PAYLOAD_BUDGET && into >= PAYLOAD_BUDGET;
        if sent && (all_spent || out == FAR || into == FAR) {
            return unwanted(stored);
        }
        if len == 0 {
            return;
        }
        let spent = if sent { out } else { into };
        if spent >= PAYLOAD_BUDGET {
            // A peer that drips its request sends as many packets, and is answered in the end.
            if spent == FAR || len < LARGE {
                return;
            }
            let spent = spent + 1;
            if sent {
                (*stored).spent_out = spent;
            } else {
                (*stored).spent_in = spent;
            }
            return;
        }
        // A SYN has a number of its own, before that of the first byte (RFC 9293 3.4).
        let sequence = if syn { sequence.wrapping_add(1) } else { sequence };
        if syn {
            (*stored).out_base = sequence;
            (*stored).syn_seen = 1;
        }
        // Sent again: the bytes are known and cost nothing. The first segment may have any number, so that what was
        // never handed over cannot look like it.
        let last = if sent { (*stored).last_out } else { (*stored).last_in };
        if spent != 0 && sequence == last {
            return;
        }
        let Some(occasion) = Occasion::seen(Hook::Payload) else { return };
        let cost = if len <= PAYLOAD_TINY as u32 { 1 } else { PAYLOAD_COST };
        if sent {
            (*stored).spent_out = spent + cost;
            (*stored).last_out = sequence;
        } else {
            (*stored).spent_in = spent + cost;
            (*stored).last_in = sequence;
        }
        let base = if sent { (*stored).out_base } else { (*stored).in_base };
        let header = PayloadHeader {
            kind: RecordKind::Payload as u8,
            sent: sent as u8,
            len: 0,
            offset: sequence.wrapping_sub(base),
            time_ns: bpf_ktime_get_boot_ns(),
            cookie: bpf_get_socket_cookie(skb.cast()),
        };
        if len <= PAYLOAD_SMALL as u32 {
            take::<PAYLOAD_SMALL>(skb, start, len, header, occasion);
        } else {
            take::<PAYLOAD_CAP>(skb, start, len, header, occasion);
        }
    }
}

/// Hands over the first bytes of a payload, at most `N`, a power of two.
///
/// # Safety
/// `skb` is the program's context and its payload has `len` bytes from `start` on, at least one.
#[inline(always)]
unsafe fn take<const N: usize>(
    skb: *mut __sk_buff,
    start: u32,
    len: u32,
    mut header: PayloadHeader,
    occasion: Occasion,
) {
    let len = if len > N as u32 { N as u32 } else { len };
    // The verifier forgets the comparison above; behind the black box it sees the bound in the mask.
    let len = (black_box(len).wrapping_sub(1) & (N as u32 - 1)) + 1;
    let Some((mut entry, occasion)) = emit::reserve::<PayloadRecord<N>>(occasion) else { return };
    header.len = len as u16;
    let record = entry.as_mut_ptr();
    // SAFETY: the entry is as large as its type says, and `len` at most the size of its bytes.
    let failed = unsafe {
        (*record).header = header;
        bpf_skb_load_bytes(skb.cast(), start, (&raw mut (*record).bytes).cast(), len)
    };
    if failed != 0 {
        emit::discard(entry, occasion);
    } else {
        emit::submit(entry, occasion);
    }
}
