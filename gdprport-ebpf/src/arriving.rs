//! Connections that arrive: a SYN that the policy denies is dropped before the server sees it.
//!
//! `cgroup_skb` sees a SYN at the listener, in every network namespace, and what it drops there is as if it had never come: no
//! request, no cookie, no Fast Open (`tcp_v4_rcv`, net/ipv4/tcp_ipv4.c). Nobody answers it, so the client sends it again, and is
//! told nothing until it gives up.
//!
//! Who will accept is not known at a SYN. What is known is who listens: what a rule allows of that is allowed. What one may allow
//! of another process is unknown, and only what no rule allows of any process is denied. A connection that passes is decided and
//! counted when it is established, and marked; so a client that only sends SYNs counts nothing, and nothing has to be remembered.
//! With `mode = "warn"` the SYN costs two look-ups.
//!
//! Global functions, for the reasons in `enforce`.

use core::ptr::read_volatile;

use aya_ebpf::bindings::{__sk_buff, BPF_NOEXIST, bpf_sock, bpf_sock_ops};
use aya_ebpf::helpers::generated::{
    bpf_get_socket_cookie, bpf_ktime_get_boot_ns, bpf_sk_fullsock, bpf_skb_load_bytes,
};
use gdprport_common::{ENFORCE_DENY, EnforceTally, Hook, SOCKET_DECISION, SOCKET_DENIED, SocketOwner};

use crate::count::{Occasion, add};
use crate::enforce::{ATTEMPTS, Asked, DECIDES, Found, left, look, settle};
use crate::exempt::MAPPED;
use crate::flow::SocketTuple;
use crate::identity::Caller;
use crate::maps::{COUNTERS, DENIED_SYNS, DeniedSyn, ENFORCE_ACTIVE, port_flags};
use crate::owners::NOBODY;
use crate::segment::parse_headers;
use crate::{early, emit, flow, overload, owners};

/// Where the port stands in the first number of [`gp_decide_syn`]: above the process.
const PORT_SHIFT: u32 = 40;

/// Looks at a packet that reached a listener, which is bound to `bound`. Returns whether it is to be dropped.
///
/// A packet whose TCP header is not found, behind more extension headers than are followed, is decided by its address as if it
/// were a SYN: a client could choose to be let in otherwise.
///
/// # Safety
/// `skb` is the context of a program at ingress: a soft interrupt, which no other one interrupts.
#[inline(always)]
pub(crate) unsafe fn inspect(skb: *mut __sk_buff, bound: u32) -> bool {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let packet = parse_headers(skb);
        // That of the connection: another program may have led it to a listener of another port.
        let (port, opens) = match &packet {
            Some(packet) => (packet.called_port(), packet.opens()),
            None => (bound, true),
        };
        let flags = port_flags(port);
        if opens && flags.decided() && gp_arriving(skb, port) != 0 {
            return true;
        }
        if flags.posture()
            && let Some(packet) = packet
        {
            early::keep(skb, packet);
        }
        false
    }
}

/// Decides a connection that has just been established here, counts it and marks its socket. To be called before its record is
/// made.
#[inline(always)]
pub(crate) fn established(ops: *mut bpf_sock_ops) {
    // SAFETY: `ops` is the program's context.
    unsafe {
        let (port, _) = flow::ports(ops);
        if port_flags(port).decided() {
            gp_arrived(ops, port);
        }
    }
}

/// # Safety
/// `skb` is the program's context.
#[inline(always)]
unsafe fn listener(skb: *mut __sk_buff) -> Option<*mut bpf_sock> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let sk = read_volatile(&raw const (*skb).__bindgen_anon_2.sk);
        if sk.is_null() {
            return None;
        }
        let sk = bpf_sk_fullsock(sk);
        if sk.is_null() { None } else { Some(sk) }
    }
}

/// Whether a SYN for `port` is to be dropped.
///
/// # Safety
/// `skb` is the program's context.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_arriving(skb: *mut __sk_buff, port: u32) -> u32 {
    // SAFETY: guaranteed by the caller; `stored` is checked before its use.
    unsafe {
        let Some(sk) = listener(skb) else { return 0 };
        let stored = owners::find(sk, skb.cast());
        let owner = if stored.is_null() { &raw const NOBODY } else { stored.cast_const() };
        let [who, exec_id, ids, cgroup] = listens(&*owner);
        let decision = gp_decide_syn(skb, who | u64::from(port) << PORT_SHIFT, exec_id, ids, cgroup);
        if decision & u32::from(SOCKET_DENIED) == 0 {
            return 0;
        }
        gp_refused(skb, port, decision);
        1
    }
}

/// Who listens, as numbers of [`Caller::other`].
#[inline(always)]
pub(crate) fn listens(owner: &SocketOwner) -> [u64; 4] {
    let caller = &owner.caller;
    let ids = u64::from(caller.uid) << 32 | u64::from(caller.gid);
    [u64::from(caller.tgid) << 1, caller.exec_id, ids, caller.cgroup_id]
}

/// What the tables say of a SYN, as `SOCKET_*` flags; nothing of a peer that is not denied anything.
///
/// # Safety
/// `skb` is the program's context.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_decide_syn(
    skb: *mut __sk_buff,
    port_and_who: u64,
    exec_id: u64,
    ids: u64,
    cgroup: u64,
) -> u32 {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let Some(header) = ip_header(skb) else { return 0 };
        let asked = Asked {
            number: (port_and_who >> PORT_SHIFT) as u32,
            address: ends(&header).1,
            inward: true,
            bound: false,
            decides: ENFORCE_DENY.into(),
        };
        let caller = Caller::other(port_and_who & ((1 << PORT_SHIFT) - 1), exec_id, ids, cgroup);
        decided(&asked, &caller).map_or(0, |found| found.decision())
    }
}

/// What the tables say; `None`: nothing, as none are in force, or others came into force meanwhile.
#[inline(always)]
pub(crate) fn decided(asked: &Asked, caller: &Caller) -> Option<Found> {
    let active = ENFORCE_ACTIVE.get_ptr(0)?;
    // SAFETY: a map value, and a helper without arguments.
    unsafe {
        let now_ns = bpf_ktime_get_boot_ns();
        let mut generation = read_volatile(active).at(now_ns);
        for _ in 0..ATTEMPTS {
            let mut found = Found::default();
            if generation == 0 {
                return Some(found);
            }
            look(generation, asked, caller, now_ns, &mut found);
            let now = read_volatile(active).at(now_ns);
            if now == generation {
                return Some(found);
            }
            generation = now;
        }
    }
    None
}

/// The first 40 bytes of a packet that has them: a header of IPv4 and one of TCP, or one of IPv6.
///
/// # Safety
/// `skb` is the program's context.
#[inline(always)]
unsafe fn ip_header(skb: *mut __sk_buff) -> Option<[u32; 10]> {
    let mut header = [0_u32; 10];
    // SAFETY: guaranteed by the caller.
    let failed = unsafe { bpf_skb_load_bytes(skb.cast(), 0, (&raw mut header).cast(), 40) };
    (failed == 0).then_some(header)
}

/// Whether a header is one of IPv4, and its source as the tables have it.
#[inline(always)]
fn ends(header: &[u32; 10]) -> (bool, [u32; 4]) {
    let is_v4 = header[0].to_ne_bytes()[0] >> 4 == 4;
    if is_v4 {
        (true, [0, 0, MAPPED, header[3]])
    } else {
        (false, [header[2], header[3], header[4], header[5]])
    }
}

/// Counts a SYN that is denied, and reports it unless it came before.
///
/// # Safety
/// `skb` is the program's context.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_refused(skb: *mut __sk_buff, port: u32, decision: u32) -> u32 {
    // SAFETY: guaranteed by the caller; what is found is checked before its use.
    unsafe {
        let Some(counters) = COUNTERS.get_ptr_mut(0) else { return 0 };
        let Some(header) = ip_header(skb) else { return 0 };
        let (is_v4, source) = ends(&header);
        let cookie = bpf_get_socket_cookie(skb.cast());
        let mut peer_port = 0;
        // What cannot be told from others is an attempt of its own.
        if let Some(packet) = parse_headers(skb) {
            peer_port = packet.sender_port();
            let (ports, sequence) = (port << 16 | peer_port, packet.sequence());
            let syn = DeniedSyn { listener: cookie, source, ports, sequence };
            if DENIED_SYNS.get_ptr(&syn).is_some() {
                add(&raw mut (*counters).repeated, 1);
                return 0;
            }
            let _ = DENIED_SYNS.insert(&syn, 0, u64::from(BPF_NOEXIST));
        }
        add(&raw mut (*counters).arrivals.asked, 1);
        add(&raw mut (*counters).arrivals.denied, 1);
        let Some(occasion) = Occasion::seen(Hook::Denied) else { return 0 };
        let Some(sk) = listener(skb) else {
            occasion.dropped();
            return 0;
        };
        let stored = owners::find(sk, skb.cast());
        let owner = if stored.is_null() { &raw const NOBODY } else { stored.cast_const() };
        let (local, peer) = if is_v4 {
            ([header[4], 0, 0, 0], [source[3], 0, 0, 0])
        } else {
            ([header[6], header[7], header[8], header[9]], source)
        };
        let tuple = SocketTuple {
            family: if is_v4 { 4 } else { 6 },
            local,
            peer,
            local_port: port as u16,
            peer_port: peer_port as u16,
        };
        let now = bpf_ktime_get_boot_ns();
        // Strangers choose how many there are: half of the ring is not theirs.
        let room = if overload::is_half_full() { None } else { emit::room() };
        let Some(mut entry) = room else {
            overload::refused(cookie, &tuple, &*owner, decision as u8, now, occasion);
            return 0;
        };
        entry.write(flow::refused(cookie, &tuple, &*owner, decision as u8, now));
        emit::submit(entry, occasion);
    }
    0
}

/// Decides, counts and marks a connection that was accepted by the kernel on `port`.
///
/// # Safety
/// `ops` is the program's context.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_arrived(ops: *mut bpf_sock_ops, port: u32) -> u32 {
    // SAFETY: guaranteed by the caller; what is found is checked before its use.
    unsafe {
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return 0;
        }
        // Of its listener, as it was inherited.
        let mut stored = owners::find(sk, ops.cast());
        if stored.is_null() {
            stored = owners::unknown(sk, ops.cast());
        }
        let owner = if stored.is_null() { &raw const NOBODY } else { stored.cast_const() };
        let [who, exec_id, ids, cgroup] = listens(&*owner);
        let decision =
            gp_decide_arrived(ops, who | u64::from(port) << PORT_SHIFT, exec_id, ids, cgroup) as u8;
        if !stored.is_null() {
            (*stored).flags = (*stored).flags & !SOCKET_DECISION | decision & SOCKET_DECISION;
        }
    }
    0
}

/// Counts what the tables say of a connection that is established, and returns it as `SOCKET_*` flags.
///
/// # Safety
/// `ops` is the program's context.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_decide_arrived(
    ops: *mut bpf_sock_ops,
    port_and_who: u64,
    exec_id: u64,
    ids: u64,
    cgroup: u64,
) -> u32 {
    // SAFETY: guaranteed by the caller; counters are a map value, which only atomic additions change.
    unsafe {
        let Some(counters) = COUNTERS.get_ptr_mut(0) else { return 0 };
        let tally: *mut EnforceTally = &raw mut (*counters).arrivals;
        add(&raw mut (*tally).asked, 1);
        let SocketTuple { family, peer, .. } = flow::tuple(ops);
        let asked = Asked {
            number: (port_and_who >> PORT_SHIFT) as u32,
            address: if family == 4 { [0, 0, MAPPED, peer[0]] } else { peer },
            inward: true,
            bound: false,
            decides: DECIDES,
        };
        let caller = Caller::other(port_and_who & ((1 << PORT_SHIFT) - 1), exec_id, ids, cgroup);
        let found = decided(&asked, &caller);
        match found {
            Some(found) if found.flags & DECIDES == 0 => left(tally),
            // What is in force now would have denied its SYN.
            Some(found) if found.decision() & u32::from(SOCKET_DENIED) == 0 => settle(&found, tally),
            _ => {
                add(&raw mut (*tally).unsettled, 1);
                0
            }
        }
    }
}
