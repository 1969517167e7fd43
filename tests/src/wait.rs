//! Waiting for a condition, never for a fixed time.

use std::time::{Duration, Instant};

/// How long anything may take before a test fails. Generous, because only a failing test waits this long, and a loaded
/// machine must not make one fail.
///
/// Longer than the kernel may keep a socket that its program has closed while the peer has not: as a rule it is destroyed when
/// the FIN is acknowledged, but one whose acknowledgement comes in the moment in which `tcp_close` ends stays in FIN-WAIT-2 for
/// `net.ipv4.tcp_fin_timeout`, 60 s (`sock_owned_by_user` in `tcp_rcv_state_process`, net/ipv4/tcp_input.c). That is one of some
/// 9,000 here.
pub const TIMEOUT: Duration = Duration::from_secs(90);

/// Calls `probe` until it yields something and returns that.
///
/// # Panics
/// When it yields nothing within `limit`; the message names `what`.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < limit, "timed out after {limit:?}: {what}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Calls `probe` until it returns true, for at most [`TIMEOUT`].
///
/// # Panics
/// When it never did; the message names `what`.
#[track_caller]
pub fn until(what: &str, mut probe: impl FnMut() -> bool) {
    within(TIMEOUT, what, || probe().then_some(()));
}
