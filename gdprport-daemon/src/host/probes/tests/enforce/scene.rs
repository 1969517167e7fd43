//! A loaded kernel side that decides one port, cgroups, and processes that connect.

use std::fs;
use std::io::Read as _;
use std::mem::size_of_val;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::thread;

use gdprport_common::{EXE_PATH, EnforceExe, EnforceTally, TaskIdentity};
use gdprport_core::enforce::{
    Cgroup as KnownCgroup, Clock, Executable, Fingerprint, Interpreter, Known, Tables, lower,
};
use gdprport_core::policy::{ActivePolicy, DnsNames, Source, compile_any_mode};
use gdprport_tests::cgroup::Cgroup;
use gdprport_tests::pins::BpfFs;
use gdprport_tests::skip::Missing;
use jiff::Timestamp;

use super::super::super::{EnforceTables, PinDirectory, PinError, Probes, Ring, Sizes};
use crate::host::clock::boottime_ns;
use crate::host::process::Roots;
use crate::host::testing::eventually;

/// A call that was not denied, but for another error.
pub(super) const PASSED: u8 = 0;
/// A call that was denied.
pub(super) const DENIED: u8 = 1;

/// A kernel side that decides connects to a port which is listened on, and a generation that is in force.
pub(super) struct Scene {
    pub probes: Probes,
    pub ring: Ring,
    pub port: u16,
    /// Units `a`, `b` and `c`, of which the last is not known to the tables.
    pub units: [Cgroup; 3],
    pub generation: u32,
    /// What writes and removes generations.
    pub maps: EnforceTables,
}

impl Scene {
    /// `None` without root.
    pub(super) fn new(sizes: Sizes) -> Result<Self, Missing> {
        let listener = TcpListener::bind("[::]:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        thread::spawn(move || listener.incoming().for_each(drop));
        let mut scene = Self::load(sizes, port, None)?;
        scene.probes.watch([port]).expect("watched");
        scene.probes.decide([port]).expect("decided");
        Ok(scene)
    }

    /// One that goes on with what is pinned, if it fits.
    pub(super) fn load(sizes: Sizes, port: u16, pins: Option<&BpfFs>) -> Result<Self, Missing> {
        if rustix::process::geteuid() != rustix::process::Uid::ROOT {
            return Err(Missing::of("root"));
        }
        let cgroup2 = Roots::discover().expect("/proc is mounted").cgroups.cgroup2;
        let pins = pins.map(|pins| {
            let mut taken = None;
            // A child of another test, between its fork and its exec, holds the lock of the one before.
            let free = eventually(|| {
                taken = match PinDirectory::take(&pins.pins()) {
                    Err(PinError::InUse(_)) => None,
                    taken => Some(taken.expect("ours")),
                };
                taken.is_some()
            });
            taken.filter(|_| free).expect("nobody uses it")
        });
        let (mut probes, ring) = Probes::load(sizes, &release(), cgroup2, pins).expect("it loads");
        let maps = probes.enforce().tables().expect("nobody has taken them");
        let units = std::array::from_fn(|_| Cgroup::service());
        Ok(Self { probes, ring, port, units, generation: 0, maps })
    }

    /// A policy of the port in this mode with these rules, which lets in whoever may connect.
    pub(super) fn policy(&self, mode: &str, rules: &str) -> String {
        const ANYBODY: &str = "[[port.allow]]\nrole = \"in\"\ndirection = \"in\"\npeers = [\"any\"]\n";
        self.of_rules(mode, &format!("{rules}{ANYBODY}"))
    }

    /// A policy of the port in this mode with these rules alone.
    pub(super) fn of_rules(&self, mode: &str, rules: &str) -> String {
        format!("version = 1\n[[port]]\nname = \"db\"\nport = {}\nmode = \"{mode}\"\n{rules}", self.port)
    }

    pub(super) fn fingerprint(&mut self) -> Fingerprint {
        self.probes.enforce().fingerprint()
    }

    /// The tables of a policy as the next generation. Units `a` and `b` are called after their cgroups.
    pub(super) fn tables(&mut self, text: &str, executables: &[&str]) -> Tables {
        self.generation += 1;
        let source = Source { name: "policy.toml".into(), text: text.into() };
        let (policy, _) = compile_any_mode(&[source]).unwrap_or_else(|error| panic!("{error}: {text}"));
        let active = ActivePolicy::new(policy, DnsNames::default());
        let known = |unit: &Cgroup| KnownCgroup {
            id: id(unit),
            path: Some(unit.name().into()),
            unit: Some(unit.unit().into()),
            container: None,
            container_unproven: false,
        };
        let known = Known {
            executables: executables.iter().map(|path| (*path).into()).collect(),
            users: vec![(0, Some("root".into())), (1001, Some("etl".into())), (1002, Some("web".into()))],
            cgroups: self.units[..2].iter().map(known).collect(),
            ..Known::default()
        };
        let clock = Clock { now: Timestamp::now(), boot_ns: boottime_ns() };
        lower(&active, &known, clock, self.fingerprint(), self.generation).expect("it fits").0
    }

    /// Puts tables in force instead of those before.
    pub(super) fn enforce(&mut self, tables: &Tables) -> Interpreter {
        let mut interpreter = Interpreter::default();
        interpreter.load(tables);
        interpreter.activate(self.generation);
        self.maps.write(self.generation, tables).expect("there is room");
        let in_force = self.probes.enforce();
        in_force.activate(self.generation).expect("written");
        assert_eq!(in_force.in_force().expect("readable").generation, self.generation);
        self.maps.remove_others(&[self.generation]).expect("removed");
        interpreter
    }

    /// Leaves nothing in force, and no rows.
    pub(super) fn clear(&mut self) {
        self.probes.enforce().activate(0).expect("written");
        self.maps.remove_others(&[]).expect("removed");
    }

    pub(super) fn decisions(&self) -> EnforceTally {
        lawful(self.probes.counters().expect("readable").decisions)
    }

    pub(super) fn arrivals(&self) -> EnforceTally {
        lawful(self.probes.counters().expect("readable").arrivals)
    }

    pub(super) fn binds(&self) -> EnforceTally {
        lawful(self.probes.counters().expect("readable").binds)
    }

    /// Makes connects in a process of its own. The kernel side takes it for one that executed `exe`.
    pub(super) fn run(&mut self, who: &Who<'_>, work: impl FnOnce(&mut [u8; 64])) -> [u8; 64] {
        let child = Child::fork(self, who, work);
        child.results()
    }
}

fn lawful(tally: EnforceTally) -> EnforceTally {
    let EnforceTally { asked, left, allowed, unknown, would_deny, denied, unsettled } = tally;
    assert_eq!(asked, left + allowed + unknown + would_deny + denied + unsettled, "{tally:?}");
    tally
}

/// This kernel's release.
pub(super) fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").expect("readable").trim().to_owned()
}

/// Who connects.
pub(super) struct Who<'a> {
    /// Which of the scene's units.
    pub unit: usize,
    /// Real user and group id.
    pub uid: u32,
    pub exe: EnforceExe,
    /// Another network namespace: its handle.
    pub netns: Option<&'a fs::File>,
}

/// What the kernel side would keep of a process that runs this file.
pub(super) fn of_path(fingerprint: Fingerprint, path: &str) -> EnforceExe {
    EnforceExe { fingerprint: fingerprint.of(path), state: EXE_PATH, reserved: 0 }
}

/// The same for the interpreter.
pub(super) fn executable(exe: EnforceExe) -> Executable {
    match exe.state {
        gdprport_common::EXE_PATH => Executable::Path(exe.fingerprint),
        gdprport_common::EXE_WITHHELD => Executable::Withheld,
        _ => Executable::Unknown,
    }
}

/// The id of a cgroup.
pub(super) fn id(unit: &Cgroup) -> u64 {
    fs::metadata(unit.path()).expect("it is there").ino()
}

/// A process that ends with its work.
pub(super) struct Child {
    pid: i32,
    results: fs::File,
}

impl Child {
    /// `work` runs between `fork` and `_exit`: it makes system calls only.
    pub(super) fn fork(scene: &mut Scene, who: &Who<'_>, work: impl FnOnce(&mut [u8; 64])) -> Self {
        let entrance = scene.units[who.unit].path().join("cgroup.procs");
        let netns = who.netns.map_or(-1, std::os::fd::AsRawFd::as_raw_fd);
        let (results, mut write) = std::io::pipe().expect("a pipe");
        let (mut ready, go) = std::io::pipe().expect("a pipe");
        // SAFETY: the child makes system calls only and ends in `_exit`.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "{}", std::io::Error::last_os_error());
        if pid == 0 {
            let mut done = [0; 64];
            // SAFETY: plain system calls with values of this function.
            unsafe {
                drop(go);
                let _ = ready.read(&mut [0]);
                let entered = netns < 0 || libc::setns(netns, libc::CLONE_NEWNET) == 0;
                let (uid, groups) = (who.uid, std::ptr::null::<libc::gid_t>());
                libc::syscall(libc::SYS_setgroups, 0, groups);
                libc::syscall(libc::SYS_setresgid, uid, uid, uid);
                libc::syscall(libc::SYS_setresuid, uid, uid, uid);
                if entered {
                    work(&mut done);
                    let _ = std::io::Write::write(&mut write, &done);
                }
                libc::_exit(0);
            }
        }
        let tgid = pid.cast_unsigned();
        fs::write(entrance, pid.to_string()).expect("root may move it");
        let task = TaskIdentity { exec_id: u64::from(tgid), exe: who.exe, ..TaskIdentity::default() };
        scene.probes.tasks.insert(tgid, task, 0).expect("written");
        drop(go);
        drop(ready);
        Self { pid, results: fs::File::from(OwnedFd::from(results)) }
    }

    /// Whether it has ended.
    pub(super) fn ended(&self) -> bool {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: a value of its size; the process is not reaped.
        unsafe {
            let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            libc::waitid(libc::P_PID, self.pid.cast_unsigned(), info.as_mut_ptr(), flags) == 0
                && info.assume_init().si_pid() != 0
        }
    }

    pub(super) fn results(mut self) -> [u8; 64] {
        let mut done = [0; 64];
        self.results.read_exact(&mut done).expect("it did its work");
        done
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: our own child.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, std::ptr::null_mut(), 0);
        }
    }
}

/// The address of a call as the kernel takes it.
pub(super) struct Address {
    raw: libc::sockaddr_storage,
    len: libc::socklen_t,
    family: i32,
}

impl Address {
    pub(super) fn new(peer: IpAddr, port: u16) -> Self {
        // SAFETY: integers, of which 0 is a value; the smaller structures fit.
        unsafe {
            let mut raw: libc::sockaddr_storage = std::mem::zeroed();
            let (family, len) = match SocketAddr::new(peer, port) {
                SocketAddr::V4(v4) => {
                    let to = &mut *(&raw mut raw).cast::<libc::sockaddr_in>();
                    to.sin_family = libc::AF_INET as libc::sa_family_t;
                    to.sin_port = port.to_be();
                    to.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                    (libc::AF_INET, size_of_val(to))
                }
                SocketAddr::V6(v6) => {
                    let to = &mut *(&raw mut raw).cast::<libc::sockaddr_in6>();
                    to.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                    to.sin6_port = port.to_be();
                    to.sin6_addr.s6_addr = v6.ip().octets();
                    (libc::AF_INET6, size_of_val(to))
                }
            };
            Self { raw, len: len as libc::socklen_t, family }
        }
    }

    fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.raw).cast()
    }

    /// The family, and what a call takes.
    pub(super) fn parts(&self) -> (i32, *const libc::sockaddr, libc::socklen_t) {
        (self.family, self.as_ptr(), self.len)
    }

    /// Connects once, from this address if there is one, and closes the socket.
    pub(super) fn connect(&self, from: Option<&Self>, protocol: i32) -> u8 {
        // SAFETY: system calls with values of their sizes; the descriptor is this function's.
        unsafe {
            let raw = libc::socket(self.family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, protocol);
            if raw < 0 {
                return u8::MAX;
            }
            let _socket = OwnedFd::from_raw_fd(raw);
            // No state stays behind that would use the ports up.
            let linger = libc::linger { l_onoff: 1, l_linger: 0 };
            let size = size_of_val(&linger) as libc::socklen_t;
            libc::setsockopt(raw, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size);
            // Where what arrives is denied, nobody answers: the connect was let out, which is what is asked.
            let wait = libc::timeval { tv_sec: 0, tv_usec: 100_000 };
            let size = size_of_val(&wait) as libc::socklen_t;
            libc::setsockopt(raw, libc::SOL_SOCKET, libc::SO_SNDTIMEO, (&raw const wait).cast(), size);
            if let Some(from) = from
                && libc::bind(raw, from.as_ptr(), from.len) != 0
            {
                return u8::MAX;
            }
            of_call(libc::connect(raw, self.as_ptr(), self.len))
        }
    }

    /// Binds a socket to it, and closes it.
    pub(super) fn bind(&self) -> u8 {
        // SAFETY: system calls with values of their sizes; the descriptor is this function's.
        unsafe {
            let raw = libc::socket(self.family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
            if raw < 0 {
                return u8::MAX;
            }
            let _socket = OwnedFd::from_raw_fd(raw);
            of_call(libc::bind(raw, self.as_ptr(), self.len))
        }
    }

    /// Has the kernel connect.
    pub(super) fn by_uring(&self, uring: &mut io_uring::IoUring, flags: io_uring::squeue::Flags) -> u8 {
        // SAFETY: as above; socket and address outlive the call, which is waited for.
        unsafe {
            let raw = libc::socket(self.family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
            let _socket = OwnedFd::from_raw_fd(raw);
            let connect = io_uring::opcode::Connect::new(io_uring::types::Fd(raw), self.as_ptr(), self.len);
            let pushed = uring.submission().push(&connect.build().flags(flags)).is_ok();
            if !pushed || uring.submit_and_wait(1).is_err() {
                return u8::MAX;
            }
            let done = uring.completion().next();
            done.map_or(u8::MAX, |done| if done.result() == -libc::EPERM { DENIED } else { PASSED })
        }
    }

    /// Sends the first bytes with the call that connects (RFC 7413).
    pub(super) fn fast_open(&self) -> u8 {
        // SAFETY: as above.
        unsafe {
            let raw = libc::socket(self.family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
            let _socket = OwnedFd::from_raw_fd(raw);
            let flags = libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL;
            let sent = libc::sendto(raw, b"x".as_ptr().cast(), 1, flags, self.as_ptr(), self.len);
            of_call(i32::from(sent < 0))
        }
    }

    /// Connects a socket that sends its SYN only with the first bytes.
    pub(super) fn fast_open_connect(&self) -> u8 {
        // SAFETY: as above.
        unsafe {
            let raw = libc::socket(self.family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
            let _socket = OwnedFd::from_raw_fd(raw);
            let on = 1_i32;
            libc::setsockopt(raw, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, (&raw const on).cast(), 4);
            of_call(libc::connect(raw, self.as_ptr(), self.len))
        }
    }
}

fn of_call(returned: i32) -> u8 {
    // SAFETY: of this thread.
    let errno = unsafe { *libc::__errno_location() };
    if returned != 0 && errno == libc::EPERM { DENIED } else { PASSED }
}
