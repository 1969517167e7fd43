//! The exceptions that accept violations, ready to be compared. Those of findings are the audit's.

use std::sync::Arc;

use jiff::Timestamp;

use super::peer_index::{ItemId, PeerIndex, PeerIndexBuilder};
use crate::model::Process;
use crate::policy::model::{Exception, PeerSets, PortKey, ProcessSpec};
use crate::shared::Shared;
use crate::verdict::{Accepted, ReasonId};

/// The exceptions of a policy, in the order written.
#[derive(Debug, Default)]
pub(crate) struct Exceptions {
    pub list: Vec<CompiledException>,
    /// Their peers.
    pub peers: PeerIndex,
    /// How many the policy has, also of findings.
    pub written: usize,
}

/// One exception of a reason.
#[derive(Debug)]
pub(crate) struct CompiledException {
    pub reason: ReasonId,
    port: Option<PortKey>,
    /// What has to contain the peer.
    peers: Option<ItemId>,
    process: Option<Arc<ProcessSpec>>,
    /// The last moment at which it counts.
    end: Timestamp,
    pub accepted: Shared<Accepted>,
}

impl Exceptions {
    pub(super) fn new(written: Vec<Exception>, sets: &PeerSets) -> Self {
        let (mut list, mut peers) = (Vec::new(), PeerIndexBuilder::default());
        let count = written.len();
        for exception in written {
            let Some(reason) = exception.finding.reason else { continue };
            list.push(CompiledException {
                reason,
                port: exception.port,
                peers: exception.peers.map(|written| peers.all_of(&written, sets)),
                process: exception.process,
                end: exception.end.value,
                accepted: Shared::new(Accepted {
                    why: exception.why,
                    by: exception.accepted_by,
                    until: exception.until,
                    also: Vec::new(),
                }),
            });
        }
        Self { list, peers: peers.build(), written: count }
    }
}

impl CompiledException {
    /// Whether it is about this violation, now. What is not known is accepted by none that asks for it. `inside`: the
    /// items that contain the peer.
    pub(crate) fn accepts(
        &self,
        port: (&str, u16),
        inside: &[ItemId],
        process: Option<&Process>,
        now: Timestamp,
    ) -> bool {
        now <= self.end
            && self.port.as_ref().is_none_or(|own| own.is(Some(port.0), Some(port.1)))
            && self.peers.is_none_or(|item| inside.contains(&item))
            && self.process.as_ref().is_none_or(|spec| process.is_some_and(|process| spec.matches(process)))
    }
}
