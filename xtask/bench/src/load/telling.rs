//! How long after the bytes that decide it the encryption of a connection is told.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::SocketFlags;
use serde_json::Value;

use super::{distribution, listen, next_address, socket};
use crate::growing;

/// How long a connection is left alone before it says anything, so that its opening is told by then.
const OPENED: Duration = Duration::from_millis(150);

/// After this nothing more is waited for; it is then as long as this.
const LIMIT: Duration = Duration::from_secs(5);

/// What is said of both ends.
const TOLD: &[u8] = br#""kind":"flow.posture""#;

/// Makes connections one by one that send a request in plaintext, and answers with the distribution of the time from
/// there until the file at `events` tells the encryption of both ends.
///
/// # Errors
/// A connection fails.
pub fn telling(port: u16, count: u32, events: &str) -> io::Result<Value> {
    let listener = listen(Ipv4Addr::UNSPECIFIED, port)?;
    let mut times = Vec::with_capacity(count as usize);
    let mut told = 0;
    for _ in 0..count {
        let client = socket()?;
        rustix::net::connect(&client, &next_address(port))?;
        let (_server, _) = rustix::net::acceptfrom_with(&listener, SocketFlags::CLOEXEC)?;
        thread::sleep(OPENED);
        let begun = Instant::now();
        TcpStream::from(client).write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        told += 2;
        growing::count(events, TOLD, told, LIMIT);
        times.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(distribution(&mut times))
}
