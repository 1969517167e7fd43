//! Bytes through one connection, sent and received in turn by one thread: the cost of a byte without the scheduling of
//! two threads.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::net::SocketFlags;
use serde_json::Value;

use super::{distribution, socket};
use crate::clock;

/// Bytes of one measurement.
const BLOCK: usize = 1 << 20;

/// Bytes of one read or write.
const CHUNK: usize = 64 << 10;

/// Moves `blocks` of 1 MiB and returns the distribution of their times.
pub(crate) fn bulk(listener: &OwnedFd, address: SocketAddrV4, blocks: u32, up: bool) -> io::Result<Value> {
    clock::pin()?;
    let client = socket()?;
    rustix::net::connect(&client, &address)?;
    let (server, _) = rustix::net::acceptfrom_with(listener, SocketFlags::CLOEXEC)?;
    let (client, server) = (TcpStream::from(client), TcpStream::from(server));
    let (mut from, mut to) = if up { (client, server) } else { (server, client) };
    from.set_nonblocking(true)?;
    to.set_nonblocking(true)?;
    let sent = vec![0x67_u8; CHUNK];
    let mut received = vec![0_u8; CHUNK];
    let mut times = Vec::with_capacity(blocks as usize);
    for _ in 0..blocks {
        let begun = Instant::now();
        let (mut out, mut into) = (BLOCK, BLOCK);
        while into > 0 {
            if out > 0 {
                out -= ready(from.write(&sent[..out.min(CHUNK)]))?;
            }
            into -= ready(to.read(&mut received[..into.min(CHUNK)]))?;
        }
        times.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(distribution(&mut times))
}

/// The bytes done now; 0 if the other end has to go first.
fn ready(done: io::Result<usize>) -> io::Result<usize> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
