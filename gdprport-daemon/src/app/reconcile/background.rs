//! Work off the loop: listing and polling the host's sockets on blocking threads.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;

use super::poll::{PollRequest, PollResult, poll_host};
use crate::host::clock::boottime_ns;
use crate::host::destroy::DestroyNotice;
use crate::host::listing::Listing;
use crate::host::sockets::PortSet;

/// How long after a socket was found missing its destroy notice may still come: on an idle host that takes some ten
/// milliseconds.
const NOTICE_GRACE: Duration = Duration::from_secs(1);

/// What was found on the host, on its way to the loop.
#[derive(Debug)]
pub(crate) enum Finding {
    /// All sockets on watched ports with their owners, and when the listing began; boottime ns.
    Listed(Box<Listing>, u64),
    /// How known sockets stand.
    Polled(PollResult),
    /// Sockets that predate the daemon were destroyed.
    Destroyed(Vec<DestroyNotice>),
}

/// Starts listing everything on these ports; sends [`Finding::Listed`].
pub(super) fn start_listing(ports: PortSet, to: mpsc::Sender<Finding>) {
    tokio::task::spawn_blocking(move || {
        let began_ns = boottime_ns();
        let listing = Listing::take(Path::new("/proc"), &ports).unwrap_or_else(|error| {
            tracing::warn!(%error, "existing sockets cannot be listed");
            // Nothing was listed, so that nothing counts as gone.
            Listing { namespaces_not_allowed: 1, ..Listing::default() }
        });
        // The loop has ended if nobody receives it.
        let _ = to.blocking_send(Finding::Listed(Box::new(listing), began_ns));
    });
}

/// Starts polling; sends [`Finding::Polled`], after the destroy notices of sockets that are gone.
pub(super) fn start_poll(request: PollRequest, to: mpsc::Sender<Finding>) {
    tokio::spawn(async move {
        let polling = tokio::task::spawn_blocking(move || poll_host(request));
        let result = polling.await.unwrap_or_else(|error| {
            tracing::error!(%error, "existing sockets were not polled");
            PollResult::default()
        });
        if result.gone().next().is_some() {
            tokio::time::sleep(NOTICE_GRACE).await;
        }
        let _ = to.send(Finding::Polled(result)).await;
    });
}
