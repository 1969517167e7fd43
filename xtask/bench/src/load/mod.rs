//! Load on loopback, in a network namespace of its own: nothing else of the host is in its way, and it is in nobody's.

mod bulk;
mod crowd;
mod hold;
mod processes;
mod sequential;
mod telling;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use serde_json::{Value, json};

pub use bulk::bulk;
pub use crowd::crowd;
pub use hold::{Held, hold};
pub use processes::processes;
pub use sequential::sequential;
pub use telling::telling;

/// Connections that may wait for their accept.
const BACKLOG: i32 = 4096;

/// How many loopback addresses are called in turn: ports of a client to one address are used up within seconds.
const ADDRESSES: u32 = 250;

/// The next address to call, on this port.
fn next_address(port: u16) -> SocketAddrV4 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let last = NEXT.fetch_add(1, Ordering::Relaxed) % ADDRESSES + 1;
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, u8::try_from(last).expect("at most 250")), port)
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}

/// A listener; for every loopback address if `address` is none in particular.
fn listen(address: Ipv4Addr, port: u16) -> io::Result<OwnedFd> {
    let listener = socket()?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    rustix::net::bind(&listener, &SocketAddrV4::new(address, port))?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Where the values lie; `values` are in any order.
fn distribution(values: &mut [u64]) -> Value {
    values.sort_unstable();
    let at = |part: usize| values.get(values.len() * part / 1000).copied().unwrap_or(0);
    json!({ "count": values.len(), "p25": at(250), "p50": at(500), "p75": at(750), "p99": at(990) })
}
