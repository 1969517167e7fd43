//! Waiting for the sinks to write what they were given.

use std::time::Duration;

use tokio::time::Instant;

use super::monitor::Publisher;

/// How long the sinks may take to write what is queued when the daemon ends.
pub(super) const DRAIN: Duration = Duration::from_secs(5);

/// Waits until the sinks have written what is queued, so that the last events, which report what was lost, are not lost
/// themselves; a sink that is stuck is not waited for longer than [`DRAIN`].
pub(super) async fn wait_for_sinks(publisher: &Publisher) {
    let until = Instant::now() + DRAIN;
    let queued = || publisher.fanout().stats().iter().any(|sink| sink.counts.queued > 0);
    while queued() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
