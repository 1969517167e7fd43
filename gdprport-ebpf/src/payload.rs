//! The first payload segments of flows whose encryption is to be determined, and nothing else.
//!
//! These programs run for every packet of the host, so they return as early as they can: while no socket wants payload,
//! at once; for a packet without payload, when its headers are read; for a socket that has no stored owner or wants
//! nothing more, after one lookup. In each direction `PAYLOAD_BUDGET` limits how many segments are sent to the daemon,
//! with at most the first `PAYLOAD_CAP` bytes of each, or `PAYLOAD_LONG` where more may matter. The daemon interprets
//! them and keeps none.
//!
//! A segment that comes before its socket appears at the listener's; see [`crate::arriving`].

use core::hint::black_box;
use core::ptr::read_volatile;

use aya_ebpf::bindings::{__sk_buff, BPF_TCP_LISTEN, bpf_sock};
use aya_ebpf::helpers::generated::{
    bpf_get_socket_cookie, bpf_ktime_get_boot_ns, bpf_sk_fullsock, bpf_skb_load_bytes, bpf_tcp_sock,
};
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use gdprport_common::{
    Hook, PAYLOAD_BUDGET, PAYLOAD_CAP, PAYLOAD_LONG, PAYLOAD_LONG_BUDGET, PAYLOAD_SMALL, PayloadHeader,
    PayloadRecord, RecordKind, SOCKET_SYN_SEEN,
};

use crate::count::Occasion;
use crate::maps::WANTING;
use crate::segment::{TcpSegment, cost, more_may_matter, parse_headers};
use crate::wanting::cancel;
use crate::{arriving, emit, overload, owners};

/// The verdict that lets a packet pass.
const PASS: i32 = 1;
/// The one that drops it, without an answer.
const DROP: i32 = 0;
/// What a direction has spent when, after its budget, some 200 more large packets passed: a transfer in one direction.
/// No protocol of the catalog starts to encrypt that late, so the other direction is no longer awaited.
const EXHAUSTED: u8 = u8::MAX;
/// Least payload of a packet of a transfer, in bytes.
const LARGE: u32 = 1024;

#[cgroup_skb(egress)]
fn gp_egress(ctx: SkBuffContext) -> i32 {
    let skb = ctx.skb.skb;
    // SAFETY: `skb` is the program's context, and `sk` is checked before its use.
    unsafe {
        let sk = read_volatile(&raw const (*skb).__bindgen_anon_2.sk);
        if !sk.is_null() {
            inspect(skb, sk, true);
        }
    }
    PASS
}

#[cgroup_skb(ingress)]
fn gp_ingress(ctx: SkBuffContext) -> i32 {
    let skb = ctx.skb.skb;
    // SAFETY: as above.
    unsafe {
        let sk = read_volatile(&raw const (*skb).__bindgen_anon_2.sk);
        if sk.is_null() {
            return PASS;
        }
        // No socket wants it yet: that of its connection does not exist.
        if read_volatile(&raw const (*sk).state) == BPF_TCP_LISTEN {
            return if arriving::inspect(skb, read_volatile(&raw const (*sk).src_port)) {
                DROP
            } else {
                PASS
            };
        }
        inspect(skb, sk, false);
    }
    PASS
}

/// # Safety
/// `skb` is the program's context, and `sk` its socket and not null.
#[inline(always)]
unsafe fn inspect(skb: *mut __sk_buff, sk: *mut bpf_sock, sent: bool) {
    // SAFETY: guaranteed by the caller; `stored` is checked before its use.
    unsafe {
        let Some(wanting) = WANTING.get_ptr_mut(0) else { return };
        if read_volatile(wanting) == 0 {
            return;
        }
        let Some(packet) = parse_headers(skb) else { return };
        let TcpSegment { start, len, .. } = packet;
        // Half of all packets only acknowledge and skip the lookup. Except for a sample of those sent: a socket that
        // only receives sends nothing else, and its request must be cancelled after a while.
        if len == 0 && !(sent && packet.is_sample()) {
            return;
        }
        let (sequence, syn) = (packet.sequence(), packet.is_syn());
        // Payload that arrives with a SYN does not belong to this socket yet.
        if syn && !sent {
            return;
        }
        let sk = bpf_sk_fullsock(sk);
        if sk.is_null() {
            return;
        }
        let stored = owners::find(sk, skb.cast());
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
        // What begins before what was recorded and was not taken yet comes again, or late.
        let again = !sent
            && spent != 0
            && (sequence.wrapping_sub((*stored).end_in) as i32) < 0
            && !was_taken(sk, sequence.wrapping_add(len));
        if spent >= PAYLOAD_BUDGET {
            if spent == EXHAUSTED {
                return;
            }
            if again {
                (*stored).spent_in = EXHAUSTED;
                return distrust(skb, sequence.wrapping_sub((*stored).in_base));
            }
            // A peer that sends its request in small pieces sends as many packets, and gets a reply in the end.
            if len < LARGE {
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
            (*stored).flags |= SOCKET_SYN_SEEN;
        }
        // A repetition: the daemon has the bytes, and they cost nothing. The first segment may have any number, so it is
        // never taken for one.
        let before = if sent { (*stored).last_out } else { (*stored).end_in };
        let repeated =
            if sent { sequence == before } else { (sequence.wrapping_sub(before) as i32) < 0 && !again };
        if spent != 0 && repeated {
            return;
        }
        let Some(occasion) = Occasion::seen(Hook::Payload) else { return };
        let cost = cost(len);
        if sent {
            (*stored).spent_out = spent + cost;
            (*stored).last_out = sequence;
        } else {
            (*stored).spent_in = spent + cost;
            (*stored).end_in = sequence.wrapping_add(len);
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
        } else if len <= PAYLOAD_CAP as u32
            || spent >= PAYLOAD_LONG_BUDGET
            || !more_may_matter(skb, start, len)
        {
            send::<PAYLOAD_CAP>(skb, start, len, header, occasion);
        } else {
            send::<PAYLOAD_LONG>(skb, start, len, header, occasion);
        }
    }
}

/// Tells the daemon that what was recorded of a direction was not all taken, and more comes at the same place that is
/// not recorded.
///
/// # Safety
/// `skb` is the program's context.
#[inline(always)]
unsafe fn distrust(skb: *mut __sk_buff, offset: u32) {
    let Some(occasion) = Occasion::seen(Hook::Payload) else { return };
    // SAFETY: guaranteed by the caller.
    let (time_ns, cookie) = unsafe { (bpf_ktime_get_boot_ns(), bpf_get_socket_cookie(skb.cast())) };
    let kind = RecordKind::Payload as u8;
    emit::emit(occasion, || PayloadHeader { kind, sent: 0, len: 0, offset, time_ns, cookie });
}

/// Whether TCP has taken all bytes before the sequence number `end`. A segment that it has not taken may still be
/// rejected (its checksum, its timestamp), and another with other bytes at the same place be taken instead: what comes
/// again is recorded again then, so that the daemon can compare.
///
/// # Safety
/// `sk` is a full socket and not null.
#[inline(always)]
unsafe fn was_taken(sk: *mut bpf_sock, end: u32) -> bool {
    // SAFETY: guaranteed by the caller; `tcp` is checked before its use.
    unsafe {
        let tcp = bpf_tcp_sock(sk);
        !tcp.is_null() && end.wrapping_sub(read_volatile(&raw const (*tcp).rcv_nxt)) as i32 <= 0
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
    if overload::is_half_full() {
        return occasion.dropped();
    }
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
