//! Processes that are killed with their guard, placed in a cgroup, a network namespace and under a user.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::cgroup::Cgroup;
use crate::netns::Netns;
use crate::user::User;

/// Where and as which user a process runs. The default: here, as the test itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    cgroup: Option<&'a Cgroup>,
    netns: Option<&'a Netns>,
    user: Option<&'a User>,
}

impl<'a> Place<'a> {
    /// In this cgroup.
    #[must_use]
    pub fn cgroup(mut self, cgroup: &'a Cgroup) -> Self {
        self.cgroup = Some(cgroup);
        self
    }

    /// In this network namespace.
    #[must_use]
    pub fn netns(mut self, netns: &'a Netns) -> Self {
        self.netns = Some(netns);
        self
    }

    /// As this user, with no supplementary groups.
    #[must_use]
    pub fn user(mut self, user: &'a User) -> Self {
        self.user = Some(user);
        self
    }

    /// Makes `command` start its process here, in a process group of its own, and die with this thread.
    ///
    /// # Panics
    /// When the namespace's descriptor cannot be duplicated.
    pub fn apply(self, command: &mut Command) {
        let entrance = self.cgroup.map(Cgroup::entrance);
        let netns = self.netns.map(|n| n.handle().try_clone().expect("a descriptor can be duplicated"));
        let ids = self.user.map(|u| (u.uid, u.gid));
        command.process_group(0);
        // SAFETY: the closure runs between fork and exec and makes async-signal-safe system calls only; what it
        // captured was allocated before the fork.
        unsafe { command.pre_exec(move || enter(entrance.as_ref(), netns.as_ref(), ids)) };
    }
}

/// The part of [`Place::apply`] that runs in the child. The user comes last: the other steps need root.
fn enter(entrance: Option<&File>, netns: Option<&File>, ids: Option<(u32, u32)>) -> io::Result<()> {
    let check = |done: i64| if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    if let Some(file) = entrance {
        // SAFETY: writes one byte from a static buffer to an open descriptor.
        check(unsafe { libc::write(file.as_raw_fd(), c"0".as_ptr().cast(), 1) } as i64)?;
    }
    if let Some(file) = netns {
        // SAFETY: plain system call on an open descriptor.
        check(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }.into())?;
    }
    if let Some((uid, gid)) = ids {
        // SAFETY: plain system calls; an empty list needs no pointer.
        check(unsafe { libc::setgroups(0, std::ptr::null()) }.into())?;
        // SAFETY: plain system call.
        check(unsafe { libc::setgid(gid) }.into())?;
        // SAFETY: plain system call.
        check(unsafe { libc::setuid(uid) }.into())?;
    }
    // After the change of user, which clears it.
    // SAFETY: plain system call.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) }.into())
}

/// A started process; killed with its whole process group, and waited for, on drop.
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    name: String,
    ended: Option<ExitStatus>,
}

impl Child {
    /// Starts `command` at `place`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(mut command: Command, place: Place<'_>) -> Self {
        place.apply(&mut command);
        let name = command.get_program().to_string_lossy().into_owned();
        let inner = command.spawn().unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        Self { inner, name, ended: None }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// The pipes, as far as the command asked for them.
    pub fn pipes(&mut self) -> &mut std::process::Child {
        &mut self.inner
    }

    /// Sends a signal to it alone.
    ///
    /// # Panics
    /// When it has ended and was waited for: its pid may belong to another process by now.
    pub fn signal(&self, signal: i32) {
        assert!(self.ended.is_none(), "{} has ended already", self.name);
        // SAFETY: plain system call on a child that was not waited for, so the pid is still its own.
        unsafe { libc::kill(self.raw_pid(), signal) };
    }

    /// Its exit status if it has ended.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.inner.try_wait().expect("a child of ours can be waited for");
        }
        self.ended
    }

    /// Waits for its end, at most `limit`.
    ///
    /// # Panics
    /// When it still runs after that.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        crate::wait::within(limit, &what, || self.ended())
    }

    /// Asks it to end with `signal` and waits a while; what still runs after that is killed on drop.
    pub fn end(&mut self, signal: i32) {
        if self.ended().is_some() {
            return;
        }
        self.signal(signal);
        let start = Instant::now();
        while self.ended().is_none() && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn raw_pid(&self) -> libc::pid_t {
        libc::pid_t::try_from(self.inner.id()).expect("a pid fits pid_t")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // SAFETY: the process was started as the leader of its own group and was not waited for, so the
            // group is ours.
            unsafe { libc::kill(-self.raw_pid(), libc::SIGKILL) };
            let _ = self.inner.wait();
        }
    }
}
