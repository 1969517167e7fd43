//! Executables: the value of the executable map, which is also a record, and where the kernel keeps what is read.
//!
//! Belongs here: what is stored by exec id. A program that knows its caller's exec id finds here which file runs: the
//! numbers first, at fixed places, then the texts.

use crate::record::PATH_CAP;

/// Bytes of a file's path that are kept. Longer paths are not kept at all; [`FileState`] says so.
pub const FILE_CAP: usize = 512;

/// What is known of the path of the file that runs.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It was not read: this kernel's offsets are not known, or a read failed.
    Unread = 0,
    /// It is complete.
    Complete = 1,
    /// It is longer than [`FILE_CAP`] or deeper than what the kernel side follows.
    TooLong = 2,
    /// The file cannot be reached from the root of its mounts: it has no path.
    Unreachable = 3,
    /// The file is in memory only (`memfd`); the path is the name that it was given.
    InMemory = 4,
}

impl FileState {
    /// Returns the state for a stored number, `None` if there is no such state.
    #[must_use]
    pub const fn from_raw(raw: u8) -> Option<Self> {
        Some(match raw {
            0 => Self::Unread,
            1 => Self::Complete,
            2 => Self::TooLong,
            3 => Self::Unreachable,
            4 => Self::InMemory,
            _ => return None,
        })
    }
}

/// Who could have mounted what a path leads through.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountOwner {
    /// Not known.
    Unknown = 0,
    /// Root alone: the mount namespace belongs to the initial user namespace.
    Root = 1,
    /// Somebody else: the mount namespace belongs to another user namespace.
    Other = 2,
    /// The mount is in no namespace any more: the path begins where it was detached.
    Detached = 3,
}

impl MountOwner {
    /// Returns the owner for a stored number, `None` if there is no such owner.
    #[must_use]
    pub const fn from_raw(raw: u8) -> Option<Self> {
        Some(match raw {
            0 => Self::Unknown,
            1 => Self::Root,
            2 => Self::Other,
            3 => Self::Detached,
            _ => return None,
        })
    }
}

/// What is known of an executable. The header of its record, which is sent once before the first flow whose owner runs
/// it; the used part of [`ExecRecord::file`] follows.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct ExecHeader {
    /// [`crate::RecordKind::Exec`].
    pub kind: u8,
    /// In the map: 1 once it was submitted to the ring buffer. In a record: without meaning.
    pub shipped: u8,
    /// Bytes of `name` in use, without the NUL; 0 if the name could not be read.
    pub name_len: u8,
    /// 1 if it was executed in a user namespace other than the initial one, 0 if not or if that is not known.
    pub in_user_ns: u8,
    /// Process (thread group id) that executed it.
    pub tgid: u32,
    /// The exec id.
    pub exec_id: u64,
    /// When it was executed, nanoseconds of `CLOCK_BOOTTIME`.
    pub time_ns: u64,
    /// The previous exec id of the process, 0 if not known: `#!/usr/bin/env NAME` executes twice.
    pub previous: u64,
    /// Inode number of the file that runs, as the kernel keeps it; 0 if it was not read. On stacked and copy-on-write
    /// file systems `stat` may show another one.
    pub file_ino: u64,
    /// Device of its file system in the kernel's form (`major << 20 | minor`); 0 if it was not read. On btrfs and
    /// overlayfs `stat` may show another one.
    pub file_dev: u32,
    /// Bytes of [`ExecRecord::file`] in use, less than [`FILE_CAP`].
    pub file_len: u16,
    /// A [`FileState`].
    pub file_state: u8,
    /// A [`MountOwner`].
    pub file_mounts: u8,
    /// The name passed to `execve`: it may be relative, a symbolic link or a script.
    pub name: [u8; PATH_CAP],
}

/// The value of the executable map, keyed by exec id.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct ExecRecord {
    /// Describes the executable.
    pub header: ExecHeader,
    /// The path of the file that runs, which is the interpreter of a script: its components from last to first, each
    /// followed by `/`. They are those from the root of its mount namespace.
    pub file: [u8; FILE_CAP],
}

/// Where this kernel keeps what the programs read of it, in bytes: no stable interface provides it. A chain whose first
/// offset is 0 is not read; no member that is meant here is the first of its structure.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelOffsets {
    /// `task_struct.cred`, before the user namespace of a process.
    pub task_cred: u32,
    /// `cred.user_ns`.
    pub cred_user_ns: u32,
    /// `user_namespace.ns.inum`.
    pub user_ns_inum: u32,
    /// `task_struct.mm`, before the file that a process runs and its path.
    pub task_mm: u32,
    /// `mm_struct.exe_file`.
    pub mm_exe_file: u32,
    /// `file.f_inode`.
    pub file_inode: u32,
    /// `file.f_path.mnt`.
    pub file_mnt: u32,
    /// `file.f_path.dentry`.
    pub file_dentry: u32,
    /// `inode.i_ino`.
    pub inode_ino: u32,
    /// `inode.i_sb`.
    pub inode_sb: u32,
    /// `super_block.s_dev`.
    pub sb_dev: u32,
    /// `dentry.d_seq`.
    pub dentry_seq: u32,
    /// `dentry.d_parent`.
    pub dentry_parent: u32,
    /// `dentry.d_name.name`.
    pub dentry_name: u32,
    /// `dentry.d_name.len`.
    pub dentry_name_len: u32,
    /// `vfsmount.mnt_root`.
    pub vfsmount_root: u32,
    /// `mount.mnt`, the embedded `vfsmount`.
    pub mount_vfsmount: u32,
    /// `mount.mnt_parent`.
    pub mount_parent: u32,
    /// `mount.mnt_mountpoint`.
    pub mount_mountpoint: u32,
    /// `mount.mnt_ns`.
    pub mount_ns: u32,
    /// `mnt_namespace.user_ns`.
    pub mnt_ns_user_ns: u32,
}

impl ExecHeader {
    /// An executable of which nothing is known.
    pub const UNKNOWN: Self = Self {
        kind: crate::RecordKind::Exec as u8,
        shipped: 0,
        name_len: 0,
        in_user_ns: 0,
        tgid: 0,
        exec_id: 0,
        time_ns: 0,
        previous: 0,
        file_ino: 0,
        file_dev: 0,
        file_len: 0,
        file_state: FileState::Unread as u8,
        file_mounts: MountOwner::Unknown as u8,
        name: [0; PATH_CAP],
    };
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: repr(C) of integers without padding (its size is asserted below), every bit pattern valid.
    unsafe impl aya::Pod for super::ExecRecord {}
    // SAFETY: repr(C) of u32 only, no padding, every bit pattern valid.
    unsafe impl aya::Pod for super::KernelOffsets {}
}

const _: () = {
    assert!(size_of::<ExecHeader>() == 48 + PATH_CAP && size_of::<ExecHeader>().is_multiple_of(8));
    assert!(size_of::<ExecRecord>() == size_of::<ExecHeader>() + FILE_CAP);
    assert!(FILE_CAP.is_power_of_two());
};
