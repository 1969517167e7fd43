//! What every endpoint has: the way to the loop, who may do what, and bounds for bodies and costly replies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::caller::Caller;
use super::reply::{HttpRefusal, refuse};
use crate::control::counters::{Counters, Gauge};
use crate::control::handle::{AskError, LoopHandle};
use crate::control::limits::MAX_LISTS;

#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) handle: LoopHandle,
    /// How long one request may take, except for following the events.
    pub(super) within: Duration,
    /// One audit is taken at a time: it may be large.
    pub(super) recording: Arc<Semaphore>,
    /// One policy is.
    pub(super) trying: Arc<Semaphore>,
}

impl Context {
    pub(super) fn busy(&self, error: AskError) -> HttpRefusal {
        self.counters().busy.fetch_add(1, Ordering::Relaxed);
        refuse(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }

    /// Takes one of the places for something costly, until it is dropped.
    pub(super) fn place(
        &self,
        which: fn(&Counters) -> &AtomicU64,
        cap: u64,
        taken: &str,
    ) -> Result<Gauge, HttpRefusal> {
        Gauge::take(self.counters(), which, cap).ok_or_else(|| {
            self.counters().busy.fetch_add(1, Ordering::Relaxed);
            refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("{cap} {taken}, the most there may be; try again"),
            )
        })
    }

    /// Takes one of the places for a long list.
    pub(super) fn list_place(&self, caller: &Caller) -> Result<Gauge, HttpRefusal> {
        let cap = if caller.peer.uid == 0 { 2 * MAX_LISTS } else { MAX_LISTS };
        self.place(|counters| &counters.lists, cap, "lists of flows are on their way")
    }

    /// Refuses everybody else.
    pub(super) fn root_only(&self, caller: &Caller, what: &str, instead: &str) -> Result<(), HttpRefusal> {
        let uid = caller.peer.uid;
        if uid == 0 {
            return Ok(());
        }
        self.counters().forbidden.fetch_add(1, Ordering::Relaxed);
        let sentence = format!("only root may {what} and this is uid {uid}: use `{instead}`");
        Err(refuse(StatusCode::FORBIDDEN, sentence))
    }

    /// Reads a body within bounds of size and time. `hint` ends the sentence of a refusal.
    pub(super) async fn read(&self, body: Body, max: usize, hint: &str) -> Result<Bytes, HttpRefusal> {
        match timeout(self.within, axum::body::to_bytes(body, max)).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(_)) => Err(refuse(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is incomplete or over {max} bytes{hint}"),
            )),
            Err(_) => Err(refuse(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not arrive within {} s{hint}", self.within.as_secs()),
            )),
        }
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        self.handle.counters()
    }
}
