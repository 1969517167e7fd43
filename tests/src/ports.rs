//! Free TCP ports that no two tests of this host hold at the same time, in any process.

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
    let wanted = format!(":{port:04X}");
    ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"].iter().any(|table| {
        std::fs::read_to_string(table).is_ok_and(|text| {
            text.lines().skip(1).any(|line| {
                let mut words = line.split_whitespace().skip(1);
                let local = words.next().unwrap_or_default();
                let state = words.nth(1).unwrap_or_default();
                local.ends_with(&wanted) && state == "0A"
            })
        })
    })
}
