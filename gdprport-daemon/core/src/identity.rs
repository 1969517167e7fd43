//! Which evidence proves which process, executable and script.
//!
//! Belongs here: the decisions, over values that somebody else has read. Does not belong here: reading
//! `/proc` or files, caching (`host`).
//!
//! The rule of this file: what is not proven is `None`. A record of the kernel side names a process by tgid,
//! fork time and exec id; by the time it is read, the process may be gone, another may have its tgid, or it
//! may have executed something else.

use gdprport_common::{PATH_CAP, SocketRole, TaskIdentity};

use crate::model::{Attribution, Withheld};

/// Nanoseconds in one tick of `/proc/PID/stat`'s start time (`USER_HZ` is 100 on every architecture that
/// this daemon runs on).
pub const NS_PER_TICK: u64 = 10_000_000;

/// How many ticks the fork tracepoint may come after the start time that the kernel gives the process: it
/// takes that time before it links the new process, and fires the tracepoint after. Another process cannot
/// have the same tgid in that span: all process ids would have to be used up in 20 ms.
const FORK_LAG_TICKS: u64 = 2;

/// Bytes that the kernel reads of a file to find `#!` (`BINPRM_BUF_SIZE`, include/uapi/linux/binfmts.h).
pub const SHEBANG_CAP: usize = 256;

/// The owner of a socket as a record of the kernel side names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerRef {
    /// Process id (tgid) in the initial pid namespace, 0 if not known.
    pub tgid: u32,
    /// The parent's process id at fork, 0 if not known.
    pub parent_tgid: u32,
    /// Real user id at the time of the call.
    pub uid: u32,
    /// Real group id at the time of the call.
    pub gid: u32,
    /// Effective user id at the time of the call; the real one where it cannot be read.
    pub euid: u32,
    /// Effective group id at the time of the call; likewise.
    pub egid: u32,
    /// Exec id of the executable, 0 if not known.
    pub exec_id: u64,
    /// cgroup id, 0 if not known.
    pub cgroup_id: u64,
    /// Network namespace cookie of the socket, 0 if not known.
    pub netns_cookie: u64,
    /// When the process was forked, nanoseconds of `CLOCK_BOOTTIME`, 0 if not known.
    pub start_ns: u64,
    /// When the record was made, nanoseconds of `CLOCK_BOOTTIME`.
    pub time_ns: u64,
    /// The thread's command name, NUL-terminated.
    pub comm: [u8; 16],
    /// How the owner came to be known.
    pub role: SocketRole,
    /// How the owner kept itself from being known, if it did.
    pub withheld: Option<Withheld>,
}

impl OwnerRef {
    /// Nobody in particular of those whom this owner has all in common with that a verdict rests on.
    #[must_use]
    pub const fn in_common(&self) -> Self {
        Self { tgid: 0, parent_tgid: 0, netns_cookie: 0, start_ns: 0, comm: [0; 16], ..*self }
    }
}

#[cfg(any(test, fuzzing, feature = "testing"))]
impl OwnerRef {
    /// Nobody, for tests and the fuzzer to begin with.
    pub(crate) const NOBODY: Self = Self {
        tgid: 0,
        parent_tgid: 0,
        uid: 0,
        gid: 0,
        euid: 0,
        egid: 0,
        exec_id: 0,
        cgroup_id: 0,
        netns_cookie: 0,
        start_ns: 0,
        time_ns: 0,
        comm: [0; 16],
        role: SocketRole::None,
        withheld: None,
    };
}

/// The attribution that a role earns.
#[must_use]
pub const fn attribution(role: SocketRole) -> Attribution {
    match role {
        SocketRole::None => Attribution::Unknown,
        SocketRole::Bound => Attribution::Listener,
        SocketRole::Connected | SocketRole::Accepted => Attribution::Exact,
        SocketRole::Seeded => Attribution::Snapshot,
    }
}

/// The text of a NUL-terminated command name; `None` if it is empty. Bytes that are no UTF-8 become U+FFFD.
#[must_use]
pub fn comm_text(comm: &[u8]) -> Option<String> {
    let end = comm.iter().position(|b| *b == 0).unwrap_or(comm.len());
    (end > 0).then(|| String::from_utf8_lossy(&comm[..end]).into_owned())
}

/// True if the process that now has the owner's tgid and started at `start_ticks` is proven to be the owner.
///
/// - Fork time known: the start time must be that of the fork, within the tracepoint's lag.
/// - Fork time not known, owner seen in its own call: it must have started before the tick of the record;
///   in the same tick the order is not known, which proves nothing.
/// - Fork time not known, owner inherited (a listener's): the call lies arbitrarily far back, the tgid may
///   have been reused since; not proven.
#[must_use]
pub const fn is_owner(owner: &OwnerRef, start_ticks: u64) -> bool {
    if owner.start_ns != 0 {
        let forked = owner.start_ns / NS_PER_TICK;
        return start_ticks <= forked && forked - start_ticks <= FORK_LAG_TICKS;
    }
    match owner.role {
        SocketRole::Connected | SocketRole::Accepted => start_ticks < owner.time_ns / NS_PER_TICK,
        SocketRole::None | SocketRole::Bound | SocketRole::Seeded => false,
    }
}

/// True if the task map still gives the owner's tgid to the same process with the same executable.
#[must_use]
pub const fn is_same_task(owner: &OwnerRef, now: &TaskIdentity) -> bool {
    owner.exec_id == now.exec_id && owner.start_ns == now.start_ns
}

/// True if a process that started at `parent_ns` and still has the tgid of the parent is proven to be the
/// one that forked the child at `child_ns` (nanoseconds of `CLOCK_BOOTTIME`, 0 if not known): any process that
/// got the tgid after the parent started after the child.
#[must_use]
pub const fn is_parent(parent_ns: u64, child_ns: u64) -> bool {
    parent_ns != 0 && parent_ns < child_ns
}

/// The name that `execve` was called with, sorted by what it proves on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecName {
    /// Absolute and complete: means the same file to everybody with the same root.
    Absolute(String),
    /// Relative to a working directory that is not known once the process has gone on.
    Relative(String),
    /// A name that means something only within the process (`/proc/self/exe`, `/dev/fd/3`), was cut, could
    /// not be read, or is no UTF-8 (it could not be opened again under the text that would be shown).
    Opaque,
}

impl ExecName {
    /// Sorts the bytes of an exec record. Total.
    #[must_use]
    pub fn parse(path: &[u8]) -> Self {
        // The kernel's copy ends with a NUL inside of PATH_CAP, so one byte less than the cap may be cut.
        if path.is_empty() || path.len() >= PATH_CAP - 1 {
            return Self::Opaque;
        }
        let Ok(text) = std::str::from_utf8(path) else { return Self::Opaque };
        if text.contains('\0') || text.starts_with("/proc/") || text.starts_with("/dev/fd/") {
            return Self::Opaque;
        }
        if text.starts_with('/') { Self::Absolute(text.to_owned()) } else { Self::Relative(text.to_owned()) }
    }

    /// The last component, as the kernel takes it for the command name (15 bytes at most).
    #[must_use]
    pub fn comm(&self) -> Option<&[u8]> {
        let (Self::Absolute(text) | Self::Relative(text)) = self else { return None };
        let base = text.rsplit('/').next().unwrap_or(text).as_bytes();
        Some(&base[..base.len().min(15)])
    }
}

/// The interpreter that a file beginning with these bytes (at most [`SHEBANG_CAP`] matter) names after `#!`.
/// `None` if it names none, or if the name may go on beyond the bytes (fs/binfmt_script.c refuses those).
#[must_use]
pub fn shebang(head: &[u8]) -> Option<&str> {
    let head = &head[..head.len().min(SHEBANG_CAP)];
    let line = head.strip_prefix(b"#!")?;
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = line.iter().position(|b| !blank(b))?;
    let name = &line[start..];
    let end = name.iter().position(|b| matches!(b, b' ' | b'\t' | b'\n' | 0));
    let complete = head.len() < SHEBANG_CAP;
    let name = &name[..end.or(complete.then_some(name.len()))?];
    std::str::from_utf8(name).ok().filter(|name| !name.is_empty())
}

/// A file by device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
}

/// What was found where an exec name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The absolute path without symbolic links.
    pub path: String,
    /// The file itself.
    pub id: FileId,
    /// For a `#!` file, its interpreter; an interpreter that is a script itself is followed to the program.
    pub interpreter: Option<Box<NamedFile>>,
}

impl NamedFile {
    /// The program that runs when this file is executed.
    #[must_use]
    pub fn program(&self) -> &Self {
        self.interpreter.as_deref().map_or(self, Self::program)
    }
}

/// What `/proc/PID` shows of a process whose task identity was the record's before and after it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveExe {
    /// Target of `/proc/PID/exe` without ` (deleted)`.
    pub path: String,
    /// The file behind it, if it could be asked.
    pub id: Option<FileId>,
    /// The main thread's command name, read after the link.
    pub comm: Vec<u8>,
}

/// An executable and, if `#!` led to it, the script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exe {
    /// Absolute path of the program.
    pub exe: Option<String>,
    /// The exec name of the script.
    pub script: Option<String>,
}

/// Decides the executable of a live process from what `/proc` shows and what the exec name leads to.
///
/// An `execve` shows its new program in `/proc/PID/exe` shortly before the tracepoint gives the process a
/// new exec id. The link alone therefore proves nothing; one of these must agree with it: the file that the
/// exec name leads to, the text of the exec name (the file may be deleted) or, where the name is not absolute, the
/// command name, which `execve` replaces together with the program and which must still be the record's or the
/// exec name's. An absolute name needs no such witness, which anybody can prompt (`PR_SET_NAME`, a link).
#[must_use]
pub fn live_exe(live: &LiveExe, name: &ExecName, named: Option<&NamedFile>, record_comm: &[u8]) -> Exe {
    let exe = Some(live.path.clone());
    if let Some(named) = named {
        let program = named.program();
        if live.id == Some(program.id) || live.path == program.path {
            let script = match name {
                ExecName::Absolute(text) if named.interpreter.is_some() => Some(text.clone()),
                ExecName::Relative(_) if named.interpreter.is_some() => Some(named.path.clone()),
                _ => None,
            };
            return Exe { exe, script };
        }
    }
    let same_text = matches!(name, ExecName::Absolute(text) if *text == live.path);
    let same_comm = !matches!(name, ExecName::Absolute(_))
        && (name.comm() == Some(&live.comm) || (!record_comm.is_empty() && record_comm == live.comm));
    if same_text || same_comm { Exe { exe, script: None } } else { Exe::default() }
}

/// Decides the executable of a process that is gone, or has executed something else since.
///
/// `named` is what the name leads to in the root that the process is known to have had. Without it (in a container, or the
/// file is gone) the name is not known to be that of a program: it may be a script's, or a link's.
#[must_use]
pub fn gone_exe(name: &ExecName, named: Option<&NamedFile>) -> Exe {
    match (name, named) {
        (ExecName::Absolute(text), Some(named)) => Exe {
            exe: Some(named.program().path.clone()),
            script: named.interpreter.as_ref().map(|_| text.clone()),
        },
        (ExecName::Absolute(_) | ExecName::Relative(_) | ExecName::Opaque, _) => Exe::default(),
    }
}

#[cfg(test)]
mod tests;
