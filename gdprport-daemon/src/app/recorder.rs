//! Audits that somebody has recorded: handed to the ledger, and what differs from the one before sent as events.
//!
//! The loop does not wait for the ledger: its thread answers by an input of the loop. Does not belong here: what differs
//! (`ledger::findings`).

use gdprport_core::audit::{Change, FindingChange, Recording};
use gdprport_core::event::{AuditFindingEvent, Body, FindingEvent, PolicyRef};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::keeper::Keeper;
use super::monitor::Publisher;
use crate::control::api::RecordReply;

/// Answers that may wait for the loop, which takes each before it takes another request: the ledger's thread has four audits
/// that wait, and one at work.
const ANSWERS: usize = 16;

/// Who waits for the reply.
type Asker = oneshot::Sender<Result<RecordReply, String>>;

/// What the ledger answered.
#[derive(Debug)]
pub(super) struct Recorded {
    changes: Result<Vec<FindingChange>, String>,
    policy: Option<PolicyRef>,
    asker: Asker,
}

/// Hands audits to the ledger.
#[derive(Debug)]
pub(super) struct Recorder {
    to: mpsc::Sender<Recorded>,
}

impl Recorder {
    /// A recorder, and where the ledger's answers come.
    pub(super) fn new() -> (Self, mpsc::Receiver<Recorded>) {
        let (to, recorded) = mpsc::channel(ANSWERS);
        (Self { to }, recorded)
    }

    /// Has the findings compared, as they are shown.
    pub(super) fn request(&self, recording: Recording, asker: Asker, keeper: &Keeper, publisher: &Publisher) {
        let Recording { policy, judged, mut findings } = recording;
        if let Some(privacy) = publisher.privacy() {
            findings.iter_mut().for_each(|finding| privacy.finding(finding));
        }
        let policy = policy.map(|digest| PolicyRef { digest });
        let to = self.to.clone();
        keeper.record(findings, judged, move |changes| {
            if let Err(error) = to.try_send(Recorded { changes, policy, asker }) {
                tracing::error!(%error, "an audit was recorded, and what differs was not sent");
            }
        });
    }
}

impl Recorded {
    /// Sends what differs as events, and replies.
    pub(super) fn publish(self, publisher: &mut Publisher, now: Timestamp) {
        let Self { changes, policy, asker } = self;
        let reply = changes.map(|changes| {
            let reply = counted(&changes);
            for change in changes {
                let event = AuditFindingEvent::new(change, policy.clone());
                publisher.send(Body::Finding(Box::new(FindingEvent::Audit(event))), now);
            }
            reply
        });
        // A client that no longer waits is no error.
        let _ = asker.send(reply);
    }
}

fn counted(changes: &[FindingChange]) -> RecordReply {
    let mut reply = RecordReply::default();
    for change in changes {
        *match change.change {
            Change::New => &mut reply.new,
            Change::Changed => &mut reply.changed,
            Change::Settled => &mut reply.settled,
            Change::Reopened => &mut reply.reopened,
        } += 1;
    }
    reply
}
