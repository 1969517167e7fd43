//! The life of a TCP socket: connecting, established, listening, closed.
//!
//! These callbacks run in any context (often a soft interrupt), so they read the owner from the socket's storage and
//! call no helper about the current task.

use core::mem::zeroed;
use core::ptr::{self, read_volatile};

use aya_ebpf::bindings::{
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PARSE_HDR_OPT_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_CONNECT_CB,
    BPF_SOCK_OPS_TCP_LISTEN_CB, BPF_TCP_CLOSE, BPF_TCP_CLOSE_WAIT, BPF_TCP_CLOSING, BPF_TCP_FIN_WAIT1,
    BPF_TCP_FIN_WAIT2, BPF_TCP_LAST_ACK, BPF_TCP_LISTEN, BPF_TCP_SYN_RECV, BPF_TCP_SYN_SENT, bpf_sock,
    bpf_sock_ops,
};
use aya_ebpf::helpers::generated::{
    bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_ktime_get_boot_ns, bpf_sock_ops_cb_flags_set,
};
use aya_ebpf::macros::sock_ops;
use aya_ebpf::programs::SockOpsContext;
use gdprport_common::{
    Caller, CloseTail, FLAG_FIN_UNACKED, FLAG_OPTMEM_FULL, FLAG_PEER_FIN, FLAG_PEER_REPLIED, FlowRecord,
    FlowTail, Hook, RecordKind, SOCKET_SYN_SEEN, SocketOwner, SocketRole, Started,
};

use crate::count::Occasion;
use crate::flow::{SocketTuple, ports};
use crate::maps::{port_flags, watched};
use crate::{diagnose, early, emit, fin, flow, mptcp, owner, owners, socket_error, wanting};

/// 1 if `sock_ops` programs may ask for the cookie of the network namespace (since Linux 5.15); the daemon sets it.
#[unsafe(no_mangle)]
static NETNS_COOKIE_OF_OPS: u32 = 0;

/// What is known of an owner that could not be stored. Not on the stack: Linux 5.10 counts up to 32 bytes more for each
/// function, and then `state_changed` and what it calls would not have room for it.
#[unsafe(no_mangle)]
static NOBODY: SocketOwner = {
    // SAFETY: integers, of which any bits are a value.
    unsafe { zeroed() }
};

/// `AF_INET6`.
const INET6: u32 = 10;

#[sock_ops]
fn gp_sock_ops(ctx: SockOpsContext) -> u32 {
    let ops = ctx.ops;
    // SAFETY: `ops` is the program's context.
    let op = unsafe { read_volatile(&raw const (*ops).op) };
    match op {
        BPF_SOCK_OPS_TCP_CONNECT_CB => connecting(ops),
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => established(ops, RecordKind::ActiveEstablished),
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => {
            let kind =
                if sent_syn(ops) { RecordKind::ActiveEstablished } else { RecordKind::PassiveEstablished };
            established(ops, kind);
        }
        BPF_SOCK_OPS_TCP_LISTEN_CB => {
            listening(ops);
            established(ops, RecordKind::Listening);
        }
        BPF_SOCK_OPS_STATE_CB => state_changed(ops),
        BPF_SOCK_OPS_PARSE_HDR_OPT_CB => fin::inspect_segment(ops),
        _ => {}
    }
    1
}

/// # Safety
/// `ops` is the program's context.
#[inline(always)]
unsafe fn tuple(ops: *mut bpf_sock_ops) -> SocketTuple {
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

/// Returns whether this end connected, of a socket whose handshake was completed in the state SYN-RECEIVED: both ends
/// called each other at the same moment, or the socket itself (RFC 9293 3.5, figure 7). The kernel calls that passive.
///
/// A SYN that was acknowledged is counted as a byte. An accepted socket begins after its SYN and has sent nothing yet.
#[inline(always)]
fn sent_syn(ops: *mut bpf_sock_ops) -> bool {
    // SAFETY: `ops` is the program's context.
    unsafe { read_volatile(&raw const (*ops).bytes_acked) != 0 }
}

/// Requests the callbacks on state changes, which show the close.
///
/// # Safety
/// `ops` is the program's context.
#[inline(always)]
unsafe fn request_state_callbacks(ops: *mut bpf_sock_ops) {
    // SAFETY: guaranteed by the caller. Flags of other programs are kept.
    unsafe {
        let flags = read_volatile(&raw const (*ops).bpf_sock_ops_cb_flags);
        if flags & BPF_SOCK_OPS_STATE_CB_FLAG == 0 {
            bpf_sock_ops_cb_flags_set(ops, (flags | BPF_SOCK_OPS_STATE_CB_FLAG) as i32);
        }
    }
}

/// The SYN is about to be sent: from here on the state callbacks show how the connect ends.
#[inline(never)]
fn connecting(ops: *mut bpf_sock_ops) {
    // SAFETY: `ops` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let (_, peer_port) = ports(ops);
        let flags = port_flags(peer_port);
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return;
        }
        let mut stored = owners::find(sk, ops.cast());
        if !flags.watched() {
            if !stored.is_null() {
                (*stored).started = Started::Elsewhere as u8;
            }
            return;
        }
        if stored.is_null() {
            stored = turned(ops, sk);
        }
        if !stored.is_null() {
            (*stored).started = Started::Yes as u8;
            // With TCP Fast Open the SYN itself carries the first payload.
            if flags.posture() {
                wanting::request(stored);
            }
        }
        request_state_callbacks(ops);
    }
}

/// Stores the caller of a connect that another program turned to a watched port: it was called for one that is not
/// watched. Returns null if the caller is not known.
///
/// The callback runs in the context of the call.
///
/// # Safety
/// `ops` is the program's context, and `sk` its socket and not null.
#[inline(always)]
unsafe fn turned(ops: *mut bpf_sock_ops, sk: *mut bpf_sock) -> *mut SocketOwner {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut caller = Caller { netns_cookie: netns_cookie(ops), ..Caller::default() };
        if !owner::read_caller(&mut caller) || caller.tgid == 0 {
            return ptr::null_mut();
        }
        let (role, since_ns) = (SocketRole::Connected as u8, bpf_ktime_get_boot_ns());
        let mut owner = SocketOwner { caller, role, since_ns, ..SocketOwner::default() };
        owners::find_or_insert(sk, ops.cast(), &mut owner)
    }
}

/// A socket is about to listen: whoever calls that is the listener's owner, unless it descends from who bound it. It need
/// not have named its port, and another process may have connected the socket before.
///
/// The callback runs in the context of the call.
#[inline(never)]
fn listening(ops: *mut bpf_sock_ops) {
    // SAFETY: `ops` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let (local_port, _) = ports(ops);
        if !watched(local_port) {
            return;
        }
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return;
        }
        let stored = owners::find(sk, ops.cast());
        let (netns_cookie, role) = if stored.is_null() {
            (netns_cookie(ops), SocketRole::None as u8)
        } else {
            ((*stored).caller.netns_cookie, (*stored).role)
        };
        let mut caller = Caller { netns_cookie, ..Caller::default() };
        let readable = owner::read_caller(&mut caller);
        // A worker that listens on what its parent bound is one of several: all of them descend from the parent.
        let bound = !stored.is_null()
            && role == SocketRole::Bound as u8
            && (!readable || (caller.tgid != 0 && owner::descends_from(&caller, &(*stored).caller)));
        let role = if caller.tgid == 0 { SocketRole::None } else { SocketRole::Bound } as u8;
        let local_port = local_port as u16;
        let mut owner = SocketOwner { caller, role, local_port, ..SocketOwner::default() };
        if bound {
            owner = *stored;
        } else {
            owners::store(sk, ops.cast(), &mut owner);
        }
        owners::bequeath(sk, u32::from(local_port), &owner);
        mptcp::listens(sk, &owner);
    }
}

/// Returns the cookie of the network namespace, 0 where these programs have no helper for it.
///
/// # Safety
/// `ops` is the program's context.
#[inline(always)]
unsafe fn netns_cookie(ops: *mut bpf_sock_ops) -> u64 {
    // SAFETY: guaranteed by the caller. The verifier does not look at what the constant excludes.
    unsafe {
        if read_volatile(&raw const NETNS_COOKIE_OF_OPS) == 0 { 0 } else { bpf_get_netns_cookie(ops.cast()) }
    }
}

/// A handshake completed, or a socket started to listen.
#[inline(never)]
fn established(ops: *mut bpf_sock_ops, kind: RecordKind) {
    // SAFETY: `ops` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let hook = if kind as u8 == RecordKind::Listening as u8 { Hook::Listen } else { Hook::Established };
        let (local_port, peer_port) = ports(ops);
        let port = if kind as u8 == RecordKind::ActiveEstablished as u8 { peer_port } else { local_port };
        let flags = port_flags(port);
        if !flags.watched() {
            return;
        }
        let Some(occasion) = Occasion::seen(hook) else { return };
        let out_base = read_volatile(&raw const (*ops).snd_nxt);
        let in_base = read_volatile(&raw const (*ops).rcv_nxt);
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return occasion.filtered();
        }
        let now = bpf_ktime_get_boot_ns();
        let cookie = bpf_get_socket_cookie(ops.cast());
        let mut record_flags = 0;
        // Who connected stored it, and a server's socket inherits it: nearly always it is there.
        let mut stored = owners::find(sk, ops.cast());
        if stored.is_null() {
            stored = unknown_owner(ops, sk);
        }
        if stored.is_null() {
            diagnose::owner_unkept(ops);
            if owners::option_memory_filled(sk) {
                record_flags = FLAG_OPTMEM_FULL;
            }
        } else {
            if kind as u8 == RecordKind::PassiveEstablished as u8 {
                (*stored).local_port = local_port as u16;
                owners::inherit(sk, local_port, stored);
                mptcp::arrived(sk, cookie, stored);
            }
            (*stored).since_ns = now;
            (*stored).started = Started::Yes as u8;
            (*stored).in_base = in_base;
            if (*stored).flags & SOCKET_SYN_SEEN == 0 {
                (*stored).out_base = out_base;
            }
            if kind as u8 != RecordKind::Listening as u8 && flags.posture() {
                wanting::request(stored);
            }
            record_flags = flow::withheld_flags(&*stored);
        }
        request_state_callbacks(ops);
        let tuple = tuple(ops);
        // Read where it is stored, not copied before.
        let owner = if stored.is_null() { &raw const NOBODY } else { stored.cast_const() };
        emit::emit(occasion, || FlowRecord {
            flags: record_flags,
            ..flow::opened(kind, cookie, &tuple, &(*owner).caller, (*owner).role, now)
        });
        if kind as u8 == RecordKind::PassiveEstablished as u8 && flags.posture() && !stored.is_null() {
            early::send(stored, flow::header_ports(&tuple), cookie, now);
        }
    }
}

/// Stores that the owner of a socket is not known. Returns null if there is no memory.
#[inline(never)]
fn unknown_owner(ops: *mut bpf_sock_ops, sk: *mut bpf_sock) -> *mut SocketOwner {
    let mut owner = SocketOwner::default();
    // SAFETY: `ops` is the program's context, and `sk` its socket and not null.
    unsafe { owners::find_or_insert(sk, ops.cast(), &mut owner) }
}

/// A socket changed its state. Only the sending of our FIN, its acknowledgement and the close matter.
#[inline(never)]
fn state_changed(ops: *mut bpf_sock_ops) {
    // SAFETY: `ops` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let old = read_volatile(&raw const (*ops).__bindgen_anon_1.args[0]);
        let new = read_volatile(&raw const (*ops).__bindgen_anon_1.args[1]);
        if new == BPF_TCP_FIN_WAIT1 {
            return fin::sent(ops);
        }
        if new == BPF_TCP_FIN_WAIT2 {
            return fin::acknowledged(ops);
        }
        if new != BPF_TCP_CLOSE {
            return;
        }
        let is_listener = old == BPF_TCP_LISTEN;
        let Some(occasion) = Occasion::seen(if is_listener { Hook::Listen } else { Hook::Close }) else {
            return;
        };
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return occasion.filtered();
        }
        let stored = owners::find(sk, ops.cast());
        let mut record_flags = 0;
        // Read where it is stored, not copied before.
        let owner = if !stored.is_null() {
            wanting::cancel(stored);
            if (*stored).started == Started::Elsewhere as u8 {
                owners::forget_spare(ops.cast());
                return occasion.filtered();
            }
            record_flags = flow::withheld_flags(&*stored);
            stored.cast_const()
        } else {
            // Another agent on this host may have requested this callback. If our socket's owner could not be stored,
            // its end is reported all the same.
            let (local_port, peer_port) = ports(ops);
            if !watched(local_port) && !watched(peer_port) {
                return occasion.filtered();
            }
            if owners::option_memory_filled(sk) {
                record_flags = FLAG_OPTMEM_FULL;
            }
            &raw const NOBODY
        };
        let owner = &*owner;
        let acked = read_volatile(&raw const (*ops).bytes_acked);
        let received = read_volatile(&raw const (*ops).bytes_received);
        let srtt = read_volatile(&raw const (*ops).srtt_us);
        let retransmits = read_volatile(&raw const (*ops).total_retrans);
        let segs_in = read_volatile(&raw const (*ops).segs_in);
        let rcv_nxt = read_volatile(&raw const (*ops).rcv_nxt);
        let tuple = tuple(ops);
        let now = bpf_ktime_get_boot_ns();
        let cookie = bpf_get_socket_cookie(ops.cast());
        let peer_fin = match old {
            BPF_TCP_CLOSE_WAIT | BPF_TCP_LAST_ACK | BPF_TCP_CLOSING => FLAG_PEER_FIN,
            BPF_TCP_FIN_WAIT2 => fin::peer_fin_flags(owner, received, rcv_nxt),
            _ => 0,
        };
        // Both ends called at the same moment, and the peer's SYN is all that came, or a reply to ours too. The socket of
        // a server is never Connected.
        let crossed = old == BPF_TCP_SYN_RECV && owner.role == SocketRole::Connected as u8;
        let failed = old == BPF_TCP_SYN_SENT || crossed;
        let fin_unacked = if fin::is_unacked(ops, old) { FLAG_FIN_UNACKED } else { 0 };
        let replied = if segs_in <= crossed as u32 { 0 } else { FLAG_PEER_REPLIED };
        let flags = replied | peer_fin | fin_unacked | record_flags;
        let error =
            if is_listener || failed { 0 } else { socket_error::at_end(sk, old, owner, fin_unacked != 0) };
        let kind = if is_listener {
            RecordKind::ListenerClosed
        } else if failed {
            RecordKind::Failed
        } else {
            RecordKind::Closed
        };
        let tail = if failed {
            flow::fail_tail(owner, now, if retransmits > 255 { 255 } else { retransmits as u8 })
        } else {
            FlowTail::close(CloseTail {
                bytes_acked: acked,
                bytes_received: received,
                srtt_us_x8: srtt,
                retransmits,
                since_ns: owner.since_ns,
            })
        };
        emit::emit(occasion, move || FlowRecord {
            old_state: old as u8,
            flags,
            error,
            ..flow::record(kind, cookie, &tuple, &owner.caller, owner.role, now, tail)
        });
        let local_port = u32::from(owner.local_port);
        // The last use of the owner.
        owners::forget_spare(ops.cast());
        if is_listener {
            owners::forget_listener(sk, local_port);
        }
    }
}
