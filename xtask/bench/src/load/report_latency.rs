//! Report latency: from the bytes that decide how a connection is encrypted to its event.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::SocketFlags;
use serde_json::Value;

use super::{distribution, listen, next_address, socket};
use crate::growing;

/// How long a connection is idle before it sends, so that its opening is reported by then.
const OPENED: Duration = Duration::from_millis(150);

/// The longest wait, and the time recorded after it.
const LIMIT: Duration = Duration::from_secs(5);

/// The event of each end.
const POSTURE_EVENT: &[u8] = br#""kind":"flow.posture""#;

/// Makes connections one by one that send a request in plaintext, and returns the distribution of the time until the file
/// at `events` has the encryption of both ends.
pub(crate) fn report_latency(port: u16, count: u32, events: &str) -> io::Result<Value> {
    let listener = listen(Ipv4Addr::UNSPECIFIED, port)?;
    let mut times = Vec::with_capacity(count as usize);
    let mut expected = 0;
    for _ in 0..count {
        let client = socket()?;
        rustix::net::connect(&client, &next_address(port))?;
        let (_server, _) = rustix::net::acceptfrom_with(&listener, SocketFlags::CLOEXEC)?;
        thread::sleep(OPENED);
        let begun = Instant::now();
        TcpStream::from(client).write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        expected += 2;
        growing::count(events, POSTURE_EVENT, expected, LIMIT);
        times.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(distribution(&mut times))
}
