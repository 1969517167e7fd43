//! BPF programs and links that are loaded and attached, as the kernel lists them; and foreign programs that
//! refuse things, turn them or get in the way.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::Path;

use crate::cgroup::Cgroup;
use crate::child::Child;

/// Commands of bpf(2), `enum bpf_cmd` in `include/uapi/linux/bpf.h`.
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
const BPF_LINK_DETACH: libc::c_long = 34;
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
        held.add(pid).expect("root may list descriptors");
        held
    }

    /// What a process held at any moment until it ended, as far as continuous polling shows.
    #[must_use]
    pub fn until_the_end(child: &mut Child) -> Self {
        let mut held = Self::default();
        while child.ended().is_none() {
            // Of one that has just ended nothing can be listed.
            let _ = held.add(child.pid());
        }
        held
    }

    fn add(&mut self, pid: u32) -> io::Result<()> {
        for entry in std::fs::read_dir(format!("/proc/{pid}/fdinfo"))?.flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            for line in text.lines() {
                let Some((key, value)) = line.split_once(':') else { continue };
                let Ok(id) = value.trim().parse() else { continue };
                match key {
                    "prog_id" => self.programs.insert(id),
                    "link_id" => self.links.insert(id),
                    _ => continue,
                };
            }
        }
        Ok(())
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
    // SAFETY: a non-negative result is a fresh descriptor without another owner.
    drop(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).expect("a descriptor is an int")) });
    true
}

/// What a program refuses: `enum bpf_prog_type` and `enum bpf_attach_type` of `include/uapi/linux/bpf.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuses {
    /// Every connect over IPv4.
    Connect4,
    /// Every packet that leaves.
    Egress,
}

/// A foreign program that refuses something to a cgroup; detached on drop.
#[derive(Debug)]
pub struct Refusal {
    link: OwnedFd,
}

impl Refusal {
    /// Attaches a program of two instructions: `return 0`.
    ///
    /// # Panics
    /// When the kernel does not take it.
    #[must_use]
    pub fn of(what: Refuses, cgroup: &Cgroup) -> Self {
        let (program_type, attach_type) = match what {
            Refuses::Connect4 => (18, 10),
            Refuses::Egress => (8, 1),
        };
        let program = [instruction(MOVE, 0, 0, 0, 0), instruction(EXIT, 0, 0, 0, 0)];
        Self { link: attach(program_type, attach_type, &program, cgroup.path()) }
    }
}

/// A foreign `sock_ops` program that asks for callbacks of its own when a connection on a port is established, and resets
/// what others asked for: it sets these flags and no others. Attached to the root of the hierarchy, behind the programs
/// that are there; detached on drop.
#[derive(Debug)]
pub struct CallbackReset {
    link: OwnedFd,
}

impl CallbackReset {
    /// At both ends of connections to this port.
    ///
    /// # Panics
    /// When the kernel does not take it.
    #[must_use]
    pub fn on(port: u16, flags: u8) -> Self {
        // BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB and its active counterpart; `op`, `remote_port` (in network byte order) and
        // `local_port` of `struct bpf_sock_ops`; the helper bpf_sock_ops_cb_flags_set.
        const PASSIVE: i32 = 5;
        const ACTIVE: i32 = 4;
        let peer = (u32::from(port.to_be()) << 16) as i32;
        let program = [
            instruction(MOVE_REGISTER, 6, 1, 0, 0),
            instruction(LOAD, 2, 6, 0, 0),
            instruction(IF_EQUAL, 2, 0, 2, PASSIVE),
            instruction(IF_EQUAL, 2, 0, 4, ACTIVE),
            instruction(JUMP, 0, 0, 8, 0),
            instruction(LOAD, 2, 6, 68, 0),
            instruction(IF_OTHER_32, 2, 0, 6, i32::from(port)),
            instruction(JUMP, 0, 0, 2, 0),
            instruction(LOAD, 2, 6, 64, 0),
            instruction(IF_OTHER_32, 2, 0, 3, peer),
            instruction(MOVE_REGISTER, 1, 6, 0, 0),
            instruction(MOVE, 2, 0, 0, i32::from(flags)),
            instruction(CALL, 0, 0, 0, 59),
            instruction(MOVE, 0, 0, 0, 1),
            instruction(EXIT, 0, 0, 0, 0),
        ];
        Self { link: attach(13, 3, &program, &crate::cgroup::mount()) }
    }
}

impl Drop for CallbackReset {
    fn drop(&mut self) {
        detach(&self.link);
    }
}

/// A foreign program that turns each IPv4 connect of the host to one port into one to another, as a load balancer does.
/// Attached to the root of the hierarchy, behind the programs that are there; detached on drop.
#[derive(Debug)]
pub struct PortTurn {
    link: OwnedFd,
}

impl PortTurn {
    /// Attaches it.
    ///
    /// # Panics
    /// When the kernel does not take it.
    #[must_use]
    pub fn of(from: u16, to: u16) -> Self {
        // `user_port` of `struct bpf_sock_addr`, in network byte order.
        let port = |port: u16| i32::from(port.to_be());
        let program = [
            instruction(MOVE_REGISTER, 6, 1, 0, 0),
            instruction(LOAD, 2, 6, 24, 0),
            instruction(IF_OTHER_32, 2, 0, 2, port(from)),
            instruction(MOVE, 3, 0, 0, port(to)),
            instruction(STORE, 6, 3, 24, 0),
            instruction(MOVE, 0, 0, 0, 1),
            instruction(EXIT, 0, 0, 0, 0),
        ];
        Self { link: attach(18, 10, &program, &crate::cgroup::mount()) }
    }
}

impl Drop for PortTurn {
    fn drop(&mut self) {
        detach(&self.link);
    }
}

/// Operations of instructions (include/uapi/linux/bpf.h).
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const LOAD: u8 = 0x61;
const STORE: u8 = 0x63;
const IF_EQUAL: u8 = 0x15;
const IF_OTHER_32: u8 = 0x56;
const JUMP: u8 = 0x05;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

/// One instruction, `struct bpf_insn`.
fn instruction(operation: u8, to: u8, from: u8, offset: i16, value: i32) -> u64 {
    let [o0, o1] = offset.to_le_bytes();
    let [v0, v1, v2, v3] = value.to_le_bytes();
    u64::from_ne_bytes([operation, from << 4 | to, o0, o1, v0, v1, v2, v3])
}

/// Loads a program and attaches it to a cgroup.
fn attach(program_type: u32, attach_type: u32, program: &[u64], cgroup: &Path) -> OwnedFd {
    // Until 5.11 programs are charged against this limit, whose default is small. Where it may not be raised and
    // would matter, the load fails.
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is to a live value.
    let _ = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const unlimited) };
    let license = c"GPL";
    let mut load = Attributes::default();
    load.half(0, program_type);
    load.half(4, program.len() as u32);
    load.word(8, program.as_ptr() as u64);
    load.word(16, license.as_ptr() as u64);
    load.half(68, attach_type);
    let program = bpf(BPF_PROG_LOAD, &load);
    let place = File::open(cgroup).expect("the cgroup is there");
    let mut attach = Attributes::default();
    attach.half(0, program.as_raw_fd() as u32);
    attach.half(4, place.as_raw_fd() as u32);
    attach.half(8, attach_type);
    bpf(BPF_LINK_CREATE, &attach)
}

/// Detaches a program. Closing its link alone would not do: a child that another thread is just starting may hold the
/// descriptor for a moment.
fn detach(link: &OwnedFd) {
    let mut detach = Attributes::default();
    detach.half(0, link.as_raw_fd() as u32);
    // SAFETY: the kernel reads the given size from the pointer, which is to a live value of that size.
    unsafe {
        libc::syscall(libc::SYS_bpf, BPF_LINK_DETACH, detach.0.as_ptr(), std::mem::size_of_val(&detach.0))
    };
}

impl Drop for Refusal {
    fn drop(&mut self) {
        detach(&self.link);
    }
}

/// `union bpf_attr`, as far as these commands use it.
#[derive(Default)]
#[repr(align(8))]
struct Attributes([[u8; 8]; 9]);

impl Attributes {
    fn half(&mut self, at: usize, value: u32) {
        self.0.as_flattened_mut()[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }

    fn word(&mut self, at: usize, value: u64) {
        self.0.as_flattened_mut()[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    }
}

/// A command that makes a descriptor.
fn bpf(command: libc::c_long, attributes: &Attributes) -> OwnedFd {
    // SAFETY: the kernel reads the given size from the pointer, which is to a live value of that size; pointers in it
    // are to values that live until it returns.
    let fd = unsafe {
        libc::syscall(libc::SYS_bpf, command, attributes.0.as_ptr(), std::mem::size_of_val(&attributes.0))
    };
    assert!(fd >= 0, "the kernel refused BPF command {command}: {}", io::Error::last_os_error());
    // SAFETY: a non-negative result is a fresh descriptor without another owner.
    unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).expect("a descriptor is an int")) }
}
