//! A finding, and an audit as a whole. `ids`, `fingerprint` and the names of fields are stable.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::Place;

pub use crate::event::Severity;

/// What is found. The identifiers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "AuditFindingId")]
pub enum FindingId {
    /// A catalog port listens and is not declared.
    UndeclaredListener,
    /// A service of the catalog, known by its executable or its first bytes, on a port that nobody declared.
    ShadowService,
    /// A declared port is bound wider than its `listen`, or to every address without a `listen`.
    ExposedListener,
    /// A declared local port on which nothing listened in the period.
    PortWithoutListener,
    /// A rule that allowed nothing in the period, while its port was watched.
    UnusedRule,
    /// A rule that allows far more peers than used it.
    BroadRule,
    /// A rule for any process, although the same few used it.
    RuleWithoutProcess,
    /// A rule past its `until`.
    RuleExpired,
    /// A rule whose `until` comes soon.
    RuleExpiring,
    /// A port without a demand on its encryption.
    TlsNotDemanded,
    /// Flows were not encrypted.
    PlaintextSeen,
    /// Flows were encrypted by what is weak.
    WeakTlsSeen,
    /// A certificate that was seen ends soon or has ended.
    CertificateExpiring,
    /// Keys of a record of processing are missing that Art. 30(1) GDPR asks for.
    RecordIncomplete,
    /// Special categories of data (Art. 9 GDPR) on a port that does not demand encryption, or with weak protection.
    SpecialCategoryUnprotected,
    /// A peer is in a third country by the controller's own list, and no transfer is declared.
    ThirdCountryCandidate,
    /// Far more volume than in the time before.
    UnusualVolume,
    /// A time in which something was lost or not watched.
    CoverageGap,
    /// The policy was changed in the period.
    PolicyChanged,
    /// An exception that ends soon, has ended, or matches nothing.
    ExceptionExpiring,
    /// Flows whose process is not known.
    UnattributedFlows,
    /// Connections that no rule allows were made on a port whose mode is `enforce`.
    NotEnforcing,
}

impl FindingId {
    /// The identifier used in policies, events, tables and SARIF.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UndeclaredListener => "undeclared-listener",
            Self::ShadowService => "shadow-service",
            Self::ExposedListener => "exposed-listener",
            Self::PortWithoutListener => "port-without-listener",
            Self::UnusedRule => "unused-rule",
            Self::BroadRule => "broad-rule",
            Self::RuleWithoutProcess => "rule-without-process",
            Self::RuleExpired => "rule-expired",
            Self::RuleExpiring => "rule-expiring",
            Self::TlsNotDemanded => "tls-not-demanded",
            Self::PlaintextSeen => "plaintext-seen",
            Self::WeakTlsSeen => "weak-tls-seen",
            Self::CertificateExpiring => "certificate-expiring",
            Self::RecordIncomplete => "record-incomplete",
            Self::SpecialCategoryUnprotected => "special-category-unprotected",
            Self::ThirdCountryCandidate => "third-country-candidate",
            Self::UnusualVolume => "unusual-volume",
            Self::CoverageGap => "coverage-gap",
            Self::PolicyChanged => "policy-changed",
            Self::ExceptionExpiring => "exception-expiring",
            Self::UnattributedFlows => "unattributed-flows",
            Self::NotEnforcing => "not-enforcing",
        }
    }

    /// All, in the order of the identifiers above.
    pub const ALL: [Self; 22] = [
        Self::UndeclaredListener,
        Self::ShadowService,
        Self::ExposedListener,
        Self::PortWithoutListener,
        Self::UnusedRule,
        Self::BroadRule,
        Self::RuleWithoutProcess,
        Self::RuleExpired,
        Self::RuleExpiring,
        Self::TlsNotDemanded,
        Self::PlaintextSeen,
        Self::WeakTlsSeen,
        Self::CertificateExpiring,
        Self::RecordIncomplete,
        Self::SpecialCategoryUnprotected,
        Self::ThirdCountryCandidate,
        Self::UnusualVolume,
        Self::CoverageGap,
        Self::PolicyChanged,
        Self::ExceptionExpiring,
        Self::UnattributedFlows,
        Self::NotEnforcing,
    ];
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a finding is about. Its fields and the id make the fingerprint, so nothing stands here that changes from day to day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// The declaration's name, or the catalog's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Arc<str>>,
    /// The TCP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u16>,
    /// The role of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Arc<str>>,
    /// The address, network or name of a peer, or the address that a listener is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Arc<str>>,
    /// Who: the executable, unit or container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Arc<str>>,
    /// What else tells it from others of the same id: a reason, a key, a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Arc<str>>,
}

/// One statement of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What it is.
    pub id: FindingId,
    /// How much it matters.
    pub severity: Severity,
    /// 32 hexadecimal digits over id and subject: the same for as long as the same is found.
    pub fingerprint: Arc<str>,
    /// What it is about.
    pub subject: Subject,
    /// One sentence.
    pub message: String,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// The place in the policy; of what nobody declared, where a declaration would go; absent of what is at no place of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What would settle it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// The exception of the policy that accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    /// When an audit that was recorded found it first, if it has been found since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub known_since: Option<Timestamp>,
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What it is, in a word or two: `flows`, `last seen`, `peers`.
    pub what: Arc<str>,
    /// Its value, as text.
    pub value: String,
}

/// A change that would settle a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proposal {
    /// What to do, one sentence.
    pub what: String,
    /// How the policy changes; absent: the policy stays as it is, or only its author knows what belongs there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
    /// What to write in the policy: complete tables. With the rest of the policy `gdprport policy check` accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toml: Option<String>,
}

/// How a proposal changes the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Edit {
    /// The text is added at the end of a file of the policy.
    Append,
    /// The text is added behind the keys of the table at the finding's place.
    Insert,
    /// The text replaces the keys of the table at the finding's place; tables below it stay.
    Replace,
    /// The table at the finding's place is removed, with those below it.
    Remove,
}

/// An exception that accepts a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AcceptedFinding")]
pub struct Accepted {
    /// Why.
    pub why: Arc<str>,
    /// By whom.
    pub by: Arc<str>,
    /// The last day on which it counts.
    #[schemars(with = "String")]
    pub until: Date,
    /// Its place in the policy.
    pub place: Place,
}

/// Findings that could not be looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotJudged {
    /// Which.
    pub ids: Vec<FindingId>,
    /// Whether that holds of some of it only, which the reason names: the rest was looked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partly: bool,
    /// Why, and what to do, one sentence.
    pub why: String,
}

/// An audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// When it was made.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Begin of the period that the ledger was read for; null: there was no ledger.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// The host.
    pub host: Arc<str>,
    /// The policy's digest; null: there is no policy.
    pub policy: Option<Arc<str>>,
    /// The findings that nobody accepted, the most severe first.
    pub findings: Vec<Finding>,
    /// Those that an exception accepts.
    pub accepted: Vec<Finding>,
    /// What could not be looked for. It is not claimed that there is none of it.
    pub not_judged: Vec<NotJudged>,
}
