//! What is decided without asking a rule: while no daemon is there, of its own deliverer, and of the loopback's name service.

use core::ptr::read_volatile;

use gdprport_common::EnforceOwnKey;

use crate::maps::{ENFORCE_LEASE, ENFORCE_OWN};

/// The third word of an IPv4-mapped address.
pub(crate) const MAPPED: u32 = 0xffff_u32.to_be();

/// Whether no daemon keeps the tables current.
#[inline(always)]
pub(crate) fn is_lost(now_ns: u64) -> bool {
    let Some(lease) = ENFORCE_LEASE.get_ptr(0) else { return false };
    // SAFETY: a map value, of one word.
    let until_ns = unsafe { read_volatile(lease) };
    until_ns != 0 && now_ns >= until_ns
}

/// Whether it is a connect of the daemon's own deliverer to a receiver's port. `tgid`: 0 if nobody knows who calls.
#[inline(always)]
pub(crate) fn is_own(tgid: u64, uid: u32, port: u32) -> bool {
    tgid != 0 && ENFORCE_OWN.get_ptr(&EnforceOwnKey { uid, port }).is_some()
}

/// 127.0.0.0/8, of IPv4 the mapped one, or `::1`.
#[inline(always)]
pub(crate) fn is_loopback(address: &[u32; 4]) -> bool {
    let v4 = address[2] == MAPPED && address[3].to_ne_bytes()[0] == 127;
    address[0] | address[1] == 0 && (v4 || address[2] == 0 && address[3] == 1_u32.to_be())
}
