//! How a finding is put together, and its fingerprint.

use std::fmt::Write as _;
use std::sync::Arc;

use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::finding::{Edit, Evidence, Finding, FindingId, Proposal, Severity, Subject};
use crate::ledger::Identity;
use crate::policy::{Exception, Place};

/// Bytes of the hash that a fingerprint has: 128 bits, far more than the findings of any fleet need to be told apart.
const FINGERPRINT_BYTES: usize = 16;

/// A finding, and what an exception compares with it beside its subject.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub finding: Finding,
    /// The peers that it is about; empty: it is about none.
    pub peers: Vec<IpNet>,
    /// The processes that it is about; empty: it is about none.
    pub identities: Vec<Arc<Identity>>,
    /// The exception that accepts it, where that was decided before: flows are parted by it.
    pub exception: Option<&'a Exception>,
}

impl Draft<'_> {
    pub(super) fn new(id: FindingId, severity: Severity, subject: Subject, message: String) -> Self {
        let fingerprint = fingerprint(id, &subject);
        let finding = Finding {
            id,
            severity,
            fingerprint,
            subject,
            message,
            evidence: Vec::new(),
            place: None,
            proposal: None,
            accepted: None,
            known_since: None,
        };
        Self { finding, peers: Vec::new(), identities: Vec::new(), exception: None }
    }

    pub(super) fn evidence(mut self, what: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.finding.evidence.push(Evidence { what: what.into(), value });
        }
        self
    }

    pub(super) fn place(mut self, place: &Place) -> Self {
        self.finding.place = Some(place.clone());
        self
    }

    /// What to do, where the policy stays as it is or only its author knows what belongs there.
    pub(super) fn advice(mut self, what: impl Into<String>) -> Self {
        self.finding.proposal = Some(Proposal { what: what.into(), edit: None, toml: None });
        self
    }

    pub(super) fn proposal(mut self, what: impl Into<String>, edit: Edit, toml: String) -> Self {
        let toml = (edit != Edit::Remove).then_some(toml);
        self.finding.proposal = Some(Proposal { what: what.into(), edit: Some(edit), toml });
        self
    }

    pub(super) fn identities(mut self, identities: impl IntoIterator<Item = Arc<Identity>>) -> Self {
        self.identities = identities.into_iter().collect();
        self
    }
}

/// The first 128 bits of SHA-256 over the id and every field of the subject, each with its length before it, so that no two
/// subjects are the same text. An absent field differs from an empty one.
#[must_use]
pub fn fingerprint(id: FindingId, subject: &Subject) -> Arc<str> {
    let Subject { port, number, rule, address, process, detail } = subject;
    let number = number.map(|number| number.to_string());
    let fields = [
        Some(id.as_str()),
        port.as_deref(),
        number.as_deref(),
        rule.as_deref(),
        address.as_deref(),
        process.as_deref(),
        detail.as_deref(),
    ];
    let mut hash = Sha256::new();
    for field in fields {
        let length = field.map_or(u64::MAX, |field| field.len() as u64);
        hash.update(length.to_be_bytes());
        hash.update(field.unwrap_or_default());
    }
    let mut text = String::with_capacity(2 * FINGERPRINT_BYTES);
    for byte in &hash.finalize()[..FINGERPRINT_BYTES] {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text.into()
}
