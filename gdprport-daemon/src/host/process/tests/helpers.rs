//! What the resolver's tests share: the kernel side's maps as values, real processes, and resolvers of this machine.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use gdprport_common::{ExecHeader, ExecRecord, FILE_CAP, SocketRole, TaskIdentity};

use super::super::*;
use crate::host::accounts::{Account, AccountName};
use crate::host::clock::{BootClock, boottime_ns};
use crate::host::pid::{self, ProcDir};
use gdprport_core::identity::OwnerRef;

/// The kernel side's maps as values. Counts look-ups.
#[derive(Default)]
pub(super) struct Maps {
    pub(super) tasks: HashMap<u32, TaskIdentity>,
    pub(super) execs: HashMap<u64, ExecRecord>,
    pub(super) look_ups: AtomicU32,
}

impl TaskLookup for Maps {
    fn identity(&self, tgid: u32) -> Option<TaskIdentity> {
        self.look_ups.fetch_add(1, Ordering::Relaxed);
        self.tasks.get(&tgid).copied()
    }

    fn exec(&self, exec_id: u64) -> Option<ExecRecord> {
        self.look_ups.fetch_add(1, Ordering::Relaxed);
        self.execs.get(&exec_id).copied()
    }
}

impl Maps {
    pub(super) fn named(&mut self, exec_id: u64, tgid: u32, name: &str) {
        let mut header = ExecHeader { tgid, exec_id, time_ns: 1, ..ExecHeader::UNKNOWN };
        header.name[..name.len()].copy_from_slice(name.as_bytes());
        header.name_len = u8::try_from(name.len()).expect("short");
        let record = ExecRecord { header, file: [0; FILE_CAP] };
        self.execs.insert(exec_id, record);
    }

    pub(super) fn task(&mut self, tgid: u32, exec_id: u64, start_ns: u64) {
        self.tasks.insert(
            tgid,
            TaskIdentity { exec_id, start_ns, parent_tgid: 1, threads: 0, ..TaskIdentity::default() },
        );
    }
}

/// A process that ends with the test.
pub(super) struct Running(Child);

impl Running {
    /// A file that was just written is busy for as long as a child of another test, between its fork and its
    /// exec, still has the descriptor it was written through.
    pub(super) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        for _ in 0..1000 {
            match command.spawn() {
                Ok(child) => return Self(child),
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                Err(error) => panic!("it cannot be started: {error}"),
            }
        }
        panic!("it stays busy");
    }

    pub(super) fn tgid(&self) -> u32 {
        self.0.id()
    }

    /// Fork time as the kernel side would have it: within the tick that `/proc` shows.
    pub(super) fn start_ns(&self) -> u64 {
        let proc = pid::open_proc(Path::new("/proc")).expect("/proc");
        let stat = ProcDir::open(&proc, self.tgid()).and_then(|dir| dir.stat()).expect("it is alive");
        stat.start_ticks * 10_000_000 + 1
    }

    /// What `/proc` shows as its executable now.
    pub(super) fn exe(&self) -> String {
        let link = fs::read_link(format!("/proc/{}/exe", self.tgid())).unwrap_or_default();
        link.to_string_lossy().into_owned()
    }

    pub(super) fn end(mut self) {
        self.0.kill().expect("it can be ended");
        self.0.wait().expect("it ended");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn real() -> Resolver {
    let roots = Roots::discover().expect("/proc is mounted");
    let mut resolver = Resolver::new(&roots, BootClock::measure()).expect("/proc can be opened");
    // However busy the machine is.
    for account in [Account::User(0), Account::Group(0)] {
        while resolver.names.name(account, boottime_ns()) == AccountName::Pending {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    resolver
}

pub(super) fn owner(tgid: u32, exec_id: u64, start_ns: u64) -> OwnerRef {
    OwnerRef {
        tgid,
        parent_tgid: std::process::id(),
        uid: 0,
        gid: 0,
        euid: 0,
        egid: 0,
        exec_id,
        cgroup_id: 0,
        netns_cookie: 0,
        start_ns,
        time_ns: boottime_ns(),
        comm: [0; 16],
        role: SocketRole::Connected,
        withheld: None,
    }
}

pub(super) fn program(name: &str) -> String {
    let path =
        fs::canonicalize(format!("/usr/bin/{name}")).or_else(|_| fs::canonicalize(format!("/bin/{name}")));
    path.expect("it is installed").to_str().expect("utf-8").to_owned()
}

pub(super) fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("it can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("mode can be set");
}
