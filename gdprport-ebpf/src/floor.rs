//! What the bench compares the product with. The floor (`fl_`) is the least that kernel programs of this kind can do
//! and still report who connected: one 64-byte record per connection, no wake-ups, nothing about the accepting end. The
//! hooks (`hk_`) are the product's own, with programs that return at once: what the kernel spends on calling them is
//! the lower bound for any program of this design.
//!
//! Only `cargo xtask bench` builds and loads them; no part of the product does.

#![no_std]
#![no_main]
#![expect(clippy::needless_pass_by_value, reason = "aya's program macros pass contexts by value")]

mod object;

use core::ptr::read_volatile;

use aya_ebpf::bindings::{
    BPF_RB_NO_WAKEUP, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_CONNECT_CB, BPF_TCP_CLOSE,
};
use aya_ebpf::helpers::generated::{
    bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid, bpf_get_socket_cookie,
    bpf_ktime_get_boot_ns, bpf_sock_ops_cb_flags_set,
};
use aya_ebpf::macros::{cgroup_skb, cgroup_sock, cgroup_sock_addr, map, sock_ops, tracepoint};
use aya_ebpf::maps::{PerCpuArray, RingBuf};
use aya_ebpf::programs::{SkBuffContext, SockAddrContext, SockContext, SockOpsContext, TracePointContext};

/// The watched port, host byte order; the loader sets it.
#[unsafe(no_mangle)]
static FLOOR_PORT: u32 = 0;

/// Records for the reader, which polls.
#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 22, 0);

/// Connects and closes of the watched port, and executed programs.
#[map]
static COUNTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(3, 0);

/// Who connected where; 64 bytes.
#[repr(C)]
struct Record {
    time_ns: u64,
    cookie: u64,
    ids: u64,
    process: u64,
    comm: [u64; 2],
    address: u32,
    port: u32,
    reserved: u64,
}

#[inline(always)]
fn watched(port: u32) -> bool {
    // SAFETY: a constant of the program, set when it is loaded.
    port == unsafe { read_volatile(&raw const FLOOR_PORT) }
}

#[inline(always)]
fn count(index: u32) {
    if let Some(counter) = COUNTS.get_ptr_mut(index) {
        // SAFETY: this CPU's own value of the map.
        unsafe { *counter += 1 };
    }
}

#[cgroup_sock_addr(connect4)]
fn fl_connect4(ctx: SockAddrContext) -> i32 {
    let address = ctx.sock_addr;
    // SAFETY: `address` is the program's context; the helpers write at most the size they are given.
    unsafe {
        let port = u32::from(u16::from_be(read_volatile(&raw const (*address).user_port) as u16));
        let peer = read_volatile(&raw const (*address).user_ip4);
        if !watched(port) {
            return 1;
        }
        if let Some(mut entry) = EVENTS.reserve::<Record>(0) {
            let mut comm = [0_u64; 2];
            bpf_get_current_comm((&raw mut comm).cast(), 16);
            entry.write(Record {
                time_ns: bpf_ktime_get_boot_ns(),
                cookie: bpf_get_socket_cookie(address.cast()),
                ids: bpf_get_current_uid_gid(),
                process: bpf_get_current_pid_tgid(),
                comm,
                address: peer,
                port,
                reserved: 0,
            });
            entry.submit(u64::from(BPF_RB_NO_WAKEUP));
        }
        count(0);
    }
    1
}

#[sock_ops]
fn fl_sock_ops(ctx: SockOpsContext) -> u32 {
    let ops = ctx.ops;
    // SAFETY: `ops` is the program's context.
    unsafe {
        let op = read_volatile(&raw const (*ops).op);
        if op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB {
            if watched(u32::from_be(read_volatile(&raw const (*ops).remote_port))) {
                bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG as i32);
            }
        } else if op == BPF_SOCK_OPS_STATE_CB {
            let new_state = read_volatile(&raw const (*ops).__bindgen_anon_1.args[1]);
            if new_state == BPF_TCP_CLOSE {
                count(1);
            }
        }
    }
    1
}

#[tracepoint]
fn fl_exec(_: TracePointContext) -> u32 {
    count(2);
    0
}

#[cgroup_sock_addr(connect4)]
fn hk_connect4(_: SockAddrContext) -> i32 {
    1
}

#[cgroup_sock_addr(getpeername4)]
fn hk_getpeername4(_: SockAddrContext) -> i32 {
    1
}

#[cgroup_sock(sock_release)]
fn hk_sock_release(_: SockContext) -> i32 {
    1
}

#[cgroup_skb(egress)]
fn hk_egress(_: SkBuffContext) -> i32 {
    1
}

#[cgroup_skb(ingress)]
fn hk_ingress(_: SkBuffContext) -> i32 {
    1
}

/// Requests the state callbacks of the watched port's sockets, as the product does, and ignores them.
#[sock_ops]
fn hk_sock_ops(ctx: SockOpsContext) -> u32 {
    let ops = ctx.ops;
    // SAFETY: `ops` is the program's context.
    unsafe {
        let port = match read_volatile(&raw const (*ops).op) {
            BPF_SOCK_OPS_TCP_CONNECT_CB => u32::from_be(read_volatile(&raw const (*ops).remote_port)),
            BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => read_volatile(&raw const (*ops).local_port),
            _ => return 1,
        };
        if watched(port) {
            bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG as i32);
        }
    }
    1
}
