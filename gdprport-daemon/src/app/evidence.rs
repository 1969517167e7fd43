//! What an evidence pack reads: the ledger of a period as a whole, and the policies that applied in it.
//!
//! Does not belong here: what is made of it (`gdprport_core::pack`, `gdprport_core::frameworks`), and how it looks (`report`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gdprport_core::audit::{Audit, CountriesFile};
use gdprport_core::frameworks::LedgerSpan;
use gdprport_core::ledger::Observed;
use gdprport_core::pack::{self, Happened, Version};
use gdprport_core::policy::Source;
use jiff::Timestamp;

use super::audit::{Past, judge, judged};
use super::policy::Written;
use super::records::Recorded;
use crate::ledger::{ReadError, Reader, StoredFinding};

/// Policies of the period whose texts are read, the latest: more changes than a year has days are a program's.
const TEXTS_MAX: usize = 366;

/// Why a pack is made without a look at the host.
const NO_SCAN: &str = "the host was not looked at, as this rests on the policy and the ledger only; `gdprport audit` looks at it";

/// The past as a pack shows it.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// What the record of processing rests on.
    pub(crate) recorded: Recorded,
    /// The policies of the period.
    pub(crate) versions: Vec<Version>,
    /// What audits have recorded.
    pub(crate) findings: Vec<pack::Recorded>,
    /// The time that the ledger covers.
    pub(crate) span: Option<LedgerSpan>,
    /// What an audit of the policy and the ledger finds.
    pub(crate) audit: Audit,
}

impl Evidence {
    /// Reads the ledger from a moment on, and judges it by the policy.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn read(
        written: &Written,
        countries: CountriesFile,
        reader: &Reader,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Self, ReadError> {
        let past = Past::read(reader, since, now)?;
        let (audit, observed) = judged(written, countries, Ok(past), Err(NO_SCAN.to_owned()), since, now);
        // What was audited is not kept beside the rows that it was added up from.
        let observed = observed.map(|observed| Observed { edges: Vec::new(), ..observed });
        let recorded = Recorded::with(reader, observed, since, now)?;
        let versions = versions(reader, &recorded)?;
        let summary = reader.summary()?;
        let span = summary.begin.zip(summary.end).map(|(begin, end)| LedgerSpan { begin, end });
        let findings = reader.findings()?.into_iter().map(finding).collect();
        Ok(Self { recorded, versions, findings, span, audit })
    }
}

/// The policies that applied, with their texts where the ledger has them.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn versions(reader: &Reader, recorded: &Recorded) -> Result<Vec<Version>, ReadError> {
    let periods = &recorded.observed.policies;
    let digests = periods.iter().rev().filter_map(|period| period.digest.clone());
    let mut asked: BTreeSet<Arc<str>> = BTreeSet::new();
    for digest in digests {
        if asked.len() >= TEXTS_MAX {
            break;
        }
        asked.insert(digest);
    }
    let mut texts: BTreeMap<Arc<str>, Vec<Source>> = BTreeMap::new();
    for digest in asked {
        if let Some(sources) = reader.policy_text(&digest)? {
            texts.insert(digest, sources);
        }
    }
    Ok(pack::versions(periods, &texts))
}

fn finding(stored: StoredFinding) -> pack::Recorded {
    pack::Recorded {
        finding: stored.finding,
        since: stored.since,
        judged: stored.judged,
        settled: stored.settled,
        history: stored
            .history
            .into_iter()
            .map(|event| Happened {
                at: event.at,
                change: event.change.into(),
                severity: event.severity.into(),
                message: event.message.into(),
            })
            .collect(),
    }
}

/// An audit of the policy alone, and why there is no ledger.
pub(crate) fn judge_alone(
    written: &Written,
    countries: CountriesFile,
    why: &str,
    since: Timestamp,
    now: Timestamp,
) -> Audit {
    judge(written, countries, Err(why.to_owned()), Err(NO_SCAN.to_owned()), since, now)
}
