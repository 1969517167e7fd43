//! What events of a group have in common besides the peer.

use std::sync::Arc;

use crate::event::{FlowEvent, FlowSummary, Group, GroupPosture};
use crate::model::{Container, Direction, Names, Naming, Posture};
use crate::verdict::{ReasonSet, Verdict};

/// A declaration by number and name, and the policy: a number may be served here by one declaration and be a remote service
/// by another, and verdicts of different policies are not added up.
pub(super) type PortId = (u16, Arc<str>, Option<Arc<str>>);

/// The declaration and policy of an event.
pub(super) fn port_id(event: &FlowEvent) -> PortId {
    let policy = event.policy.as_ref().map(|policy| Arc::clone(&policy.digest));
    (event.port.number, Arc::clone(&event.port.name), policy)
}

/// Outcomes that are never added up, whatever else is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Declared,
    Undecided,
    Violation,
    /// A violation that exceptions of the policy accept.
    Accepted,
}

impl Class {
    pub(super) fn of(event: &FlowEvent) -> Self {
        Self::of_verdict(&event.verdict, event.accepted.is_some())
    }

    pub(super) const fn of_verdict(verdict: &Verdict, accepted: bool) -> Self {
        match verdict {
            Verdict::Declared { .. } => Self::Declared,
            Verdict::Undecided { .. } => Self::Undecided,
            Verdict::Violation { .. } if accepted => Self::Accepted,
            Verdict::Violation { .. } => Self::Violation,
        }
    }

    pub(super) const COUNT: usize = 4;
}

/// Everything but the peer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) port: PortId,
    pub(super) class: Class,
    direction: Direction,
    /// Whether the addresses are of version 6.
    v6: bool,
    exe: Option<Arc<str>>,
    unit: Option<Arc<str>>,
    user: Option<Arc<str>>,
    /// Of a user without a name.
    uid: Option<u32>,
    /// Namespace, workload, and the name or id.
    container: [Option<Arc<str>>; 3],
    /// The rule that allows it, or comes closest.
    role: Option<Arc<str>>,
    reasons: ReasonSet,
    posture: Option<GroupPosture>,
}

impl Kind {
    /// Of an event. Nothing is copied but references.
    pub(super) fn of(event: &FlowEvent) -> Self {
        let process = event.process.as_deref();
        let user = process.and_then(|process| process.user.clone());
        Self {
            port: port_id(event),
            class: Class::of(event),
            direction: event.flow.direction,
            v6: event.flow.peer.ip.is_ipv6(),
            exe: process.and_then(|process| process.exe.clone()),
            unit: process.and_then(|process| process.unit.clone()),
            uid: process.filter(|_| user.is_none()).map(|process| process.uid),
            user,
            container: process.and_then(|process| process.container.as_ref()).map(called).unwrap_or_default(),
            role: role(&event.verdict).cloned(),
            reasons: ReasonSet::from(&*event.verdict),
            posture: event.posture.as_deref().map(posture),
        }
    }

    /// Of flows that were counted already, as far as their summary shows it. `verdict`: what they have in common.
    pub(super) fn of_summary(event: &FlowSummary, group: &Group, verdict: &Verdict) -> Self {
        let policy = event.policy.as_ref().map(|policy| Arc::clone(&policy.digest));
        Self {
            port: (event.port.number, Arc::clone(&event.port.name), policy),
            class: Class::of_verdict(verdict, event.accepted.is_some()),
            direction: group.direction,
            v6: group.peer_ip.is_ipv6(),
            exe: group.exe.clone(),
            unit: group.unit.clone(),
            user: group.user.clone(),
            uid: group.uid,
            container: [group.namespace.clone(), group.workload.clone(), group.container.clone()],
            role: role(verdict).cloned(),
            reasons: ReasonSet::from(verdict),
            posture: group.posture,
        }
    }

    /// As a summary names it, of no peer yet.
    pub(super) fn group(&self, peer: ipnet::IpNet) -> Group {
        let [namespace, workload, container] = self.container.clone();
        let single = peer.prefix_len() == peer.max_prefix_len();
        Group {
            rule: self.role.clone().filter(|_| self.class == Class::Declared),
            peer_prefix: (!single).then(|| peer.prefix_len()),
            exe: self.exe.clone(),
            unit: self.unit.clone(),
            user: self.user.clone(),
            uid: self.uid,
            container,
            workload,
            namespace,
            posture: self.posture,
            ..Group::of_peer(self.direction, peer.addr())
        }
    }
}

pub(super) fn posture(posture: &Posture) -> GroupPosture {
    GroupPosture { state: posture.state, version: posture.version }
}

/// The role that a verdict names.
pub(super) const fn role(verdict: &Verdict) -> Option<&Arc<str>> {
    match verdict {
        Verdict::Declared { rule } => Some(rule),
        Verdict::Violation { nearest: Some(nearest), .. }
        | Verdict::Undecided { nearest: Some(nearest), .. } => Some(&nearest.role),
        Verdict::Violation { .. } | Verdict::Undecided { .. } => None,
    }
}

fn called(container: &Container) -> [Option<Arc<str>>; 3] {
    let Naming::Known(names) = &container.naming else {
        return [None, None, Some(Arc::clone(&container.id))];
    };
    let Names { name, namespace, workload, pod_name, .. } = &**names;
    let workload = workload.as_ref().map(|workload| Arc::clone(&workload.name)).or_else(|| pod_name.clone());
    [namespace.clone(), workload, Some(Arc::clone(name.as_ref().unwrap_or(&container.id)))]
}
