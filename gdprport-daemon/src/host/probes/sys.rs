//! What aya does not offer of bpf(2): two commands about links of programs at a cgroup, many rows of a map in one call, and waiting
//! for programs to return.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use aya::Pod;

/// Commands, `enum bpf_cmd` in include/uapi/linux/bpf.h.
const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_OBJ_GET: libc::c_long = 7;
const BPF_MAP_UPDATE_BATCH: libc::c_long = 26;
const BPF_MAP_DELETE_BATCH: libc::c_long = 27;
const BPF_LINK_UPDATE: libc::c_long = 29;

/// Kinds of maps, `enum bpf_map_type`.
const BPF_MAP_TYPE_ARRAY: u32 = 2;
const BPF_MAP_TYPE_ARRAY_OF_MAPS: u32 = 12;

/// The part of `union bpf_attr` for `BPF_MAP_CREATE`.
#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: RawFd,
}

/// The part of `union bpf_attr` for `BPF_MAP_UPDATE_ELEM`.
#[repr(C)]
struct MapUpdate {
    map_fd: RawFd,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// The part of `union bpf_attr` for commands about many rows of a map.
#[repr(C)]
struct MapBatch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: RawFd,
    elem_flags: u64,
    flags: u64,
}

/// The part of `union bpf_attr` for `BPF_OBJ_GET`.
#[repr(C)]
struct ObjGet {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// The part of `union bpf_attr` for `BPF_LINK_UPDATE`.
#[repr(C)]
struct LinkUpdate {
    link_fd: RawFd,
    new_prog_fd: RawFd,
    flags: u32,
    old_prog_fd: RawFd,
}

fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads the given size from the pointer, which is to a live value of that size; the
    // strings and descriptors in it are the callers' and outlive the call.
    let done =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(done) }
}

/// A command that returns a descriptor.
fn bpf_fd<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(bpf(command, attributes)?).map_err(io::Error::other)?;
    // SAFETY: a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Writes as many rows of a map as the kernel takes in one call, and returns how many of the first that were. None where it cannot do
/// that: with hash tables it can since Linux 5.6, with tries since 5.13. Why one was not written shows when it is written alone.
///
/// Keys and values are of the sizes that the map has.
pub(super) fn update_batch<K: Pod, V: Pod>(map: impl AsFd, keys: &[K], values: &[V]) -> usize {
    assert_eq!(keys.len(), values.len(), "a value for each key");
    batch(BPF_MAP_UPDATE_BATCH, map, keys, values.as_ptr() as u64)
}

/// The same of deleting them.
pub(super) fn delete_batch<K: Pod>(map: impl AsFd, keys: &[K]) -> usize {
    batch(BPF_MAP_DELETE_BATCH, map, keys, 0)
}

fn batch<K>(command: libc::c_long, map: impl AsFd, keys: &[K], values: u64) -> usize {
    let Ok(count) = u32::try_from(keys.len()) else { return 0 };
    let mut batch = MapBatch {
        in_batch: 0,
        out_batch: 0,
        keys: keys.as_ptr() as u64,
        values,
        count,
        map_fd: map.as_fd().as_raw_fd(),
        elem_flags: 0,
        flags: 0,
    };
    // SAFETY: the kernel reads as many keys and values as there are, and writes to the attributes, which are this function's.
    let done = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut batch, size_of::<MapBatch>()) };
    match done {
        0 => keys.len(),
        // It has written how many were done, unless it did not begin.
        _ if batch.count < count => batch.count as usize,
        _ => 0,
    }
}

/// Opens what is pinned at `path`.
///
/// # Errors
/// The kernel's error.
pub(super) fn open_pinned(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let get = ObjGet { pathname: path.as_ptr() as u64, bpf_fd: 0, file_flags: 0 };
    bpf_fd(BPF_OBJ_GET, &get)
}

/// Waits for kernel programs: [`Self::wait`] returns once every program that ran at its call has returned.
///
/// A map that holds maps does that: after an element of one was replaced, the kernel waits before it lets the old one go
/// (`maybe_wait_bpf_programs`, kernel/bpf/syscall.c, since Linux 4.18). Unlike `membarrier`, this is not refused on a kernel
/// with `nohz_full`, waits on a host with one processor too, and needs no other system call of a sandbox.
#[derive(Debug)]
pub(super) struct Grace {
    outer: OwnedFd,
    inner: OwnedFd,
}

impl Grace {
    /// # Errors
    /// The kernel's error.
    pub(super) fn new() -> io::Result<Self> {
        let one = MapCreate {
            map_type: BPF_MAP_TYPE_ARRAY,
            key_size: 4,
            value_size: 4,
            max_entries: 1,
            map_flags: 0,
            inner_map_fd: 0,
        };
        let inner = bpf_fd(BPF_MAP_CREATE, &one)?;
        let (map_type, inner_map_fd) = (BPF_MAP_TYPE_ARRAY_OF_MAPS, inner.as_raw_fd());
        let outer = bpf_fd(BPF_MAP_CREATE, &MapCreate { map_type, inner_map_fd, ..one })?;
        Ok(Self { outer, inner })
    }

    /// Takes as long as the kernel's grace period, usually some 10 ms.
    ///
    /// # Errors
    /// The kernel's error; then nobody has waited.
    pub(super) fn wait(&self) -> io::Result<()> {
        let (key, value) = (0_u32, self.inner.as_raw_fd());
        let update = MapUpdate {
            map_fd: self.outer.as_raw_fd(),
            padding: 0,
            key: std::ptr::from_ref(&key) as u64,
            value: std::ptr::from_ref(&value) as u64,
            flags: 0,
        };
        bpf(BPF_MAP_UPDATE_ELEM, &update).map(|_| ())
    }
}

/// Replaces the program that `link` runs with `program`, in one step.
///
/// # Errors
/// The kernel's error: `EINVAL` if the link is of another kind than the program.
pub(super) fn replace_program(link: impl AsFd, program: impl AsFd) -> io::Result<()> {
    let update = LinkUpdate {
        link_fd: link.as_fd().as_raw_fd(),
        new_prog_fd: program.as_fd().as_raw_fd(),
        flags: 0,
        old_prog_fd: 0,
    };
    bpf(BPF_LINK_UPDATE, &update).map(|_| ())
}
