//! How the control socket asks the daemon's loop: a closed set of requests over a bounded queue.
//!
//! Belongs here: the requests, both ends of the queue, the counters, and the bounded stream of a follower.
//! Nothing here can stall the loop: asking never waits for room, answering and offering never block.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::api::{ControlStatus, DoctorReport, FlowQuery, FlowsReply, ReloadReply, Status};

/// Requests that may wait for the loop. As many as there may be connections: a connection asks one at a time.
const QUEUE: usize = super::server::MAX_CONNECTIONS;

/// Events that may wait for one follower: at about 1.5 KB each under 1 MB, and a burst of a second at 500/s.
/// Followers share the bytes, so that several slow ones cost little more than one.
const FOLLOWER_QUEUE: usize = 512;

/// What the loop can be asked. A dropped `reply` means that nobody waits any more: that is no error.
#[derive(Debug)]
pub enum Request {
    /// The state of the daemon.
    Status(oneshot::Sender<Status>),
    /// The open flows that match.
    Flows(FlowQuery, oneshot::Sender<FlowsReply>),
    /// From now on offer every event to this follower. Answer once it is on the list.
    Follow(Follower, oneshot::Sender<()>),
    /// Read the policy anew. Only sent on behalf of root.
    Reload(oneshot::Sender<ReloadReply>),
    /// What this kernel and these privileges allow.
    Doctor(oneshot::Sender<DoctorReport>),
}

/// Why the loop could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Too many requests wait for the loop.
    #[error("the daemon is busy: too many requests wait for it; try again")]
    Full,
    /// The loop took the request and did not answer in time.
    #[error("the daemon did not answer within {} s; try again", .0.as_secs())]
    Late(Duration),
    /// The loop has ended.
    #[error("the daemon is stopping")]
    Gone,
}

/// The asking end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    counters: Arc<Counters>,
}

/// The answering end, for the daemon's loop.
#[derive(Debug)]
pub struct Inbox {
    requests: mpsc::Receiver<Request>,
    counters: Arc<Counters>,
}

/// Makes both ends.
#[must_use]
pub fn channel() -> (Handle, Inbox) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let counters = Arc::new(Counters::default());
    (Handle { requests: sender, counters: Arc::clone(&counters) }, Inbox { requests: receiver, counters })
}

impl Inbox {
    /// The next request; `None` when no handle is left. Cancel safe.
    pub async fn recv(&mut self) -> Option<Request> {
        self.requests.recv().await
    }

    /// The control socket's account, for `Status::control` and metrics.
    #[must_use]
    pub fn counters(&self) -> ControlStatus {
        self.counters.snapshot()
    }
}

impl Handle {
    /// Asks for the status.
    ///
    /// # Errors
    /// `AskError`, as for all questions.
    pub async fn status(&self, within: Duration) -> Result<Status, AskError> {
        self.ask(Request::Status, within).await
    }

    /// Asks for the open flows.
    ///
    /// # Errors
    /// `AskError`.
    pub async fn flows(&self, query: FlowQuery, within: Duration) -> Result<FlowsReply, AskError> {
        self.ask(|reply| Request::Flows(query, reply), within).await
    }

    /// Asks to reload the policy. Who may ask is checked before.
    ///
    /// # Errors
    /// `AskError`; after `Late` the reload may still happen.
    pub async fn reload(&self, within: Duration) -> Result<ReloadReply, AskError> {
        self.ask(Request::Reload, within).await
    }

    /// Asks what this kernel and these privileges allow.
    ///
    /// # Errors
    /// `AskError`.
    pub async fn doctor(&self, within: Duration) -> Result<DoctorReport, AskError> {
        self.ask(Request::Doctor, within).await
    }

    /// Asks for every event from now on: lines of JSON, each with its newline.
    ///
    /// # Errors
    /// `AskError`.
    pub async fn follow(&self, within: Duration) -> Result<mpsc::Receiver<Bytes>, AskError> {
        let (lines, receiver) = mpsc::channel(FOLLOWER_QUEUE);
        let follower = Follower { lines, lost: 0, counters: Arc::clone(&self.counters) };
        self.ask(|reply| Request::Follow(follower, reply), within).await?;
        Ok(receiver)
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
        within: Duration,
    ) -> Result<T, AskError> {
        let (reply, answer) = oneshot::channel();
        self.requests.try_send(request(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AskError::Full,
            mpsc::error::TrySendError::Closed(_) => AskError::Gone,
        })?;
        match tokio::time::timeout(within, answer).await {
            Ok(answer) => answer.map_err(|_| AskError::Gone),
            Err(_) => Err(AskError::Late(within)),
        }
    }
}

/// One client that follows the events, as the loop sees it.
#[derive(Debug)]
pub struct Follower {
    lines: mpsc::Sender<Bytes>,
    /// Lines not queued since the last one that was.
    lost: u64,
    counters: Arc<Counters>,
}

impl Follower {
    /// Offers one event: a line of JSON with its newline. Never waits: a follower that is behind loses the
    /// line, which is counted, and finds a `stream.lost` line in its place. Returns whether the client is
    /// still there; drop the follower if it is not.
    #[must_use]
    pub fn offer(&mut self, line: &Bytes) -> bool {
        if self.lost > 0 {
            let notice = Bytes::from(format!(
                "{{\"schema\":\"gdprport.stream/1\",\"kind\":\"stream.lost\",\"lost\":{}}}\n",
                self.lost
            ));
            match self.lines.try_send(notice) {
                Ok(()) => self.lost = 0,
                Err(mpsc::error::TrySendError::Full(_)) => {}
                Err(mpsc::error::TrySendError::Closed(_)) => return false,
            }
        }
        // Until the notice of a gap is out, nothing may follow it.
        let sent = if self.lost == 0 { self.lines.try_send(line.clone()) } else { Err(full(line)) };
        match sent {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.lost += 1;
                self.counters.follower_lost.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    /// Whether the client has gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.lines.is_closed()
    }
}

fn full(line: &Bytes) -> mpsc::error::TrySendError<Bytes> {
    mpsc::error::TrySendError::Full(line.clone())
}

/// The control socket's own account. The server writes it, the loop reads it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) broken: AtomicU64,
    pub(super) busy: AtomicU64,
    pub(super) forbidden: AtomicU64,
    /// Lists of flows on their way; bounds memory, of no interest outside.
    pub(super) lists: AtomicU64,
    pub(super) followers: AtomicU64,
    pub(super) follower_lost: AtomicU64,
}

impl Counters {
    fn snapshot(&self) -> ControlStatus {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ControlStatus {
            connections: read(&self.connections),
            connections_cap: QUEUE as u64,
            accepted: read(&self.accepted),
            refused: read(&self.refused),
            broken: read(&self.broken),
            busy: read(&self.busy),
            forbidden: read(&self.forbidden),
            followers: read(&self.followers),
            follower_lost: read(&self.follower_lost),
        }
    }
}

/// Counts one up now and down when dropped.
#[derive(Debug)]
pub(super) struct Gauge {
    counters: Arc<Counters>,
    which: fn(&Counters) -> &AtomicU64,
}

impl Gauge {
    /// Takes a place if fewer than `cap` are taken.
    pub(super) fn take(
        counters: &Arc<Counters>,
        which: fn(&Counters) -> &AtomicU64,
        cap: u64,
    ) -> Option<Self> {
        which(counters)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < cap).then_some(taken + 1))
            .ok()?;
        Some(Self { counters: Arc::clone(counters), which })
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        (self.which)(&self.counters).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: usize) -> Bytes {
        Bytes::from(format!("{{\"seq\":{n}}}\n"))
    }

    #[tokio::test]
    async fn a_follower_that_is_behind_finds_the_number_of_lost_lines_in_their_place() {
        let (handle, mut inbox) = channel();
        let loop_side = tokio::spawn(async move {
            let Some(Request::Follow(mut follower, reply)) = inbox.recv().await else {
                panic!("a follower was expected");
            };
            reply.send(()).expect("the asker waits");
            for n in 0..FOLLOWER_QUEUE + 3 {
                assert!(follower.offer(&line(n)));
            }
            (follower, inbox)
        });
        let mut lines = handle.follow(Duration::from_secs(5)).await.expect("the loop answers");
        let (mut follower, inbox) = loop_side.await.expect("the loop ends well");
        for n in 0..FOLLOWER_QUEUE {
            assert_eq!(lines.recv().await, Some(line(n)));
        }
        assert!(follower.offer(&line(9)));
        let notice = lines.recv().await.expect("a notice");
        assert!(std::str::from_utf8(&notice).expect("text").contains("\"lost\":3}"));
        assert_eq!(lines.recv().await, Some(line(9)));
        assert_eq!(inbox.counters().follower_lost, 3);
        drop(lines);
        assert!(!follower.offer(&line(10)));
    }

    #[tokio::test]
    async fn a_full_queue_is_refused_at_once_instead_of_waited_for() {
        let (handle, inbox) = channel();
        let waiting: Vec<_> = (0..QUEUE)
            .map(|_| {
                let handle = handle.clone();
                tokio::spawn(async move { handle.status(Duration::from_secs(60)).await })
            })
            .collect();
        while handle.requests.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(handle.status(Duration::from_secs(60)).await, Err(AskError::Full));
        drop(inbox);
        for asked in waiting {
            assert_eq!(asked.await.expect("no panic"), Err(AskError::Gone));
        }
    }
}
