//! Connections that stay and say nothing.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::SocketFlags;

use super::{listen, next_address, socket};

/// How many connections go to one address before the next one is taken.
const PER_ADDRESS: u32 = 10_000;

/// Both ends of what is held, and the listeners.
#[derive(Debug, Default)]
pub struct Held(Vec<OwnedFd>);

impl Held {
    /// Opens `count` more connections, in turn to each of `ports`.
    ///
    /// # Errors
    /// There are no ports, or more descriptors are needed than this process may have.
    pub fn open(&mut self, ports: &[u16], count: u32) -> io::Result<()> {
        let listeners = ports.iter().map(|port| listen(*port)).collect::<io::Result<Vec<_>>>()?;
        let mut addresses: Vec<_> = ports.iter().map(|port| next_address(*port)).collect();
        for number in 0..count {
            let at = number as usize % ports.len().max(1);
            let listener = listeners.get(at).ok_or_else(|| io::Error::other("no ports"))?;
            if number > 0 && number % PER_ADDRESS == 0 {
                addresses = ports.iter().map(|port| next_address(*port)).collect();
            }
            let client = socket()?;
            rustix::net::connect(&client, &addresses[at])?;
            let (server, _) = rustix::net::acceptfrom_with(listener, SocketFlags::CLOEXEC)?;
            self.0.extend([client, server]);
        }
        self.0.extend(listeners);
        Ok(())
    }
}
