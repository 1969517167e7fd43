//! What a call names, for programs of connect, bind and getpeername: socket, address and port; and where a connect leads to.

use core::ptr::read_volatile;

use aya_ebpf::bindings::{bpf_sock, bpf_sock_addr};

use crate::exempt::MAPPED;

/// 127.0.0.1.
const LOOPBACK: u32 = 0x7f00_0001_u32.to_be();

/// Returns the port of the address in the call, host byte order.
///
/// # Safety
/// `ctx` is the program's context.
#[inline(always)]
pub(crate) unsafe fn user_port(ctx: *mut bpf_sock_addr) -> u32 {
    // SAFETY: guaranteed by the caller. The field holds a 16-bit port in network byte order.
    u32::from(u16::from_be(unsafe { read_volatile(&raw const (*ctx).user_port) } as u16))
}

/// # Safety
/// `ctx` is the program's context.
#[inline(always)]
pub(crate) unsafe fn socket(ctx: *mut bpf_sock_addr) -> *mut bpf_sock {
    // SAFETY: guaranteed by the caller.
    unsafe { read_volatile(&raw const (*ctx).__bindgen_anon_1.sk) }
}

/// Returns the address in the call, network byte order.
///
/// # Safety
/// `ctx` is the context of a program whose family is `family`.
#[inline(always)]
pub(crate) unsafe fn user_address(ctx: *mut bpf_sock_addr, family: u8) -> [u32; 4] {
    // SAFETY: guaranteed by the caller; each field belongs to one family and is read only for it.
    unsafe {
        if family == 4 {
            [read_volatile(&raw const (*ctx).user_ip4), 0, 0, 0]
        } else {
            [
                read_volatile(&raw const (*ctx).user_ip6[0]),
                read_volatile(&raw const (*ctx).user_ip6[1]),
                read_volatile(&raw const (*ctx).user_ip6[2]),
                read_volatile(&raw const (*ctx).user_ip6[3]),
            ]
        }
    }
}

/// The address that a connect leads to, 128 bits in network byte order; of IPv4 the mapped one. What is called as none at all is this host, or
/// the address that the socket is bound to (`ip_route_output_key_hash_rcu`, net/ipv4/route.c; `tcp_v6_connect`,
/// net/ipv6/tcp_ipv6.c).
///
/// # Safety
/// `ctx` is the context of a program for this family, and `sk` its socket and not null.
#[inline(always)]
pub(crate) unsafe fn called(ctx: *mut bpf_sock_addr, sk: *mut bpf_sock, family: u8) -> [u32; 4] {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut address = user_address(ctx, family);
        if family == 4 {
            address = [0, 0, MAPPED, address[0]];
        }
        if address[0] | address[1] != 0 {
            return address;
        }
        if address[2] == MAPPED && address[3] == 0 {
            let bound = read_volatile(&raw const (*sk).src_ip4);
            address[3] = if bound == 0 { LOOPBACK } else { bound };
        } else if address[2] | address[3] == 0 {
            // A socket that is bound to a mapped address leads to IPv4.
            let bound_v4 =
                read_volatile(&raw const (*sk).src_ip6[0]) | read_volatile(&raw const (*sk).src_ip6[1]) == 0
                    && read_volatile(&raw const (*sk).src_ip6[2]) == MAPPED;
            (address[2], address[3]) = if bound_v4 { (MAPPED, LOOPBACK) } else { (0, 1_u32.to_be()) };
        }
        address
    }
}
