//! Work off the loop: listing and polling the host's sockets on blocking threads.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::poll::{PollResult, poll_host};
use super::question::Question;
use crate::host::destroy::DestroyNotice;
use crate::host::listing::Listing;
use crate::host::sockets::PortSet;
use crate::host::unseen::Unseen;

/// What was found on the host, on its way to the loop.
#[derive(Debug)]
pub(crate) enum Finding {
    /// All sockets on watched ports, those that were not known with their owners; and how long that took.
    Listed(Box<Listing>, Duration),
    /// How known sockets stand.
    Polled(Box<PollResult>),
    /// Sockets that predate the daemon were destroyed.
    Destroyed(Vec<DestroyNotice>),
}

/// Starts listing everything on these ports, of which some is known; sends [`Finding::Listed`].
pub(super) fn start_listing(ports: PortSet, known: Arc<HashSet<u64>>, to: mpsc::Sender<Finding>) {
    tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        let listing = Listing::take(Path::new("/proc"), &ports, &known).unwrap_or_else(|error| {
            tracing::warn!(%error, "existing sockets cannot be listed");
            Listing { unseen: Unseen { processes: 1, ..Unseen::default() }, ..Listing::default() }
        });
        // The loop has ended if nobody receives it.
        let _ = to.blocking_send(Finding::Listed(Box::new(listing), begun.elapsed()));
    });
}

/// Starts looking for known sockets; sends [`Finding::Polled`], after the destroy notices of sockets that are gone.
pub(super) fn start_poll(question: Question, to: mpsc::Sender<Finding>) {
    tokio::task::spawn_blocking(move || {
        let _ = to.blocking_send(Finding::Polled(Box::new(poll_host(question))));
    });
}
