//! What came by a rule and what did not: of all connections, or of those that a control is about.

use super::figures::{Facts, Figures};
use super::model::Answer;
use super::watched::{is_watched, not_watched, watched};
use crate::figures::{counted, thousands};
use crate::model::Direction;
use crate::records::{Counterpart, Zone};

/// Which connections a control of what is restricted is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    All,
    In,
    Out,
    Untrusted,
}

impl Side {
    fn has(self, other: &Counterpart) -> bool {
        match self {
            Self::All => true,
            Self::In => other.direction == Direction::In,
            Self::Out => other.direction == Direction::Out,
            // A zone that is not known is not known to be trusted.
            Self::Untrusted => {
                other.direction == Direction::In && matches!(other.at.zone, Zone::Public | Zone::Unknown)
            }
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::All => "connection",
            Self::In | Self::Untrusted => "incoming connection",
            Self::Out => "outgoing connection",
        }
    }

    fn counted(self, n: u64) -> String {
        let connections = counted(n, self.name());
        match self {
            Self::Untrusted => format!("{connections} from public networks or ones that are not known"),
            Self::All | Self::In | Self::Out => connections,
        }
    }
}

/// What there is.
pub(super) fn restricted(facts: &Facts<'_>, figures: &Figures, side: Side) -> Answer {
    let mut answer = Answer { places: vec!["violations.csv", "findings.md"], ..Answer::default() };
    if figures.declared == 0 || !is_watched(facts, figures) {
        if figures.declared == 0 {
            answer.lacks.push("No service is declared, so that nothing is allowed or not".to_owned());
        }
        if !is_watched(facts, figures) {
            answer.lacks.push(not_watched(facts));
        }
        return answer;
    }
    let (mut allowed, mut violations, mut undecided) = (0_u64, 0_u64, 0_u64);
    let activities = facts.records.activities.iter().chain(&facts.records.undeclared);
    let others = activities.filter_map(|of| of.seen.as_ref()).flat_map(|seen| &seen.counterparts);
    for other in others.filter(|other| side.has(other)) {
        let flows = other.used.volume.flows;
        match other.outcome {
            "declared" => allowed = allowed.saturating_add(flows),
            "violation" => {
                violations = violations.saturating_add(flows);
                answer.rows.0.extend(&other.used.rows.0);
            }
            _ => undecided = undecided.saturating_add(flows),
        }
    }
    answer.rows.0.sort_unstable();
    answer.rows.0.dedup();
    let all = allowed.saturating_add(violations).saturating_add(undecided);
    answer.observed(format!(
        "{} compared with {}: {} allowed",
        side.counted(all),
        counted(figures.rules as u64, "rule"),
        thousands(allowed)
    ));
    if violations > 0 {
        answer.lacks.push(format!("{} that no rule allows", counted(violations, "connection")));
    }
    if undecided > 0 {
        answer.lacks.push(format!("{} of which evidence is missing", counted(undecided, "connection")));
    }
    let accepted = facts.audit.accepted.len();
    if accepted > 0 {
        let findings = counted(accepted as u64, "finding");
        answer.lacks.push(format!("{findings} accepted by an exception"));
    }
    watched(&mut answer, figures);
    answer
        .lacks
        .push("gdprport reports what is not allowed, and denies it only on ports in enforce mode".to_owned());
    answer
}
