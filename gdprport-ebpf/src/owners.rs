//! Where the owner of a socket is kept: with the socket or, if that has no room, in a spare map.
//!
//! The kernel charges the storage to the socket's option memory (`net.core.optmem_max`), which the socket's own process
//! can fill. If the owner were then unknown, any process could choose to be. `SPARE` has room for some of them.

use core::ffi::c_void;
use core::mem::zeroed;
use core::ptr::{self, read_volatile, write_volatile};

use aya_ebpf::bindings::{BPF_ANY, bpf_sock};
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::bpf_get_socket_cookie;
use gdprport_common::{SocketOwner, SocketRole};

use crate::maps::{OWNERS, SOCKET_ADDRESS, SPARE, SPARE_USED};
use crate::wanting;

/// What is known of an owner that could not be stored. Not on the stack: Linux 5.10 counts up to 32 bytes more for each
/// function, and then `sock_ops::state_changed` and what it calls would not have room for it.
#[unsafe(no_mangle)]
pub(crate) static NOBODY: SocketOwner = {
    // SAFETY: integers, of which any bits are a value.
    unsafe { zeroed() }
};

/// Offset of `sk_omem_alloc` in `sock`. The daemon sets this and the next one from the BTF of the running kernel.
#[unsafe(no_mangle)]
static SOCK_OMEM_OFFSET: u32 = 0;
/// Offset of `skc_net` in `sock_common`, with which a `sock` begins.
#[unsafe(no_mangle)]
static SOCK_NET_OFFSET: u32 = 0;

/// Option memory in use, in bytes, from which on its process has filled it: half of the smallest default of
/// `net.core.optmem_max` (20,480 until Linux 6.7). Below that, it is the host's own limit that leaves no room.
const FILLED: u32 = 10_240;

/// `wants_payload` of a value that this call of [`store`] has just made: it need not be copied again.
const NEW: u8 = 2;

/// This bit is set in the keys of listeners in `SPARE`, and clear in socket cookies.
const LISTENER: u64 = 1 << 63;

/// Returns the stored owner of `sk`, null if there is none. `context` is what the helper for socket cookies takes in this
/// program.
///
/// # Safety
/// `sk` is a full socket from the program's context and was checked not to be null.
#[inline(always)]
pub(crate) unsafe fn find(sk: *mut bpf_sock, context: *mut c_void) -> *mut SocketOwner {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let stored = OWNERS.get(sk);
        if stored.is_null() && spare_used() { spare(bpf_get_socket_cookie(context)) } else { stored }
    }
}

/// Returns the stored owner of `sk`, created from `init` if there is none; null if there is no memory.
///
/// # Safety
/// As for [`find`].
#[inline(always)]
pub(crate) unsafe fn find_or_insert(
    sk: *mut bpf_sock,
    context: *mut c_void,
    init: &mut SocketOwner,
) -> *mut SocketOwner {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let stored = OWNERS.get_or_insert(sk, init);
        if !stored.is_null() {
            return stored;
        }
        let cookie = bpf_get_socket_cookie(context);
        let known = spare(cookie);
        if !known.is_null() || !keep_spare(cookie, init) { known } else { spare(cookie) }
    }
}

/// Stores that the owner of a socket is not known. Returns null if there is no memory.
///
/// # Safety
/// As for [`find`].
#[inline(never)]
pub(crate) unsafe fn unknown(sk: *mut bpf_sock, context: *mut c_void) -> *mut SocketOwner {
    let mut owner = SocketOwner::default();
    // SAFETY: guaranteed by the caller.
    unsafe { find_or_insert(sk, context, &mut owner) }
}

/// Stores `owner` as the socket's owner and replaces an earlier one. Returns false if there is no memory.
///
/// # Safety
/// As for [`find`]; the socket's own process calls.
#[inline(always)]
pub(crate) unsafe fn store(sk: *mut bpf_sock, context: *mut c_void, owner: &mut SocketOwner) -> bool {
    // SAFETY: guaranteed by the caller; the stored value is this socket's.
    unsafe {
        owner.wants_payload = NEW;
        let stored = find_or_insert(sk, context, owner);
        if stored.is_null() {
            return false;
        }
        if (*stored).wants_payload == NEW {
            (*stored).wants_payload = 0;
            return true;
        }
        // An existing value was not replaced.
        wanting::cancel(stored);
        owner.wants_payload = 0;
        *stored = *owner;
    }
    true
}

/// Removes the owner of a socket that has ended from the spare map.
#[inline(always)]
pub(crate) fn forget_spare(context: *mut c_void) {
    if spare_used() {
        // SAFETY: the context of the program.
        let cookie = unsafe { bpf_get_socket_cookie(context) };
        let _ = SPARE.remove(&cookie);
    }
}

/// Keeps the owner of a listener for the sockets that it accepts, if it is a spare one: only the socket's own storage is
/// inherited.
///
/// # Safety
/// As for [`find`].
#[inline(always)]
pub(crate) unsafe fn bequeath(sk: *mut bpf_sock, local_port: u32, owner: &SocketOwner) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        if spare_used()
            && OWNERS.get(sk).is_null()
            && let Some(key) = listener_key(sk, local_port)
        {
            keep_spare(key, owner);
        }
    }
}

/// Gives a new connection that has no owner that of its listener, if that is a spare one.
///
/// # Safety
/// As for [`find`]; `stored` is the socket's storage.
#[inline(always)]
pub(crate) unsafe fn inherit(sk: *mut bpf_sock, local_port: u32, stored: *mut SocketOwner) {
    // SAFETY: guaranteed by the caller; `listener` is checked before its use.
    unsafe {
        if (*stored).role != SocketRole::None as u8 || !spare_used() {
            return;
        }
        let Some(key) = listener_key(sk, local_port) else { return };
        let listener = spare(key);
        if !listener.is_null() {
            (*stored).caller = (*listener).caller;
            (*stored).role = (*listener).role;
        }
    }
}

/// Removes what [`bequeath`] kept.
///
/// # Safety
/// As for [`find`].
#[inline(always)]
pub(crate) unsafe fn forget_listener(sk: *mut bpf_sock, local_port: u32) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        if spare_used()
            && let Some(key) = listener_key(sk, local_port)
        {
            let _ = SPARE.remove(&key);
        }
    }
}

/// Returns whether the process has filled the option memory of this socket; false if that cannot be read.
///
/// # Safety
/// As for [`find`].
#[inline(always)]
pub(crate) unsafe fn option_memory_filled(sk: *mut bpf_sock) -> bool {
    // SAFETY: guaranteed by the caller; the offset is that of the running kernel, and the helper checks the address.
    unsafe {
        let offset = u64::from(read_volatile(&raw const SOCK_OMEM_OFFSET));
        offset != 0
            && address(sk).is_some_and(|sk| {
                bpf_probe_read_kernel((sk + offset) as *const u32).is_ok_and(|used| used >= FILLED)
            })
    }
}

/// The key of a listener in `SPARE`: its network namespace and port.
#[inline(always)]
unsafe fn listener_key(sk: *mut bpf_sock, local_port: u32) -> Option<u64> {
    // SAFETY: as in `option_memory_filled`.
    unsafe {
        let offset = u64::from(read_volatile(&raw const SOCK_NET_OFFSET));
        if offset == 0 {
            return None;
        }
        let net = bpf_probe_read_kernel((address(sk)? + offset) as *const u64).ok()?;
        // The upper 16 bits of kernel addresses are the same.
        Some(LISTENER | net << 16 | u64::from(local_port))
    }
}

/// The address of a socket as a number: the verifier allows no arithmetic on the pointer itself.
#[inline(always)]
unsafe fn address(sk: *mut bpf_sock) -> Option<u64> {
    let scratch = SOCKET_ADDRESS.get_ptr_mut(0)?;
    // SAFETY: this CPU's own map value. A program that interrupts here leaves another socket's address, which is read
    // without harm.
    unsafe {
        write_volatile(scratch.cast::<*mut bpf_sock>(), sk);
        Some(read_volatile(scratch))
    }
}

/// False as long as every socket had room, which is nearly always: then nobody pays for a second lookup.
#[inline(always)]
fn spare_used() -> bool {
    SPARE_USED.get(0).is_some_and(|used| *used != 0)
}

#[inline(always)]
fn spare(key: u64) -> *mut SocketOwner {
    SPARE.get_ptr_mut(&key).unwrap_or(ptr::null_mut())
}

#[inline(always)]
fn keep_spare(key: u64, owner: &SocketOwner) -> bool {
    if let Some(used) = SPARE_USED.get_ptr_mut(0) {
        // SAFETY: a map value that only ever becomes 1.
        unsafe { write_volatile(used, 1) };
    }
    SPARE.insert(&key, owner, u64::from(BPF_ANY)).is_ok()
}
