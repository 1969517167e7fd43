//! Groups of connections: the one that a connection belongs to, and adding to it. When that is done is `overload`'s.
//!
//! Three levels, each a map of its own: what finds no room in one is counted in the next, coarser one. The daemon collects
//! by epoch (`OVERLOAD_EPOCH`): once it has raised the number and every program that read the old one has returned, the
//! groups of the old one do not change any more.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::bindings::{BPF_NOEXIST, BPF_TCP_CLOSING, BPF_TCP_FIN_WAIT2, BPF_TCP_LAST_ACK};
use aya_ebpf::maps::HashMap;
use gdprport_common::{
    FLAG_FIN_UNACKED, FLAG_IO_WORKER, FLAG_OPTMEM_FULL, FLAG_PEER_FIN, FLAG_PEER_FIN_UNKNOWN, FlowRecord,
    OVERLOAD_IN, OVERLOAD_NETWORKS, OVERLOAD_OUT, OVERLOAD_PEERS, OVERLOAD_PORTS, OverloadGroup, OverloadKey,
    SocketOwner,
};

use crate::count::add;
use crate::ending::End;
use crate::flow::SocketTuple;
use crate::maps::{EMPTY_GROUP, GROUPS_OF_NETWORKS, GROUPS_OF_PEERS, GROUPS_OF_PORTS, OVERLOAD_EPOCH};

/// An IPv4-mapped address (RFC 4291 2.5.5.2) has this in its third word.
const MAPPED: u32 = 0xffff_u32.to_be();
/// The bits of an IPv4 network, [`gdprport_common::PREFIX_V4`].
const NETWORK_V4: u32 = 0xffff_ff00_u32.to_be();
/// The bits of an IPv6 network in the second word, [`gdprport_common::PREFIX_V6`].
const NETWORK_V6: u32 = 0xffff_0000_u32.to_be();

/// Where an occasion is counted.
#[repr(C)]
pub(crate) struct Place {
    key: OverloadKey,
    /// 1 if the group is new: whoever inserted it writes its specimen.
    fresh: u64,
}

/// The direction of a connection whose opening was seen: only one that was accepted has a local port stored and no caller
/// of connect.
#[inline(always)]
pub(crate) fn is_incoming(owner: &SocketOwner) -> bool {
    owner.local_port != 0 && owner.peer_port == 0
}

impl Place {
    /// The finest group that a connection belongs to. `flags` are those of its record.
    #[inline(always)]
    pub(crate) fn of(tuple: &SocketTuple, owner: &SocketOwner, incoming: bool, flags: u8) -> Self {
        let mut epoch = 0;
        if let Some(now) = OVERLOAD_EPOCH.get_ptr(0) {
            // SAFETY: a map value.
            epoch = unsafe { read_volatile(now) };
        }
        let mapped = tuple.family == 6 && tuple.peer[0] | tuple.peer[1] == 0 && tuple.peer[2] == MAPPED;
        let (family, peer) = if mapped { (4, [tuple.peer[3], 0, 0, 0]) } else { (tuple.family, tuple.peer) };
        let key = OverloadKey {
            epoch,
            port: if incoming { tuple.local_port } else { tuple.peer_port },
            direction: if incoming { OVERLOAD_IN } else { OVERLOAD_OUT },
            family,
            peer,
            exec_id: owner.caller.exec_id,
            cgroup_id: owner.caller.cgroup_id,
            uid: owner.caller.uid,
            gid: owner.caller.gid,
            euid: owner.caller.euid,
            egid: owner.caller.egid,
            level: OVERLOAD_PEERS,
            role: owner.role,
            withheld: flags & (FLAG_OPTMEM_FULL | FLAG_IO_WORKER),
            reserved: [0; 5],
        };
        Self { key, fresh: 0 }
    }

    /// Counts the time of an occasion and, if it is the group's first, its record.
    ///
    /// # Safety
    /// `group` was found for this place.
    #[inline(always)]
    pub(crate) unsafe fn note(
        &self,
        group: *mut OverloadGroup,
        now: u64,
        record: impl FnOnce() -> FlowRecord,
    ) {
        // SAFETY: a map value. Only the program that inserted the group writes its specimen, and nobody reads it before
        // that program has returned. Two that store the time at once differ by less than they take.
        unsafe {
            if self.fresh != 0 {
                (*group).first_ns = now;
                (&raw mut (*group).specimen).write(record());
            }
            if read_volatile(&raw const (*group).last_ns) < now {
                write_volatile(&raw mut (*group).last_ns, now);
            }
        }
    }
}

/// Returns the group of `place`, a coarser one if there is no room for another, null if there is none for that either.
#[inline(never)]
pub(crate) fn find(place: *mut Place) -> *mut OverloadGroup {
    // SAFETY: the caller's own value.
    unsafe {
        let key = &raw mut (*place).key;
        let mut group = find_in(&GROUPS_OF_PEERS, place);
        if group.is_null() {
            (*key).level = OVERLOAD_NETWORKS;
            if (*key).family == 4 {
                (*key).peer[0] &= NETWORK_V4;
            } else {
                (*key).peer[1] &= NETWORK_V6;
                (*key).peer[2] = 0;
                (*key).peer[3] = 0;
            }
            group = find_in(&GROUPS_OF_NETWORKS, place);
        }
        if group.is_null() {
            let OverloadKey { epoch, port, direction, family, .. } = *key;
            *key = OverloadKey {
                epoch,
                port,
                direction,
                family,
                level: OVERLOAD_PORTS,
                ..OverloadKey::default()
            };
            group = find_in(&GROUPS_OF_PORTS, place);
        }
        group
    }
}

/// # Safety
/// `place` is valid.
#[inline(always)]
unsafe fn find_in(groups: &HashMap<OverloadKey, OverloadGroup>, place: *mut Place) -> *mut OverloadGroup {
    // SAFETY: guaranteed by the caller; the empty group is a map value that nobody writes.
    unsafe {
        let key = &(*place).key;
        if let Some(group) = groups.get_ptr_mut(key) {
            return group;
        }
        let Some(empty) = EMPTY_GROUP.get(0) else { return core::ptr::null_mut() };
        // It fails if another CPU was faster, or if the map is full.
        if groups.insert(key, empty, u64::from(BPF_NOEXIST)).is_ok() {
            (*place).fresh = 1;
        }
        groups.get_ptr_mut(key).unwrap_or(core::ptr::null_mut())
    }
}

/// What a connection carried, without SYN and FIN, which the kernel counts as bytes.
pub(crate) struct Carried {
    sent: u64,
    received: u64,
    fin_unknown: bool,
}

impl Carried {
    /// From what the kernel counted of a socket. The daemon does the same with a record (`core/decode/ending.rs`).
    #[inline(always)]
    pub(crate) fn of(end: &End, incoming: bool) -> Self {
        let (old, flags) = (u32::from(end.signs.old), end.signs.flags);
        let fin_sent = old == BPF_TCP_FIN_WAIT2 || old == BPF_TCP_CLOSING || old == BPF_TCP_LAST_ACK;
        let fin_acked = fin_sent && flags & FLAG_FIN_UNACKED == 0;
        let ours = u64::from(fin_acked) + u64::from(!incoming);
        let theirs = u64::from(flags & FLAG_PEER_FIN != 0);
        Self {
            sent: end.acked.saturating_sub(ours),
            received: end.received.saturating_sub(theirs),
            fin_unknown: flags & FLAG_PEER_FIN_UNKNOWN != 0,
        }
    }

    /// Adds the end of a connection to its group. `grouped`: its opening is in a group too.
    ///
    /// # Safety
    /// `group` is a map value.
    #[inline(always)]
    pub(crate) unsafe fn add_to(&self, group: *mut OverloadGroup, grouped: bool) {
        // SAFETY: guaranteed by the caller.
        unsafe {
            let sums = &raw mut (*group).sums;
            let (ends, sent, received) = if grouped {
                (&raw mut (*sums).closed, &raw mut (*sums).sent, &raw mut (*sums).received)
            } else {
                (
                    &raw mut (*sums).ends_of_described,
                    &raw mut (*sums).described_sent,
                    &raw mut (*sums).described_received,
                )
            };
            add(ends, 1);
            add(sent, self.sent);
            add(received, self.received);
            if self.fin_unknown {
                add(&raw mut (*sums).fin_unknown, 1);
            }
        }
    }
}
