//! Building the record of a flow, for all hooks.

use core::ptr::read_volatile;

use aya_ebpf::bindings::bpf_sock_ops;
use gdprport_common::{
    Caller, FLAG_IO_WORKER, FailTail, FlowRecord, FlowTail, OpenTail, RecordKind, SOCKET_DECISION,
    SocketOwner, SocketRole,
};

/// `AF_INET6`.
const INET6: u32 = 10;

/// The two ends of a socket: addresses in network byte order, IPv4 in the first word; ports in host byte order.
#[derive(Default)]
pub(crate) struct SocketTuple {
    /// 4 or 6; 0 where the hook cannot read it.
    pub family: u8,
    pub local: [u32; 4],
    pub peer: [u32; 4],
    pub local_port: u16,
    pub peer_port: u16,
}

/// Returns the local port and the peer's port, host byte order.
///
/// # Safety
/// `ops` is the program's context.
#[inline(always)]
pub(crate) unsafe fn ports(ops: *mut bpf_sock_ops) -> (u32, u32) {
    // SAFETY: guaranteed by the caller. The peer's port is in network byte order, in the upper half.
    unsafe {
        (
            read_volatile(&raw const (*ops).local_port),
            u32::from_be(read_volatile(&raw const (*ops).remote_port)),
        )
    }
}

/// Returns both ends of the socket.
///
/// # Safety
/// `ops` is the program's context.
#[inline(always)]
pub(crate) unsafe fn tuple(ops: *mut bpf_sock_ops) -> SocketTuple {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let (local_port, peer_port) = ports(ops);
        let mut tuple = SocketTuple {
            family: 4,
            local: [read_volatile(&raw const (*ops).local_ip4), 0, 0, 0],
            peer: [read_volatile(&raw const (*ops).remote_ip4), 0, 0, 0],
            local_port: local_port as u16,
            peer_port: peer_port as u16,
        };
        if read_volatile(&raw const (*ops).family) == INET6 {
            read_addresses6(ops, &mut tuple);
        }
        tuple
    }
}

/// A function of its own: the compiler would merge its reads with those of the other family into one at a computed offset,
/// which the verifier rejects, and reading the fields of both costs twice as much.
#[inline(never)]
fn read_addresses6(ops: *mut bpf_sock_ops, tuple: &mut SocketTuple) {
    // SAFETY: `ops` is the program's context.
    unsafe {
        tuple.family = 6;
        tuple.local[0] = read_volatile(&raw const (*ops).local_ip6[0]);
        tuple.local[1] = read_volatile(&raw const (*ops).local_ip6[1]);
        tuple.local[2] = read_volatile(&raw const (*ops).local_ip6[2]);
        tuple.local[3] = read_volatile(&raw const (*ops).local_ip6[3]);
        tuple.peer[0] = read_volatile(&raw const (*ops).remote_ip6[0]);
        tuple.peer[1] = read_volatile(&raw const (*ops).remote_ip6[1]);
        tuple.peer[2] = read_volatile(&raw const (*ops).remote_ip6[2]);
        tuple.peer[3] = read_volatile(&raw const (*ops).remote_ip6[3]);
    }
}

/// The ports of both ends as in the TCP header of a segment of the peer: the peer's first, network byte order.
#[inline(always)]
pub(crate) fn header_ports(tuple: &SocketTuple) -> u32 {
    (u32::from(tuple.peer_port) << 16 | u32::from(tuple.local_port)).to_be()
}

/// How a kernel thread of io_uring is named: those of its workers begin with `io_wq`, the one that submits with `io_ur`.
/// Since Linux 5.12 they are threads of the process.
const IO_URING: [u64; 2] = [u64::from_ne_bytes(*b"io_wq\0\0\0"), u64::from_ne_bytes(*b"io_ur\0\0\0")];

/// Returns how the process kept itself from being the owner, as flags of the record.
#[inline(always)]
pub(crate) fn withheld_flags(owner: &SocketOwner) -> u8 {
    let begin = owner.caller.comm[0] & u64::from_ne_bytes([255, 255, 255, 255, 255, 0, 0, 0]);
    let nobody = owner.role == SocketRole::None as u8;
    if nobody && (begin == IO_URING[0] || begin == IO_URING[1]) { FLAG_IO_WORKER } else { 0 }
}

/// Builds a record of `kind` without an old state or flags. `time_ns` is on `CLOCK_BOOTTIME`.
#[inline(always)]
pub(crate) fn record(
    kind: RecordKind,
    cookie: u64,
    tuple: &SocketTuple,
    caller: &Caller,
    role: u8,
    time_ns: u64,
    tail: FlowTail,
) -> FlowRecord {
    FlowRecord {
        kind: kind as u8,
        family: tuple.family,
        role,
        old_state: 0,
        flags: 0,
        error: 0,
        decision: 0,
        reserved: 0,
        time_ns,
        cookie,
        netns_cookie: caller.netns_cookie,
        exec_id: caller.exec_id,
        cgroup_id: caller.cgroup_id,
        local: tuple.local,
        peer: tuple.peer,
        local_port: tuple.local_port,
        peer_port: tuple.peer_port,
        tgid: caller.tgid,
        uid: caller.uid,
        gid: caller.gid,
        euid: caller.euid,
        egid: caller.egid,
        tail,
    }
}

/// Builds a record about an open socket.
#[inline(always)]
pub(crate) fn opened(
    kind: RecordKind,
    cookie: u64,
    tuple: &SocketTuple,
    caller: &Caller,
    role: u8,
    time_ns: u64,
) -> FlowRecord {
    let Caller { comm, start_ns, parent_tgid, .. } = *caller;
    record(
        kind,
        cookie,
        tuple,
        caller,
        role,
        time_ns,
        FlowTail::open(OpenTail { comm, start_ns, parent_tgid }),
    )
}

/// Builds the record of a connect that never left this host.
#[inline(always)]
pub(crate) fn unsent(
    kind: RecordKind,
    cookie: u64,
    tuple: &SocketTuple,
    owner: &SocketOwner,
    now: u64,
) -> FlowRecord {
    FlowRecord {
        decision: owner.flags & SOCKET_DECISION,
        ..record(kind, cookie, tuple, &owner.caller, owner.role, now, fail_tail(owner, now, 0))
    }
}

/// Builds the record of a SYN that is denied. `owner` is the listener's.
#[inline(always)]
pub(crate) fn refused(
    cookie: u64,
    tuple: &SocketTuple,
    owner: &SocketOwner,
    decision: u8,
    now: u64,
) -> FlowRecord {
    let Caller { comm, start_ns, parent_tgid, .. } = owner.caller;
    let tail = FlowTail::fail(FailTail { comm, start_ns, parent_tgid, elapsed_ms: 0, retransmits: 0 });
    FlowRecord {
        decision,
        ..record(RecordKind::Refused, cookie, tuple, &owner.caller, owner.role, now, tail)
    }
}

/// Packs the tail of a record about a failed connect. One whose start was not seen took no time.
#[inline(always)]
pub(crate) fn fail_tail(owner: &SocketOwner, now: u64, retransmits: u8) -> FlowTail {
    let elapsed_ns = if owner.since_ns == 0 { 0 } else { now - owner.since_ns };
    let Caller { comm, start_ns, parent_tgid, .. } = owner.caller;
    let elapsed_ms = (elapsed_ns / 1_000_000) as u32;
    FlowTail::fail(FailTail { comm, start_ns, parent_tgid, elapsed_ms, retransmits })
}
