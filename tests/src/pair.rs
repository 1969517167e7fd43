//! Two puppets on one watched port: the setup of most tests about single connections.

use std::fmt::Display;

use crate::daemon::{Daemon, Start};
use crate::policy::open;
use crate::ports::Port;
use crate::puppet::{HeldStream, Puppet};
use crate::truth::End;

/// A daemon that watches one port, a puppet that listens there and one that connects to it.
#[derive(Debug)]
pub struct Pair {
    /// The accepting puppet.
    pub server: Puppet,
    /// The connecting puppet.
    pub client: Puppet,
    /// The watched port.
    pub port: Port,
    /// The daemon.
    pub daemon: Daemon,
}

/// One connection between the two.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The server's stream.
    pub here: HeldStream,
    /// The client's stream.
    pub there: HeldStream,
    /// The accepting end.
    pub server: End,
    /// The connecting end.
    pub client: End,
}

impl Pair {
    /// Watches a port, allows everything on it and lets the server listen on `127.0.0.1`.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::listening_on("127.0.0.1")
    }

    /// The same with another address, for example `[::]`.
    #[must_use]
    #[track_caller]
    pub fn listening_on(address: impl Display) -> Self {
        Self::made(address, "")
    }

    /// The same as [`Pair::new`] with a configuration of the daemon.
    #[must_use]
    #[track_caller]
    pub fn with(config: &str) -> Self {
        Self::made("127.0.0.1", config)
    }

    #[track_caller]
    fn made(address: impl Display, config: &str) -> Self {
        let port = Port::free();
        let daemon = Start::with(open(port.number()).alone()).config(config).start();
        let (mut server, client) = (Puppet::new(), Puppet::new());
        server.listen(format!("{address}:{port}"));
        Self { server, client, port, daemon }
    }

    /// Connects to `127.0.0.1` and accepts.
    #[track_caller]
    pub fn connect(&mut self) -> Connection {
        self.connect_to("127.0.0.1", "accept")
    }

    /// Connects to `address` and accepts by `how`.
    #[track_caller]
    pub fn connect_to(&mut self, address: impl Display, how: &str) -> Connection {
        let there = self.client.connect(format!("{address}:{}", self.port));
        let here = self.server.hold(how);
        let (local, port) = (there.address.port(), self.port.number());
        let server = End::of_server(&self.server, port, local);
        let client = End::of_client(&self.client, local, port);
        Connection { here, there, server, client }
    }

    /// Closes both ends, the client's first.
    #[track_caller]
    pub fn close(&mut self, connection: &Connection) {
        self.client.close(connection.there);
        self.server.close(connection.here);
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}
