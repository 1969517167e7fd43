//! What signals ask for. What the daemon does then is `run`'s.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalAction {
    End(Stop),
    /// To read the policy again, and to reopen the events file as well.
    Reload,
    /// To reopen the events file, and nothing else: logs were rotated.
    Reopen,
}

/// What ends the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// SIGTERM: whoever runs it as a service stops it, or starts the next one after it.
    Terminated,
    /// SIGINT: whoever started it by hand is done.
    Interrupted,
}

impl Stop {
    #[must_use]
    pub(super) const fn signal(self) -> &'static str {
        match self {
            Self::Terminated => "SIGTERM",
            Self::Interrupted => "SIGINT",
        }
    }
}

/// The signals that are listened to. From the moment this is made none of them kills the process.
#[derive(Debug)]
pub(super) struct Signals {
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
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for the next one; those that came before are returned first. May be dropped and called again.
    pub(super) async fn next(&mut self) -> SignalAction {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => SignalAction::End(Stop::Terminated),
            _ = self.interrupt.recv() => SignalAction::End(Stop::Interrupted),
            _ = self.hangup.recv() => SignalAction::Reload,
            _ = self.user1.recv() => SignalAction::Reopen,
        }
    }
}
