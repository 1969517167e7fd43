//! What the puppet holds between commands.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The reply to a command: the text after `ok`.
pub(crate) type Reply = io::Result<String>;

/// The sockets that the puppet holds, by number.
#[derive(Default)]
pub(crate) struct Puppet {
    pub(crate) listener: Option<OwnedFd>,
    streams: BTreeMap<u32, TcpStream>,
    /// Held without a number.
    pub(crate) crowd: Vec<OwnedFd>,
    next: u32,
    pub(crate) served: Served,
}

impl Puppet {
    pub(crate) fn listener(&self) -> io::Result<&OwnedFd> {
        self.listener.as_ref().ok_or_else(|| io::Error::other("nothing listens yet"))
    }

    pub(crate) fn stream(&self, id: u32) -> io::Result<&TcpStream> {
        self.streams.get(&id).ok_or_else(|| io::Error::other(format!("there is no stream {id}")))
    }

    pub(crate) fn drop_stream(&mut self, id: u32) -> io::Result<TcpStream> {
        self.streams.remove(&id).ok_or_else(|| io::Error::other(format!("there is no stream {id}")))
    }

    /// Keeps a stream; replies with its number and the address given.
    pub(crate) fn keep(&mut self, stream: TcpStream, address: SocketAddr) -> String {
        self.next += 1;
        self.streams.insert(self.next, stream);
        format!("{} {address}", self.next)
    }
}

/// How many connections the serving thread has finished with.
#[derive(Clone, Default)]
pub(crate) struct Served(Arc<AtomicU64>);

impl Served {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}
