//! Load on loopback, in a network namespace of its own: the host's traffic and this load do not affect each other.

mod bulk;
mod crowd;
mod hold;
mod processes;
mod report_latency;
mod sequential;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use serde_json::{Value, json};

pub(crate) use bulk::bulk;
pub(crate) use crowd::crowd;
pub(crate) use hold::{Held, hold};
pub(crate) use processes::processes;
pub(crate) use report_latency::report_latency;
pub(crate) use sequential::sequential;

/// Connections that may wait for their accept.
const BACKLOG: i32 = 4096;

/// How many loopback addresses are used in turn: a client's ports to one address run out within seconds.
const ADDRESSES: u32 = 250;

/// The next address to connect to, on this port.
fn next_address(port: u16) -> SocketAddrV4 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let last = NEXT.fetch_add(1, Ordering::Relaxed) % ADDRESSES + 1;
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, u8::try_from(last).expect("at most 250")), port)
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}

/// A listener; for every loopback address if `address` is unspecified.
fn listen(address: Ipv4Addr, port: u16) -> io::Result<OwnedFd> {
    let listener = socket()?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    rustix::net::bind(&listener, &SocketAddrV4::new(address, port))?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Quantiles of `values`, which are in any order.
fn distribution(values: &mut [u64]) -> Value {
    values.sort_unstable();
    let at = |part: usize| values.get(values.len() * part / 1000).copied().unwrap_or(0);
    json!({ "count": values.len(), "p25": at(250), "p50": at(500), "p75": at(750), "p99": at(990) })
}
