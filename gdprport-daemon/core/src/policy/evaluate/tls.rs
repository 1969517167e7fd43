//! How a flow's encryption compares with what its port demands, and what that makes of the verdict of the rules.

use super::facts::Facts;
use crate::model::{Attribution, Posture, PostureState, Proof, TlsVersion, Withheld};
use crate::policy::declared::TlsDemand;
use crate::policy::model::Fit;
use crate::verdict::{Nearest, Reason, ReasonId, Verdict};

/// What `nearest.failed` names when the demand is not met: the key of the port, beside the keys of the rule.
const KEY: &str = "tls";

/// What stands between what is missing and the demanded version.
const DEMANDED: &str = ", and at least ";

/// How a posture compares with a demanded version.
enum Comparison {
    Met,
    Violated(Reason),
    /// What is missing.
    Unknown(String),
}

/// Adds the demand to the verdict of the rules, as one more key of every rule: not met, it makes a
/// violation of any verdict; not known, it leaves undecided what would be declared, unless the process itself saw to it.
/// Met, it costs no allocation.
pub(super) fn weigh(demand: &TlsDemand, facts: &Facts<'_>, verdict: Verdict) -> Verdict {
    let TlsDemand::AtLeast(version) = demand else { return verdict };
    match compare(facts.posture, *version) {
        Comparison::Met => verdict,
        Comparison::Violated(reason) => violated(reason, verdict),
        Comparison::Unknown(what) => match unseen_by_choice(facts) {
            Some(withheld) => {
                let detail = format!("{what}: {}", withheld.cause());
                violated(Reason { id: ReasonId::Unattributable, detail }, verdict)
            }
            None => unknown(what, verdict),
        },
    }
}

/// How a flow compares with the demand: what is known, what is wanted, and what was seen or is missing. `None`: nothing is
/// declared.
pub(super) fn compared(demand: &TlsDemand, facts: &Facts<'_>) -> Option<(Fit, String, String)> {
    let version = match demand {
        TlsDemand::None => return None,
        TlsDemand::NotRequired { why } => {
            return Some((Fit::Matches, format!("not required: {why}"), seen(facts)));
        }
        TlsDemand::AtLeast(version) => *version,
    };
    let (fit, is) = match compare(facts.posture, version) {
        Comparison::Met => (Fit::Matches, seen(facts)),
        Comparison::Violated(_) => (Fit::Fails, seen(facts)),
        Comparison::Unknown(what) => match unseen_by_choice(facts) {
            Some(withheld) => (Fit::Withheld, format!("{what}: {}", withheld.cause())),
            // What is wanted stands beside it.
            None => (Fit::Unknown, what.split(DEMANDED).next().unwrap_or_default().to_owned()),
        },
    };
    Some((fit, format!("at least {version}"), is))
}

fn seen(facts: &Facts<'_>) -> String {
    facts.posture.map_or_else(
        || "not known".to_owned(),
        |posture| match posture.version {
            Some(version) => version.to_string(),
            None => posture.state.as_str().to_owned(),
        },
    )
}

/// How the owner kept the first bytes from being captured: they are captured only of sockets that have room for a storage.
fn unseen_by_choice(facts: &Facts<'_>) -> Option<Withheld> {
    let known = facts.process.is_some_and(|process| process.attribution != Attribution::Unknown);
    facts.owner_withheld.filter(|withheld| *withheld == Withheld::OptionMemory && !known)
}

fn violated(reason: Reason, verdict: Verdict) -> Verdict {
    let (mut reasons, mut nearest) = match verdict {
        Verdict::Declared { rule } => (Vec::new(), Some(Nearest { role: rule, failed: Vec::new() })),
        Verdict::Undecided { nearest, .. } => (Vec::new(), nearest),
        Verdict::Violation { reasons, nearest } => (reasons, nearest),
    };
    if reasons.iter().all(|known| known.id != reason.id) {
        reasons.push(reason);
        reasons.sort_by_key(|reason| reason.id);
    }
    if let Some(nearest) = &mut nearest {
        nearest.failed.push(KEY.to_owned());
    }
    Verdict::Violation { reasons, nearest }
}

fn unknown(what: String, verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Declared { rule } => {
            let nearest = Some(Nearest { role: rule, failed: Vec::new() });
            Verdict::Undecided { missing: vec![what], nearest }
        }
        Verdict::Undecided { mut missing, nearest } => {
            missing.push(what);
            Verdict::Undecided { missing, nearest }
        }
        violation @ Verdict::Violation { .. } => violation,
    }
}

fn compare(posture: Option<&Posture>, least: TlsVersion) -> Comparison {
    let violated = |id, seen: String| {
        Comparison::Violated(Reason { id, detail: format!("{seen}, at least {least} is demanded") })
    };
    let unknown = |what: String| Comparison::Unknown(format!("{what}{DEMANDED}{least} is demanded"));
    let Some(posture) = posture else { return unknown("the encryption is not known yet".to_owned()) };
    let evidence = &posture.evidence;
    let negotiated = match posture.state {
        PostureState::Tls13 => TlsVersion::Tls13,
        PostureState::Tls12 => TlsVersion::Tls12,
        PostureState::StarttlsUpgraded => match posture.version {
            Some(version) => version,
            None => return unknown(format!("the version of TLS is not known yet ({evidence})")),
        },
        PostureState::WeakTls => {
            return violated(ReasonId::WeakTls, format!("the negotiated TLS is weak ({evidence})"));
        }
        PostureState::Plaintext => {
            return violated(ReasonId::Plaintext, format!("the connection is not encrypted ({evidence})"));
        }
        PostureState::StarttlsRefused => {
            return violated(ReasonId::TlsRefused, format!("the upgrade to TLS was refused ({evidence})"));
        }
        PostureState::EncryptedOther => {
            return unknown(format!(
                "the connection is encrypted by something else, which has no TLS version to compare ({evidence})"
            ));
        }
        PostureState::Unrecognised => {
            return violated(ReasonId::NotTls, format!("the connection is not TLS ({evidence})"));
        }
        // There is nothing that the demand could be about.
        PostureState::NoData => return Comparison::Met,
        PostureState::Unknown => return unknown(format!("the encryption is not known ({evidence})")),
    };
    if negotiated < least {
        return violated(ReasonId::WeakTls, format!("{negotiated} was negotiated"));
    }
    if posture.proof == Some(Proof::OneSide) {
        return unknown(format!("that the client took part in the handshake was not seen ({evidence})"));
    }
    Comparison::Met
}
