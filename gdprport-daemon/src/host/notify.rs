//! Notifying the service manager (sd_notify(3)); does nothing where there is none.

use std::time::Duration;

use sd_notify::NotifyState;

/// Ready to watch; `what` is the line that `systemctl status` shows.
pub(crate) fn ready(what: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(what)]);
}

/// Alive; to be sent more often than [`watchdog_period`].
pub(crate) fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// About to end.
pub(crate) fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// How often the service manager expects [`alive`]; `None` if it does not watch.
#[must_use]
pub(crate) fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not notified");
    }
}
