//! Whether the policy asks that an open flow is ended: `existing` and `posture` of `[port.enforce]`.
//!
//! Only a violation is, and none that exceptions accept: what is not known ends nothing, whatever `on_unknown` says, as it may
//! be known a moment later, and a connection that was ended is not begun again.

use jiff::Timestamp;

use super::active::ActivePolicy;
use super::facts::Facts;
use crate::policy::compile::PortInfo;
use crate::policy::enforcement::{Mode, OnExisting, OnPosture};
use crate::verdict::{ReasonId, Verdict};

/// What becomes of an open flow that the rules, as they are now, deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It goes on.
    Kept,
    /// It is ended.
    Ended,
}

impl ActivePolicy {
    /// What becomes of a flow that was open when the rules changed; `None`: they do not deny it, or its port has no mode. What
    /// only breaks the demand on the encryption is denied where `posture` is "reset".
    #[must_use]
    pub fn existing(
        &self,
        facts: &Facts<'_>,
        port: &PortInfo,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Option<Existing> {
        let asked = port.enforcement;
        let counts = |id| is_of_rules(id) || (asked.posture == OnPosture::Reset && is_of_posture(id));
        let denied = !asked.mode.is_observe() && self.denies(facts, port, verdict, counts, now);
        let becomes = match (asked.mode, asked.existing) {
            (Mode::Enforce, OnExisting::Reset) => Existing::Ended,
            _ => Existing::Kept,
        };
        denied.then_some(becomes)
    }

    /// Whether a flow is ended for how it turned out to be encrypted.
    #[must_use]
    pub fn ends_for_posture(
        &self,
        facts: &Facts<'_>,
        port: &PortInfo,
        verdict: &Verdict,
        now: Timestamp,
    ) -> bool {
        (port.enforcement.mode, port.enforcement.posture) == (Mode::Enforce, OnPosture::Reset)
            && self.denies(facts, port, verdict, is_of_posture, now)
    }

    /// Whether it is a violation for one of these reasons, and no exceptions accept all of those.
    fn denies(
        &self,
        facts: &Facts<'_>,
        port: &PortInfo,
        verdict: &Verdict,
        counts: impl Fn(ReasonId) -> bool,
        now: Timestamp,
    ) -> bool {
        let reasons = || verdict.reasons().iter().map(|reason| reason.id).filter(|id| counts(*id));
        reasons().next().is_some() && self.accepted(facts, port, reasons(), now).is_none()
    }
}

/// Whether no rule allows it. A rule beyond its `volume` still does, and a listener is none of a flow's.
const fn is_of_rules(id: ReasonId) -> bool {
    match id {
        ReasonId::UndeclaredPeer
        | ReasonId::UndeclaredProcess
        | ReasonId::Unattributable
        | ReasonId::UndeclaredDirection
        | ReasonId::RuleExpired => true,
        ReasonId::UndeclaredPort
        | ReasonId::Plaintext
        | ReasonId::WeakTls
        | ReasonId::TlsRefused
        | ReasonId::NotTls
        | ReasonId::VolumeExceeded
        | ReasonId::ExposedListener
        | ReasonId::UndeclaredListener => false,
    }
}

/// Whether it was seen to be encrypted otherwise than its port demands.
const fn is_of_posture(id: ReasonId) -> bool {
    matches!(id, ReasonId::Plaintext | ReasonId::WeakTls | ReasonId::TlsRefused | ReasonId::NotTls)
}
