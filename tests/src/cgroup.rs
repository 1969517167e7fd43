//! Cgroups that the daemon takes for a systemd unit or a container by their names.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::user::User;
use crate::wait;

/// The slice that holds all cgroups of the tests, so that removing them touches no others.
pub const SLICE: &str = "gdprporttest.slice";

/// A cgroup; on drop every process in it is killed and it is removed.
#[derive(Debug)]
pub struct Cgroup {
    /// Directories made for it, outermost first.
    made: Vec<PathBuf>,
    /// Path below the cgroup root, with a leading slash, as events name it.
    name: String,
}

impl Cgroup {
    /// Makes a cgroup that looks like the unit `gdprport-test-<pid>-<n>.service` in [`SLICE`].
    #[must_use]
    pub fn service() -> Self {
        Self::at(&format!("{}.service", unique()))
    }

    /// Makes a cgroup of any name, as who was given a part of the tree may.
    #[must_use]
    pub fn named(leaf: &str) -> Self {
        Self::at(leaf)
    }

    /// Makes a cgroup that looks like a container's scope, as docker's systemd driver names it; `id` is the
    /// container's id.
    #[must_use]
    pub fn docker(id: &str) -> Self {
        Self::at(&format!("docker-{id}.scope"))
    }

    /// Gives this cgroup to `user`, as systemd does with `Delegate=` and `User=`, and makes another in it as that user
    /// may: under any name. It is to be dropped before this one.
    ///
    /// # Panics
    /// When that is not permitted.
    #[must_use]
    pub fn delegated(&self, user: &User, leaf: &str) -> Self {
        let path = self.path().join(leaf);
        std::fs::create_dir(&path).expect("a fresh cgroup");
        for mine in [self.path(), &path] {
            for file in [mine.to_owned(), mine.join("cgroup.procs")] {
                std::os::unix::fs::chown(file, Some(user.uid), Some(user.gid)).expect("root may give away");
            }
        }
        Self { made: vec![path], name: format!("{}/{leaf}", self.name) }
    }

    fn at(leaf: &str) -> Self {
        let slice = mount().join(SLICE);
        let path = slice.join(leaf);
        // Another test may remove the empty slice between the two steps.
        wait::until("a cgroup can be made (needs root and a writable cgroup2 mount)", || {
            std::fs::create_dir_all(&path).is_ok()
        });
        Self { made: vec![slice, path], name: format!("/{SLICE}/{leaf}") }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.made.last().expect("a cgroup has a directory")
    }

    /// The path below the cgroup root, with a leading slash.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last part of the path: the unit's name.
    #[must_use]
    pub fn unit(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    /// Opens `cgroup.procs` for writing; a process that writes `0` to it moves itself in.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub(crate) fn entrance(&self) -> std::fs::File {
        OpenOptions::new()
            .write(true)
            .open(self.path().join("cgroup.procs"))
            .expect("cgroup.procs is writable")
    }

    /// The processes in it now.
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        let text = std::fs::read_to_string(self.path().join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    fn kill_all(&self) {
        let killed = OpenOptions::new()
            .write(true)
            .open(self.path().join("cgroup.kill"))
            .and_then(|mut file| file.write_all(b"1"));
        if killed.is_err() {
            // `cgroup.kill` came with 5.14.
            for pid in self.pids() {
                // SAFETY: plain system call; only processes of our own cgroup are named.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Bounded and without a panic: this also runs while a failed test unwinds.
        for _ in 0..500 {
            self.kill_all();
            if std::fs::remove_dir(self.path()).is_ok() || !self.path().exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        // Fails while another test still has a cgroup in the slice; the last one removes it.
        let _ = std::fs::remove_dir(&self.made[0]);
    }
}

/// A name that no other guard of this host uses.
#[must_use]
pub fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("gdprport-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Where cgroup2 is mounted. On hybrid hosts that is not `/sys/fs/cgroup`.
///
/// # Panics
/// When no cgroup2 is mounted.
#[must_use]
pub fn mount() -> PathBuf {
    let text = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc is mounted");
    text.lines()
        .find_map(|line| {
            // proc_pid_mountinfo(5): optional fields end with a lone hyphen, the filesystem type follows it.
            let (fields, rest) = line.split_once(" - ")?;
            rest.starts_with("cgroup2 ").then(|| PathBuf::from(fields.split(' ').nth(4).unwrap_or("/")))
        })
        .expect("a cgroup2 filesystem is mounted (mount -t cgroup2 none /sys/fs/cgroup/unified)")
}
