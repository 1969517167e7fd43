//! Many connections at a time: each client is a thread that connects, waits for the server's close and closes; two
//! threads accept.

use std::io::{self, Read as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::SocketFlags;
use serde_json::{Value, json};

use super::{listen, next_address};

/// Threads that accept.
const ACCEPTORS: usize = 2;

/// How many connections a client makes to one address before it takes the next one.
const PER_ADDRESS: u64 = 500;

/// Makes `count` connections, `ways` at a time, or as many as `seconds` allow.
pub(crate) fn crowd(port: u16, count: u64, ways: u32, seconds: Option<u64>) -> io::Result<Value> {
    let listener = listen(Ipv4Addr::UNSPECIFIED, port)?;
    let (begun, made, over) = (Instant::now(), AtomicU64::new(0), AtomicBool::new(false));
    let limit = seconds.map(Duration::from_secs);
    std::thread::scope(|scope| {
        for _ in 0..ACCEPTORS {
            scope.spawn(|| accept_until(&listener, &over));
        }
        let clients: Vec<_> = (0..ways)
            .map(|way| {
                let made = &made;
                let share = match limit {
                    Some(_) => u64::MAX,
                    None => count / u64::from(ways) + u64::from(u64::from(way) < count % u64::from(ways)),
                };
                scope.spawn(move || client(port, share, || limit.is_none_or(|l| begun.elapsed() < l), made))
            })
            .collect();
        let ended: io::Result<()> =
            clients.into_iter().try_for_each(|client| client.join().expect("a client does not panic"));
        over.store(true, Ordering::Relaxed);
        ended
    })?;
    Ok(
        json!({ "count": made.into_inner(), "ns": u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX) }),
    )
}

fn client(port: u16, share: u64, go_on: impl Fn() -> bool, made: &AtomicU64) -> io::Result<()> {
    let mut address = next_address(port);
    for number in 0..share {
        if !go_on() {
            break;
        }
        if number % PER_ADDRESS == 0 {
            address = next_address(port);
        }
        let mut stream = TcpStream::connect(address)?;
        stream.read_to_end(&mut Vec::new())?;
        made.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Accepts and closes until `over`.
pub(super) fn accept_until(listener: &std::os::fd::OwnedFd, over: &AtomicBool) {
    // Two threads wait for one listener: the second must not block.
    let _ = rustix::io::ioctl_fionbio(listener, true);
    let tick = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
    while !over.load(Ordering::Relaxed) {
        if poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&tick)).unwrap_or(0) > 0 {
            while let Ok(accepted) = rustix::net::acceptfrom_with(listener, SocketFlags::CLOEXEC) {
                drop(accepted);
            }
        }
    }
}
