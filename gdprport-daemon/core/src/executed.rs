//! The file that runs, as the kernel side read it when it was executed, and what that proves.
//!
//! Belongs here: the values of an executable's record. Does not belong here: what `/proc` and names prove
//! (`identity`).

use std::sync::Arc;

use gdprport_common::{FileState, MountOwner};

use crate::identity::FileId;
use crate::model::Withheld;
use crate::text::path_text;

/// An executable, as its record shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executable<'a> {
    /// Its exec id.
    pub exec_id: u64,
    /// The process that executed it.
    pub tgid: u32,
    /// The exec id that the process had before; 0 if not known.
    pub previous: u64,
    /// What `execve` was given; `None` if it could not be read or was cut.
    pub name: Option<&'a [u8]>,
    /// True if it was executed in a user namespace that is not the initial one.
    pub in_user_ns: bool,
    /// The file that runs.
    pub file: FileReading<'a>,
}

impl<'a> Executable<'a> {
    /// An executable of which the kernel side could read the name only.
    #[must_use]
    pub const fn named(exec_id: u64, tgid: u32, previous: u64, name: &'a [u8]) -> Self {
        Self { exec_id, tgid, previous, name: Some(name), in_user_ns: false, file: FileReading::UNREAD }
    }
}

/// What the kernel side read of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileReading<'a> {
    /// Its device, in the kernel's form.
    pub device: u32,
    /// Its inode number.
    pub inode: u64,
    /// Whose mounts its path leads through.
    pub mounts: MountOwner,
    /// How much of the path is there.
    pub state: FileState,
    /// The components from last to first, each followed by `/`.
    pub components: &'a [u8],
}

/// What the kernel side's reading of a file proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecutedFile {
    /// Nothing: it could not be read on this kernel.
    Unread,
    /// This path, in mounts that root alone can have made, or in memory. It stays true, whatever becomes of the file.
    Proven(Arc<str>),
    /// A path in mounts that somebody else may have made. It counts if it leads to this very file on the host.
    Claimed {
        /// The path.
        path: Arc<str>,
        /// The file, as the kernel keeps it. Where `stat` shows another one for the same file (btrfs, overlayfs), it
        /// is the number of no file there: device numbers of file systems are not shared.
        id: FileId,
        /// The mounts are those of a namespace. If that is a container that root made, the path counts too.
        in_namespace: bool,
    },
    /// No path, for this reason. `/proc` counts only if root alone can have made the mounts.
    Pathless {
        /// True if root alone can have made the mounts, and the file is reached through them.
        mounts_of_root: bool,
        /// Why, which is the doing of whoever placed and executed the file.
        why: Withheld,
    },
}

impl FileReading<'_> {
    /// Nothing was read.
    pub const UNREAD: Self =
        Self { device: 0, inode: 0, mounts: MountOwner::Unknown, state: FileState::Unread, components: &[] };

    /// What it proves.
    #[must_use]
    pub fn proves(&self) -> ExecutedFile {
        let of_root = self.mounts == MountOwner::Root;
        match self.state {
            FileState::Unread => ExecutedFile::Unread,
            FileState::TooLong => ExecutedFile::Pathless { mounts_of_root: of_root, why: Withheld::LongPath },
            FileState::Unreachable => {
                ExecutedFile::Pathless { mounts_of_root: false, why: Withheld::Unreachable }
            }
            FileState::InMemory => match self.components.strip_suffix(b"/") {
                Some(name) => ExecutedFile::Proven(path_text(&[b"/", name].concat()).into()),
                None => ExecutedFile::Unread,
            },
            FileState::Complete => {
                let Some(path) = self.path().map(|path| Arc::from(path_text(&path))) else {
                    return ExecutedFile::Unread;
                };
                match self.mounts {
                    MountOwner::Unknown => ExecutedFile::Unread,
                    MountOwner::Root => ExecutedFile::Proven(path),
                    MountOwner::Other | MountOwner::Detached => ExecutedFile::Claimed {
                        path,
                        id: FileId { dev: user_device(self.device), ino: self.inode },
                        in_namespace: self.mounts == MountOwner::Other,
                    },
                }
            }
        }
    }

    /// The path from its components; `None` if they are none.
    fn path(&self) -> Option<Vec<u8>> {
        let mut path = Vec::with_capacity(self.components.len());
        for component in self.components.strip_suffix(b"/")?.rsplit(|byte| *byte == b'/') {
            if component.is_empty() {
                return None;
            }
            path.push(b'/');
            path.extend(component);
        }
        Some(path)
    }
}

/// A path as components from last to first, each followed by `/`.
#[must_use]
pub fn components(path: &[u8]) -> Vec<u8> {
    let parts = path.rsplit(|byte| *byte == b'/').filter(|part| !part.is_empty());
    parts.flat_map(|part| [part, b"/"].concat()).collect()
}

/// A device number as `stat` shows it (`new_encode_dev`, include/linux/kdev_t.h), from the kernel's own form.
fn user_device(device: u32) -> u64 {
    let (major, minor) = (device >> 20, device & 0xf_ffff);
    u64::from(minor & 0xff | major << 8 | (minor & !0xff) << 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(state: FileState, mounts: MountOwner, components: &[u8]) -> FileReading<'_> {
        FileReading { device: 8 << 20 | 0x123, inode: 77, mounts, state, components }
    }

    #[test]
    fn a_path_in_mounts_of_root_is_proven() {
        let proves = |components: &[u8]| reading(FileState::Complete, MountOwner::Root, components).proves();
        assert_eq!(proves(b"psql/bin/usr/"), ExecutedFile::Proven("/usr/bin/psql".into()));
        assert_eq!(proves(b"x/"), ExecutedFile::Proven("/x".into()));
        assert_eq!(proves(b"sh\xff/tmp/"), ExecutedFile::Proven(r"$'/tmp/sh\xff'".into()));
        for none in [&b""[..], b"/", b"psql", b"psql//usr/"] {
            assert_eq!(proves(none), ExecutedFile::Unread, "{none:?}");
        }
        assert_eq!(proves(&components(b"/usr/bin/psql")), ExecutedFile::Proven("/usr/bin/psql".into()));
    }

    #[test]
    fn a_path_in_mounts_of_others_is_a_claim() {
        let claim = |in_namespace| ExecutedFile::Claimed {
            path: "/usr/bin/psql".into(),
            id: FileId { dev: 0x10_0823, ino: 77 },
            in_namespace,
        };
        let proves = |mounts| reading(FileState::Complete, mounts, b"psql/bin/usr/").proves();
        assert_eq!(proves(MountOwner::Other), claim(true));
        assert_eq!(proves(MountOwner::Detached), claim(false));
        assert_eq!(proves(MountOwner::Unknown), ExecutedFile::Unread);
    }

    #[test]
    fn what_was_not_read_in_full_is_no_path() {
        for mounts in [MountOwner::Unknown, MountOwner::Root, MountOwner::Other, MountOwner::Detached] {
            let proves = |state| reading(state, mounts, b"psql/bin/usr/").proves();
            assert_eq!(proves(FileState::Unread), ExecutedFile::Unread);
            let of_root = |file| match file {
                ExecutedFile::Pathless { mounts_of_root, .. } => mounts_of_root,
                other => panic!("a path: {other:?}"),
            };
            assert_eq!(of_root(proves(FileState::TooLong)), mounts == MountOwner::Root);
            assert!(!of_root(proves(FileState::Unreachable)));
            let name = reading(FileState::InMemory, mounts, b"memfd:a/b/").proves();
            assert_eq!(name, ExecutedFile::Proven("/memfd:a/b".into()));
        }
    }
}
