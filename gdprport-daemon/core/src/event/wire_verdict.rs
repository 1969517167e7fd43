//! The wire form of a verdict: one flat object for every outcome, so that readers need no case distinction.
//!
//! Belongs here: the serde adaptor between that object and [`Verdict`], which excludes wrong combinations.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::verdict::{Nearest, Reason, Verdict};

/// A verdict as it is written.
#[derive(Serialize)]
pub(crate) struct VerdictRef<'a> {
    outcome: &'static str,
    reasons: &'a [Reason],
    rule: Option<&'a str>,
    nearest: Option<&'a Nearest>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [String],
}

/// The verdict of the policy.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Verdict")]
pub(super) struct WireVerdict {
    /// `declared`: a rule allows it. `violation`: none does. `undecided`: evidence is missing, never compliant.
    outcome: WireOutcome,
    /// Every reason of a violation, ordered by identifier; empty for the other outcomes.
    reasons: Vec<Reason>,
    /// The role of the rule that allowed; `null` for the other outcomes.
    rule: Option<Arc<str>>,
    /// The rule that came closest and which of its keys failed; `null` where there is none.
    nearest: Option<Nearest>,
    /// The evidence that an `undecided` verdict waits for, as text; absent for the other outcomes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "VerdictOutcome")]
enum WireOutcome {
    Declared,
    Violation,
    Undecided,
}

pub(crate) fn serialize<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    VerdictRef::from(verdict).serialize(serializer)
}

impl<'a> From<&'a Verdict> for VerdictRef<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        let (rule, nearest, missing) = match verdict {
            Verdict::Declared { rule } => (Some(&**rule), None, &[][..]),
            Verdict::Violation { nearest, .. } => (None, nearest.as_ref(), &[][..]),
            Verdict::Undecided { missing, nearest } => (None, nearest.as_ref(), &missing[..]),
        };
        VerdictRef { outcome: verdict.outcome(), reasons: verdict.reasons(), rule, nearest, missing }
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: From<Verdict>>(
    deserializer: D,
) -> Result<T, D::Error> {
    read(WireVerdict::deserialize(deserializer)?).map(T::from)
}

/// The same for a verdict that may be left out.
pub(super) mod option {
    use super::{
        Deserialize, Deserializer, Serialize as _, Serializer, Verdict, VerdictRef, WireVerdict, read,
    };
    use crate::shared::Shared;

    #[expect(clippy::ref_option, reason = "the signature that serde's `with` calls")]
    pub(in super::super) fn serialize<S: Serializer>(
        verdict: &Option<Shared<Verdict>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        verdict.as_deref().map(VerdictRef::from).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Shared<Verdict>>, D::Error> {
        let wire = Option::<WireVerdict>::deserialize(deserializer)?;
        wire.map(|wire| read(wire).map(Shared::new)).transpose()
    }
}

fn read<E: de::Error>(wire: WireVerdict) -> Result<Verdict, E> {
    match wire.outcome {
        WireOutcome::Declared => {
            let rule = wire.rule.ok_or_else(|| E::missing_field("rule"))?;
            Ok(Verdict::Declared { rule })
        }
        WireOutcome::Violation if wire.reasons.is_empty() => {
            Err(E::custom("a violation needs at least one reason"))
        }
        WireOutcome::Violation => Ok(Verdict::Violation { reasons: wire.reasons, nearest: wire.nearest }),
        WireOutcome::Undecided => Ok(Verdict::Undecided { missing: wire.missing, nearest: wire.nearest }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::verdict::ReasonId;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder(#[serde(with = "super")] Verdict);

    #[test]
    fn every_outcome_has_the_same_shape() {
        let declared = Holder(Verdict::Declared { rule: "orders-api".into() });
        let violation = Holder(Verdict::Violation {
            reasons: vec![Reason { id: ReasonId::UndeclaredPeer, detail: "203.0.113.7".to_owned() }],
            nearest: Some(Nearest { role: "backup".into(), failed: vec!["unit".to_owned()] }),
        });
        let undecided = Holder(Verdict::Undecided { missing: vec!["user".to_owned()], nearest: None });
        for (verdict, expected) in [
            (declared, json!({"outcome": "declared", "reasons": [], "rule": "orders-api", "nearest": null})),
            (
                violation,
                json!({"outcome": "violation", "reasons": [{"id": "undeclared-peer", "detail": "203.0.113.7"}],
                       "rule": null, "nearest": {"role": "backup", "failed": ["unit"]}}),
            ),
            (
                undecided,
                json!({"outcome": "undecided", "reasons": [], "rule": null, "nearest": null, "missing": ["user"]}),
            ),
        ] {
            let wire = serde_json::to_value(&verdict).expect("plain data");
            assert_eq!(wire, expected);
            assert_eq!(serde_json::from_value::<Holder>(wire).expect("own output"), verdict);
        }
    }

    #[test]
    fn a_violation_without_a_reason_is_refused() {
        let wire = json!({"outcome": "violation", "reasons": [], "rule": null, "nearest": null});
        assert!(serde_json::from_value::<Holder>(wire).is_err());
    }
}
