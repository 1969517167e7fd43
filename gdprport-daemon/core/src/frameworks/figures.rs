//! What is counted once for all controls.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::audit::Audit;
use crate::ledger::{Edge, Observed};
use crate::model::{PostureState, TlsVersion};
use crate::pack::{LogPart, Version, last_change, watched_s};
use crate::policy::TlsDemand;
use crate::records::{Posed, Records, Rows};

/// The time that a ledger covers as a whole, also before the period that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerSpan {
    /// Since when it has something to say.
    pub begin: Timestamp,
    /// Up to when it was written.
    pub end: Timestamp,
}

/// What the answers rest on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The record of processing.
    pub records: &'a Records,
    /// What the ledger has of the period; `None`: there is none.
    pub observed: Option<&'a Observed>,
    /// Its rows.
    pub rows: &'a [(i64, Edge)],
    /// The time that the ledger covers.
    pub span: Option<LedgerSpan>,
    /// The policies of the period.
    pub versions: &'a [Version],
    /// What an audit finds in the policy and the ledger.
    pub audit: &'a Audit,
    /// What the evidence log has of the period; `None`: there is none to read.
    pub log: Option<&'a LogPart>,
    /// Whether the pack is signed.
    pub is_signed: bool,
}

/// Sums.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Declared services.
    pub(super) declared: usize,
    /// Of them, those with a purpose.
    pub(super) with_need: usize,
    /// Of them, those that demand TLS.
    pub(super) with_demand: usize,
    /// Rules.
    pub(super) rules: usize,
    /// Services that were seen and are not declared.
    pub(super) undeclared: usize,
    /// Connections and failed attempts.
    pub(super) flows: u64,
    /// Other ends.
    pub(super) others: usize,
    /// Violations.
    pub(super) violations: u64,
    /// Known to be encrypted, and of how many.
    pub(super) encrypted: (u64, u64),
    /// Plaintext, refused or weak.
    pub(super) unprotected: u64,
    /// Rows of these.
    pub(super) unprotected_rows: Rows,
    /// Of which the encryption is not known.
    pub(super) unknown: u64,
    /// Kinds of TLS, by version and cipher suite.
    pub(super) suites: BTreeMap<(Option<TlsVersion>, Option<String>), u64>,
    /// Other ends and times of certificates that were seen.
    pub(super) certificates: usize,
    /// The one that ends first.
    pub(super) first_end: Option<Timestamp>,
    /// Seconds for which anything was watched.
    pub(super) watched_s: u64,
    /// Seconds of the period.
    pub(super) period_s: u64,
    /// Gaps of the period.
    pub(super) gaps: usize,
    /// When the policy was changed last in the period.
    pub(super) changed: Option<Timestamp>,
}

impl Figures {
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let records = facts.records;
        let about = &records.about;
        let mut of = Self {
            declared: records.activities.len(),
            undeclared: records.undeclared.len(),
            period_s: u64::try_from(about.to.as_second().saturating_sub(about.asked.as_second()))
                .unwrap_or(0),
            gaps: records.gaps.len(),
            changed: last_change(facts.versions),
            ..Self::default()
        };
        of.watched_s = facts.observed.map_or(0, |observed| watched_s(&observed.coverage)).min(of.period_s);
        for activity in &records.activities {
            let has_need = activity.declared.as_ref().is_some_and(|record| record.purpose.is_some());
            of.with_need += usize::from(has_need);
            of.with_demand += usize::from(matches!(activity.tls, TlsDemand::AtLeast(_)));
            of.rules += activity.rules.len();
        }
        for seen in records.activities.iter().chain(&records.undeclared).filter_map(|of| of.seen.as_ref()) {
            of.flows = of.flows.saturating_add(seen.all.volume.flows);
            of.others += seen.counterparts.len();
            of.violations = of.violations.saturating_add(seen.outcomes.violation);
            let (encrypted, all) = seen.shares.encrypted();
            of.encrypted = (of.encrypted.0.saturating_add(encrypted), of.encrypted.1.saturating_add(all));
            seen.shares.0.iter().for_each(|posed| of.add(posed));
        }
        for (_, edge) in facts.rows {
            let posture = &edge.key.posture;
            let standing = edge.counts.standing();
            if posture.version.is_some() && standing > 0 {
                let suite = (posture.version, posture.cipher.as_deref().map(str::to_owned));
                let flows = of.suites.entry(suite).or_default();
                *flows = flows.saturating_add(standing);
            }
        }
        let mut certificates: Vec<_> = facts
            .rows
            .iter()
            .filter_map(|(_, edge)| {
                let until = edge.key.posture.certificate_until?;
                Some((until, edge.key.port.number, edge.key.direction, edge.key.peer))
            })
            .collect();
        certificates.sort_unstable();
        certificates.dedup();
        of.first_end = certificates.first().map(|(until, ..)| *until);
        of.certificates = certificates.len();
        of.unprotected_rows.0.sort_unstable();
        of.unprotected_rows.0.dedup();
        of
    }

    fn add(&mut self, posed: &Posed) {
        match posed.state {
            PostureState::Plaintext | PostureState::StarttlsRefused | PostureState::WeakTls => {
                self.unprotected = self.unprotected.saturating_add(posed.flows);
                self.unprotected_rows.0.extend(&posed.rows.0);
            }
            PostureState::Unknown | PostureState::Unrecognised => {
                self.unknown = self.unknown.saturating_add(posed.flows);
            }
            PostureState::StarttlsUpgraded if posed.version.is_none() => {
                self.unknown = self.unknown.saturating_add(posed.flows);
            }
            _ => {}
        }
    }
}
