//! Adding up the open flows for a live view, in slices between which the loop reads records.
//!
//! Belongs here: who waits for an answer, and how far it is. Does not belong here: the sums (`gdprport_core::top`), the row of a
//! flow (`status`).

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::fast::RandomState;
use gdprport_core::privacy::Shown;
use gdprport_core::top::{Grouping, Member};
use gdprport_core::verdict::Verdict;
use tokio::sync::oneshot;

use super::monitor::peer_name;
use super::status::Sources;
use crate::control::api::{FlowRow, GroupQuery, GroupsReply};

/// Flows that are looked at in one go: less than a millisecond. Of 50,000 the loop would see nothing else for some 30.
const SLICE: usize = 1_024;

/// An answer that is being made.
struct Job {
    query: GroupQuery,
    to: oneshot::Sender<GroupsReply>,
    progress: Option<Progress>,
}

/// How far it is.
struct Progress {
    /// The policy that it began under: places of ports mean something else to another one.
    policy: String,
    /// What was open when it began, oldest first.
    cookies: Vec<u64>,
    looked_at: usize,
    grouping: Grouping,
    shown: Option<Shown>,
    members: Vec<FlowRow>,
}

/// Those who wait, one after the other: the server takes no more at once than it does of lists of flows.
#[derive(Default)]
pub(super) struct Groupings {
    waiting: VecDeque<Job>,
    /// Makes the ids of groups, the same as long as the daemon runs.
    ids: RandomState,
}

impl Groupings {
    /// Takes a question.
    pub(super) fn request(&mut self, query: GroupQuery, to: oneshot::Sender<GroupsReply>) {
        self.waiting.push_back(Job { query, to, progress: None });
    }

    /// Whether somebody waits.
    pub(super) fn is_busy(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Looks at the next slice of flows.
    pub(super) fn step(&mut self, sources: &Sources<'_>) {
        let Some(mut job) = self.waiting.pop_front() else { return };
        // Nobody waits any more.
        if job.to.is_closed() {
            return;
        }
        let policy = sources.monitor.active_policy.digest();
        let begun = job.progress.take().filter(|progress| progress.policy == policy);
        let mut progress = begun.unwrap_or_else(|| Progress {
            policy: policy.to_owned(),
            cookies: sources.monitor.flows.cookies_by_age(),
            looked_at: 0,
            grouping: Grouping::new(self.ids.clone(), job.query.group),
            shown: sources.monitor.publisher.privacy().map(|privacy| Shown::new(Arc::clone(privacy))),
            members: Vec::new(),
        });
        if progress.slice(&job.query, sources) {
            // A client that went away meanwhile is no error.
            let _ = job.to.send(progress.finish(&job.query, sources));
        } else {
            job.progress = Some(progress);
            self.waiting.push_front(job);
        }
    }
}

impl Progress {
    /// True: it was the last one.
    fn slice(&mut self, query: &GroupQuery, sources: &Sources<'_>) -> bool {
        let Self { cookies, looked_at, grouping, shown, members, .. } = self;
        let monitor = sources.monitor;
        let now = monitor.now();
        let end = cookies.len().min(*looked_at + SLICE);
        for cookie in &cookies[*looked_at..end] {
            // One that ended meanwhile is not open.
            let Some(flow) = monitor.flows.get(*cookie) else { continue };
            let Some(port) = flow.port_index.and_then(|index| monitor.publisher.port(index)) else {
                continue;
            };
            if !query.wants_port(&port.port.name, port.port.number) {
                continue;
            }
            let accepted = match *flow.verdict {
                Verdict::Violation { .. } => monitor.accepted(flow, now),
                Verdict::Declared { .. } | Verdict::Undecided { .. } => None,
            };
            let name = || peer_name(flow, monitor.active_policy.names());
            let seen = match shown.as_mut() {
                Some(shown) => {
                    let mut flow = flow.clone();
                    shown.flow(&mut flow);
                    let member = Member { port: &port.port, peer: flow.known_peer(), accepted };
                    grouping.add(&flow, member, name)
                }
                None => {
                    let member = Member { port: &port.port, peer: flow.known_peer(), accepted };
                    grouping.add(flow, member, name)
                }
            };
            if seen && query.group.is_some() && members.len() < query.limit {
                members.push(sources.row(flow, port.port, shown.as_mut(), now));
            }
        }
        *looked_at = end;
        end == cookies.len()
    }

    fn finish(self, query: &GroupQuery, sources: &Sources<'_>) -> GroupsReply {
        let Self { grouping, members, .. } = self;
        let monitor = sources.monitor;
        let clock = monitor.publisher.clock();
        let watched = query.port.is_none()
            || monitor.active_policy.watched().any(|port| query.wants_port(&port.name, port.number));
        GroupsReply {
            watched,
            privacy: monitor.publisher.privacy().map(|privacy| privacy.applied()),
            groups: grouping.finish(query.violations, query.limit, |ns| clock.timestamp(ns)),
            members,
        }
    }
}
