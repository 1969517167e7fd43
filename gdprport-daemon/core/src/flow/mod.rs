//! Flows: what is remembered of every connection on a watched port, from its first record to its end.
//!
//! Belongs here: the table and its rules of time. It asks a [`Context`] who a process is and what the
//! policy says, and answers with [`Change`]s; it reads no clock and writes nothing. Times are nanoseconds
//! of `CLOCK_BOOTTIME`, as the kernel side stamps them.

mod attempts;
mod early;
mod farewell;
mod intake;
mod known;
mod pairs;
mod posture;
mod progress;
mod table;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use super::community_id::CommunityId;
use super::identity::OwnerRef;
use super::model::{Direction, Endpoint, Outcome, Posture, Process};
use super::policy::Facts;
use super::posture::Tracker;
use super::verdict::{ReasonSet, Verdict};

pub use farewell::LastCounts;
pub use progress::{Found, Progress};
pub use table::{Limits, Table, TableCounters};

/// What the table needs to know from outside while it takes a record in.
pub trait Context {
    /// The process behind an owner; always an answer, if need be with attribution `unknown`.
    fn who(&mut self, owner: &OwnerRef) -> Option<Arc<Process>>;
    /// The process with the names of its user and group, if it had to go without and they are known by now.
    fn named(&mut self, process: &Process) -> Option<Arc<Process>>;
    /// What the policy says of a flow now.
    fn judge(&mut self, flow: &Flow) -> Arc<Verdict>;
    /// Whether what the policy says of a flow hangs on how it is encrypted.
    fn weighs_posture(&self, facts: &Facts<'_>) -> bool;
    /// Follows the encryption of a flow from its first bytes on.
    fn tracker(&self, facts: &Facts<'_>) -> Tracker;
    /// True if flows of this port are reported.
    fn is_watched(&self, port: u16) -> bool;
}

/// What is known of one connection, seen from its local end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Community ID of the connection.
    pub id: CommunityId,
    /// Socket cookie.
    pub cookie: u64,
    /// Which end this is.
    pub direction: Direction,
    /// The end on this host.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// When it was established or, if never, tried; boottime ns, `None` if that was not seen.
    pub opened_ns: Option<u64>,
    /// When it ended; boottime ns.
    pub ended_ns: Option<u64>,
    /// The process at this end.
    pub process: Option<Arc<Process>>,
    /// The process at the other end, where that is on this host too.
    pub peer_process: Option<Arc<Process>>,
    /// What was seen of its encryption; `None` while nothing decides it.
    pub posture: Option<Arc<Posture>>,
    /// What the policy says of it.
    pub verdict: Arc<Verdict>,
    /// Where its life stands.
    pub outcome: Outcome,
    /// Application bytes sent and acknowledged; `None` until they were read.
    pub bytes_sent: Option<u64>,
    /// Application bytes received; `None` until they were read.
    pub bytes_received: Option<u64>,
    /// Smoothed round-trip time in microseconds.
    pub rtt_us: Option<u32>,
    /// Segments sent again.
    pub retransmits: Option<u32>,
    /// Network namespace cookie of the socket; 0 if not known.
    pub netns_cookie: u64,
    /// True if the flow was there before the daemon looked.
    pub found: bool,
}

/// The verdict on a flow that is about to be judged.
static UNJUDGED: LazyLock<Arc<Verdict>> =
    LazyLock::new(|| Arc::new(Verdict::Undecided { missing: Vec::new(), nearest: None }));

impl Flow {
    /// The port that carries the personal data: the local one of an accepted flow, else the peer's.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self.direction {
            Direction::In => self.local.port,
            Direction::Out => self.peer.port,
        }
    }

    /// What the policy judges it by.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            direction: self.direction,
            local: self.local,
            peer: self.peer,
            process: self.process.as_deref(),
            posture: self.posture.as_deref(),
        }
    }
}

/// What happened to a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is open, and its owner is as well known as it will be soon.
    Opened,
    /// It goes on: bytes were read, the owner became better known, or the verdict changed.
    Updated,
    /// Its encryption was told, or more of it.
    PostureKnown,
    /// The connect failed; it never was open.
    Failed,
    /// It ended.
    Closed,
    /// It left the table, and nothing more will be told of it but perhaps its end.
    Forgotten(Forgotten),
}

/// Why a flow that may go on left the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// The table was full, and it was the oldest.
    TableFull,
    /// Its port is not watched any more.
    Unwatched,
}

/// A change, with all that is known of the flow after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The flow.
    pub flow: Flow,
    /// Reasons of a violation that were not reported for this flow since it was last found in order.
    pub new_reasons: ReasonSet,
    /// What the verdict was when the flow was last reported; `None` if it is reported for the first time.
    pub was: Option<Standing>,
}

impl Change {
    /// True if a violation is to be reported: the first of the flow, or one for more reasons than before.
    #[must_use]
    pub const fn is_new_violation(&self) -> bool {
        !self.new_reasons.is_empty()
    }
}

/// A verdict without its reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A rule allows it.
    Declared,
    /// Evidence is missing.
    Undecided,
    /// No rule allows it, or a demand is not met.
    Violation,
}

impl From<&Verdict> for Standing {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Declared { .. } => Self::Declared,
            Verdict::Undecided { .. } => Self::Undecided,
            Verdict::Violation { .. } => Self::Violation,
        }
    }
}
