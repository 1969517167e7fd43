//! The verdict on a flow.
//!
//! Belongs here: the fast path, which finds the first written rule that allows a flow without allocating (the
//! verdict's role is a shared text). What to report when none does is `explain`'s.

use std::sync::Arc;

use jiff::Timestamp;

use super::active::ActivePolicy;
use super::explain::{self, Undeclared};
use super::facts::Facts;
use super::tls::weigh;
use crate::model::{Attribution, Direction};
use crate::policy::compile::{CompiledSite, ItemId, PortClaim, PortInfo};
use crate::verdict::{Nearest, Reason, ReasonId, Verdict};

/// The verdict on a flow, and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The verdict.
    pub verdict: Verdict,
    /// The flow's port, by its [`PortInfo::index`]; `None`: the number is not watched.
    pub port: Option<usize>,
}

/// What a flow falls under, and the remote services that it would fall under instead, did they contain the peer.
pub(crate) struct Claimed<'a> {
    pub claim: &'a PortClaim,
    pub earlier: &'a [PortClaim],
    /// Whether a remote service contains the peer.
    pub by_peer: bool,
}

impl ActivePolicy {
    /// The verdict on a flow at this moment: `Declared` by the first written rule that allows it;
    /// `Undecided` if none does and one would, were evidence not missing, or if the flow may belong to
    /// another service whose host name is not resolved; otherwise `Violation` with every reason
    /// why the nearest rule (`explain`) does not allow it. What the port demands of the
    /// encryption counts as one more key of every rule.
    ///
    /// The cost of `Declared` grows with the logarithm of the number of rules and peers; otherwise a bounded number of
    /// rules is compared to explain it.
    #[must_use]
    pub fn evaluate(&self, facts: &Facts<'_>, now: Timestamp) -> Verdict {
        self.judge(facts, now).verdict
    }

    /// The same with the port that the flow belongs to, which the verdict needs anyway.
    #[must_use]
    pub fn judge(&self, facts: &Facts<'_>, now: Timestamp) -> Evaluation {
        let Some(Claimed { claim, earlier, by_peer }) = self.claim(facts) else {
            let detail = format!("port {} is neither declared nor in the catalog", facts.number());
            return Evaluation { verdict: violation(ReasonId::UndeclaredPort, detail), port: None };
        };
        let verdict = weigh(&claim.info.tls, facts, self.by_rules(claim, facts, now));
        let other = |is_open: &dyn Fn(&PortClaim) -> bool| {
            earlier.iter().find(|other| !std::ptr::eq(*other, claim) && is_open(other))
        };
        let verdict = match other(&|other| self.is_open(other)) {
            Some(other) => open(&other.info.name, "which has a host name that is not resolved", verdict),
            // No service contains the address that the process called, or a part of the network that all peers are in may be
            // another one's.
            None if facts.peers().open && !by_peer || facts.peer_within.is_some() => match other(&|_| true) {
                Some(other) => {
                    let why = facts.peer_missing.unwrap_or(if facts.peer_within.is_some() {
                        explain::COUNTED_TOGETHER
                    } else {
                        explain::MAY_BE_TRANSLATED
                    });
                    open(&other.info.name, why, verdict)
                }
                None => verdict,
            },
            None => verdict,
        };
        Evaluation { verdict, port: Some(claim.info.index) }
    }

    /// The port that a flow belongs to: like [`port`](Self::port), but right where declarations share a number.
    #[must_use]
    pub fn port_of(&self, facts: &Facts<'_>) -> Option<&PortInfo> {
        self.claim(facts).map(|claimed| &claimed.claim.info)
    }

    /// The claim that a flow falls under. Accepted: the local one. Connected: the remote service that contains the
    /// peer, or else the local claim, or else the first remote one by name.
    pub(crate) fn claim(&self, facts: &Facts<'_>) -> Option<Claimed<'_>> {
        let policy = self.policy();
        let claims = policy.claims(facts.number());
        let first = claims.first()?;
        let remote = &claims[usize::from(first.local)..];
        if facts.direction == Direction::In || claims.len() == 1 {
            return Some(Claimed { claim: first, earlier: &[], by_peer: false });
        }
        let mut best = remote.len();
        // The address that the process called comes first, then the one behind it.
        for address in facts.peers().known() {
            policy.services.each([address], self.names(), |item| {
                let of_item = |claim: &PortClaim| self.service(claim).cmp(&Some(item));
                // Services get their items in the order of the declarations, so that claims ascend by item.
                if let Ok(index) = remote.binary_search_by(of_item) {
                    best = best.min(index);
                }
            });
            if best < remote.len() {
                break;
            }
        }
        let by_peer = best < remote.len();
        Some(Claimed { claim: remote.get(best).unwrap_or(first), earlier: &remote[..best], by_peer })
    }

    /// The item of a remote service; `None`: it has none, or the claim is a local one.
    fn service(&self, claim: &PortClaim) -> Option<ItemId> {
        match self.policy().declarations[claim.declaration?].site {
            CompiledSite::Remote(service) => service,
            CompiledSite::Local(..) => None,
        }
    }

    /// Whether it is a remote service with a host name that is not resolved: any peer may be it.
    pub(crate) fn is_open(&self, claim: &PortClaim) -> bool {
        self.service(claim).is_some_and(|item| {
            let hosts = &self.policy().services.items[item as usize].hosts;
            hosts.iter().any(|name| !self.names().is_resolved(name))
        })
    }

    /// The verdict of the rules, without the demand on the encryption.
    fn by_rules(&self, claim: &PortClaim, facts: &Facts<'_>, now: Timestamp) -> Verdict {
        let number = facts.number();
        let Some(place) = claim.declaration else {
            let name = &claim.info.name;
            let detail = format!("port {number} is {name} by the catalog and is not declared");
            return violation(ReasonId::UndeclaredPort, detail);
        };
        let policy = self.policy();
        let declaration = &policy.declarations[place];
        if facts.direction == Direction::In && matches!(declaration.site, CompiledSite::Remote(_)) {
            let detail =
                format!("{} is a remote service, and port {number} was accepted here", declaration.name);
            return violation(ReasonId::UndeclaredDirection, detail);
        }
        let process = facts.process.filter(|process| process.attribution != Attribution::Unknown);
        let index = declaration.index(facts.direction);
        let mut best = u32::MAX;
        policy.peers.each(facts.peers().known(), self.names(), |item| {
            index.first(item, &declaration.rules, process, now, &mut best);
        });
        if let Some(rule) = declaration.rules.get(best as usize) {
            return Verdict::Declared { rule: Arc::clone(&rule.role) };
        }
        explain::verdict(&Undeclared { active: self, declaration, number: place, facts, process, now })
    }
}

/// What becomes of a verdict if it is not known whether the flow belongs to another declaration: nothing is decided.
fn open(service: &str, why: &str, verdict: Verdict) -> Verdict {
    let (mut missing, nearest) = match verdict {
        Verdict::Declared { rule } => (Vec::new(), Some(Nearest { role: rule, failed: Vec::new() })),
        Verdict::Undecided { missing, nearest } => (missing, nearest),
        Verdict::Violation { nearest, .. } => (Vec::new(), nearest),
    };
    missing.push(format!("whether the peer is {service}, {why}"));
    Verdict::Undecided { missing, nearest }
}

fn violation(id: ReasonId, detail: String) -> Verdict {
    Verdict::Violation { reasons: vec![Reason { id, detail }], nearest: None }
}
