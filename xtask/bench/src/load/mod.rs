//! Load in network namespaces of its own, on loopback or over a veth pair: the host's traffic and this load do not affect
//! each other.

mod bulk;
mod crowd;
mod database;
mod ends;
mod hold;
mod parties;
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
pub(crate) use database::Database;
pub(crate) use ends::{Ends, give_addresses};
pub(crate) use hold::{Held, hold};
pub(crate) use parties::{call, parties, serve};
pub(crate) use processes::processes;
pub(crate) use report_latency::report_latency;
pub(crate) use sequential::sequential;

/// Connections that may wait for their accept.
const BACKLOG: i32 = 4096;

/// How many addresses are used in turn: a client's ports to one address run out within seconds.
const ADDRESSES: u32 = 250;

/// The next loopback address to connect to, on this port.
fn next_address(port: u16) -> SocketAddrV4 {
    next_of([127, 0, 0], port)
}

/// The next address of this /24.
fn next_of(network: [u8; 3], port: u16) -> SocketAddrV4 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let last = NEXT.fetch_add(1, Ordering::Relaxed) % ADDRESSES + 1;
    let [a, b, c] = network;
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, u8::try_from(last).expect("at most 250")), port)
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}

/// A listener; for every address of the namespace if `address` is unspecified.
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
