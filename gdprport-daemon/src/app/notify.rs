//! Telling the service manager (sd_notify(3)); silent where there is none.

use std::time::Duration;

use sd_notify::NotifyState;

/// Ready to watch; `what` is the line that `systemctl status` shows.
pub fn ready(what: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(what)]);
}

/// Alive; to be sent more often than [`watchdog_period`].
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// About to end.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How often the service manager wants to hear that the daemon is alive; `None` if it does not care.
#[must_use]
pub fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}
