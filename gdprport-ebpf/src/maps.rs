//! The maps, and a type for the socket storage, because aya-ebpf's does not fit.
//!
//! Capacities are defaults; the daemon may set others when it loads the programs.

use core::ffi::c_void;
use core::ptr;

use aya_ebpf::bindings::{BPF_F_NO_PREALLOC, BPF_SK_STORAGE_GET_F_CREATE, bpf_sock};
use aya_ebpf::helpers::generated::bpf_sk_storage_get;
use aya_ebpf::macros::{btf_map, map};
use aya_ebpf::maps::lpm_trie::LpmTrie;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf};
use gdprport_common::{
    Checkpoint, Counters, EnforceClassKey, EnforceExe, EnforceInForce, EnforceOwnKey, EnforcePeer,
    EnforcePort, EnforcePortKey, EnforceRule, EnforceRuleKey, EnforceSteps, EnforceStepsKey, ExecRecord,
    MptcpOwner, OverloadGroup, OverloadKey, PORTS as PORT_COUNT, PortFlags, SocketOwner, TaskIdentity,
};

use crate::segment::EarlySegment;

/// Records for the daemon. 4 MiB hold 29,000 flow records: 0.6 s at 10,000 connections/s.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 22, 0);

/// 1 while the daemon sleeps until it is woken, 0 while it polls.
#[map]
pub(crate) static READER: Array<u32> = Array::with_max_entries(1, 0);

/// What each TCP port is watched for: `PortFlags`, indexed by port in host byte order.
#[map]
pub(crate) static PORTS: Array<u8> = Array::with_max_entries(PORT_COUNT, 0);

/// Per hook, how many occasions for a record were seen and what happened to them.
#[map]
pub(crate) static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// How many sockets want payload segments. While it is 0, which is almost always the case where connections live long,
/// a packet costs only this lookup.
#[map]
pub(crate) static WANTING: Array<u64> = Array::with_max_entries(1, 0);

/// The identity of each process, by thread group id. The daemon looks an evicted process up in `/proc`.
#[map]
pub(crate) static TASKS: LruHashMap<u32, TaskIdentity> = LruHashMap::with_max_entries(32_768, 0);

/// The executable of each exec id: also for a program that knows its caller's. The daemon looks an evicted one up in `/proc`.
#[map]
pub(crate) static EXECS: LruHashMap<u64, ExecRecord> = LruHashMap::with_max_entries(8_192, 0);

/// The number of exec ids assigned so far on each CPU.
#[map]
pub(crate) static EXEC_SEQUENCE: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Longest name of a file (`NAME_MAX`, include/uapi/linux/limits.h). A mask, too.
pub(crate) const NAME_MAX: u64 = 255;

/// An executable's record, and room for a last name that does not fit any more.
#[repr(C)]
pub(crate) struct ExecScratch {
    pub(crate) record: ExecRecord,
    pub(crate) slack: [u8; NAME_MAX as usize + 1],
    /// The directory entry and the mount that the walk has reached, and the root of that mount.
    pub(crate) dentry: u64,
    pub(crate) mount: u64,
    pub(crate) root: u64,
    /// What decisions will know of it.
    pub(crate) exe: EnforceExe,
}

/// Scratch space for an executable's record, which is too large for the stack.
#[map]
pub(crate) static EXEC_SCRATCH: PerCpuArray<ExecScratch> = PerCpuArray::with_max_entries(1, 0);

/// The last segment with payload that reached a listener, on each CPU.
#[map]
pub(crate) static EARLY: PerCpuArray<EarlySegment> = PerCpuArray::with_max_entries(1, 0);

/// What a daemon saves for the next one; no program here reads it.
#[map]
pub(crate) static HANDOVER: Array<Checkpoint> = Array::with_max_entries(1, 0);

/// The generation of the tables that decisions read.
#[map]
pub(crate) static ENFORCE_ACTIVE: Array<EnforceInForce> = Array::with_max_entries(1, 0);

/// Until when there is a daemon, in nanoseconds of `CLOCK_BOOTTIME`: it writes another time each second. 0: nobody asks.
#[map]
pub(crate) static ENFORCE_LEASE: Array<u64> = Array::with_max_entries(1, 0);

/// Connects of the daemon's own deliverer, which are never denied.
#[map]
pub(crate) static ENFORCE_OWN: HashMap<EnforceOwnKey, u32> = HashMap::with_max_entries(64, BPF_F_NO_PREALLOC);

/// The key of fingerprints, which is not 0 once a daemon has set it.
#[map]
pub(crate) static ENFORCE_KEY: Array<[u64; 2]> = Array::with_max_entries(1, 0);

// The tables by which is decided, as large as the daemon makes them. Entries take memory only where something is decided;
// a hash table has heads, 16 bytes for each entry that it may have.

/// Ports that are decided.
#[map]
pub(crate) static ENFORCE_PORTS: HashMap<EnforcePortKey, EnforcePort> =
    HashMap::with_max_entries(64, BPF_F_NO_PREALLOC);

/// Peers, by the longest prefix.
#[map]
pub(crate) static ENFORCE_PEERS: LpmTrie<[u32; 6], EnforcePeer> =
    LpmTrie::with_max_entries(64, BPF_F_NO_PREALLOC);

/// Lists of steps.
#[map]
pub(crate) static ENFORCE_STEP_LISTS: HashMap<EnforceStepsKey, EnforceSteps> =
    HashMap::with_max_entries(64, BPF_F_NO_PREALLOC);

/// Classes of values.
#[map]
pub(crate) static ENFORCE_CLASSES: HashMap<EnforceClassKey, u32> =
    HashMap::with_max_entries(64, BPF_F_NO_PREALLOC);

/// What rules say.
#[map]
pub(crate) static ENFORCE_RULES: HashMap<EnforceRuleKey, EnforceRule> =
    HashMap::with_max_entries(64, BPF_F_NO_PREALLOC);

/// An attempt to connect that was denied: its client sends the same SYN again.
#[repr(C)]
pub(crate) struct DeniedSyn {
    /// Cookie of the listener.
    pub(crate) listener: u64,
    /// The source, 128 bits in network byte order.
    pub(crate) source: [u32; 4],
    /// The port that is called, above the one that it is called from.
    pub(crate) ports: u32,
    /// The first sequence number, another one in each attempt.
    pub(crate) sequence: u32,
}

/// The last attempts that were denied, so that each is one event. 2,048 of them take 210 KB; one that gave way counts again.
#[map]
pub(crate) static DENIED_SYNS: LruHashMap<DeniedSyn, u32> = LruHashMap::with_max_entries(2_048, 0);

/// A bind that was denied: its process may try again without end.
#[repr(C)]
pub(crate) struct DeniedBind {
    /// The process.
    pub(crate) tgid: u32,
    /// The port.
    pub(crate) port: u32,
}

/// When the last binds that were denied made their record, in nanoseconds of `CLOCK_BOOTTIME`. 1,024 of them take 80 KB; one that
/// gave way makes another record.
#[map]
pub(crate) static DENIED_BINDS: LruHashMap<DeniedBind, u64> = LruHashMap::with_max_entries(1_024, 0);

/// The owner of each socket of a watched port.
#[btf_map]
pub(crate) static OWNERS: SocketStorage<SocketOwner> = SocketStorage::new();

/// Owners of sockets that had no room for them, by socket cookie, and of such listeners. 1,024 of them take 190 KB; what
/// does not fit is counted as unkept.
#[map]
pub(crate) static SPARE: HashMap<u64, SocketOwner> = HashMap::with_max_entries(1_024, 0);

/// 1 once `SPARE` was needed.
#[map]
pub(crate) static SPARE_USED: Array<u32> = Array::with_max_entries(1, 0);

/// Scratch space for the address of a socket.
#[map]
pub(crate) static SOCKET_ADDRESS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Who has an MPTCP socket, by that socket.
#[btf_map]
pub(crate) static MPTCP_OWNERS: SocketStorage<MptcpOwner> = SocketStorage::new();

/// The number of the collection that the next group belongs to; the daemon raises it.
#[map]
pub(crate) static OVERLOAD_EPOCH: Array<u32> = Array::with_max_entries(1, 0);

/// Groups of connections of one owner with one peer. Preallocated, like the next two: an overload is no time to ask for memory.
#[map]
pub(crate) static GROUPS_OF_PEERS: HashMap<OverloadKey, OverloadGroup> = HashMap::with_max_entries(8_192, 0);

/// Groups of connections of one owner with one network. A map of its own, so that many peers do not take its room.
#[map]
pub(crate) static GROUPS_OF_NETWORKS: HashMap<OverloadKey, OverloadGroup> =
    HashMap::with_max_entries(4_096, 0);

/// Groups of connections of one port: two directions, two families and two epochs of each of 256 watched ports.
#[map]
pub(crate) static GROUPS_OF_PORTS: HashMap<OverloadKey, OverloadGroup> = HashMap::with_max_entries(2_048, 0);

/// A group of nothing, which is what a new one begins as: it is too large for the stack.
#[map]
pub(crate) static EMPTY_GROUP: Array<OverloadGroup> = Array::with_max_entries(1, 0);

/// `BPF_F_NO_PREALLOC`, which the kernel requires, and `BPF_F_CLONE`: accepted sockets inherit the value of their
/// listener.
const STORAGE_FLAGS: usize = 0x201;

/// A socket storage map in BTF form; aya-ebpf's own type has fixed flags and accepts only one kind of context.
/// The loader reads only the types of the fields.
#[repr(C)]
pub(crate) struct SocketStorage<T> {
    r#type: *const [i32; 24],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; STORAGE_FLAGS],
}

// SAFETY: the pointers are never dereferenced, they only carry types for BTF.
unsafe impl<T> Sync for SocketStorage<T> {}

impl<T> SocketStorage<T> {
    const fn new() -> Self {
        Self {
            r#type: ptr::null(),
            key: ptr::null(),
            value: ptr::null(),
            max_entries: ptr::null(),
            map_flags: ptr::null(),
        }
    }

    /// Returns the value of `sk`, null if it has none.
    ///
    /// # Safety
    /// `sk` is a full socket from the program's context and was checked not to be null.
    #[inline(always)]
    pub(crate) unsafe fn get(&self, sk: *mut bpf_sock) -> *mut T {
        // SAFETY: guaranteed by the caller; a null value with flags 0 only looks up.
        unsafe { bpf_sk_storage_get(self.as_map(), sk.cast::<c_void>(), ptr::null_mut(), 0) }.cast()
    }

    /// Returns the value of `sk`, created from `init` if it has none; null if there is no memory.
    ///
    /// # Safety
    /// As for [`Self::get`].
    #[inline(always)]
    pub(crate) unsafe fn get_or_insert(&self, sk: *mut bpf_sock, init: &mut T) -> *mut T {
        let flags = u64::from(BPF_SK_STORAGE_GET_F_CREATE);
        // SAFETY: guaranteed by the caller; `init` is the size of a value.
        unsafe { bpf_sk_storage_get(self.as_map(), sk.cast::<c_void>(), ptr::from_mut(init).cast(), flags) }
            .cast()
    }

    #[inline(always)]
    fn as_map(&self) -> *mut c_void {
        ptr::from_ref(self).cast_mut().cast()
    }
}

/// Returns what a port is watched for.
#[inline(always)]
pub(crate) fn port_flags(port: u32) -> PortFlags {
    match PORTS.get(port & 0xffff) {
        Some(flags) => PortFlags(*flags),
        None => PortFlags(0),
    }
}

/// Returns true if flows of this port are reported.
#[inline(always)]
pub(crate) fn watched(port: u32) -> bool {
    port_flags(port).watched()
}
