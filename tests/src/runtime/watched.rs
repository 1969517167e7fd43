//! A watched port of the host that containers connect to.

use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::event::Event;
use crate::policy::{Declaration, open};
use crate::ports::Port;
use crate::puppet::{HeldStream, Puppet};
use crate::wait::TIMEOUT;

/// A daemon that watches one port, and a server that listens there on every address of the host.
#[derive(Debug)]
pub struct Watched {
    /// The daemon.
    pub daemon: Daemon,
    /// The watched port.
    pub port: Port,
    server: Puppet,
}

impl Watched {
    /// Allows everything.
    #[must_use]
    #[track_caller]
    pub fn open() -> Self {
        Self::with(open)
    }

    /// With what `declare` says of the port.
    #[must_use]
    #[track_caller]
    pub fn with(declare: impl FnOnce(u16) -> Declaration) -> Self {
        let port = Port::free();
        let daemon = Daemon::with(declare(port.number()).alone());
        let mut server = Puppet::new();
        server.listen(format!("0.0.0.0:{port}"));
        Self { daemon, port, server }
    }

    /// The words by which a container connects to the port at an address of the host, and stays connected.
    #[must_use]
    pub fn client(&self, address: &str) -> [String; 4] {
        ["/bin/busybox", "nc", address, &self.port.number().to_string()].map(str::to_owned)
    }

    /// Accepts the next connection and returns the event of its connecting end. It stays open.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    pub fn caller(&mut self) -> (Event, HeldStream) {
        let held = self.server.accept();
        let event = self.daemon.log.flow("flow.open", "out", held.address.port(), self.port.number());
        (event, held)
    }

    /// Waits until an event of this connection's client has the names of its container, and returns it: they may follow
    /// the flow's opening.
    ///
    /// # Panics
    /// When they do not come.
    #[track_caller]
    pub fn named(&mut self, held: HeldStream) -> Event {
        let ends = Some((held.address.port(), self.port.number()));
        let start = Instant::now();
        loop {
            let of_client = |event: &&Event| event.ends("out") == ends;
            let event =
                self.daemon.log.refresh().iter().rfind(of_client).expect("its opening was read").clone();
            if event.text("process.container.naming") == "known" {
                return event;
            }
            assert!(start.elapsed() < TIMEOUT, "no names came; the last event: {}", event.line());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the violation of this connection's client.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn violation(&mut self, held: HeldStream) -> Event {
        let ends = Some((held.address.port(), self.port.number()));
        self.daemon
            .log
            .wait("the violation", |event| event.kind() == "violation" && event.ends("out") == ends)
    }

    /// Closes a connection, so that the client in its container ends too.
    #[track_caller]
    pub fn close(&mut self, held: HeldStream) {
        self.server.close(held);
    }
}
