//! What of BPF is loaded and attached, asked of the kernel itself.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

/// Commands of bpf(2), `enum bpf_cmd` in `include/uapi/linux/bpf.h`.
const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
const BPF_LINK_GET_FD_BY_ID: libc::c_long = 30;

/// Programs and links by their kernel-wide ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Ids of programs, loaded by the process or behind one of its links.
    pub programs: BTreeSet<u32>,
    /// Ids of links.
    pub links: BTreeSet<u32>,
}

impl Held {
    /// What process `pid` holds through its descriptors.
    ///
    /// # Panics
    /// When its descriptors cannot be listed.
    #[must_use]
    pub fn by(pid: u32) -> Self {
        let mut held = Self::default();
        let list = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("root may list descriptors");
        for entry in list.flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            for line in text.lines() {
                let Some((key, value)) = line.split_once(':') else { continue };
                let Ok(id) = value.trim().parse() else { continue };
                match key {
                    "prog_id" => held.programs.insert(id),
                    "link_id" => held.links.insert(id),
                    _ => continue,
                };
            }
        }
        held
    }

    /// Whether nothing of it exists any more in the kernel.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        !self.programs.iter().any(|id| exists(BPF_PROG_GET_FD_BY_ID, *id))
            && !self.links.iter().any(|id| exists(BPF_LINK_GET_FD_BY_ID, *id))
    }
}

/// Whether the kernel still knows the object.
fn exists(command: libc::c_long, id: u32) -> bool {
    // The part of `union bpf_attr` for these commands: id, next_id, open_flags.
    let attributes = [id, 0, 0];
    // SAFETY: the kernel reads the given size from the pointer, which is to a live array of that size.
    let fd = unsafe {
        libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), std::mem::size_of_val(&attributes))
    };
    if fd < 0 {
        let failure = io::Error::last_os_error();
        assert_eq!(failure.raw_os_error(), Some(libc::ENOENT), "cannot ask for BPF object {id}: {failure}");
        return false;
    }
    // SAFETY: a non-negative result is a fresh descriptor that nobody else owns.
    drop(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).expect("a descriptor is an int")) });
    true
}
