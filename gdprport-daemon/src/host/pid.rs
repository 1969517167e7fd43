//! Reading `/proc/PID` of one process, pinned.
//!
//! [`ProcDir`] holds the directory open. The kernel ties it to the process, not to the number: once the
//! process is gone, every read through it fails with `ESRCH`, even when another process has got the same
//! number. All that is read through one `ProcDir` therefore belongs to one process, and its start time has
//! to be read only once. What may change between two reads is the program (`execve`), the working directory
//! and the command name.
//!
//! Arguments and environment are never read: they carry secrets and personal data.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, openat, statat};
use rustix::io::read;
use rustix::path::DecInt;

use crate::host::file::{Root, read_link};
use gdprport_core::identity::FileId;

/// Longest text read of one file below `/proc/PID`: `cgroup` on a host with all v1 hierarchies and deep
/// paths stays well below; anything longer is cut, and a cut list of cgroups is none.
const TEXT_CAP: usize = 32 * 1024;

/// Threads checked to find a live one: all but the first few of a process are alive, unless it is exiting.
const THREADS_CAP: usize = 64;

/// A process's directory, pinned.
#[derive(Debug)]
pub(super) struct ProcDir(OwnedFd);

/// Fields of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// The current parent, which differs from the one at fork once that has exited.
    pub(super) ppid: u32,
    /// Start time in ticks (10 ms) of `CLOCK_BOOTTIME`.
    pub(super) start_ticks: u64,
    /// Live threads besides one.
    pub(super) threads: u32,
    /// Its first thread has ended; others may still run.
    pub(super) headless: bool,
}

/// Ids of a process, real and effective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) euid: u32,
    pub(super) egid: u32,
}

impl ProcDir {
    /// Pins the process that has the number now; `None` if none has, or it may not be read.
    pub(super) fn open(proc: &OwnedFd, pid: u32) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(proc, DecInt::new(pid), flags, Mode::empty()).ok().map(Self)
    }

    pub(super) fn stat(&self) -> Option<Stat> {
        let mut buffer = [0; 1024];
        let len = self.read_some(c"stat", &mut buffer)?;
        parse_stat(&buffer[..len])
    }

    /// The directory through which the process can be read: once its first thread has ended, that one has no program,
    /// cgroup or namespaces, but another thread does.
    pub(super) fn living(self, stat: &Stat) -> Self {
        if !stat.headless {
            return self;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(tasks) = openat(&self.0, c"task", flags, Mode::empty()) else { return self };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut entries = RawDir::new(&tasks, &mut buffer);
        for _ in 0..THREADS_CAP {
            let Some(Ok(entry)) = entries.next() else { break };
            let Some(tid) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let Some(thread) = Self::open(&tasks, tid) else { continue };
            if thread.stat().is_some_and(|stat| !stat.headless) {
                return thread;
            }
        }
        self
    }

    /// The main thread's command name without the newline.
    pub(super) fn comm(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 64];
        let len = self.read_some(c"comm", &mut buffer)?;
        Some(buffer[..len].strip_suffix(b"\n").unwrap_or(&buffer[..len]).to_vec())
    }

    /// The ids of user and group, in the initial user namespace.
    pub(super) fn ids(&self) -> Option<Ids> {
        let mut text = vec![0; TEXT_CAP];
        let len = self.read_all(c"status", &mut text)?;
        parse_ids(&text[..len])
    }

    /// The executable's path without ` (deleted)`, and the file itself. `None` for kernel threads, for
    /// processes that may not be read.
    ///
    /// The path is the one in the process's own mount namespace. The kernel appends ` (deleted)` to the path
    /// of a file that was unlinked; a file that really has such a name keeps it, because that name still leads
    /// to it.
    pub(super) fn exe(&self) -> Option<(Vec<u8>, Option<FileId>)> {
        let mut path = read_link(&self.0, c"exe")?;
        let id = self.followed(c"exe");
        let Some(stripped) = path.strip_suffix(b" (deleted)") else { return Some((path, id)) };
        let stripped = stripped.len();
        let there = |path: &[u8]| self.root()?.lookup(std::str::from_utf8(path).ok()?).map(|file| file.id);
        let literal = there(&path);
        if literal.is_none() || literal != id {
            path.truncate(stripped);
        }
        Some((path, id))
    }

    /// True if it is proven to be in this daemon's own user namespace: the initial one, because kernel
    /// programs can be loaded in no other.
    pub(super) fn in_our_user_ns(&self) -> bool {
        let (its, ours) = (self.followed(c"ns/user"), statat(CWD, c"/proc/self/ns/user", AtFlags::empty()));
        its.is_some_and(|its| ours.is_ok_and(|ours| its == FileId { dev: ours.st_dev, ino: ours.st_ino }))
    }

    /// The working directory, unless it was deleted or lies outside of the process's root.
    pub(super) fn cwd(&self) -> Option<String> {
        self.link(c"cwd").filter(|path| path.starts_with('/') && !path.ends_with(" (deleted)"))
    }

    pub(super) fn root(&self) -> Option<Root> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&self.0, c"root", flags, Mode::empty()).ok().map(Root::from_fd)
    }

    /// The text of `/proc/PID/cgroup`.
    pub(super) fn cgroup(&self) -> Option<String> {
        let mut text = vec![0; TEXT_CAP];
        let len = self.read_all(c"cgroup", &mut text)?;
        text.truncate(len);
        whole_text(text)
    }

    /// The network namespace, open, to be entered.
    pub(super) fn netns(&self) -> Option<OwnedFd> {
        openat(&self.0, c"ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()
    }

    fn link(&self, name: &CStr) -> Option<String> {
        read_link(&self.0, name).and_then(|bytes| String::from_utf8(bytes).ok())
    }

    fn followed(&self, name: &CStr) -> Option<FileId> {
        let stat = statat(&self.0, name, AtFlags::empty()).ok()?;
        Some(FileId { dev: stat.st_dev, ino: stat.st_ino })
    }

    fn read_some(&self, name: &CStr, buffer: &mut [u8]) -> Option<usize> {
        let file = openat(&self.0, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        read(&file, buffer).ok()
    }

    fn read_all(&self, name: &CStr, buffer: &mut [u8]) -> Option<usize> {
        let file = openat(&self.0, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut len = 0;
        while len < buffer.len() {
            match read(&file, &mut buffer[len..]).ok()? {
                0 => break,
                n => len += n,
            }
        }
        Some(len)
    }
}

/// Opens a `/proc` (or a copy of one) to pin processes of.
pub(super) fn open_proc(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// The process ids that a `/proc` lists now, all or none.
///
/// # Errors
/// If the list ends with an error: what is missing then is not known.
pub(super) fn list(proc: &Path) -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in std::fs::read_dir(proc)? {
        pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(pids)
}

/// The ids of the threads of a process besides the first one. What a thread has is its own if it asked for that: its
/// network namespace, its descriptors (unshare(2)); and once the first one has ended, only the others have any. Nothing
/// is read for a process of one thread: the directory has a link for each (`proc_task_getattr`, fs/proc/base.c).
pub(super) fn other_threads(proc: &Path, pid: u32) -> Vec<u32> {
    let tasks = proc.join(format!("{pid}/task"));
    if statat(CWD, &tasks, AtFlags::empty()).is_ok_and(|stat| stat.st_nlink == 3) {
        return Vec::new();
    }
    // A process that ended meanwhile has none.
    let mut threads = list(&tasks).unwrap_or_default();
    threads.retain(|tid| *tid != pid);
    threads
}

/// Fields 3, 4, 20 and 22 of `/proc/PID/stat` (proc_pid_stat(5)). The command name in field 2 may hold anything,
/// so that counting starts after its last parenthesis.
pub(super) fn parse_stat(text: &[u8]) -> Option<Stat> {
    let close = text.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(&text[close + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let headless = matches!(fields.next()?, "Z" | "X");
    let ppid = fields.next()?.parse().ok()?;
    let threads: u32 = fields.nth(15)?.parse().ok()?;
    let start_ticks = fields.nth(1)?.parse().ok()?;
    let threads = threads.saturating_sub(1 + u32::from(headless));
    Some(Stat { ppid, start_ticks, threads, headless })
}

/// The first two numbers of the lines `Uid:` and `Gid:` of `/proc/PID/status` (proc_pid_status(5)). A command
/// name cannot forge them, as the kernel escapes line feeds in its own line, `Name:`.
pub(super) fn parse_ids(text: &[u8]) -> Option<Ids> {
    let text = String::from_utf8_lossy(text);
    // Real, effective, saved, of the file system (proc_pid_status(5)).
    let of = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        let mut ids = line.split_ascii_whitespace().map(|id| id.parse().ok());
        Some((ids.next()??, ids.next()??))
    };
    let ((uid, euid), (gid, egid)) = (of("Uid:")?, of("Gid:")?);
    Some(Ids { uid, gid, euid, egid })
}

/// A text that fills [`TEXT_CAP`] was cut. It is dropped as a whole: the line that counts most, that of cgroup2, is the
/// last one (`proc_cgroup_show`, kernel/cgroup/cgroup.c), and another one would place the process wrongly.
pub(super) fn whole_text(text: Vec<u8>) -> Option<String> {
    if text.len() >= TEXT_CAP { None } else { String::from_utf8(text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_cannot_forge_the_start_time() {
        let line = b"7 (a) S 1 1 1 (x) R 42 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 8912 0 0\n";
        let stat = Stat { ppid: 42, start_ticks: 8912, threads: 0, headless: false };
        assert_eq!(parse_stat(line), Some(stat));
        let line = b"7 (a) Z 1 1 1 1 -1 0 0 0 0 0 0 0 0 0 20 0 4 0 8912 0 0\n";
        let stat = Stat { ppid: 1, start_ticks: 8912, threads: 2, headless: true };
        assert_eq!(
            parse_stat(line),
            Some(stat),
            "the first of four threads has ended, two are alive besides one"
        );
        assert_eq!(parse_stat(b"7 (a) S"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    fn reads_this_process() {
        let proc = open_proc(Path::new("/proc")).expect("/proc is mounted");
        let me = ProcDir::open(&proc, std::process::id()).expect("this process is alive");
        let stat = me.stat().expect("its stat can be read");
        assert_eq!(stat.ppid, std::os::unix::process::parent_id());
        let exe = std::env::current_exe().expect("the exe link can be read");
        assert_eq!(me.exe().map(|(path, _)| path).as_deref(), Some(exe.as_os_str().as_encoded_bytes()));
        assert!(me.cgroup().expect("its cgroups can be read").contains(':'));
        assert!(ProcDir::open(&proc, u32::MAX).is_none());
    }
}
