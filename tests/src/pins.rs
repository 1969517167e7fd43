//! A bpffs in which daemons pin, and the checkpoint that one daemon leaves there for the next.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::temp::TempDir;

/// Commands of bpf(2), `enum bpf_cmd` in `include/uapi/linux/bpf.h`.
const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_OBJ_GET: libc::c_long = 7;

/// Size of the checkpoint in every version, in bytes.
const CHECKPOINT: usize = 1024;

/// A mounted bpffs; unmounted on drop, with everything pinned in it.
#[derive(Debug)]
pub struct BpfFs {
    dir: TempDir,
    target: CString,
}

impl BpfFs {
    /// Mounts one.
    ///
    /// # Panics
    /// When mounting is not allowed.
    #[must_use]
    pub fn new() -> Self {
        let dir = TempDir::new();
        let target = CString::new(dir.path().as_os_str().as_bytes()).expect("a path has no NUL");
        // SAFETY: all pointers are to NUL-terminated strings that outlive the call.
        let done = unsafe {
            libc::mount(c"bpf".as_ptr(), target.as_ptr(), c"bpf".as_ptr(), 0, c"mode=0700".as_ptr().cast())
        };
        assert_eq!(done, 0, "cannot mount a bpffs: {}", io::Error::last_os_error());
        Self { dir, target }
    }

    /// Where a daemon is to pin; it makes the directory itself.
    #[must_use]
    pub fn pins(&self) -> PathBuf {
        self.dir.join("gdprport")
    }

    /// Where the mount is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Changes the 32-bit word at byte `at` of the checkpoint that a daemon left.
    ///
    /// # Panics
    /// When there is no checkpoint.
    pub fn change_checkpoint(&self, at: usize, word: u32) {
        let map = open_pinned(&self.pins().join("maps/HANDOVER"));
        let mut checkpoint = [0_u8; CHECKPOINT];
        element(BPF_MAP_LOOKUP_ELEM, &map, checkpoint.as_mut_ptr());
        checkpoint[at..at + 4].copy_from_slice(&word.to_ne_bytes());
        element(BPF_MAP_UPDATE_ELEM, &map, checkpoint.as_mut_ptr());
    }
}

impl Default for BpfFs {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for BpfFs {
    fn drop(&mut self) {
        // SAFETY: the pointer is to a NUL-terminated string; a detached mount needs nothing else of ours.
        unsafe { libc::umount2(self.target.as_ptr(), libc::MNT_DETACH) };
    }
}

fn open_pinned(path: &Path) -> OwnedFd {
    let path = CString::new(path.as_os_str().as_bytes()).expect("a path has no NUL");
    // The part of `union bpf_attr` for this command: pathname, then bpf_fd and file_flags.
    let attributes = [path.as_ptr() as u64, 0];
    // SAFETY: the kernel reads the given size from the pointer; the string outlives the call.
    let fd = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_OBJ_GET, attributes.as_ptr(), std::mem::size_of_val(&attributes))
    };
    assert!(fd >= 0, "nothing is pinned at {}: {}", path.to_string_lossy(), io::Error::last_os_error());
    // SAFETY: a non-negative result is a fresh descriptor without another owner.
    unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).expect("a descriptor is an int")) }
}

/// Reads or writes element 0 of the array of checkpoints.
fn element(command: libc::c_long, map: &OwnedFd, value: *mut u8) {
    let key = 0_u32;
    let fd = u64::try_from(map.as_raw_fd()).expect("an open descriptor");
    // The part of `union bpf_attr` for these commands: map_fd, key, value, flags.
    let attributes = [fd, std::ptr::from_ref(&key) as u64, value as u64, 0];
    // SAFETY: key and value are live and of the sizes that the map has.
    let done = unsafe {
        libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), std::mem::size_of_val(&attributes))
    };
    assert_eq!(done, 0, "the checkpoint cannot be read or written: {}", io::Error::last_os_error());
}
