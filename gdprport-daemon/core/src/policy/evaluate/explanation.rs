//! Why a flow is judged as it is, key by key: the types of an explanation, and their JSON.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::wire_verdict;
use crate::model::Direction;
use crate::policy::enforcement::Mode;
use crate::policy::model::Fit;
use crate::policy::outline::Place;
use crate::verdict::{Accepted, Verdict};

/// Why a flow is judged as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The verdict.
    #[serde(serialize_with = "wire_verdict::serialize", deserialize_with = "wire_verdict::deserialize")]
    pub verdict: Verdict,
    /// Which end this host's socket is.
    pub direction: Direction,
    /// The TCP port that the flow is judged by.
    pub number: u16,
    /// What the flow falls under; `null`: the port is neither declared nor in the catalog.
    pub port: Option<ExplainedPort>,
    /// How the port's demand on the encryption compares; `null`: it says nothing of it.
    pub tls: Option<ExplainedKey>,
    /// The rule that allows it; otherwise the port's rules, the nearest first.
    pub rules: Vec<ExplainedRule>,
    /// How many rules of the port are left out.
    pub omitted: usize,
    /// Host names of the port's rules that are not resolved.
    pub unresolved: Vec<UnresolvedHost>,
    /// The exceptions that accept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
}

/// The port that a flow falls under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedPort {
    /// The declaration's name, or the catalog's.
    pub name: Arc<str>,
    /// False if only the catalog knows it.
    pub declared: bool,
    /// Why the flow is this one's, one sentence.
    pub why: String,
    /// What is done about a connection that no rule allows.
    #[serde(default, skip_serializing_if = "Mode::is_observe")]
    pub mode: Mode,
    /// Where it is declared.
    pub place: Option<Place>,
}

/// How one rule compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedRule {
    /// Its role.
    pub role: Arc<str>,
    /// Where it stands.
    pub place: Option<Place>,
    /// Its keys: `direction`, `peers`, those of `process`, `until`, `volume`.
    pub keys: Vec<ExplainedKey>,
}

impl ExplainedRule {
    /// Whether every key matches.
    #[must_use]
    pub fn matches(&self) -> bool {
        self.keys.iter().all(|key| key.fit == KeyFit::Matches)
    }
}

/// How one key compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedKey {
    /// The key.
    pub key: Arc<str>,
    /// How it compares.
    pub fit: KeyFit,
    /// What is written.
    pub wanted: String,
    /// What is; what is missing if that is not known.
    pub is: String,
}

/// How a key compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyFit {
    /// It is as wanted.
    Matches,
    /// It is not.
    Fails,
    /// Not known.
    Unknown,
    /// Not known because the process itself saw to that.
    Withheld,
}

impl From<Fit> for KeyFit {
    fn from(fit: Fit) -> Self {
        match fit {
            Fit::Matches => Self::Matches,
            Fit::Fails => Self::Fails,
            Fit::Unknown => Self::Unknown,
            Fit::Withheld => Self::Withheld,
        }
    }
}

/// A host name that is not resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnresolvedHost {
    /// The name.
    pub name: Arc<str>,
    /// Why; `null` if it was not asked for yet.
    pub why: Option<String>,
}
