//! Who holds sockets: the descriptors of all processes, searched for their inode numbers.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{Mode, OFlags, RawDir, openat, readlinkat_raw};

use crate::host::pid::{self, ProcDir};

/// Maximum of threads that search for owners: start-up must not use all CPUs of a large host.
const SEARCHERS_CAP: usize = 4;

/// A descriptor of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessFd {
    pub tgid: u32,
    /// Descriptor in that process.
    pub fd: i32,
}

/// Finds the processes that hold the sockets with these inode numbers, and counts those whose descriptors may not be read.
///
/// Processes are searched from the oldest on, by a few threads that take one after the other, until all sockets are
/// found; nearly all of the time is spent in the kernel, for one link per descriptor. A thread searches its process
/// completely: every process older than a holder that was found has then been searched, so the oldest such holder
/// is the oldest of all.
///
/// What a process holds shows by its first thread, unless another one has descriptors of its own (unshare(2)), or the
/// first one has ended. So what is still missing is searched for in the other threads.
///
/// # Errors
/// If `proc` cannot be listed.
pub(super) fn find_owners(proc: &Path, inodes: &[u32]) -> io::Result<(HashMap<u32, ProcessFd>, u64)> {
    let wanted: HashMap<u32, AtomicBool> =
        inodes.iter().filter(|inode| **inode != 0).map(|inode| (*inode, AtomicBool::new(false))).collect();
    if wanted.is_empty() {
        return Ok((HashMap::new(), 0));
    }
    let proc_fd = pid::open_proc(proc)?;
    let mut processes: Vec<_> = pid::list(proc)?
        .into_iter()
        .filter_map(|tgid| {
            let dir = ProcDir::open(&proc_fd, tgid)?;
            Some((dir.stat()?.start_ticks, tgid))
        })
        .collect();
    processes.sort_unstable();
    let processes: Vec<u32> = processes.into_iter().map(|(_, tgid)| tgid).collect();
    let firsts: Vec<_> =
        processes.iter().enumerate().map(|(age, tgid)| (age, format!("{tgid}/fd"))).collect();
    let search = OwnerSearch {
        proc: &proc_fd,
        missing: AtomicUsize::new(wanted.len()),
        wanted: &wanted,
        refused: processes.iter().map(|_| AtomicBool::new(false)).collect(),
    };
    let mut finds = search.all(&firsts);
    if search.missing.load(Ordering::Relaxed) > 0 {
        let threads = |(age, &tgid): (usize, &u32)| {
            let of_thread = move |tid| (age, format!("{tgid}/task/{tid}/fd"));
            pid::other_threads(proc, tgid).into_iter().map(of_thread)
        };
        let others: Vec<_> = processes.iter().enumerate().flat_map(threads).collect();
        finds.extend(search.all(&others));
    }
    finds.sort_unstable_by_key(|find| Reverse(find.age));
    let holder = |find: FoundFd| (find.inode, ProcessFd { tgid: processes[find.age], fd: find.fd });
    let refused = search.refused.iter().filter(|refused| refused.load(Ordering::Relaxed)).count() as u64;
    Ok((finds.into_iter().map(holder).collect(), refused))
}

/// What the searching threads share.
struct OwnerSearch<'a> {
    proc: &'a OwnedFd,
    /// Inode numbers, each with whether it was found.
    wanted: &'a HashMap<u32, AtomicBool>,
    missing: AtomicUsize,
    /// Whether descriptors of a process may not be read, of it or of one of its threads, in the order of age.
    refused: Vec<AtomicBool>,
}

/// A wanted socket in a process, which is named by its index in the order of age.
struct FoundFd {
    inode: u32,
    age: usize,
    fd: i32,
}

impl OwnerSearch<'_> {
    /// Searches directories of descriptors, each with the age of its process, until all sockets are found.
    fn all(&self, directories: &[(usize, String)]) -> Vec<FoundFd> {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(SEARCHERS_CAP);
            let run = || self.some(directories, &next);
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
            let mut finds = run();
            for other in others {
                finds.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            finds
        })
    }

    fn some(&self, directories: &[(usize, String)], next: &AtomicUsize) -> Vec<FoundFd> {
        let mut finds = Vec::new();
        let mut buffer = Vec::with_capacity(32 * 1024);
        while self.missing.load(Ordering::Relaxed) > 0 {
            let Some((age, path)) = directories.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            match openat(self.proc, path, flags, Mode::empty()) {
                Ok(fds) => self.search(&fds, &mut buffer, *age, &mut finds),
                Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => {
                    self.refused[*age].store(true, Ordering::Relaxed);
                }
                Err(_) => {}
            }
        }
        finds
    }

    /// Adds the wanted sockets of one `/proc/PID/fd`.
    fn search(&self, fds: &OwnedFd, buffer: &mut Vec<u8>, age: usize, finds: &mut Vec<FoundFd>) {
        let mut entries = RawDir::new(fds, buffer.spare_capacity_mut());
        while let Some(Ok(entry)) = entries.next() {
            let mut target = [0; 32];
            let Ok(len) = readlinkat_raw(fds, entry.file_name(), &mut target[..]) else { continue };
            let Some(inode) = socket_inode(&target[..len]) else { continue };
            let Some(found) = self.wanted.get(&inode) else { continue };
            let Some(fd) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if !found.swap(true, Ordering::Relaxed) {
                self.missing.fetch_sub(1, Ordering::Relaxed);
            }
            finds.push(FoundFd { inode, age, fd });
        }
    }
}

/// The inode number in `socket:[N]`.
fn socket_inode(target: &[u8]) -> Option<u32> {
    let number = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_sockets_are_sockets() {
        assert_eq!(socket_inode(b"socket:[4711]"), Some(4711));
        for other in [&b"socket:[]"[..], b"pipe:[4711]", b"socket:[99999999999]", b"/tmp/socket:[1]", b""] {
            assert_eq!(socket_inode(other), None);
        }
    }
}
