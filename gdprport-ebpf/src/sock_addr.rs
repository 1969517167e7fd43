//! connect, bind and getpeername: calls that show, in their own context, which process owns a socket.
//!
//! `getpeername` also runs inside `accept(fd, &addr)`, on the new socket, in the acceptor's context.

use core::ptr::read_volatile;

use aya_ebpf::bindings::{bpf_sock, bpf_sock_addr};
use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_ktime_get_boot_ns};
use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use gdprport_common::{Caller, Hook, RecordKind, SOCKET_DENIED, SOCKET_GROUPED, SocketOwner, SocketRole};

use crate::call::{socket, user_address, user_port};
use crate::count::Occasion;
use crate::flow::SocketTuple;
use crate::maps::{port_flags, watched};
use crate::{binding, diagnose, emit, enforce, flow, mptcp, owner, owners, unsent};

/// The verdict of a hook that only watches.
const PROCEED: i32 = 1;
/// The call returns `EPERM`.
const DENY: i32 = 0;
/// `IPPROTO_TCP`.
const TCP: u32 = 6;
/// `IPPROTO_MPTCP`.
const MPTCP: u32 = 262;

#[cgroup_sock_addr(connect4)]
fn gp_connect4(ctx: SockAddrContext) -> i32 {
    connect(ctx.sock_addr, 4)
}

#[cgroup_sock_addr(connect6)]
fn gp_connect6(ctx: SockAddrContext) -> i32 {
    connect(ctx.sock_addr, 6)
}

#[cgroup_sock_addr(bind4)]
fn gp_bind4(ctx: SockAddrContext) -> i32 {
    bind(ctx.sock_addr, 4)
}

#[cgroup_sock_addr(bind6)]
fn gp_bind6(ctx: SockAddrContext) -> i32 {
    bind(ctx.sock_addr, 6)
}

#[cgroup_sock_addr(getpeername4)]
fn gp_getpeername4(ctx: SockAddrContext) -> i32 {
    acceptor(ctx.sock_addr, 4);
    PROCEED
}

#[cgroup_sock_addr(getpeername6)]
fn gp_getpeername6(ctx: SockAddrContext) -> i32 {
    acceptor(ctx.sock_addr, 6);
    PROCEED
}

#[inline(always)]
fn connect(ctx: *mut bpf_sock_addr, family: u8) -> i32 {
    // SAFETY: `ctx` is the program's context, and `sk` is checked before its use.
    unsafe {
        let port = user_port(ctx);
        let sk = socket(ctx);
        if sk.is_null() {
            return PROCEED;
        }
        // A socket bound to a watched port was stored as a listener until now; it is a client.
        let flags = port_flags(port);
        if !flags.watched() {
            let bound = read_volatile(&raw const (*sk).src_port);
            if bound == 0 || !watched(bound) {
                return PROCEED;
            }
        }
        if read_volatile(&raw const (*ctx).protocol) != TCP {
            return PROCEED;
        }
        let mut owner = SocketOwner::default();
        owner.caller.netns_cookie = bpf_get_netns_cookie(ctx.cast());
        let task = owner::read_current(&mut owner.caller);
        mptcp::connects(sk, &mut owner.caller);
        if owner.caller.tgid != 0 {
            owner.role = SocketRole::Connected as u8;
        }
        owner.since_ns = bpf_ktime_get_boot_ns();
        owner.peer = user_address(ctx, family);
        owner.peer_port = port as u16;
        owner.peer_family = family;
        if flags.decided() {
            owner.flags = enforce::decide(ctx, family, &owner, task);
            if owner.flags & SOCKET_DENIED != 0 {
                // What is stored of an earlier connect of this socket stays.
                denied(ctx, &raw const owner);
                return DENY;
            }
        }
        store(sk, ctx, &mut owner);
        PROCEED
    }
}

#[inline(always)]
fn bind(ctx: *mut bpf_sock_addr, family: u8) -> i32 {
    // SAFETY: `ctx` is the program's context, and `sk` is checked before its use.
    unsafe {
        let flags = port_flags(user_port(ctx));
        if !flags.watched() || read_volatile(&raw const (*ctx).protocol) != TCP {
            return PROCEED;
        }
        let sk = socket(ctx);
        if sk.is_null() {
            return PROCEED;
        }
        let mut owner = SocketOwner::default();
        owner.caller.netns_cookie = bpf_get_netns_cookie(ctx.cast());
        owner::read_current(&mut owner.caller);
        if owner.caller.tgid != 0 {
            owner.role = SocketRole::Bound as u8;
        }
        owner.since_ns = bpf_ktime_get_boot_ns();
        owner.local_port = user_port(ctx) as u16;
        if flags.decided() {
            owner.flags = binding::decide(ctx, family, &owner);
            if owner.flags & SOCKET_DENIED != 0 {
                let owner = &raw const owner;
                if family == 4 {
                    binding::denied::<4>(ctx, owner);
                } else {
                    binding::denied::<6>(ctx, owner);
                }
                return DENY;
            }
        }
        store(sk, ctx, &mut owner);
        PROCEED
    }
}

/// Reports a connect that the policy denies. A function of its own, whose stack is not that of the decision.
///
/// # Safety
/// `ctx` is the program's context, and `owner` the caller's own value.
#[inline(never)]
unsafe fn denied(ctx: *mut bpf_sock_addr, owner: *const SocketOwner) {
    // SAFETY: guaranteed by the caller.
    unsafe { unsent::report(ctx.cast(), RecordKind::Denied, &*owner) }
}

/// Stores `owner` as the socket's owner and replaces an earlier one.
///
/// # Safety
/// `ctx` is the program's context, and `sk` its socket and not null.
#[inline(always)]
unsafe fn store(sk: *mut bpf_sock, ctx: *mut bpf_sock_addr, owner: &mut SocketOwner) {
    // SAFETY: guaranteed by the caller; its own process calls.
    unsafe {
        if !owners::store(sk, ctx.cast(), owner) {
            diagnose::gp_owner_unkept();
        }
    }
}

#[inline(always)]
fn acceptor(ctx: *mut bpf_sock_addr, family: u8) {
    // SAFETY: `ctx` is the program's context; `sk` and `stored` are checked before their use.
    unsafe {
        let sk = socket(ctx);
        if sk.is_null() {
            return;
        }
        let protocol = read_volatile(&raw const (*ctx).protocol);
        if protocol == MPTCP {
            return mptcp::acceptor(ctx, sk);
        }
        let local_port = read_volatile(&raw const (*sk).src_port);
        if !watched(local_port) || protocol != TCP {
            return;
        }
        let stored = owners::find(sk, ctx.cast());
        if stored.is_null() {
            return;
        }
        let Some(occasion) = Occasion::seen(Hook::Accept) else { return };
        // A client requests its peer's address, or a server does again: nothing new. Of a connection that was counted in a
        // group the listener's process stays the owner, so that its end is counted in the same one.
        let role = (*stored).role;
        if role == SocketRole::Connected as u8
            || role == SocketRole::Accepted as u8
            || (*stored).flags & SOCKET_GROUPED != 0
        {
            return occasion.filtered();
        }
        let mut caller = Caller { netns_cookie: bpf_get_netns_cookie(ctx.cast()), ..Caller::default() };
        owner::read_current(&mut caller);
        // Any process that holds the socket can call this, long after an accept that requested no address. Only one
        // that can have inherited the listener counts as the acceptor; `fexit/inet_csk_accept` covers a listener that
        // was passed to another process.
        if caller.tgid == 0 || !owner::descends_from(&caller, &(*stored).caller) {
            return occasion.filtered();
        }
        owner::set_acceptor(stored, &caller);

        emit::emit(occasion, || {
            // Of the socket, not of the call: a program that ran before may have replaced the peer there.
            let (local, peer) = if family == 4 {
                let peer = read_volatile(&raw const (*sk).dst_ip4);
                ([read_volatile(&raw const (*sk).src_ip4), 0, 0, 0], [peer, 0, 0, 0])
            } else {
                let local = [
                    read_volatile(&raw const (*sk).src_ip6[0]),
                    read_volatile(&raw const (*sk).src_ip6[1]),
                    read_volatile(&raw const (*sk).src_ip6[2]),
                    read_volatile(&raw const (*sk).src_ip6[3]),
                ];
                let peer = [
                    read_volatile(&raw const (*sk).dst_ip6[0]),
                    read_volatile(&raw const (*sk).dst_ip6[1]),
                    read_volatile(&raw const (*sk).dst_ip6[2]),
                    read_volatile(&raw const (*sk).dst_ip6[3]),
                ];
                (local, peer)
            };
            let peer_port = u16::from_be(read_volatile(&raw const (*sk).dst_port));
            let tuple = SocketTuple { family, local, peer, local_port: local_port as u16, peer_port };
            let cookie = bpf_get_socket_cookie(ctx.cast());
            let (role, now) = (SocketRole::Accepted as u8, bpf_ktime_get_boot_ns());
            flow::opened(RecordKind::Accepted, cookie, &tuple, &caller, role, now)
        });
    }
}
