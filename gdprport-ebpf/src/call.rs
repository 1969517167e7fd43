//! What a call names, for programs of connect, bind and getpeername: socket, address and port.

use core::ptr::read_volatile;

use aya_ebpf::bindings::{bpf_sock, bpf_sock_addr};

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
