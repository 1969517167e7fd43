//! The first payload segments of flows whose encryption is to be told, and of nothing else.
//!
//! These programs run for every packet of the host, so the way out comes first: a socket that has no owner
//! in storage, or wants nothing more, leaves after one look-up. In each direction at most as many
//! segments as `PAYLOAD_BUDGET` pays for, the first `PAYLOAD_CAP` bytes of each; what they mean is decided by the daemon, which forgets
//! them at once.
//!
//! A segment that completes a handshake deferred by `TCP_DEFER_ACCEPT` is seen on the listener's socket and
//! is left out: taking it there would let anybody who can reach the port fill the ring buffer.

use core::hint::black_box;
use core::mem::size_of;
use core::ptr::read_volatile;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::{
    bpf_get_socket_cookie, bpf_ktime_get_boot_ns, bpf_sk_fullsock, bpf_skb_load_bytes,
};
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use gdprport_common::{
    Hook, PAYLOAD_BUDGET, PAYLOAD_CAP, PAYLOAD_COST, PAYLOAD_SMALL, PAYLOAD_TINY, PayloadHeader,
    PayloadRecord, RecordKind,
};

use crate::count::Occasion;
use crate::emit;
use crate::maps::OWNERS;

/// The verdict that lets a packet pass.
const PASS: i32 = 1;
/// `IPPROTO_TCP`.
const TCP: u8 = 6;
/// Length of an IPv6 header; packets with extension headers are left out.
const IPV6_HEADER: u32 = 40;
/// The flag of the first segment of a connection (RFC 9293 3.1).
const SYN: u8 = 2;

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

/// Reads `T` at an offset into the packet.
///
/// # Safety
/// `skb` is the program's context and every bit pattern is a `T`.
#[inline(always)]
unsafe fn load<T: Copy>(skb: *mut __sk_buff, offset: u32, zero: T) -> Option<T> {
    let mut value = zero;
    // SAFETY: the helper writes as many bytes as it is told, the size of the value, or fails.
    let failed =
        unsafe { bpf_skb_load_bytes(skb.cast(), offset, (&raw mut value).cast(), size_of::<T>() as u32) };
    (failed == 0).then_some(value)
}

/// Where the payload begins, its sequence number, and the flags of a TCP packet.
///
/// # Safety
/// `skb` is the program's context.
#[inline(always)]
unsafe fn tcp(skb: *mut __sk_buff) -> Option<(u32, u32, u8)> {
    // SAFETY: the caller's promise; all values are plain bytes.
    unsafe {
        let version = load::<u8>(skb, 0, 0)?;
        let header = if version >> 4 == 4 {
            if load::<u8>(skb, 9, 0)? != TCP {
                return None;
            }
            u32::from(version & 15) * 4
        } else {
            if load::<u8>(skb, 6, 0)? != TCP {
                return None;
            }
            IPV6_HEADER
        };
        let sequence = u32::from_be(load::<u32>(skb, header + 4, 0)?);
        let [length, flags] = load::<[u8; 2]>(skb, header + 12, [0; 2])?;
        Some((header + u32::from(length >> 4) * 4, sequence, flags))
    }
}

#[inline(always)]
fn segment(skb: *mut __sk_buff, sent: bool) {
    // SAFETY: `skb` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let sk = read_volatile(&raw const (*skb).__bindgen_anon_2.sk);
        if sk.is_null() {
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
        let spent = if sent { (*stored).spent_out } else { (*stored).spent_in };
        if spent >= PAYLOAD_BUDGET {
            return;
        }
        let Some((start, sequence, flags)) = tcp(skb) else { return };
        // A SYN has a number of its own, before that of the first byte (RFC 9293 3.4).
        let syn = flags & SYN != 0;
        let sequence = if syn { sequence.wrapping_add(1) } else { sequence };
        if syn && sent {
            (*stored).out_base = sequence;
            (*stored).syn_seen = 1;
        }
        let len = read_volatile(&raw const (*skb).len);
        // What comes with a SYN is not this socket's yet.
        if len <= start || (syn && !sent) {
            return;
        }
        // Sent again: the bytes are known and cost nothing. The first segment may have any number, so that what was
        // never handed over cannot look like it.
        let last = if sent { (*stored).last_out } else { (*stored).last_in };
        if spent != 0 && sequence == last {
            return;
        }
        let Some(occasion) = Occasion::seen(Hook::Payload) else { return };
        let cost = if len - start <= PAYLOAD_TINY as u32 { 1 } else { PAYLOAD_COST };
        if sent {
            (*stored).spent_out = spent + cost;
            (*stored).last_out = sequence;
        } else {
            (*stored).spent_in = spent + cost;
            (*stored).last_in = sequence;
        }
        if (*stored).spent_out >= PAYLOAD_BUDGET && (*stored).spent_in >= PAYLOAD_BUDGET {
            (*stored).wants_payload = 0;
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
        if len - start <= PAYLOAD_SMALL as u32 {
            take::<PAYLOAD_SMALL>(skb, start, len - start, header, occasion);
        } else {
            take::<PAYLOAD_CAP>(skb, start, len - start, header, occasion);
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
