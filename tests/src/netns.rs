//! Network namespaces, and veth pairs between them.
//!
//! A namespace lives as long as the guard's descriptor (or a process inside): no name under `/run/netns`
//! has to be removed, and nothing stays behind when the test is killed.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::process::Command;

/// A network namespace whose loopback is up.
#[derive(Debug)]
pub struct Netns {
    handle: File,
}

impl Netns {
    /// Makes one.
    ///
    /// # Panics
    /// When that is not allowed.
    #[must_use]
    pub fn new() -> Self {
        let handle = std::thread::spawn(|| {
            // SAFETY: plain system call; it moves only this thread, which ends right after.
            let done = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            assert_eq!(done, 0, "cannot make a network namespace: {}", std::io::Error::last_os_error());
            File::open("/proc/thread-self/ns/net").expect("the thread's own namespace")
        })
        .join()
        .expect("the thread that makes a namespace does not panic");
        let new = Self { handle };
        new.ip(&["link", "set", "lo", "up"]);
        new
    }

    /// The descriptor to enter it by.
    #[must_use]
    pub fn handle(&self) -> &File {
        &self.handle
    }

    /// The inode number by which events name it.
    ///
    /// # Panics
    /// When the kernel does not return it.
    #[must_use]
    pub fn inode(&self) -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        self.handle.metadata().expect("a namespace has an inode").ino()
    }

    /// Runs `work` in a thread inside the namespace and returns what it returned.
    ///
    /// # Panics
    /// When `work` panics or the namespace cannot be entered.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    // SAFETY: the descriptor is open; only this thread, which ends right after, is moved.
                    let done = unsafe { libc::setns(self.handle.as_raw_fd(), libc::CLONE_NEWNET) };
                    assert_eq!(done, 0, "cannot enter: {}", std::io::Error::last_os_error());
                    work()
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Joins it with this host by a veth pair: [`VethPair::RIGHT`] inside, [`VethPair::LEFT`] on the host, whose end goes
    /// with the namespace.
    ///
    /// # Panics
    /// When that is not allowed.
    #[must_use]
    pub fn beside_the_host() -> Self {
        let new = Self::new();
        let name = format!("gv{}", std::process::id());
        let host = format!("/proc/{}/ns/net", std::process::id());
        new.ip(&["link", "add", "veth0", "type", "veth", "peer", "name", &name, "netns", &host]);
        new.ip(&["addr", "add", &format!("{}/24", VethPair::RIGHT), "dev", "veth0"]);
        new.ip(&["link", "set", "veth0", "up"]);
        for words in [
            &["addr", "add", &format!("{}/24", VethPair::LEFT), "dev", &name][..],
            &["link", "set", &name, "up"],
        ] {
            let done = Command::new("ip").args(words).status().expect("ip can be run (package iproute2)");
            assert!(done.success(), "ip {}", words.join(" "));
        }
        new
    }

    /// A namespace that reaches `hub` by a veth pair: `10.77.N.2` here, `10.77.N.1` there, and by that address all that the
    /// hub has itself. The hub forwards nothing.
    ///
    /// # Panics
    /// When that is not allowed.
    #[must_use]
    pub fn joined_to(hub: &Self, n: u8) -> Self {
        let new = Self::new();
        // iproute2 takes a namespace with a slash in its name as a path.
        let there = format!("/proc/{}/fd/{}", std::process::id(), hub.handle.as_raw_fd());
        let name = format!("veth{n}");
        new.ip(&["link", "add", "veth0", "type", "veth", "peer", "name", &name, "netns", &there]);
        for (end, link, last) in [(hub, name.as_str(), 1), (&new, "veth0", 2)] {
            end.ip(&["addr", "add", &format!("10.77.{n}.{last}/24"), "dev", link]);
            end.ip(&["link", "set", link, "up"]);
        }
        new.ip(&["route", "add", "default", "via", &format!("10.77.{n}.1")]);
        new
    }

    /// Runs `ip` with `words` inside the namespace.
    ///
    /// # Panics
    /// When it fails; with its output.
    pub fn ip(&self, words: &[&str]) {
        let run = || Command::new("ip").args(words).output();
        let output = self.inside(run).expect("ip can be run (package iproute2)");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {}: {errors}", words.join(" "));
    }

    /// Sets a sysctl of this namespace's own, for example `net/ipv4/tcp_syn_retries`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn sysctl(&self, name: &str, value: &str) {
        self.inside(|| std::fs::write(format!("/proc/sys/{name}"), value))
            .unwrap_or_else(|e| panic!("cannot set {name}={value}: {e}"));
    }
}

impl Default for Netns {
    fn default() -> Self {
        Self::new()
    }
}

/// Two namespaces joined by a veth pair; `10.77.0.0/24` and `fd77::/64` lie between them.
#[derive(Debug)]
pub struct VethPair {
    /// The end at [`VethPair::LEFT`].
    pub left: Netns,
    /// The end at [`VethPair::RIGHT`].
    pub right: Netns,
}

impl VethPair {
    /// The left end's address.
    pub const LEFT: &str = "10.77.0.1";
    /// The right end's address.
    pub const RIGHT: &str = "10.77.0.2";
    /// An address that the left end routes to the right one, which drops it silently: a SYN to it is
    /// never answered.
    pub const SILENT: &str = "10.78.0.1";

    /// Makes both namespaces and joins them.
    #[must_use]
    pub fn new() -> Self {
        let (left, right) = (Netns::new(), Netns::new());
        // iproute2 takes a namespace with a slash in its name as a path.
        let there = format!("/proc/{}/fd/{}", std::process::id(), right.handle.as_raw_fd());
        left.ip(&["link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", &there]);
        for (end, v4, v6) in [(&left, "10.77.0.1/24", "fd77::1/64"), (&right, "10.77.0.2/24", "fd77::2/64")] {
            end.ip(&["addr", "add", v4, "dev", "veth0"]);
            end.ip(&["addr", "add", v6, "dev", "veth0", "nodad"]);
            end.ip(&["link", "set", "veth0", "up"]);
        }
        left.ip(&["route", "add", "10.78.0.0/24", "via", Self::RIGHT]);
        // Without forwarding the kernel drops what is not for it and sends no ICMP about it.
        right.sysctl("net/ipv4/ip_forward", "0");
        Self { left, right }
    }
}

impl Default for VethPair {
    fn default() -> Self {
        Self::new()
    }
}
