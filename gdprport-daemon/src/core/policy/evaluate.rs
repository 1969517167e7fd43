//! The verdict on a flow.
//!
//! Belongs here: the fast path, which finds the first written rule that allows a flow without allocating (the
//! verdict's role is a shared text). What to say when none does is `explain`'s.

use std::sync::Arc;

use jiff::Timestamp;

use super::compiled::{Declaration, Where};
use super::explain::{self, Question};
use super::index::RuleIndex;
use super::names::Names;
use super::{Facts, Policy};
use crate::core::model::{Attribution, Direction};
use crate::core::verdict::{Reason, ReasonId, Verdict};

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
    /// why the nearest rule (fewest failed keys, then first written) does not allow it.
    ///
    /// The cost of `Declared` grows with the logarithm of the number of rules and peers; otherwise a bounded number of
    /// rules is compared to explain it.
    #[must_use]
    pub fn evaluate(&self, facts: &Facts<'_>, names: &Names, now: Timestamp) -> Verdict {
        let violation =
            |id, detail| Verdict::Violation { reasons: vec![Reason { id, detail }], nearest: None };
        let number = facts.number();
        let claim = self.claim(facts, names);
        let Some(declaration) = claim.and_then(|claim| claim.declaration) else {
            let detail = match claim {
                Some(claim) => {
                    format!("port {number} is {} by the catalog and is not declared", claim.info.name)
                }
                None => format!("port {number} is neither declared nor in the catalog"),
            };
            return violation(ReasonId::UndeclaredPort, detail);
        };
        let declaration = &self.declarations[declaration];
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
        explain::verdict(&Question { policy: self, declaration, facts, process, names, now })
    }
}
