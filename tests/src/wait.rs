//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How long anything may take before a promise counts as broken. Generous, because nothing waits this long
/// unless it fails; a loaded machine must not make a promise look broken.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Calls `probe` until it yields something and returns that.
///
/// # Panics
/// When nothing came within `limit`; the message names `what`.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for: {what}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Calls `probe` until it says yes, for at most [`TIMEOUT`].
///
/// # Panics
/// When it never did; the message names `what`.
#[track_caller]
pub fn until(what: &str, mut probe: impl FnMut() -> bool) {
    within(TIMEOUT, what, || probe().then_some(()));
}
