//! Building the record of a flow, for all hooks.

use core::ptr::read_volatile;

use aya_ebpf::bindings::bpf_sock_ops;
use gdprport_common::{
    Caller, FLAG_IO_WORKER, FailTail, FlowRecord, FlowTail, OpenTail, RecordKind, SocketOwner, SocketRole,
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
    // SAFETY: guaranteed by the caller. All fields are read before the branch on the family: the compiler would merge
    // reads inside the branches into one at a computed offset, which the verifier rejects.
    unsafe {
        let (local_port, peer_port) = ports(ops);
        let (local_port, peer_port) = (local_port as u16, peer_port as u16);
        let family = read_volatile(&raw const (*ops).family);
        let local4 = read_volatile(&raw const (*ops).local_ip4);
        let peer4 = read_volatile(&raw const (*ops).remote_ip4);
        let l0 = read_volatile(&raw const (*ops).local_ip6[0]);
        let l1 = read_volatile(&raw const (*ops).local_ip6[1]);
        let l2 = read_volatile(&raw const (*ops).local_ip6[2]);
        let l3 = read_volatile(&raw const (*ops).local_ip6[3]);
        let p0 = read_volatile(&raw const (*ops).remote_ip6[0]);
        let p1 = read_volatile(&raw const (*ops).remote_ip6[1]);
        let p2 = read_volatile(&raw const (*ops).remote_ip6[2]);
        let p3 = read_volatile(&raw const (*ops).remote_ip6[3]);
        if family == INET6 {
            SocketTuple { family: 6, local: [l0, l1, l2, l3], peer: [p0, p1, p2, p3], local_port, peer_port }
        } else {
            SocketTuple { family: 4, local: [local4, 0, 0, 0], peer: [peer4, 0, 0, 0], local_port, peer_port }
        }
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
    owner: &SocketOwner,
    time_ns: u64,
    tail: FlowTail,
) -> FlowRecord {
    FlowRecord {
        kind: kind as u8,
        family: tuple.family,
        role: owner.role,
        old_state: 0,
        flags: 0,
        error: 0,
        reserved: [0; 2],
        time_ns,
        cookie,
        netns_cookie: owner.caller.netns_cookie,
        exec_id: owner.caller.exec_id,
        cgroup_id: owner.caller.cgroup_id,
        local: tuple.local,
        peer: tuple.peer,
        local_port: tuple.local_port,
        peer_port: tuple.peer_port,
        tgid: owner.caller.tgid,
        uid: owner.caller.uid,
        gid: owner.caller.gid,
        euid: owner.caller.euid,
        egid: owner.caller.egid,
        tail,
    }
}

/// Builds a record about an open socket.
#[inline(always)]
pub(crate) fn opened(
    kind: RecordKind,
    cookie: u64,
    tuple: &SocketTuple,
    owner: &SocketOwner,
    time_ns: u64,
) -> FlowRecord {
    let Caller { comm, start_ns, parent_tgid, .. } = owner.caller;
    record(kind, cookie, tuple, owner, time_ns, FlowTail::open(OpenTail { comm, start_ns, parent_tgid }))
}

/// Packs the tail of a record about a failed connect. One whose start was not seen took no time.
#[inline(always)]
pub(crate) fn fail_tail(owner: &SocketOwner, now: u64, retransmits: u8) -> FlowTail {
    let elapsed_ns = if owner.since_ns == 0 { 0 } else { now - owner.since_ns };
    let Caller { comm, start_ns, parent_tgid, .. } = owner.caller;
    let elapsed_ms = (elapsed_ns / 1_000_000) as u32;
    FlowTail::fail(FailTail { comm, start_ns, parent_tgid, elapsed_ms, retransmits })
}
