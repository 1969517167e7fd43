//! Connects that no rule allows, on ports whose policy denies them.

use crate::audit::context::Context;
use crate::audit::count::Connections;
use crate::audit::draft::Draft;
use crate::audit::finding::{FindingId, Severity};
use crate::audit::wording;
use crate::ledger::{Edge, VerdictKey};
use crate::model::Direction;
use crate::policy::Mode;
use crate::verdict::ReasonId;

/// `not-enforcing`: connections were made from here that no rule allows, on a port whose mode is "enforce", under the very policy
/// that says so. What the kernel does not decide is none of it: the encryption, a volume; nor what arrives, of which it does not
/// know who will accept; nor connects that failed, which those are that were denied.
///
/// Evidence: how many, and by which programs. Severity: `medium`: the policy is not what happens (Art. 32 GDPR).
/// Not judged without a ledger.
pub(super) fn check(context: &mut Context<'_>) {
    const ID: FindingId = FindingId::NotEnforcing;
    if context.ledger(&[ID]).is_none() {
        return;
    }
    for port in context.ports().iter().filter(|port| port.enforcement.mode == Mode::Enforce) {
        let digest = context.settings.digest.as_deref();
        let passed = |edge: &&Edge| {
            edge.key.direction == Direction::Out
                && digest.is_some_and(|digest| edge.key.policy.as_deref() == Some(digest))
                && edge.counts.opened > 0
                && is_decided(&edge.key.verdict)
        };
        let edges: Vec<&Edge> = context.edges(port).into_iter().filter(passed).collect();
        let made = Connections::of(edges.iter().copied());
        if made == 0 {
            continue;
        }
        let programs = Connections::by(edges.iter().copied(), |edge| {
            edge.key.identity.exe.as_deref().unwrap_or("a program that is not known").to_owned()
        });
        let programs: Vec<String> =
            programs.iter().map(|(exe, n)| format!("{exe} ({})", wording::thousands(*n))).collect();
        let message = format!(
            "{} that no rule allows {} made on {}, whose mode is \"enforce\"",
            wording::counted(made, "connection"),
            if made == 1 { "was" } else { "were" },
            port.name
        );
        let draft = Draft::new(ID, Severity::Medium, Context::subject(port), message)
            .place(&port.place)
            .evidence("programs", wording::some(&programs))
            .advice(
                "See `gdprport daemon status` for what is not enforced or unknown; `on_unknown = \"deny\"` denies what is unknown",
            )
            .identities(edges.iter().map(|edge| std::sync::Arc::clone(&edge.key.identity)));
        context.add(draft);
    }
}

/// Whether it is a violation for what is known at the connect.
fn is_decided(verdict: &VerdictKey) -> bool {
    let VerdictKey::Violation { reasons, .. } = verdict else { return false };
    let is_known_then = |reason: &ReasonId| {
        matches!(
            reason,
            ReasonId::UndeclaredPeer
                | ReasonId::UndeclaredProcess
                | ReasonId::UndeclaredDirection
                | ReasonId::Unattributable
                | ReasonId::RuleExpired
        )
    };
    reasons.iter().any(is_known_then)
}
