//! Network namespaces: finding them, and running work inside one.
//!
//! A namespace is named by the inode number of its `nsfs` file, which the kernel may reuse once the
//! namespace is gone; its cookie is unique until reboot. The caller's own thread never changes its
//! namespace: work inside another one runs on a thread of its own.

use std::collections::HashMap;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fstat, fstatfs, open};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use thiserror::Error;

use crate::host::pid;

/// Namespaces found in one enumeration: ten times what a full Kubernetes node has.
const NAMESPACES_CAP: usize = 4096;

/// Paths kept to each namespace: the first process may exit before it is entered.
const PATHS_CAP: usize = 3;

/// Where namespaces without a process are bound to a name: iproute2 and CNI, docker.
const NAMED: [&str; 2] = ["/run/netns", "/run/docker/netns"];

/// `NSFS_MAGIC` (include/uapi/linux/magic.h).
const NSFS_MAGIC: u64 = 0x6e73_6673;

/// Why a namespace was not entered.
#[derive(Debug, Error)]
pub(crate) enum EnterError {
    /// The kernel refused it.
    #[error(
        "not allowed to enter network namespace {inode}: run gdprport with CAP_SYS_ADMIN and CAP_SYS_PTRACE to see the sockets in it"
    )]
    NotAllowed {
        /// Inode number of the namespace.
        inode: u64,
    },
    #[error("network namespace {inode} ended before it could be entered")]
    Gone {
        /// Inode number of the namespace.
        inode: u64,
    },
    /// Something else failed.
    #[error("cannot enter network namespace {inode}: {source}")]
    Failed {
        /// Inode number of the namespace.
        inode: u64,
        source: io::Error,
    },
}

/// A network namespace and paths that lead to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetNs {
    pub inode: u64,
    paths: Vec<PathBuf>,
}

/// What an enumeration found.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// The namespaces, each once, the caller's own first.
    pub found: Vec<NetNs>,
    /// Processes whose namespace may not be read.
    pub not_allowed: u64,
    /// Namespaces beyond the cap of 4096 that were left out.
    pub over_cap: u64,
}

/// Finds every network namespace that a process runs in or that is bound to a name.
///
/// # Errors
/// If `/proc` cannot be listed.
pub(crate) fn enumerate(proc: &Path) -> io::Result<Namespaces> {
    let mut out = Namespaces::default();
    let mut index = HashMap::new();
    add(&mut out, &mut index, proc.join("self/ns/net"));
    for pid in pid::list(proc)? {
        add(&mut out, &mut index, proc.join(format!("{pid}/ns/net")));
    }
    for dir in NAMED {
        let Ok(entries) = std::fs::read_dir(dir) else { continue };
        for entry in entries.flatten() {
            add(&mut out, &mut index, entry.path());
        }
    }
    Ok(out)
}

fn add(out: &mut Namespaces, index: &mut HashMap<u64, usize>, path: PathBuf) {
    let inode = match inode_of(&path) {
        Ok(Some(inode)) => inode,
        Ok(None) => return,
        Err(error) => {
            out.not_allowed += u64::from(error.kind() == io::ErrorKind::PermissionDenied);
            return;
        }
    };
    if let Some(at) = index.get(&inode) {
        let paths = &mut out.found[*at].paths;
        if paths.len() < PATHS_CAP {
            paths.push(path);
        }
    } else if out.found.len() < NAMESPACES_CAP {
        index.insert(inode, out.found.len());
        out.found.push(NetNs { inode, paths: vec![path] });
    } else {
        out.over_cap += 1;
    }
}

/// The inode behind `/proc/PID/ns/net` (from the link's text, which costs no look-up of the namespace) or
/// behind a name; `None` if it is no network namespace.
fn inode_of(path: &Path) -> io::Result<Option<u64>> {
    match std::fs::read_link(path) {
        Ok(target) => Ok(target.to_str().and_then(parse_link)),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            let file = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            let is_ns = u64::try_from(fstatfs(&file)?.f_type).is_ok_and(|magic| magic == NSFS_MAGIC);
            Ok(if is_ns { Some(fstat(&file)?.st_ino) } else { None })
        }
        Err(error) => Err(error),
    }
}

pub(super) fn parse_link(target: &str) -> Option<u64> {
    target.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

impl NetNs {
    /// Opens the namespace by the first path that still leads to it.
    ///
    /// # Errors
    /// [`EnterError`], by the last path that failed.
    pub(crate) fn open(&self) -> Result<OpenNs, EnterError> {
        let inode = self.inode;
        let mut last = EnterError::Gone { inode };
        for path in &self.paths {
            match open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
                Ok(fd) if fstat(&fd).is_ok_and(|stat| stat.st_ino == inode) => {
                    return Ok(OpenNs { inode, fd });
                }
                Ok(_) | Err(rustix::io::Errno::NOENT | rustix::io::Errno::SRCH) => {}
                Err(error) => last = refused(inode, error),
            }
        }
        Err(last)
    }
}

/// A network namespace held open. It exists at least as long as this value: drop it when nothing in it is of
/// interest any more.
#[derive(Debug)]
pub(crate) struct OpenNs {
    inode: u64,
    fd: OwnedFd,
}

impl OpenNs {
    /// Takes a descriptor of a network namespace; `None` if its inode number cannot be read.
    pub(super) fn from_fd(fd: OwnedFd) -> Option<Self> {
        Some(Self { inode: fstat(&fd).ok()?.st_ino, fd })
    }

    #[must_use]
    pub(crate) const fn inode(&self) -> u64 {
        self.inode
    }

    /// Runs `work` inside this namespace, on a thread of its own.
    ///
    /// # Errors
    /// [`EnterError`]; `work` has then not run.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, EnterError> {
        let inode = self.inode;
        std::thread::scope(|scope| {
            let enter_and_work = || {
                let network = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(self.fd.as_fd(), network).map_err(|error| refused(inode, error))?;
                Ok(work())
            };
            let thread = std::thread::Builder::new().name("gdprport-netns".to_owned());
            let handle = thread
                .spawn_scoped(scope, enter_and_work)
                .map_err(|source| EnterError::Failed { inode, source })?;
            handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

fn refused(inode: u64, error: rustix::io::Errno) -> EnterError {
    match error {
        rustix::io::Errno::ACCESS | rustix::io::Errno::PERM => EnterError::NotAllowed { inode },
        other => EnterError::Failed { inode, source: other.into() },
    }
}

/// The cookie of the network namespace that the calling thread is in; `None` before Linux 5.14.
pub(super) fn current_cookie() -> Option<u64> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    let mut cookie = 0_u64;
    let mut len = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `cookie`, which is as long and lives until it returns.
    let result = unsafe {
        let value = (&raw mut cookie).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_NETNS_COOKIE, value, &raw mut len)
    };
    (result == 0).then_some(cookie)
}

#[cfg(test)]
mod tests {
    use rustix::thread::{UnshareFlags, unshare_unsafe};

    use super::*;

    fn own_inode() -> u64 {
        inode_of(Path::new("/proc/thread-self/ns/net")).expect("readable").expect("a namespace")
    }

    #[test]
    fn work_runs_inside_and_the_caller_stays_outside() {
        let here = own_inode();
        let (inode, path, _keep) = new_namespace();
        let ns = NetNs { inode, paths: vec!["/proc/none".into(), path] };
        let ns = ns.open().expect("the second path leads there");
        assert_eq!(ns.run(own_inode).expect("root may enter"), inode);
        assert_eq!(own_inode(), here);
        let inside = ns.run(current_cookie).expect("root may enter");
        assert!(inside.is_none() || inside != current_cookie());
    }

    #[test]
    fn a_namespace_that_is_gone_is_reported_as_gone() {
        let here = own_inode();
        let ns = NetNs { inode: here + 1, paths: vec!["/proc/self/ns/net".into(), "/proc/none".into()] };
        let error = ns.open().expect_err("that inode is not there");
        assert!(matches!(error, EnterError::Gone { .. }), "{error}");
    }

    #[test]
    fn every_namespace_of_a_process_is_found_once() {
        let (inode, _, _keep) = new_namespace();
        let found = enumerate(Path::new("/proc")).expect("/proc is mounted").found;
        assert_eq!(found[0].inode, own_inode());
        let mut inodes: Vec<_> = found.iter().map(|ns| ns.inode).collect();
        inodes.sort_unstable();
        inodes.dedup();
        assert_eq!(inodes.len(), found.len());
        // The thread of this test is no process, so its namespace is not found among processes.
        assert!(!inodes.contains(&inode));
    }

    /// A new namespace, kept by a descriptor.
    fn new_namespace() -> (u64, PathBuf, OwnedFd) {
        let fd = std::thread::spawn(|| {
            // SAFETY: only this thread's network namespace changes, and the thread ends here.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("root may make a namespace");
            open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).expect("open")
        })
        .join()
        .expect("the thread does not panic");
        let inode = fstat(&fd).expect("open").st_ino;
        let path = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        (inode, path, fd)
    }
}
