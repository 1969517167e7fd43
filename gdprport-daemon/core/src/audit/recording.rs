//! What an audit hands over to be compared with the one before.
//!
//! Belongs here: its form, and what is nonsense in it. It may come from anybody who can reach the control socket.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::draft::fingerprint;
use super::finding::{Audit, Finding, FindingId};
use super::wording::{FIRST_BYTES, KNOWN_BY};

/// Findings of one audit: ten times as many as a host with an undeclared listener on every port of the catalog has.
pub const MAX_FINDINGS: usize = 4_096;

/// Pieces of evidence of one finding; the most that a check adds is ten.
const MAX_EVIDENCE: usize = 64;

/// Bytes of one text of a finding: sentences name eight of each at most, paths have 4,096 bytes.
const MAX_TEXT: usize = 8 * 1_024;

/// Bytes of a proposal's tables, which write sets of peers out.
const MAX_TABLES: usize = 256 * 1_024;

/// The findings of an audit, those that an exception accepts too, and what was judged at all: only that may be settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The digest of the policy that was judged; `None`: there was none.
    #[serde(default)]
    pub policy: Option<Arc<str>>,
    /// What was looked for: nothing else is settled.
    pub judged: Judged,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// What an audit looked for. That something else is not found any more is no evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// What was looked for as a whole.
    pub ids: Vec<FindingId>,
    /// Whether connections were watched, so that services were known by their first bytes too.
    #[serde(default)]
    pub watched: bool,
}

impl Judged {
    /// Whether this would have been found if it still were so.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        self.ids.contains(&finding.id) && (self.watched || !by_first_bytes(finding))
    }
}

/// Whether nothing else says what a service is.
fn by_first_bytes(finding: &Finding) -> bool {
    finding.evidence.iter().any(|evidence| &*evidence.what == KNOWN_BY && evidence.value == FIRST_BYTES)
}

impl Recording {
    /// What an audit found. `watched`: by [`Judged::watched`].
    #[must_use]
    pub fn of(audit: &Audit, watched: bool) -> Self {
        let not = |id: &FindingId| audit.not_judged.iter().any(|not| !not.partly && not.ids.contains(id));
        let ids = FindingId::ALL.into_iter().filter(|id| !not(id)).collect();
        let found = audit.findings.iter().chain(&audit.accepted);
        Self {
            policy: audit.policy.clone(),
            judged: Judged { ids, watched },
            findings: found.map(|finding| Finding { known_since: None, ..finding.clone() }).collect(),
        }
    }

    /// Reads one from JSON.
    ///
    /// # Errors
    /// What is wrong with it, as a clause.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let recording: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let count = recording.findings.len();
        if count > MAX_FINDINGS {
            return Err(format!("{count} findings are too many: {MAX_FINDINGS} are the most"));
        }
        if recording.judged.ids.len() > FindingId::ALL.len() {
            return Err("an id is judged twice".to_owned());
        }
        let digest = recording.policy.as_deref();
        if digest.is_some_and(|digest| digest.len() > MAX_TEXT) {
            return Err("the policy's digest is none".to_owned());
        }
        match recording.findings.iter().enumerate().find_map(|(n, finding)| Some((n, nonsense(finding)?))) {
            None => Ok(recording),
            Some((n, why)) => Err(format!("finding {}: {why}", n + 1)),
        }
    }
}

/// What is wrong with a finding.
fn nonsense(finding: &Finding) -> Option<String> {
    if finding.fingerprint != fingerprint(finding.id, &finding.subject) {
        return Some("its fingerprint is not that of its id and subject".to_owned());
    }
    if finding.evidence.len() > MAX_EVIDENCE {
        return Some(format!("it has more than {MAX_EVIDENCE} pieces of evidence"));
    }
    let subject = &finding.subject;
    let of_subject = [&subject.port, &subject.rule, &subject.address, &subject.process, &subject.detail];
    let of_subject = of_subject.into_iter().flatten().map(|text| &**text);
    let of_evidence = finding.evidence.iter().flat_map(|evidence| [&*evidence.what, &*evidence.value]);
    let of_exception = finding.accepted.iter().flat_map(|by| [&*by.why, &*by.by, &*by.place.file]);
    let others = finding.place.iter().map(|place| &*place.file);
    let others = others.chain(finding.proposal.iter().map(|proposal| &*proposal.what));
    let mut all = of_subject.chain(of_evidence).chain(of_exception).chain(others).chain([&*finding.message]);
    if all.any(|text| text.len() > MAX_TEXT) {
        return Some(format!("a text has more than {MAX_TEXT} bytes"));
    }
    let tables = finding.proposal.as_ref().and_then(|proposal| proposal.toml.as_ref());
    let too_long = tables.is_some_and(|tables| tables.len() > MAX_TABLES);
    too_long.then(|| format!("its proposal has more than {MAX_TABLES} bytes"))
}
