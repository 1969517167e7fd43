//! What the daemon is told by signals. What it does then is `run`'s.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// To end.
    End(Stop),
    /// To read the policy anew, and to open the events file anew as well.
    Reload,
    /// To open the events file anew, and nothing else: logs were rotated.
    Reopen,
}

/// What ends the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM: whoever runs it as a service stops it, or starts the next one after it.
    Terminated,
    /// SIGINT: whoever started it by hand is done.
    Interrupted,
}

impl Stop {
    /// The signal's name.
    #[must_use]
    pub const fn signal(self) -> &'static str {
        match self {
            Self::Terminated => "SIGTERM",
            Self::Interrupted => "SIGINT",
        }
    }
}

/// The signals that are listened to. From the moment this is made none of them kills the process.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user1: Signal,
}

impl Signals {
    /// Begins to listen. Within a runtime.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for the next one; those that came before are told first. May be dropped and called again.
    pub async fn next(&mut self) -> Told {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Told::End(Stop::Terminated),
            _ = self.interrupt.recv() => Told::End(Stop::Interrupted),
            _ = self.hangup.recv() => Told::Reload,
            _ = self.user1.recv() => Told::Reopen,
        }
    }
}
