//! The maps, and the socket storage, which aya-ebpf has no type for that fits.
//!
//! Capacities are the defaults; the daemon may set others when it loads the programs.

use core::ffi::c_void;
use core::ptr;

use aya_ebpf::bindings::{BPF_SK_STORAGE_GET_F_CREATE, bpf_sock};
use aya_ebpf::helpers::generated::bpf_sk_storage_get;
use aya_ebpf::macros::{btf_map, map};
use aya_ebpf::maps::{Array, LruHashMap, PerCpuArray, RingBuf};
use gdprport_common::{
    Checkpoint, Counters, ExecRecord, PORTS as PORT_COUNT, PortFlags, SocketOwner, TaskIdentity,
};

/// Records on their way to the daemon. 4 MiB hold 30,000 flow records: 0.6 s of 10,000 connections/s.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 22, 0);

/// 1 while the daemon sleeps until it is woken; 0 while it polls by itself.
#[map]
pub static READER: Array<u32> = Array::with_max_entries(1, 0);

/// What each TCP port is watched for: `PortFlags`, indexed by port in host byte order.
#[map]
pub static PORTS: Array<u8> = Array::with_max_entries(PORT_COUNT, 0);

/// What became of every occasion for a record.
#[map]
pub static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// How many sockets want payload segments. While it is 0, which is nearly always where connections live long, no packet
/// costs more than this look.
#[map]
pub static WANTING: Array<u64> = Array::with_max_entries(1, 0);

/// Who each process is, by thread group id. An evicted process is looked up in `/proc` by the daemon.
#[map]
pub static TASKS: LruHashMap<u32, TaskIdentity> = LruHashMap::with_max_entries(32_768, 0);

/// What each exec id executed. An evicted one is looked up in `/proc` by the daemon.
#[map]
pub static EXECS: LruHashMap<u64, ExecRecord> = LruHashMap::with_max_entries(8_192, 0);

/// Exec ids given so far on each CPU.
#[map]
pub static EXEC_SEQUENCE: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Where an executable's record is put together: it is too large for the stack.
#[map]
pub static EXEC_SCRATCH: PerCpuArray<ExecRecord> = PerCpuArray::with_max_entries(1, 0);

/// What one daemon notes for the next; no program here looks at it.
#[map]
pub static HANDOVER: Array<Checkpoint> = Array::with_max_entries(1, 0);

/// The owner of each socket of a watched port.
#[btf_map]
pub static OWNERS: SocketStorage<SocketOwner> = SocketStorage::new();

/// `BPF_F_NO_PREALLOC`, which the kernel demands, and `BPF_F_CLONE`: what a listener has, the sockets
/// accepted from it inherit.
const STORAGE_FLAGS: usize = 0x201;

/// A socket storage map in BTF form; aya-ebpf's own fixes the flags and takes only one kind of context.
/// The loader reads nothing but the types of the fields.
#[repr(C)]
pub struct SocketStorage<T> {
    r#type: *const [i32; 24],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; STORAGE_FLAGS],
}

// SAFETY: the pointers are never followed, they only carry types for BTF.
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

    /// The value of `sk`, null if it has none.
    ///
    /// # Safety
    /// `sk` is a full socket that came from the program's context and was checked not to be null.
    #[inline(always)]
    pub unsafe fn get(&self, sk: *mut bpf_sock) -> *mut T {
        // SAFETY: the caller's promise; a null value with flags 0 only looks up.
        unsafe { bpf_sk_storage_get(self.as_map(), sk.cast::<c_void>(), ptr::null_mut(), 0) }.cast()
    }

    /// The value of `sk`, made from `init` if it has none; null if memory is short.
    ///
    /// # Safety
    /// As for [`Self::get`].
    #[inline(always)]
    pub unsafe fn get_or_insert(&self, sk: *mut bpf_sock, init: &mut T) -> *mut T {
        let flags = u64::from(BPF_SK_STORAGE_GET_F_CREATE);
        // SAFETY: the caller's promise; `init` is the size of a value.
        unsafe { bpf_sk_storage_get(self.as_map(), sk.cast::<c_void>(), ptr::from_mut(init).cast(), flags) }
            .cast()
    }

    #[inline(always)]
    fn as_map(&self) -> *mut c_void {
        ptr::from_ref(self).cast_mut().cast()
    }
}

/// What a port is watched for.
#[inline(always)]
pub fn port_flags(port: u32) -> PortFlags {
    match PORTS.get(port & 0xffff) {
        Some(flags) => PortFlags(*flags),
        None => PortFlags(0),
    }
}

/// True if flows of this port are reported.
#[inline(always)]
pub fn watched(port: u32) -> bool {
    port_flags(port).watched()
}
