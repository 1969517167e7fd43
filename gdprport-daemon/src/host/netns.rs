//! Network namespaces: finding them, and running work inside one.
//!
//! A namespace is named by the inode number of its `nsfs` file, which the kernel may reuse once the
//! namespace is gone; its cookie is unique until reboot. The caller's own thread never changes its
//! namespace: work inside another one runs on a thread of its own.

use std::collections::{HashMap, HashSet};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fstat, fstatfs, open, stat};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use thiserror::Error;

use crate::host::confine::{self, Role};
use crate::host::pid;

/// Namespaces found in one enumeration: ten times what a full Kubernetes node has.
const NAMESPACES_CAP: usize = 4096;

/// Paths kept to each namespace: the first process may exit before it is entered.
const PATHS_CAP: usize = 3;

/// How often a namespace is looked for again whose processes ended before it was entered. It counts as ended once no
/// process and no name leads to it any more.
const ROUNDS: u32 = 3;

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
struct NetNs {
    inode: u64,
    paths: Vec<PathBuf>,
}

/// What an enumeration found.
#[derive(Debug, Default)]
struct Namespaces {
    /// The namespaces, each once, the caller's own first.
    found: Vec<NetNs>,
    /// Processes whose namespace may not be read.
    not_allowed: u64,
    /// Namespaces beyond the cap of 4096 that were left out.
    over_cap: u64,
}

/// What a visit has left out.
#[derive(Debug, Default)]
pub(crate) struct NotVisited {
    /// Why each namespace that is there was not entered.
    pub(crate) errors: Vec<EnterError>,
    /// Processes whose namespace may not be read.
    pub(crate) not_allowed: u64,
    /// Namespaces beyond the cap of 4096.
    pub(crate) over_cap: u64,
}

/// Does `work` inside every network namespace that a thread runs in or that is bound to a name, one after the other, and
/// hands over what it returned, in the caller's own. The caller's own is not entered: that needs no privilege.
///
/// # Errors
/// If `proc` cannot be listed.
pub(crate) fn visit<T: Send>(
    proc: &Path,
    work: impl Fn() -> T + Sync,
    mut each: impl FnMut(OpenNs, T),
) -> io::Result<NotVisited> {
    let mut out = NotVisited::default();
    let mut missed: Option<HashSet<u64>> = None;
    let own = own_inode();
    for round in 1..=ROUNDS {
        let namespaces = enumerate(proc)?;
        if missed.is_none() {
            (out.not_allowed, out.over_cap) = (namespaces.not_allowed, namespaces.over_cap);
        }
        let mut gone = HashSet::new();
        for namespace in namespaces.found {
            if missed.as_ref().is_some_and(|missed| !missed.contains(&namespace.inode)) {
                continue;
            }
            let done = namespace.open().and_then(|ns| {
                let result = if Some(ns.inode) == own { work() } else { ns.run(&work)? };
                Ok((ns, result))
            });
            match done {
                Ok((ns, result)) => each(ns, result),
                Err(EnterError::Gone { inode }) if round < ROUNDS => drop(gone.insert(inode)),
                Err(error) => out.errors.push(error),
            }
        }
        if gone.is_empty() {
            break;
        }
        missed = Some(gone);
    }
    Ok(out)
}

/// The network namespace that a process is in; `None` if that cannot be found out, or it is gone.
pub(crate) fn of_process(proc: &Path, pid: u32) -> Option<OpenNs> {
    let path = proc.join(format!("{pid}/ns/net"));
    OpenNs::from_fd(open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?)
}

/// The inode number of the network namespace that the calling thread is in.
pub(crate) fn own_inode() -> Option<u64> {
    inode_of(Path::new("/proc/thread-self/ns/net")).ok().flatten()
}

/// Finds every network namespace that a thread runs in or that is bound to a name.
///
/// # Errors
/// If `/proc` cannot be listed.
fn enumerate(proc: &Path) -> io::Result<Namespaces> {
    let mut out = Namespaces::default();
    let mut index = HashMap::new();
    add(&mut out, &mut index, proc.join("self/ns/net"));
    for pid in pid::list(proc)? {
        let refused = out.not_allowed;
        add(&mut out, &mut index, proc.join(format!("{pid}/ns/net")));
        for tid in pid::other_threads(proc, pid) {
            add(&mut out, &mut index, proc.join(format!("{pid}/task/{tid}/ns/net")));
        }
        // A process counts once, however many threads it has.
        out.not_allowed = out.not_allowed.min(refused + 1);
    }
    for dir in NAMED {
        let Ok(entries) = std::fs::read_dir(dir) else { continue };
        for entry in entries {
            add(&mut out, &mut index, entry?.path());
        }
    }
    Ok(out)
}

fn add(out: &mut Namespaces, index: &mut HashMap<u64, usize>, path: PathBuf) {
    let inode = match inode_of(&path) {
        Ok(Some(inode)) => inode,
        Ok(None) => return,
        Err(error) => {
            let refused = error.kind() == io::ErrorKind::PermissionDenied && !is_our_own(&path);
            out.not_allowed += u64::from(refused);
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

/// Whether a process whose `ns/net` may not be read is in the caller's own network namespace. Each namespace has files of
/// its own below `net`, and nobody is refused their inode numbers (`proc_tgid_net_lookup`, fs/proc/proc_net.c).
fn is_our_own(link: &Path) -> bool {
    let inode = |dir: &Path| Some(stat(dir.join("net/dev")).ok()?.st_ino);
    let its = link.parent().and_then(Path::parent).and_then(inode);
    its.is_some() && its == inode(Path::new("/proc/thread-self"))
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

impl EnterError {
    /// The namespace that was not entered.
    pub(crate) const fn inode(&self) -> u64 {
        match self {
            Self::NotAllowed { inode } | Self::Gone { inode } | Self::Failed { inode, .. } => *inode,
        }
    }
}

impl NetNs {
    /// Opens the namespace by the first path that still leads to it.
    ///
    /// # Errors
    /// [`EnterError`], by the last path that failed.
    fn open(&self) -> Result<OpenNs, EnterError> {
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
                confine::raise_for_namespaces();
                let moved = move_into_link_name_space(self.fd.as_fd(), network);
                confine::enter(Role::Inside);
                moved.map_err(|error| refused(inode, error))?;
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
pub(crate) fn current_cookie() -> Option<u64> {
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
        super::own_inode().expect("a namespace")
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
        // Its only thread has ended, and no name leads to it.
        assert!(!inodes.contains(&inode));
    }

    #[test]
    fn a_namespace_is_recognized_without_its_link() {
        let link = Path::new("/proc/self/ns/net");
        assert!(is_our_own(link) && !is_our_own(Path::new("/proc/none/ns/net")));
        let elsewhere = std::thread::spawn(move || {
            // SAFETY: only this thread's network namespace changes, and the thread ends here.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("root may make a namespace");
            is_our_own(link)
        });
        assert!(!elsewhere.join().expect("the thread does not panic"));
    }

    #[test]
    fn a_namespace_of_one_thread_is_visited() {
        let (to, inode) = std::sync::mpsc::channel();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            // SAFETY: only this thread's network namespace changes, and the thread ends here.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("root may make a namespace");
            to.send(own_inode()).expect("it is awaited");
            let _ = wait.recv();
        });
        let inode = inode.recv().expect("it is sent");
        let mut visited = Vec::new();
        let left = visit(Path::new("/proc"), own_inode, |ns, inside| {
            assert_eq!(ns.inode(), inside);
            visited.push(inside);
        });
        assert_eq!(visited.iter().filter(|visited| **visited == inode).count(), 1, "{visited:?} {left:?}");
        assert_eq!(visited[0], own_inode());
        drop(end);
        thread.join().expect("it ends");
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
