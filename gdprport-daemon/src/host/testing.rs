//! What several tests of this layer need: real connections on loopback, and waiting.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

/// A connection through a listener: the client's end and the server's.
pub(super) fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connects");
    (client, listener.accept().expect("accepts").0)
}

/// The kernel's cookie of a socket.
pub(super) fn cookie(socket: &impl AsFd) -> u64 {
    rustix::net::sockopt::socket_cookie(socket).expect("a socket has one")
}

/// Waits until it is so, five seconds at most: a child of another test, between its fork and its exec, holds
/// on to every socket of this process.
pub(super) fn eventually(mut so: impl FnMut() -> bool) -> bool {
    (0..1000).any(|_| {
        so() || {
            std::thread::sleep(Duration::from_millis(5));
            false
        }
    })
}
