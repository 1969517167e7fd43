//! Whether exceptions of the policy accept a violation. It stays one: this says who accepted it, why, and until when.

use jiff::Timestamp;

use super::active::ActivePolicy;
use super::facts::Facts;
use crate::model::{Attribution, Process};
use crate::policy::compile::PortInfo;
use crate::shared::Shared;
use crate::verdict::{Accepted, AlsoAccepted, ReasonId};

impl ActivePolicy {
    /// Whether the policy has exceptions of violations.
    #[must_use]
    pub fn has_exceptions(&self) -> bool {
        !self.policy().exceptions.list.is_empty()
    }

    /// The exceptions that accept every one of these reasons of a flow on this port at this moment; `None` if one of them
    /// is not accepted. Costs nothing for a policy without exceptions.
    #[must_use]
    pub fn accepted(
        &self,
        facts: &Facts<'_>,
        port: &PortInfo,
        reasons: impl IntoIterator<Item = ReasonId>,
        now: Timestamp,
    ) -> Option<Shared<Accepted>> {
        let exceptions = &self.policy().exceptions;
        if !self.has_exceptions() {
            return None;
        }
        let mut inside = Vec::new();
        exceptions.peers.each(facts.peers().known(), self.names(), |item| inside.push(item));
        let process = facts.process.filter(|process| process.attribution != Attribution::Unknown);
        self.accepting(port, &inside, process, reasons, now)
    }

    /// The same of a listener, which has no peer.
    #[must_use]
    pub fn accepted_listener(
        &self,
        port: &PortInfo,
        process: Option<&Process>,
        reasons: impl IntoIterator<Item = ReasonId>,
        now: Timestamp,
    ) -> Option<Shared<Accepted>> {
        let process = process.filter(|process| process.attribution != Attribution::Unknown);
        self.accepting(port, &[], process, reasons, now)
    }

    fn accepting(
        &self,
        port: &PortInfo,
        inside: &[u32],
        process: Option<&Process>,
        reasons: impl IntoIterator<Item = ReasonId>,
        now: Timestamp,
    ) -> Option<Shared<Accepted>> {
        let mut found: Vec<&Shared<Accepted>> = Vec::new();
        for reason in reasons {
            let list = self.policy().exceptions.list.iter().filter(|exception| exception.reason == reason);
            let mut accepting =
                list.filter(|exception| exception.accepts((&port.name, port.number), inside, process, now));
            // Of several the one that lasts longest.
            let first = accepting.next()?;
            let best = accepting.fold(&first.accepted, |best, other| {
                if other.accepted.until > best.until { &other.accepted } else { best }
            });
            if !found.iter().any(|known| known.same(best)) {
                found.push(best);
            }
        }
        // The one that ends first stands for all.
        found.sort_by_key(|accepted| accepted.until);
        let (first, others) = found.split_first()?;
        if others.is_empty() {
            return Some(Shared::clone(first));
        }
        let also = others.iter().map(|other| AlsoAccepted {
            why: other.why.clone(),
            by: other.by.clone(),
            until: other.until,
        });
        Some(Shared::new(Accepted { also: also.collect(), ..(***first).clone() }))
    }
}
