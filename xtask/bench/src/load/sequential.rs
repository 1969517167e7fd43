//! One connection after the other: connect, accept, close, close, in one thread. On loopback and over a veth pair a
//! connect is complete before anyone accepts, so that one thread holds both ends and no time is spent on waking another one.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::net::SocketFlags;
use serde_json::Value;

use super::{distribution, socket};
use crate::clock;

/// Makes `count` connections and returns the distribution of their times.
pub(crate) fn sequential(listener: &OwnedFd, address: SocketAddrV4, count: u32) -> io::Result<Value> {
    clock::pin()?;
    let mut times = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let begun = Instant::now();
        let client = socket()?;
        rustix::net::connect(&client, &address)?;
        // The peer's address is asked for, as servers do.
        let (server, _) = rustix::net::acceptfrom_with(listener, SocketFlags::CLOEXEC)?;
        drop(client);
        drop(server);
        times.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(distribution(&mut times))
}
