//! What is asked of the daemon and the ledger, and what comes back.

use gdprport_core::event::{Cookie, Event};
use gdprport_core::ledger::HourlyLedger;
use gdprport_core::top::{GroupId, RowKey};
use jiff::Timestamp;

use super::history::History;
use crate::control::api::{ExplainReply, FlowRow, GroupQuery, GroupsReply, StatusReply};

/// What is on the screen, so that nothing else is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ui::top) struct Wanted {
    /// The groups.
    pub groups: GroupQuery,
    /// The group that is looked at.
    pub flow: Option<WantedFlow>,
}

impl Wanted {
    /// Whether the same is looked at, whatever stands for it.
    pub(in crate::ui::top) fn is_of_same_view(&self, other: &Self) -> bool {
        let key = |wanted: &Self| wanted.flow.as_ref().map(|flow| flow.key.clone());
        self.groups == other.groups && key(self) == key(other)
    }
}

/// A group that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui::top) struct WantedFlow {
    /// `None`: nothing of it is open.
    pub group: Option<GroupId>,
    /// The flow that stands for it.
    pub sample: Cookie,
    /// What the ledger knows it by.
    pub key: RowKey,
}

/// Everything about what is open, at one time.
#[derive(Debug)]
pub(in crate::ui::top) struct Answer {
    /// When it came, by the wall clock.
    pub at: Timestamp,
    /// The same by a clock that does not jump, in milliseconds.
    pub at_ms: u64,
    pub status: StatusReply,
    /// The name of the port that was asked for, if one was.
    pub port: Option<String>,
    pub groups: GroupsReply,
}

/// About the group that is looked at.
#[derive(Debug)]
pub(in crate::ui::top) struct FlowAnswer {
    /// Which one.
    pub key: RowKey,
    /// Its oldest flows; without any if none is open.
    pub members: Vec<FlowRow>,
    /// Why the one that stands for it is judged as it is.
    pub explained: ExplainReply,
}

/// What comes back.
#[derive(Debug)]
pub(in crate::ui::top) enum Update {
    Answer(Box<Answer>),
    Flow(Box<FlowAnswer>),
    /// Nobody answers, and why.
    Failed(String),
    /// Events about flows in violation, and how many events were missed since the last.
    Events(Vec<Event>, u64),
    /// Whether events are followed; if not, why.
    Following(Result<(), String>),
    /// The last 24 hours by the ledger, or why they are not known.
    Day(Result<Box<HourlyLedger>, String>),
    /// What the ledger has of the group that is looked at, or why that is not known.
    History(Box<RowKey>, Result<Box<History>, String>),
}
