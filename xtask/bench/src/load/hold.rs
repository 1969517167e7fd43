//! Idle connections, held by as many processes as the limit of descriptors requires.

use std::io::{self, BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use gdprport_tests::child::{Child, Place};
use gdprport_tests::netns::Netns;
use rustix::net::SocketFlags;
use rustix::process::{Resource, getrlimit};

use super::{listen, socket};

/// Descriptors that are neither ends of connections nor listeners.
const OTHERS: u64 = 1_000;

/// The processes that hold connections; dropping them hangs up.
#[derive(Debug, Default)]
pub(crate) struct Held(Vec<Child>);

impl Held {
    /// Opens `count` more connections, in turn to each of `ports`, and returns when all are there.
    pub(crate) fn open(&mut self, netns: &Netns, ports: &[u16], count: u32) -> io::Result<()> {
        let others = OTHERS + ports.len() as u64;
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20).saturating_sub(others) / 2;
        let share = u32::try_from(limit).unwrap_or(u32::MAX).max(1);
        let mut left = count;
        while left > 0 {
            let part = left.min(share);
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("hold").arg(self.0.len().to_string()).arg(part.to_string());
            command.args(ports.iter().map(u16::to_string));
            command.stdin(Stdio::null()).stdout(Stdio::piped());
            let mut child = Child::start(command, Place::default().netns(netns));
            let stdout = child.pipes().stdout.take().ok_or_else(|| io::Error::other("stdout is piped"))?;
            self.0.push(child);
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line)?;
            if line.trim() != "held" {
                return Err(io::Error::other("a process could not hold its part and has printed the reason"));
            }
            left -= part;
        }
        Ok(())
    }
}

/// One of the processes: opens its part, prints `held`, and waits to be killed.
pub(crate) fn hold(number: u8, count: u32, ports: &[u16]) -> io::Result<()> {
    // Each process has an address of its own, so that none accepts what another one connects.
    let address = Ipv4Addr::new(127, 0, 1, number);
    let listeners = ports.iter().map(|port| listen(address, *port)).collect::<io::Result<Vec<_>>>()?;
    let mut kept: Vec<OwnedFd> = Vec::new();
    for at in (0..ports.len()).cycle().take(count as usize) {
        let client = socket()?;
        rustix::net::connect(&client, &SocketAddrV4::new(address, ports[at]))?;
        let (server, _) = rustix::net::acceptfrom_with(&listeners[at], SocketFlags::CLOEXEC)?;
        kept.extend([client, server]);
    }
    println!("held");
    loop {
        std::thread::park();
    }
}
