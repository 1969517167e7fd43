//! How requests reach the daemon's loop: a closed set of requests over a bounded queue.
//!
//! Belongs here: the requests and both ends of the queue. Nothing here can stall the loop: sending a request never
//! waits for room, replying never blocks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gdprport_core::audit::Recording;
use tokio::sync::{mpsc, oneshot};

use super::api::{
    ControlStatus, DoctorReport, EvidenceOrder, EvidenceReply, ExplainQuery, ExplainReply, FlowQuery,
    FlowsReply, GroupQuery, GroupsReply, PolicyText, RecordReply, ReloadReply, Status, TrialOrder,
};
use super::counters::Counters;
use super::follower::FollowerSink;
use super::limits::REQUEST_QUEUE;

/// A request to the loop. A dropped `reply` means that nobody waits any more: that is no error.
#[derive(Debug)]
pub(crate) enum Request {
    Status(oneshot::Sender<Status>),
    /// The open flows that match.
    Flows(FlowQuery, oneshot::Sender<FlowsReply>),
    /// The same, those that have port, direction, peer and process in common as one.
    Groups(GroupQuery, oneshot::Sender<GroupsReply>),
    /// Why an open flow is judged as it is.
    Explain(ExplainQuery, oneshot::Sender<ExplainReply>),
    /// From now on offer every event to this follower. Reply once it is on the list.
    Follow(FollowerSink, oneshot::Sender<()>),
    /// Reload the policy. Only sent on behalf of root.
    Reload(oneshot::Sender<ReloadReply>),
    /// The policy in force. Only sent on behalf of root.
    Policy(oneshot::Sender<PolicyText>),
    /// Put a policy in force on trial. Only sent on behalf of root.
    Trial(Box<TrialOrder>, oneshot::Sender<ReloadReply>),
    /// Take back the policy on trial. Only sent on behalf of root.
    Revert(oneshot::Sender<ReloadReply>),
    /// Compare the findings of an audit with the one before. Only sent on behalf of root. Replied by why it cannot be.
    Record(Box<Recording>, oneshot::Sender<Result<RecordReply, String>>),
    /// Something that only who writes the evidence log can do. Only sent on behalf of root. Replied by why it is not done.
    Evidence(Box<EvidenceOrder>, oneshot::Sender<Result<EvidenceReply, String>>),
    /// What this kernel and these privileges allow.
    Doctor(oneshot::Sender<DoctorReport>),
}

/// Why there is no reply from the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskError {
    /// Too many requests wait for the loop.
    #[error("the daemon is busy: too many requests wait for it; try again")]
    Full,
    /// The loop took the request and did not reply in time.
    #[error("the daemon did not answer within {} s; try again", .0.as_secs())]
    Late(Duration),
    /// The loop has ended.
    #[error("the daemon is stopping")]
    Gone,
}

/// The requesting end. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct LoopHandle {
    requests: mpsc::Sender<Request>,
    counters: Arc<Counters>,
}

/// The receiving end, for the daemon's loop.
#[derive(Debug)]
pub(crate) struct Inbox {
    requests: mpsc::Receiver<Request>,
    counters: Arc<Counters>,
}

pub(crate) fn channel() -> (LoopHandle, Inbox) {
    let (sender, receiver) = mpsc::channel(REQUEST_QUEUE);
    let counters = Arc::new(Counters::default());
    (LoopHandle { requests: sender, counters: Arc::clone(&counters) }, Inbox { requests: receiver, counters })
}

impl Inbox {
    /// The next request; `None` when no handle is left. Cancel safe.
    pub(crate) async fn recv(&mut self) -> Option<Request> {
        self.requests.recv().await
    }

    /// The control socket's counters, for `Status::control` and metrics.
    pub(crate) fn counters(&self) -> ControlStatus {
        self.counters.snapshot()
    }
}

impl LoopHandle {
    pub(crate) async fn status(&self, within: Duration) -> Result<Status, AskError> {
        self.ask(Request::Status, within).await
    }

    pub(crate) async fn flows(&self, query: FlowQuery, within: Duration) -> Result<FlowsReply, AskError> {
        self.ask(|reply| Request::Flows(query, reply), within).await
    }

    pub(crate) async fn groups(&self, query: GroupQuery, within: Duration) -> Result<GroupsReply, AskError> {
        self.ask(|reply| Request::Groups(query, reply), within).await
    }

    pub(crate) async fn explain(
        &self,
        query: ExplainQuery,
        within: Duration,
    ) -> Result<ExplainReply, AskError> {
        self.ask(|reply| Request::Explain(query, reply), within).await
    }

    /// Asks to reload the policy. The server has checked that the caller may.
    /// After `AskError::Late` the reload may still happen.
    pub(crate) async fn reload(&self, within: Duration) -> Result<ReloadReply, AskError> {
        self.ask(Request::Reload, within).await
    }

    /// Asks for the policy in force. The server has checked that the caller may.
    pub(crate) async fn policy(&self, within: Duration) -> Result<PolicyText, AskError> {
        self.ask(Request::Policy, within).await
    }

    /// Asks to put a policy in force on trial. The server has checked that the caller may.
    /// After `AskError::Late` it may still come into force, and is taken back as it would be.
    pub(crate) async fn try_out(&self, order: TrialOrder, within: Duration) -> Result<ReloadReply, AskError> {
        self.ask(|reply| Request::Trial(Box::new(order), reply), within).await
    }

    /// Asks to take back the policy on trial. The server has checked that the caller may.
    pub(crate) async fn revert(&self, within: Duration) -> Result<ReloadReply, AskError> {
        self.ask(Request::Revert, within).await
    }

    /// Has the findings of an audit recorded. The server has checked that the caller may.
    /// After `AskError::Late` they may still be.
    pub(crate) async fn record(
        &self,
        recording: Recording,
        within: Duration,
    ) -> Result<Result<RecordReply, String>, AskError> {
        self.ask(|reply| Request::Record(Box::new(recording), reply), within).await
    }

    /// Asks something of whoever writes the evidence log. The server has checked that the caller may.
    /// After `AskError::Late` it may still happen.
    pub(crate) async fn evidence(
        &self,
        order: EvidenceOrder,
        within: Duration,
    ) -> Result<Result<EvidenceReply, String>, AskError> {
        self.ask(|reply| Request::Evidence(Box::new(order), reply), within).await
    }

    pub(crate) async fn doctor(&self, within: Duration) -> Result<DoctorReport, AskError> {
        self.ask(Request::Doctor, within).await
    }

    /// Asks for every event from now on: lines of JSON, each with its newline.
    pub(crate) async fn follow(&self, within: Duration) -> Result<mpsc::Receiver<Bytes>, AskError> {
        let (follower, lines) = FollowerSink::new(&self.counters);
        self.ask(|reply| Request::Follow(follower, reply), within).await?;
        Ok(lines)
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
        within: Duration,
    ) -> Result<T, AskError> {
        let (reply, received) = oneshot::channel();
        self.requests.try_send(request(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AskError::Full,
            mpsc::error::TrySendError::Closed(_) => AskError::Gone,
        })?;
        match tokio::time::timeout(within, received).await {
            Ok(reply) => reply.map_err(|_| AskError::Gone),
            Err(_) => Err(AskError::Late(within)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_instead_of_waiting() {
        let (handle, inbox) = channel();
        let waiting: Vec<_> = (0..REQUEST_QUEUE)
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
        for task in waiting {
            assert_eq!(task.await.expect("no panic"), Err(AskError::Gone));
        }
    }
}
