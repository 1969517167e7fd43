//! The life of a TCP socket: connecting, established, listening, closed.
//!
//! These callbacks run in any context (often a soft interrupt), so they read the owner from the socket's storage and
//! call no helper about the current task.

use core::ptr::{self, read_volatile};

use aya_ebpf::bindings::{
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PARSE_HDR_OPT_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_CONNECT_CB,
    BPF_SOCK_OPS_TCP_LISTEN_CB, BPF_TCP_CLOSE, BPF_TCP_FIN_WAIT1, BPF_TCP_FIN_WAIT2, BPF_TCP_LISTEN,
    bpf_sock, bpf_sock_ops,
};
use aya_ebpf::helpers::generated::{
    bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_ktime_get_boot_ns, bpf_sock_ops_cb_flags_set,
};
use aya_ebpf::macros::sock_ops;
use aya_ebpf::programs::SockOpsContext;
use gdprport_common::{
    Caller, FLAG_OPTMEM_FULL, FlowRecord, Hook, RecordKind, SOCKET_DECISION, SOCKET_SYN_SEEN, SocketOwner,
    SocketRole, Started,
};

use crate::count::Occasion;
use crate::ending::End;
use crate::flow::ports;
use crate::maps::{port_flags, watched};
use crate::owners::NOBODY;
use crate::{arriving, diagnose, early, emit, fin, flow, mptcp, overload, owner, owners, wanting};

/// 1 if `sock_ops` programs may ask for the cookie of the network namespace (since Linux 5.15); the daemon sets it.
#[unsafe(no_mangle)]
static NETNS_COOKIE_OF_OPS: u32 = 0;

#[sock_ops]
fn gp_sock_ops(ctx: SockOpsContext) -> u32 {
    let ops = ctx.ops;
    // SAFETY: `ops` is the program's context.
    let op = unsafe { read_volatile(&raw const (*ops).op) };
    match op {
        BPF_SOCK_OPS_TCP_CONNECT_CB => connecting(ops),
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => opened(ops, RecordKind::ActiveEstablished),
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => {
            if sent_syn(ops) {
                opened(ops, RecordKind::ActiveEstablished);
            } else {
                arriving::established(ops);
                opened(ops, RecordKind::PassiveEstablished);
            }
        }
        BPF_SOCK_OPS_TCP_LISTEN_CB => {
            listening(ops);
            opened(ops, RecordKind::Listening);
        }
        BPF_SOCK_OPS_STATE_CB => {
            let signs = state_changed(ops);
            if signs != 0 {
                overload::ended(ops, signs);
            }
        }
        BPF_SOCK_OPS_PARSE_HDR_OPT_CB => fin::inspect_segment(ops),
        _ => {}
    }
    1
}

#[inline(always)]
fn opened(ops: *mut bpf_sock_ops, kind: RecordKind) {
    // SAFETY: `ops` is the program's context.
    if unsafe { gp_established(ops, kind) } {
        overload::opened(ops, kind as u8 == RecordKind::PassiveEstablished as u8);
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
        let (netns_cookie, role, flags) = if stored.is_null() {
            (netns_cookie(ops), SocketRole::None as u8, 0)
        } else {
            ((*stored).caller.netns_cookie, (*stored).role, (*stored).flags & SOCKET_DECISION)
        };
        let mut caller = Caller { netns_cookie, ..Caller::default() };
        let readable = owner::read_caller(&mut caller);
        // A worker that listens on what its parent bound is one of several: all of them descend from the parent.
        let bound = !stored.is_null()
            && role == SocketRole::Bound as u8
            && (!readable || (caller.tgid != 0 && owner::descends_from(&caller, &(*stored).caller)));
        let role = if caller.tgid == 0 { SocketRole::None } else { SocketRole::Bound } as u8;
        let local_port = local_port as u16;
        // Whoever listens, what was decided is of the bind.
        let mut owner = SocketOwner { caller, role, local_port, flags, ..SocketOwner::default() };
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

/// A handshake completed, or a socket started to listen. Returns whether it is to be counted in a group.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_established(ops: *mut bpf_sock_ops, kind: RecordKind) -> bool {
    // SAFETY: `ops` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let hook = if kind as u8 == RecordKind::Listening as u8 { Hook::Listen } else { Hook::Established };
        let (local_port, peer_port) = ports(ops);
        let port = if kind as u8 == RecordKind::ActiveEstablished as u8 { peer_port } else { local_port };
        let flags = port_flags(port);
        if !flags.watched() {
            return false;
        }
        let Some(occasion) = Occasion::seen(hook) else { return false };
        let out_base = read_volatile(&raw const (*ops).snd_nxt);
        let in_base = read_volatile(&raw const (*ops).rcv_nxt);
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            occasion.filtered();
            return false;
        }
        let now = bpf_ktime_get_boot_ns();
        let cookie = bpf_get_socket_cookie(ops.cast());
        let mut record_flags = 0;
        // Who connected stored it, and a server's socket inherits it: nearly always it is there.
        let mut stored = owners::find(sk, ops.cast());
        if stored.is_null() {
            stored = owners::unknown(sk, ops.cast());
        }
        if stored.is_null() {
            diagnose::gp_owner_unkept();
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
            // A socket may have been used for another connection before, which was counted in a group. What was decided of its
            // listener's bind is not about one that was accepted.
            let undecided = kind as u8 == RecordKind::PassiveEstablished as u8 && !flags.decided();
            let kept = if undecided { SOCKET_SYN_SEEN } else { SOCKET_SYN_SEEN | SOCKET_DECISION };
            let flags_before = (*stored).flags & kept;
            (*stored).flags = flags_before;
            if flags_before & SOCKET_SYN_SEEN == 0 {
                (*stored).out_base = out_base;
            }
            if kind as u8 != RecordKind::Listening as u8 && flags.posture() {
                wanting::request(stored);
            }
            record_flags = flow::withheld_flags(&*stored);
        }
        request_state_callbacks(ops);
        let tuple = flow::tuple(ops);
        // A connection that cannot be marked as counted in a group makes a record as long as there is room.
        let groups = kind as u8 != RecordKind::Listening as u8 && !stored.is_null();
        let room = if groups && overload::is_nearly_full() { None } else { emit::room() };
        let Some(mut entry) = room else {
            if groups {
                occasion.postponed();
                return true;
            }
            occasion.dropped();
            return false;
        };
        // Read where it is stored, not copied before.
        let owner = if stored.is_null() { &raw const NOBODY } else { stored.cast_const() };
        entry.write(FlowRecord {
            flags: record_flags,
            decision: (*owner).flags & SOCKET_DECISION,
            ..flow::opened(kind, cookie, &tuple, &(*owner).caller, (*owner).role, now)
        });
        emit::submit(entry, occasion);
        if kind as u8 == RecordKind::PassiveEstablished as u8 && flags.posture() && !stored.is_null() {
            early::send(stored, flow::header_ports(&tuple), cookie, now);
        }
        false
    }
}

/// A socket changed its state. Only the sending of our FIN, its acknowledgement and the close matter. Returns the signs
/// of an end that is to be counted in a group, packed, else 0.
#[inline(never)]
fn state_changed(ops: *mut bpf_sock_ops) -> u32 {
    // SAFETY: `ops` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let old = read_volatile(&raw const (*ops).__bindgen_anon_1.args[0]);
        let new = read_volatile(&raw const (*ops).__bindgen_anon_1.args[1]);
        if new == BPF_TCP_FIN_WAIT1 {
            fin::sent(ops);
            return 0;
        }
        if new == BPF_TCP_FIN_WAIT2 {
            fin::acknowledged(ops);
            return 0;
        }
        if new != BPF_TCP_CLOSE {
            return 0;
        }
        let is_listener = old == BPF_TCP_LISTEN;
        let hook = if is_listener { Hook::Listen } else { Hook::Close };
        let Some(occasion) = Occasion::seen(hook) else { return 0 };
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            occasion.filtered();
            return 0;
        }
        let stored = owners::find(sk, ops.cast());
        let mut record_flags = 0;
        // Read where it is stored, not copied before.
        let owner = if !stored.is_null() {
            wanting::cancel(stored);
            if (*stored).started == Started::Elsewhere as u8 {
                owners::forget_spare(ops.cast());
                occasion.filtered();
                return 0;
            }
            record_flags = flow::withheld_flags(&*stored);
            stored.cast_const()
        } else {
            // Another agent on this host may have requested this callback. If our socket's owner could not be stored,
            // its end is reported all the same.
            let (local_port, peer_port) = ports(ops);
            if !watched(local_port) && !watched(peer_port) {
                occasion.filtered();
                return 0;
            }
            if owners::option_memory_filled(sk) {
                record_flags = FLAG_OPTMEM_FULL;
            }
            &raw const NOBODY
        };
        let owner = &*owner;
        if is_listener {
            owners::forget_listener(sk, u32::from(owner.local_port));
        }
        let end = End::read(ops, sk, old, owner, record_flags);
        let room = if end.signs.failed() && overload::is_nearly_full() { None } else { emit::room() };
        let Some(mut entry) = room else {
            if !is_listener {
                occasion.postponed();
                return end.signs.pack(end.acked);
            }
            owners::forget_spare(ops.cast());
            occasion.dropped();
            return 0;
        };
        entry.write(end.record(owner));
        emit::submit(entry, occasion);
        owners::forget_spare(ops.cast());
        0
    }
}
