//! A host that translates addresses: a router between a network of containers and the outside.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::netns::Netns;
use crate::skip::{Missing, installed};

/// Three namespaces: `outside` – `host` – `container`. The daemon has to run in `host`, and take it for the host's own.
#[derive(Debug)]
pub struct NatHost {
    /// Where clients are: at [`NatHost::OUTSIDE`].
    pub outside: Netns,
    /// What stands between, and translates.
    pub host: Netns,
    /// Where a container is: at [`NatHost::CONTAINER`].
    pub container: Netns,
    nft: PathBuf,
}

impl NatHost {
    /// An address elsewhere.
    pub const OUTSIDE: &str = "198.51.100.2";
    /// The host's address there.
    pub const PUBLIC: &str = "198.51.100.1";
    /// The container's address.
    pub const CONTAINER: &str = "172.29.0.2";
    /// The host's address on the bridge to it.
    pub const GATEWAY: &str = "172.29.0.1";
    /// An address that nobody has.
    pub const SERVICE: &str = "10.96.0.7";

    /// Lines of shell for the start of a daemon in `host`, that make it take its network namespace for the host's: it
    /// compares its own with that of the first process.
    pub const AS_HOST: &str = "mount --bind /proc/$$ /proc/1";

    /// Joins the namespaces.
    ///
    /// # Errors
    /// nft is not installed.
    pub fn new() -> Result<Self, Missing> {
        let nft = installed(&["/usr/sbin/nft", "/sbin/nft"], "nftables")?;
        let (outside, host, container) = (Netns::new(), Netns::new(), Netns::new());
        for (name, there, here, other) in [
            ("outside", Self::PUBLIC, Self::OUTSIDE, &outside),
            ("container", Self::GATEWAY, Self::CONTAINER, &container),
        ] {
            // iproute2 takes a namespace with a slash in its name as a path.
            let to = format!("/proc/{}/fd/{}", std::process::id(), other.handle().as_raw_fd());
            host.ip(&["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", &to]);
            host.ip(&["addr", "add", &format!("{there}/24"), "dev", name]);
            host.ip(&["link", "set", name, "up"]);
            other.ip(&["addr", "add", &format!("{here}/24"), "dev", "eth0"]);
            other.ip(&["link", "set", "eth0", "up"]);
            other.ip(&["route", "add", "default", "via", there]);
        }
        host.sysctl("net/ipv4/ip_forward", "1");
        Ok(Self { outside, host, container, nft })
    }

    /// Translates from now on: `destination` lines before routing, and every connection's source behind it.
    ///
    /// # Panics
    /// When nft does not take it; with its output.
    pub fn translate(&self, destination: &str) {
        let rules = format!(
            "table ip nat {{
                chain pre {{ type nat hook prerouting priority -100; policy accept; {destination}; }}
                chain post {{ type nat hook postrouting priority 100; policy accept; masquerade; }}
            }}"
        );
        let run = || {
            let mut child = Command::new(&self.nft)
                .args(["-f", "-"])
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("nft can be run");
            child.stdin.take().expect("a pipe").write_all(rules.as_bytes()).expect("nft reads its input");
            child.wait_with_output().expect("nft ends")
        };
        let output = self.host.inside(run);
        assert!(output.status.success(), "nft: {}", String::from_utf8_lossy(&output.stderr));
    }
}
