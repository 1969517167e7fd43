//! The verdict on a flow.
//!
//! Belongs here: the fast path, which finds the first written rule that allows a flow without allocating (the
//! verdict's role is a shared text). What to say when none does is `explain`'s.

use std::sync::Arc;

use jiff::Timestamp;

use super::compiled::{Claim, Declaration, Where};
use super::explain::{self, Question};
use super::index::RuleIndex;
use super::{ActivePolicy, Facts, PortInfo};
use crate::model::{Attribution, Direction};
use crate::verdict::{Reason, ReasonId, Verdict};

/// What the policy says of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The verdict.
    pub verdict: Verdict,
    /// The flow's port, by its [`PortInfo::index`]; `None`: the number is not watched.
    pub port: Option<usize>,
}

impl Declaration {
    pub(super) const fn index(&self, direction: Direction) -> &RuleIndex {
        match direction {
            Direction::In => &self.accepted,
            Direction::Out => &self.connected,
        }
    }
}

impl ActivePolicy {
    /// What the policy says of a flow at this moment: `Declared` by the first written rule that allows it;
    /// `Undecided` if none does and one would, were evidence not missing; otherwise `Violation` with every reason
    /// why the nearest rule (fewest failed keys, then first written) does not allow it. What the port demands of the
    /// encryption counts as one more key of every rule.
    ///
    /// The cost of `Declared` grows with the logarithm of the number of rules and peers; otherwise a bounded number of
    /// rules is compared to explain it.
    #[must_use]
    pub fn evaluate(&self, facts: &Facts<'_>, now: Timestamp) -> Verdict {
        self.judge(facts, now).verdict
    }

    /// The same with the port that the flow belongs to, which is looked up for the verdict anyway.
    #[must_use]
    pub fn judge(&self, facts: &Facts<'_>, now: Timestamp) -> Evaluation {
        let Some(claim) = self.claim(facts) else {
            let detail = format!("port {} is neither declared nor in the catalog", facts.number());
            return Evaluation { verdict: violation(ReasonId::UndeclaredPort, detail), port: None };
        };
        let verdict = claim.info.tls.weigh(facts.posture, self.by_rules(claim, facts, now));
        Evaluation { verdict, port: Some(claim.info.index) }
    }

    /// The port that a flow belongs to: like [`port`](Self::port), but right where declarations share a number.
    #[must_use]
    pub fn port_of(&self, facts: &Facts<'_>) -> Option<&PortInfo> {
        self.claim(facts).map(|claim| &claim.info)
    }

    fn claim(&self, facts: &Facts<'_>) -> Option<&Claim> {
        self.policy().claim(facts, self.names())
    }

    /// The same, whatever was seen of the encryption.
    fn by_rules(&self, claim: &Claim, facts: &Facts<'_>, now: Timestamp) -> Verdict {
        let number = facts.number();
        let Some(place) = claim.declaration else {
            let name = &claim.info.name;
            let detail = format!("port {number} is {name} by the catalog and is not declared");
            return violation(ReasonId::UndeclaredPort, detail);
        };
        let policy = self.policy();
        let declaration = &policy.declarations[place];
        if facts.direction == Direction::In && matches!(declaration.service, Where::Elsewhere(_)) {
            let detail =
                format!("{} is a remote service, and port {number} was accepted here", declaration.name);
            return violation(ReasonId::UndeclaredDirection, detail);
        }
        let process = facts.process.filter(|process| process.attribution != Attribution::Unknown);
        let index = declaration.index(facts.direction);
        let mut best = u32::MAX;
        policy.peers.each(facts.peer.ip, self.names(), |item| {
            index.first(item, &declaration.rules, process, now, &mut best);
        });
        if let Some(rule) = declaration.rules.get(best as usize) {
            return Verdict::Declared { rule: Arc::clone(&rule.role) };
        }
        explain::verdict(&Question { active: self, declaration, number: place, facts, process, now })
    }
}

fn violation(id: ReasonId, detail: String) -> Verdict {
    Verdict::Violation { reasons: vec![Reason { id, detail }], nearest: None }
}
