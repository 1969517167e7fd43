//! Free TCP ports that no two tests of this host hold at the same time, in any process.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Ports lie below the kernel's ephemeral range (32768 and up by default), so that no client takes one, and where no service
/// of the catalog has its port, so that none of them means anything by its number. A test of the catalog keeps it so.
const FIRST: u16 = 12_000;
const LAST: u16 = 26_999;

/// A port that belongs to this test until the guard is dropped.
///
/// The claim is an abstract Unix socket named after the port: it needs no file, is exclusive on this host
/// and is released with the process even when that is killed.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// None in a network namespace of the test's own, where nobody else takes it.
    _claim: Option<UnixDatagram>,
}

impl Port {
    /// Claims a free port.
    ///
    /// # Panics
    /// When no port of the range is free.
    #[must_use]
    pub fn free() -> Self {
        let span = LAST - FIRST;
        // Processes start at different places so that they rarely try each other's ports.
        let start =
            u16::try_from(std::process::id().wrapping_mul(7919) % u32::from(span)).expect("below the span");
        (0..span)
            .map(|step| FIRST + (start.wrapping_add(step)) % span)
            .find_map(Self::claim)
            .expect("one of fifteen thousand ports is free")
    }

    fn claim(number: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("gdprport-test-port-{number}")).ok()?;
        let claim = UnixDatagram::bind_addr(&name).ok()?;
        // Dual-stack: taken if either family uses it. Nothing listens here yet, so closing leaves no TIME_WAIT.
        TcpListener::bind((Ipv6Addr::UNSPECIFIED, number)).ok()?;
        Some(Self { number, _claim: Some(claim) })
    }

    /// This port, in a network namespace that the test has made and that nobody else enters.
    #[must_use]
    pub fn of_own_netns(number: u16) -> Self {
        Self { number, _claim: None }
    }

    /// The port, in host byte order.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.number.fmt(f)
    }
}

/// Whether something listens on `port` in this network namespace, read from `/proc/net` without connecting:
/// a probing connection would be a flow that the daemon has to report.
#[must_use]
pub fn is_listening(port: u16) -> bool {
    !listeners(port).is_empty()
}

/// The sockets that listen on `port`, by their inodes, likewise.
#[must_use]
pub fn listeners(port: u16) -> BTreeSet<u64> {
    let wanted = format!(":{port:04X}");
    let mut found = BTreeSet::new();
    for table in ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"] {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            // The address, its peer's, the state, queues, timers, what was sent again, the user, probes, the inode.
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            if let [local, _, "0A", _, _, _, _, _, inode, ..] = words[..]
                && local.ends_with(&wanted)
            {
                found.extend(inode.parse::<u64>());
            }
        }
    }
    found
}
