//! Refusing system calls that a running daemon does not make, in every thread: seccomp(2) with the list of `numbers`.
//!
//! A call that is not in it fails with EPERM, which is written to the kernel's log or the audit's. Nothing is killed: a monitor
//! that ends for a call of a C library that nobody has met is blind, and who is refused gets no further than who is killed.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::numbers::{ADDRESS_FAMILIES, BPF_COMMANDS, FREELY};

/// Namespaces that a thread could be started in (`CLONE_NEW*`, include/uapi/linux/sched.h).
const NAMESPACES: u64 = 0x7e02_0000;

/// Installs the filters; they hold until the process ends.
pub(super) fn refuse_others() -> Result<(), String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    // With this error the C library makes a thread by the call whose flags can be looked at: nothing to be logged.
    let newer = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let newer = filter(newer, SeccompAction::Allow, errno(libc::ENOSYS), arch);
    let others = rules(std::process::id())
        .and_then(|rules| filter(rules, errno(libc::EPERM), SeccompAction::Allow, arch));
    for (filter, logged) in [(newer, 0), (others, libc::SECCOMP_FILTER_FLAG_LOG)] {
        let program = filter.map_err(|error| error.to_string())?;
        install(&program, logged).map_err(|error| format!("the kernel does not take the filter: {error}"))?;
    }
    Ok(())
}

fn filter(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
    arch: TargetArch,
) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(rules, otherwise, matched, arch)?.try_into()
}

/// What is allowed: a call without a condition, or with one of its conditions.
fn rules(pid: u32) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FREELY.iter().map(|call| (*call, Vec::new())).collect();
    let equal = |argument: u8, value: u64| one(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
    let any = |argument: u8, values: &[u64]| -> Result<Vec<SeccompRule>, BackendError> {
        values.iter().map(|value| equal(argument, *value)).collect()
    };
    let none_of = |argument, mask| one(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(mask), 0);
    rules.insert(libc::SYS_bpf, any(0, &BPF_COMMANDS)?);
    rules.insert(libc::SYS_socket, any(0, &ADDRESS_FAMILIES)?);
    rules.insert(libc::SYS_socketpair, vec![equal(0, libc::AF_UNIX.unsigned_abs().into())?]);
    rules.insert(libc::SYS_setns, vec![equal(1, libc::CLONE_NEWNET.unsigned_abs().into())?]);
    rules.insert(libc::SYS_clone, vec![none_of(0, NAMESPACES)?]);
    // Of two filters that refuse, the last one's error counts: this is the other's.
    rules.insert(libc::SYS_clone3, Vec::new());
    // Its own limits, to read them.
    rules.insert(libc::SYS_prlimit64, vec![one(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?]);
    // What abort(3) sends.
    rules.insert(libc::SYS_tgkill, vec![equal(0, pid.into())?]);
    rules.insert(libc::SYS_kill, vec![equal(0, pid.into())?]);
    Ok(rules)
}

fn one(
    argument: u8,
    length: SeccompCmpArgLen,
    how: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, length, how, value)?])
}

/// As `seccompiler::apply_filter_all_threads`. `logged`: the flag by which the kernel logs what is refused, or 0.
fn install(program: &BpfProgram, logged: libc::c_ulong) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    // The same struct (include/uapi/linux/filter.h), which the kernel does not write to.
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    let flags = libc::SECCOMP_FILTER_FLAG_TSYNC | logged;
    // SAFETY: the kernel copies `length` instructions from a live slice of as many; it keeps no pointer.
    let done = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, std::ptr::from_ref(&filter))
    };
    match done {
        0 => Ok(()),
        ..0 => Err(io::Error::last_os_error()),
        thread => Err(io::Error::other(format!("the thread {thread} has another one"))),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// In a process of its own: a filter cannot be taken back.
    #[test]
    fn what_is_not_listed_is_refused_in_every_thread() {
        const INSIDE: &str = "GDPRPORT_TEST_FILTER";
        const NAME: &str = "host::confine::calls::tests::what_is_not_listed_is_refused_in_every_thread";
        if std::env::var_os(INSIDE).is_none() {
            let mut again = Command::new(std::env::current_exe().expect("this program"));
            let output = again.args(["--exact", NAME, "--nocapture"]).env(INSIDE, "1").output();
            let output = output.expect("it runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || {
            wait.recv().expect("it is sent");
            Command::new("/bin/true").status().map_err(|error| error.kind())
        });
        assert!(rustix::thread::set_no_new_privs(true).is_ok());
        refuse_others().expect("the kernel takes the filters");
        go.send(()).expect("it waits");
        assert_eq!(other.join().expect("no panic").expect_err("refused"), io::ErrorKind::PermissionDenied);
        assert_eq!(std::thread::spawn(|| 7).join().expect("threads start"), 7);
        // SAFETY: plain system calls, whose arguments are numbers or null.
        let refused = |call: libc::c_long, first: u64, second: u64| unsafe {
            let done = libc::syscall(call, first, second, 0_u64, 0_u64, 0_u64);
            (done == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EPERM), done)
        };
        for call in [
            libc::SYS_ptrace,
            libc::SYS_mount,
            libc::SYS_unshare,
            libc::SYS_perf_event_open,
            libc::SYS_setuid,
        ] {
            assert!(refused(call, 0, 0).0, "{call}");
        }
        /// `BPF_PROG_LOAD` and `BPF_MAP_LOOKUP_ELEM`.
        const LOAD_AND_LOOKUP: [u64; 2] = [5, 1];
        let [load, lookup] = LOAD_AND_LOOKUP.map(|command| refused(libc::SYS_bpf, command, 0).0);
        assert!(load && !lookup);
        assert!(refused(libc::SYS_socket, libc::AF_PACKET as u64, libc::SOCK_RAW as u64).0);
        assert!(refused(libc::SYS_setns, 0, libc::CLONE_NEWNS as u64).0);
        let own = u64::from(std::process::id());
        assert!(refused(libc::SYS_kill, 1, 0).0 && !refused(libc::SYS_kill, own, 0).0);
        std::fs::read("/proc/self/status").expect("files are read");
    }
}
