//! The daemon in the root directory of an image, with the mounts and capabilities of the manifest for Kubernetes and nothing else:
//! what a container runtime makes of it, without one.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::cgroup::Cgroup;
use crate::child::{Child, Place};
use crate::daemon::{ask, program};
use crate::log::EventLog;
use crate::manifest::manifest;
use crate::puppet::built;
use crate::skip::Missing;
use crate::temp::TempDir;
use crate::wait;

/// Numbers of the capabilities that a manifest may add (include/uapi/linux/capability.h).
const CAPABILITIES: [(&str, libc::c_ulong); 6] = [
    ("BPF", 39),
    ("PERFMON", 38),
    ("NET_ADMIN", 12),
    ("SYS_PTRACE", 19),
    ("DAC_READ_SEARCH", 2),
    ("SYS_ADMIN", 21),
];

/// The highest number of a capability.
const LAST_CAPABILITY: libc::c_ulong = 40;

/// One call of mount(2).
#[derive(Debug)]
struct Mount {
    source: CString,
    target: CString,
    kind: CString,
    flags: libc::c_ulong,
}

impl Mount {
    fn new(source: &Path, target: &Path, kind: &str, flags: libc::c_ulong) -> Self {
        let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).expect("a path has no zero byte");
        let kind = CString::new(kind).expect("a type has no zero byte");
        Self { source: text(source), target: text(target), kind, flags }
    }

    fn make(&self) -> io::Result<()> {
        let (source, target, kind) = (self.source.as_ptr(), self.target.as_ptr(), self.kind.as_ptr());
        // SAFETY: plain system call; the texts end in a zero byte and live as long as the call.
        check(unsafe { libc::mount(source, target, kind, self.flags, std::ptr::null()) })
    }
}

fn check(done: libc::c_int) -> io::Result<()> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A running daemon in an image; killed on drop.
#[derive(Debug)]
pub struct Pod {
    child: Child,
    /// Its events.
    pub log: EventLog,
    stderr: PathBuf,
    socket: PathBuf,
    _cgroup: Cgroup,
    _dir: TempDir,
}

impl Pod {
    /// Starts one with this policy, and waits until it watches.
    ///
    /// # Errors
    /// [`Missing`] when there is no interpreter for the manifest.
    ///
    /// # Panics
    /// When the image cannot be made, or the daemon ends instead of starting.
    pub fn start(policy: &str) -> Result<Self, Missing> {
        let spec = manifest("daemonset.yaml")?["spec"]["template"]["spec"].take();
        let (dir, cgroup) = (TempDir::new(), Cgroup::service());
        let root = image(dir.path());
        let container = &spec["containers"][0];
        let texts = |value: &Value| -> Vec<String> {
            let items = value.as_array().into_iter().flatten();
            items.map(|item| item.as_str().expect("a text").to_owned()).collect()
        };
        let mounts = mounts(&spec, &dir, &root, policy);
        let added = texts(&container["securityContext"]["capabilities"]["add"]);
        let kept: Vec<libc::c_ulong> = CAPABILITIES
            .iter()
            .filter(|(name, _)| added.iter().any(|added| added == name))
            .map(|(_, number)| *number)
            .collect();
        assert_eq!(kept.len(), added.len(), "this file knows the number of each: {added:?}");
        let (stdout, stderr) = (dir.join("stdout"), dir.join("stderr"));
        let mut command = Command::new("/usr/bin/gdprport");
        command.args(texts(&container["args"])).env_clear();
        command.stdout(File::create(&stdout).expect("a fresh file"));
        command.stderr(File::create(&stderr).expect("a fresh file"));
        Place::default().cgroup(&cgroup).apply(&mut command);
        let unshared = Mount::new(Path::new("none"), Path::new("/"), "", libc::MS_REC | libc::MS_PRIVATE);
        let own_root = Mount::new(&root, &root, "", libc::MS_BIND | libc::MS_REC);
        let read_only = Mount::new(&root, &root, "", libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY);
        let enter = move || {
            // As a runtime does on a host with cgroup v2 for a container that is not privileged.
            // SAFETY: plain system call.
            check(unsafe { libc::unshare(libc::CLONE_NEWNS | libc::CLONE_NEWCGROUP) })?;
            unshared.make()?;
            own_root.make()?;
            mounts.iter().try_for_each(Mount::make)?;
            read_only.make()?;
            // SAFETY: plain system calls with texts that end in a zero byte.
            check(unsafe { libc::chroot(own_root.target.as_ptr()) })?;
            // SAFETY: as above.
            check(unsafe { libc::chdir(c"/".as_ptr()) })?;
            for capability in (0..=LAST_CAPABILITY).filter(|number| !kept.contains(number)) {
                // SAFETY: plain system call. A number that this kernel does not know is refused, and is not there.
                unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability) };
            }
            // SAFETY: plain system call.
            check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
        };
        // SAFETY: the closure runs between fork and exec and makes system calls only; what it captured was allocated before.
        unsafe { command.pre_exec(enter) };
        let child = Child::start(command, Place::default());
        let socket = dir.join("run/control.sock");
        let log = EventLog::at(&stdout);
        let mut pod = Self { child, log, stderr, socket, _cgroup: cgroup, _dir: dir };
        pod.wait_until_ready();
        Ok(pod)
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        wait::until("the daemon in the image answers", || {
            if let Some(status) = self.child.ended() {
                panic!("the daemon ended ({status}) instead of starting; its log:\n{}", self.stderr());
            }
            self.ask(["daemon", "status", "--json"]).status.success()
        });
    }

    /// Its log.
    #[must_use]
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Runs a command of the program against its control socket.
    pub fn ask<const N: usize>(&self, words: [&str; N]) -> Output {
        ask(&self.socket, words)
    }

    /// Ends it as a kubelet does.
    ///
    /// # Panics
    /// When it does not end well.
    #[track_caller]
    pub fn stop(mut self) {
        self.child.signal(libc::SIGTERM);
        let status = self.child.wait(wait::TIMEOUT);
        assert!(status.success(), "{status}; its log:\n{}", self.stderr());
    }
}

/// The root directory, as `cargo xtask image` makes it.
fn image(dir: &Path) -> PathBuf {
    let out = dir.join("image");
    let mut xtask = Command::new(built("xtask"));
    xtask.arg("image").arg("--binary").arg(program()).arg("--out").arg(&out);
    let output = xtask.output().expect("it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out.join("root")
}

/// What the manifest mounts, and what every runtime does. Directories that the daemon writes are not the host's.
fn mounts(spec: &Value, dir: &TempDir, root: &Path, policy: &str) -> Vec<Mount> {
    let private = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    let mut mounts = vec![
        Mount::new(Path::new("proc"), &root.join("proc"), "proc", private),
        Mount::new(Path::new("sysfs"), &root.join("sys"), "sysfs", private | libc::MS_RDONLY),
    ];
    let list = |value: &'static str, of: &Value| of[value].as_array().cloned().unwrap_or_default();
    for mount in list("volumeMounts", &spec["containers"][0]) {
        let place = mount["mountPath"].as_str().expect("a path");
        let target = root.join(place.trim_start_matches('/'));
        let volumes = list("volumes", spec);
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).expect("it is declared");
        let bind = |source: &Path| Mount::new(source, &target, "", libc::MS_BIND | libc::MS_REC);
        let own = |name: &str| {
            let path = dir.join(name);
            std::fs::create_dir_all(&path).expect("a fresh directory");
            bind(&path)
        };
        mounts.push(match (place, volume["hostPath"]["path"].as_str()) {
            ("/sys/fs/bpf", Some("/sys/fs/bpf")) => Mount::new(Path::new("bpf"), &target, "bpf", private),
            ("/sys/kernel/tracing", Some("/sys/kernel/tracing")) => {
                Mount::new(Path::new("tracefs"), &target, "tracefs", private | libc::MS_RDONLY)
            }
            ("/var/lib/gdprport", Some("/var/lib/gdprport")) => own("state"),
            ("/run/gdprport", Some("/run/gdprport")) => own("run"),
            (_, Some(host)) => bind(Path::new(host)),
            (_, None) => {
                let name =
                    mount["subPath"].as_str().expect("files of the configuration are mounted one by one");
                let text = if name == "policy.toml" { policy } else { "" };
                // A runtime makes the file that it mounts on.
                File::create(&target).expect("a fresh file");
                bind(&dir.write(name, text))
            }
        });
    }
    mounts
}
