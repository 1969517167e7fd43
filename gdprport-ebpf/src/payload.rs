//! The first payload segments of flows whose encryption is to be determined, and nothing else.
//!
//! These programs run for every packet of the host, so they return as early as they can: while no socket wants payload,
//! at once; for a packet without payload, when its headers are read; for a socket that has no stored owner or wants
//! nothing more, after one lookup. In each direction `PAYLOAD_BUDGET` limits how many segments are sent to the daemon,
//! with at most the first `PAYLOAD_CAP` bytes of each. The daemon interprets them and keeps none.
//!
//! A segment that completes a handshake deferred by `TCP_DEFER_ACCEPT` appears on the listener's socket and is ignored:
//! otherwise any host that can reach the port could fill the ring buffer.

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
/// Length of an IPv6 header; packets with extension headers are ignored.
const IPV6_HEADER: usize = 40;
/// The flag of the first segment of a connection (RFC 9293 3.1).
const SYN: u8 = 2;
/// What a direction has spent when, after its budget, some 200 more large packets passed: a transfer in one direction.
/// No protocol of the catalog starts to encrypt that late, so the other direction is no longer awaited.
const EXHAUSTED: u8 = u8::MAX;
/// Least payload of a packet of a transfer, in bytes.
const LARGE: u32 = 1024;

#[cgroup_skb(egress)]
fn gp_egress(ctx: SkBuffContext) -> i32 {
    inspect(ctx.skb.skb, true);
    PASS
}

#[cgroup_skb(ingress)]
fn gp_ingress(ctx: SkBuffContext) -> i32 {
    inspect(ctx.skb.skb, false);
    PASS
}

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

/// The headers of a TCP packet; numbers in host byte order.
struct TcpSegment {
    /// Offset of its payload in the packet; at most 120.
    start: u32,
    /// Bytes of its payload; 0 if it only acknowledges.
    len: u32,
    /// Its sequence number.
    sequence: u32,
    /// Its acknowledgement number.
    acknowledged: u32,
    /// Whether it is the first segment of its direction.
    syn: bool,
}

impl TcpSegment {
    /// Returns true for one segment in sixteen, in whatever steps the acknowledgement number grows: by the upper bits
    /// of its product with 2^32 divided by the golden ratio (Knuth, The Art of Computer Programming 3, 6.4).
    #[inline(always)]
    fn is_sample(&self) -> bool {
        self.acknowledged.wrapping_mul(0x9e37_79b1) >> 28 == 0
    }
}

/// Parses the headers of a packet. Returns `None` if it is not TCP.
///
/// The headers are read in place, without a helper call: they are linear before these hooks run, because the kernel
/// pushed them itself (egress) or pulled them for the socket lookup (`tcp_v4_rcv`, `tcp_v6_rcv`).
///
/// # Safety
/// `skb` is the program's context.
#[inline(always)]
unsafe fn parse_headers(skb: *mut __sk_buff) -> Option<TcpSegment> {
    // SAFETY: guaranteed by the caller; every byte that is read is before `end`, which the verifier checks.
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
        Some(TcpSegment {
            start,
            len: len.saturating_sub(start),
            sequence: u32::from_be(tcp.add(4).cast::<u32>().read_unaligned()),
            acknowledged: u32::from_be(tcp.add(8).cast::<u32>().read_unaligned()),
            syn: *tcp.add(13) & SYN != 0,
        })
    }
}

#[inline(always)]
fn inspect(skb: *mut __sk_buff, sent: bool) {
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
        let Some(packet) = parse_headers(skb) else { return };
        let TcpSegment { start, len, sequence, syn, .. } = packet;
        // Half of all packets only acknowledge and skip the lookup. Except for a sample of those sent: a socket that
        // only receives sends nothing else, and its request must be cancelled after a while.
        if len == 0 && !(sent && packet.is_sample()) {
            return;
        }
        // Payload that arrives with a SYN does not belong to this socket yet.
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
        if sent && (all_spent || out == EXHAUSTED || into == EXHAUSTED) {
            return cancel(stored);
        }
        if len == 0 {
            return;
        }
        let spent = if sent { out } else { into };
        if spent >= PAYLOAD_BUDGET {
            // A peer that sends its request in small pieces sends as many packets, and gets a reply in the end.
            if spent == EXHAUSTED || len < LARGE {
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
        // A SYN has its own sequence number, before that of the first byte (RFC 9293 3.4).
        let sequence = if syn { sequence.wrapping_add(1) } else { sequence };
        if syn {
            (*stored).out_base = sequence;
            (*stored).syn_seen = 1;
        }
        // A retransmission: the daemon has the bytes, and they cost nothing. The first segment may have any number, so
        // it is never taken for one.
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
            send::<PAYLOAD_SMALL>(skb, start, len, header, occasion);
        } else {
            send::<PAYLOAD_CAP>(skb, start, len, header, occasion);
        }
    }
}

/// Sends the first bytes of a payload to the daemon, at most `N`, a power of two.
///
/// # Safety
/// `skb` is the program's context, and its payload has `len` bytes, at least one, from `start` on.
#[inline(always)]
unsafe fn send<const N: usize>(
    skb: *mut __sk_buff,
    start: u32,
    len: u32,
    mut header: PayloadHeader,
    occasion: Occasion,
) {
    let len = if len > N as u32 { N as u32 } else { len };
    // The verifier loses the comparison above; after the black box it sees the bound in the mask.
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
