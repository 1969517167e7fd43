//! What a group has to know of an event, or of others that were counted already, that belong to it.

use std::sync::Arc;

use super::kind::{Class, Kind, PortId};
use crate::event::{FlowEvent, FlowSummary, PolicyRef, Port};
use crate::shared::Shared;
use crate::verdict::{Accepted, Verdict};

/// One event of a flow, or a sum of them.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) port: &'a Shared<Port>,
    pub(super) policy: Option<&'a PolicyRef>,
    pub(super) verdict: &'a Shared<Verdict>,
    pub(super) accepted: Option<&'a Shared<Accepted>>,
    /// What it has in common with others besides the peer; `None`: nothing but port and outcome.
    pub(super) kind: Option<Kind>,
}

impl<'a> From<&'a FlowEvent> for Member<'a> {
    fn from(event: &'a FlowEvent) -> Self {
        Self {
            port: &event.port,
            policy: event.policy.as_ref(),
            verdict: &event.verdict,
            accepted: event.accepted.as_ref(),
            kind: Some(Kind::of(event)),
        }
    }
}

impl<'a> Member<'a> {
    /// Of a summary whose flows have this verdict.
    pub(super) fn of_summary(event: &'a FlowSummary, verdict: &'a Shared<Verdict>) -> Self {
        let group = event.summary.group.as_ref();
        Self {
            port: &event.port,
            policy: event.policy.as_ref(),
            verdict,
            accepted: event.accepted.as_ref(),
            kind: group.map(|group| Kind::of_summary(event, group, verdict)),
        }
    }

    pub(super) fn class(&self) -> Class {
        Class::of_verdict(self.verdict, self.accepted.is_some())
    }

    pub(super) fn port_id(&self) -> PortId {
        let policy = self.policy.map(|policy| Arc::clone(&policy.digest));
        (self.port.number, Arc::clone(&self.port.name), policy)
    }
}
