//! Disguises: what a process can do to be taken for another one.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::MemfdFlags;

use crate::socket;
use crate::state::{Puppet, Reply};

/// Calls that return a negative number when they fail.
fn done(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn c_string(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(io::Error::other)
}

impl Puppet {
    /// Takes a stream out of another process, without asking it (`pidfd_getfd`).
    pub(crate) fn steal(&mut self, pid: u32, fd: i32) -> Reply {
        // SAFETY: plain system call.
        let process = done(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
        let process = owned(process)?;
        // SAFETY: plain system call on an open descriptor.
        let taken = done(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) })?;
        let stream = TcpStream::from(owned(taken)?);
        let peer = stream.peer_addr()?;
        Ok(self.keep(stream, peer))
    }
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just given this descriptor to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Gives the calling thread another command name.
pub(crate) fn rename(name: &str) -> Reply {
    let name = c_string(name)?;
    // SAFETY: the kernel reads a NUL-terminated string.
    done(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) }.into())?;
    Ok(String::new())
}

/// Becomes another user for good.
pub(crate) fn setuid(uid: u32) -> Reply {
    // SAFETY: plain system call.
    match unsafe { libc::setuid(uid) } {
        0 => Ok(String::new()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Acts for another user, until it acts for itself again.
pub(crate) fn seteuid(uid: u32) -> Reply {
    // SAFETY: plain system call.
    match unsafe { libc::seteuid(uid) } {
        0 => Ok(String::new()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Becomes the program at `path`, a puppet that then replies.
pub(crate) fn exec(path: &str) -> Reply {
    Err(Command::new(path).arg("executed").exec())
}

/// The same from a thread that is not the process's first.
pub(crate) fn exec_from_thread(path: &str) -> Reply {
    let path = path.to_owned();
    std::thread::spawn(move || exec(&path)).join().map_err(|_| io::Error::other("the thread panicked"))?
}

/// Becomes a copy of itself that is in memory only, under a name of the caller's choice.
pub(crate) fn exec_memory(name: &str) -> Reply {
    let program = c_string(name)?;
    become_memory("/proc/self/exe".as_ref(), name, &[&program, c"executed"])
}

/// Lets a forked child become a copy of the program `of`, in memory only; replies with its output.
pub(crate) fn run_memory(of: &str, name: &str, to: &str) -> Reply {
    let (program, to) = (c_string(name)?, c_string(to)?);
    let (mut from, into) = io::pipe()?;
    // SAFETY: as in `sleepers`.
    match done(unsafe { libc::fork() }.into())? {
        0 => {
            // SAFETY: plain system calls in the child, which ends here at the latest.
            unsafe {
                libc::dup2(into.as_raw_fd(), 1);
                let _ = become_memory(of.as_ref(), name, &[&program, &to]);
                libc::_exit(1)
            }
        }
        child => {
            drop(into);
            let mut output = String::new();
            from.read_to_string(&mut output)?;
            // SAFETY: waits for our own child; a null pointer asks for no status.
            done(unsafe { libc::waitpid(child as libc::pid_t, std::ptr::null_mut(), 0) }.into())?;
            Ok(output.trim().to_owned())
        }
    }
}

/// Becomes a copy of the program `of` that is in memory only.
fn become_memory(of: &Path, name: &str, words: &[&CStr; 2]) -> Reply {
    let own = std::fs::read(of)?;
    let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(&own)?;
    let words = [words[0].as_ptr(), words[1].as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null()];
    // SAFETY: both arrays are NULL-terminated and their strings live; on success nothing returns.
    unsafe { libc::fexecve(file.as_raw_fd(), words.as_ptr(), environment.as_ptr()) };
    Err(io::Error::last_os_error())
}

/// Makes `/proc/PID/exe` of this process show another program (`PR_SET_MM_MAP`, prctl(2)), for which root in a user namespace
/// of its own is enough. The kernel allows it once nothing of the own program is mapped any more: each part of it is
/// replaced by a copy in place.
pub(crate) fn disguise(path: &str) -> Reply {
    let own = std::env::current_exe()?;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    for line in maps.lines().filter(|line| line.ends_with(own.to_string_lossy().as_ref())) {
        let mut fields = line.split(' ');
        let (Some((start, end)), Some(rights)) =
            (fields.next().and_then(|range| range.split_once('-')), fields.next())
        else {
            continue;
        };
        let hex = |text: &str| usize::from_str_radix(text, 16).map_err(io::Error::other);
        let (start, len) = (hex(start)?, hex(end)? - hex(start)?);
        let right = |letter, flag| if rights.contains(letter) { flag } else { 0 };
        let rights = right('r', libc::PROT_READ) | right('w', libc::PROT_WRITE) | right('x', libc::PROT_EXEC);
        let old = std::ptr::with_exposed_provenance_mut::<libc::c_void>(start);
        let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: the copy has the same bytes and rights as the part that it replaces, and no other thread runs in this
        // program.
        unsafe {
            let copy =
                libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, anonymous, -1, 0);
            if copy == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            std::ptr::copy_nonoverlapping(old.cast::<u8>(), copy.cast::<u8>(), len);
            done(libc::mprotect(copy, len, rights).into())?;
            if libc::mremap(copy, len, len, libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED, old) != old {
                return Err(io::Error::last_os_error());
            }
        }
    }
    show_exe(&File::open(path)?)
}

/// Has the kernel describe this process as it does, but with another executable.
fn show_exe(file: &File) -> Reply {
    /// `struct prctl_mm_map` (include/uapi/linux/prctl.h).
    #[repr(C)]
    struct Map {
        /// `start_code` to `env_end`.
        addresses: [u64; 11],
        auxv: u64,
        auxv_size: u32,
        exe_fd: u32,
    }
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit(')').next().unwrap_or_default();
    // Field 3 of proc_pid_stat(5) is the first after the name.
    let field = |number: usize| -> io::Result<u64> {
        let text = after.split_ascii_whitespace().nth(number - 3).unwrap_or_default();
        text.parse().map_err(io::Error::other)
    };
    // SAFETY: asks for the current end of the heap.
    let brk = unsafe { libc::sbrk(0) }.expose_provenance() as u64;
    let addresses = [
        field(26)?,
        field(27)?,
        field(45)?,
        field(46)?,
        field(47)?,
        brk,
        field(28)?,
        field(48)?,
        field(49)?,
        field(50)?,
        field(51)?,
    ];
    let map = Map { addresses, auxv: 0, auxv_size: 0, exe_fd: file.as_raw_fd().cast_unsigned() };
    let set = libc::PR_SET_MM_MAP;
    // SAFETY: the kernel reads one `Map`, which it checks.
    done(unsafe { libc::prctl(libc::PR_SET_MM, set, &raw const map, size_of::<Map>(), 0) }.into())?;
    Ok(String::new())
}

/// Forks `n` children, one after the other, that do nothing and end.
pub(crate) fn churn(n: u32) -> Reply {
    for _ in 0..n {
        // SAFETY: as in `sleepers`.
        match done(unsafe { libc::fork() }.into())? {
            // SAFETY: ends the child without running the parent's exit handlers.
            0 => unsafe { libc::_exit(0) },
            // SAFETY: waits for our own child; a null pointer asks for no status.
            child => done(unsafe { libc::waitpid(child as libc::pid_t, std::ptr::null_mut(), 0) }.into())?,
        };
    }
    Ok(String::new())
}

/// Ends the process's first thread; another goes on with `rest`.
pub(crate) fn leave_leader(rest: impl FnOnce() -> io::Result<()> + Send + 'static) -> ! {
    std::thread::spawn(move || {
        // The process is in the desired state only once its first thread is a zombie.
        let leader = format!("/proc/self/task/{}/stat", std::process::id());
        let gone = || {
            let stat = std::fs::read_to_string(&leader);
            stat.is_ok_and(|stat| {
                stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
            })
        };
        while !gone() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        println!("ok");
        let code = i32::from(rest().is_err());
        std::process::exit(code);
    });
    // SAFETY: ends this thread alone, which holds nothing that another thread waits for.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!("a thread that has ended does not go on")
}

/// Runs the program at `path` to its end; replies with its output.
pub(crate) fn run(path: &str, word: &str) -> Reply {
    let output = Command::new(path).arg(word).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() { Ok(text) } else { Err(io::Error::other(format!("{path} failed"))) }
}

/// Changes the root directory.
pub(crate) fn chroot(dir: &str) -> Reply {
    std::os::unix::fs::chroot(dir)?;
    std::env::set_current_dir("/")?;
    Ok(String::new())
}

/// Moves into a user namespace of its own, in which it is root, and a mount namespace.
pub(crate) fn unshare_user() -> Reply {
    // SAFETY: plain system calls that cannot fail.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: plain system call; no other thread runs in this program.
    done(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) }.into())?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    Ok(String::new())
}

/// Lays the file `with` over the file `what`, in its own mount namespace.
pub(crate) fn cover(with: &str, what: &str) -> Reply {
    let (with, what) = (c_string(with)?, c_string(what)?);
    let none = std::ptr::null();
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: the kernel reads NUL-terminated strings.
    done(unsafe { libc::mount(none, c"/".as_ptr(), none, private, none.cast()) }.into())?;
    // SAFETY: as above.
    done(unsafe { libc::mount(with.as_ptr(), what.as_ptr(), none, libc::MS_BIND, none.cast()) }.into())?;
    Ok(String::new())
}

/// Forks `n` children that wait until this process ends.
pub(crate) fn sleepers(n: u32) -> Reply {
    for _ in 0..n {
        // SAFETY: only the main thread runs in this program when commands fork, so no other thread holds a lock.
        match done(unsafe { libc::fork() }.into())? {
            0 => {
                // SAFETY: plain system calls; the child does nothing else until it is killed.
                unsafe {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong);
                    loop {
                        libc::pause();
                    }
                }
            }
            _child => {}
        }
    }
    Ok(String::new())
}

/// Lets a forked child connect and exit; replies with its process id and local port.
pub(crate) fn connect_from_child(to: &str) -> Reply {
    let to = socket::parse(to)?;
    let (mut from, mut into) = io::pipe()?;
    // SAFETY: as in `sleepers`.
    match done(unsafe { libc::fork() }.into())? {
        0 => {
            let port = TcpStream::connect(to).and_then(|stream| stream.local_addr()).map(|at| at.port());
            let failed = port.and_then(|port| write!(into, "{port}")).is_err();
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(i32::from(failed)) }
        }
        child => {
            drop(into);
            let mut port = String::new();
            from.read_to_string(&mut port)?;
            let mut status = 0;
            // SAFETY: waits for our own child; the pointer is to a live int.
            done(unsafe { libc::waitpid(child as libc::pid_t, &mut status, 0) }.into())?;
            if status == 0 {
                Ok(format!("{child} {port}"))
            } else {
                Err(io::Error::other("the child could not connect"))
            }
        }
    }
}
