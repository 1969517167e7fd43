//! Why TCP itself ended a connection: the error that it left in the socket.
//!
//! No stable interface shows it. It is read at the offset that the running kernel's own type information gives; where
//! there is none, it is not known.

use core::ptr::read_volatile;

use aya_ebpf::bindings::{
    BPF_TCP_CLOSE_WAIT, BPF_TCP_CLOSING, BPF_TCP_ESTABLISHED, BPF_TCP_FIN_WAIT2, BPF_TCP_LAST_ACK, bpf_sock,
};
use aya_ebpf::helpers::bpf_probe_read_kernel;
use gdprport_common::{Closing, SocketOwner};

/// Offset of `sk_err` in `sock`. The daemon sets it from the BTF of the running kernel; 0 if that has none.
#[unsafe(no_mangle)]
static SOCK_ERR_OFFSET: u32 = 0;

/// Returns the error of a socket that leaves the state `old` for CLOSE, 0 if it has none, its process ended the
/// connection, or it is not known. The usual ends, by a FIN that was acknowledged, read nothing.
///
/// # Safety
/// `sk` is the context's socket and not null.
#[inline(always)]
pub(crate) unsafe fn at_end(sk: *mut bpf_sock, old: u32, owner: &SocketOwner, fin_unacked: bool) -> u8 {
    let released = owner.closing == Closing::Released as u8 || owner.closing == Closing::Counted as u8;
    let usual = match old {
        BPF_TCP_LAST_ACK | BPF_TCP_CLOSING => !fin_unacked,
        // The process has closed it: in `FIN_WAIT2` a `TIME_WAIT` takes over, before its FIN it resets the connection. An
        // error that it did not fetch may be of long ago.
        BPF_TCP_FIN_WAIT2 | BPF_TCP_ESTABLISHED | BPF_TCP_CLOSE_WAIT => released,
        _ => false,
    };
    if usual {
        return 0;
    }
    // SAFETY: guaranteed by the caller; the offset is that of the running kernel, and the helper checks every address.
    unsafe {
        let offset = read_volatile(&raw const SOCK_ERR_OFFSET);
        if offset == 0 {
            return 0;
        }
        // The verifier allows no arithmetic on a socket: its address is read from the stack, which makes it a number.
        let socket = sk as *const u8;
        let Ok(address) = bpf_probe_read_kernel((&raw const socket).cast::<u64>()) else { return 0 };
        match bpf_probe_read_kernel((address + u64::from(offset)) as *const u32) {
            Ok(error) => error as u8,
            Err(_) => 0,
        }
    }
}
