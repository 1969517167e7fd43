//! The verdict on a flow.
//!
//! Belongs here: the fast path, which finds the first written rule that allows a flow without allocating (the
//! verdict's role is a shared text). What to say when none does is `explain`'s.

use std::sync::Arc;

use jiff::Timestamp;

use super::compiled::{Claim, Declaration, Where};
use super::explain::{self, Question};
use super::index::RuleIndex;
use super::names::Names;
use super::{Facts, Policy};
use crate::model::{Attribution, Direction};
use crate::verdict::{Reason, ReasonId, Verdict};

impl Declaration {
    pub(super) const fn index(&self, direction: Direction) -> &RuleIndex {
        match direction {
            Direction::In => &self.accepted,
            Direction::Out => &self.connected,
        }
    }
}

impl Policy {
    /// What the policy says of a flow at this moment: `Declared` by the first written rule that allows it;
    /// `Undecided` if none does and one would, were evidence not missing; otherwise `Violation` with every reason
    /// why the nearest rule (fewest failed keys, then first written) does not allow it. What the port demands of the
    /// encryption counts as one more key of every rule.
    ///
    /// The cost of `Declared` grows with the logarithm of the number of rules and peers; otherwise a bounded number of
    /// rules is compared to explain it.
    #[must_use]
    pub fn evaluate(&self, facts: &Facts<'_>, names: &Names, now: Timestamp) -> Verdict {
        let Some(claim) = self.claim(facts, names) else {
            let detail = format!("port {} is neither declared nor in the catalog", facts.number());
            return violation(ReasonId::UndeclaredPort, detail);
        };
        claim.info.tls.weigh(facts.posture, self.by_rules(claim, facts, names, now))
    }

    /// The same, whatever was seen of the encryption.
    fn by_rules(&self, claim: &Claim, facts: &Facts<'_>, names: &Names, now: Timestamp) -> Verdict {
        let number = facts.number();
        let Some(place) = claim.declaration else {
            let name = &claim.info.name;
            let detail = format!("port {number} is {name} by the catalog and is not declared");
            return violation(ReasonId::UndeclaredPort, detail);
        };
        let declaration = &self.declarations[place];
        if facts.direction == Direction::In && matches!(declaration.service, Where::Elsewhere(_)) {
            let detail =
                format!("{} is a remote service, and port {number} was accepted here", declaration.name);
            return violation(ReasonId::UndeclaredDirection, detail);
        }
        let process = facts.process.filter(|process| process.attribution != Attribution::Unknown);
        let index = declaration.index(facts.direction);
        let mut best = u32::MAX;
        self.peers.each(facts.peer.ip, names, |item| {
            index.first(item, &declaration.rules, process, now, &mut best);
        });
        if let Some(rule) = declaration.rules.get(best as usize) {
            return Verdict::Declared { rule: Arc::clone(&rule.role) };
        }
        explain::verdict(&Question { policy: self, declaration, number: place, facts, process, names, now })
    }
}

fn violation(id: ReasonId, detail: String) -> Verdict {
    Verdict::Violation { reasons: vec![Reason { id, detail }], nearest: None }
}
