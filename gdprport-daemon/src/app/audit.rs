//! An audit of this host: the ledger is read, and everything is judged together.
//!
//! Does not belong here: what is found (`gdprport_core::audit`), and looking at the host (`scan`).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use gdprport_core::audit::{self, Audit, CountriesFile, Earlier, Settings, VOLUME_DAYS};
use gdprport_core::inventory::Inventory;
use gdprport_core::ledger::{HourlyLedger, Observed};
use gdprport_core::policy::outline;
use jiff::{Span, Timestamp};

use super::policy::Written;
use super::scan::host_name;
use crate::ledger::{ReadError, Reader};

/// Where a policy would be that there is none of.
const FIRST_FILE: &str = "/etc/gdprport/policy.toml";

/// Policies of the period whose texts are read: more changes than a period of a year has weeks are a program's.
const EARLIER_MAX: usize = 64;

/// What an audit reads of the past.
#[derive(Debug)]
pub(crate) struct Past {
    observed: Observed,
    hours: HourlyLedger,
    earlier: Vec<Earlier>,
    /// Since when findings are known that were recorded and are not settled, by their fingerprints.
    known: HashMap<Arc<str>, Timestamp>,
}

impl Past {
    /// Reads the ledger from a moment on.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn read(reader: &Reader, since: Timestamp, now: Timestamp) -> Result<Self, ReadError> {
        let observed = reader.observed(since, now)?;
        let compared =
            observed.to.saturating_sub(Span::new().hours(24 * VOLUME_DAYS)).unwrap_or(Timestamp::MIN);
        let hours = reader.hours(compared, observed.to)?;
        let digests: BTreeSet<Arc<str>> = observed
            .policies
            .iter()
            .rev()
            .filter_map(|period| period.digest.clone())
            .take(EARLIER_MAX)
            .collect();
        let mut earlier = Vec::new();
        for digest in digests {
            // A text that this version does not compile any more is one that is not known.
            let sources = reader.policy_text(&digest)?.filter(|sources| !sources.is_empty());
            if let Some(Ok((outline, _))) = sources.map(|sources| outline(&sources)) {
                earlier.push(Earlier { digest, outline });
            }
        }
        let recorded = reader.findings()?.into_iter().filter(|stored| stored.settled.is_none());
        let known = recorded.map(|stored| (stored.finding.fingerprint, stored.since)).collect();
        Ok(Self { observed, hours, earlier, known })
    }
}

/// Judges a policy, the past and the host. Of the past and the host there may be only a reason why there is nothing.
pub(crate) fn judge(
    written: &Written,
    countries: CountriesFile,
    past: Result<Past, String>,
    inventory: Result<&Inventory, String>,
    since: Timestamp,
    now: Timestamp,
) -> Audit {
    judged(written, countries, past, inventory, since, now).0
}

/// The same, with what the ledger has of the period, for who goes on with it: of a long one that is much.
pub(super) fn judged(
    written: &Written,
    countries: CountriesFile,
    past: Result<Past, String>,
    inventory: Result<&Inventory, String>,
    since: Timestamp,
    now: Timestamp,
) -> (Audit, Option<Observed>) {
    let first = written.sources.first();
    let (past, earlier, known, no_ledger) = match past {
        Ok(Past { observed, hours, earlier, known }) => {
            (Some((observed, hours)), earlier, known, String::new())
        }
        Err(why) => (None, Vec::new(), HashMap::new(), why),
    };
    let settings = Settings {
        host: host_name().into(),
        asked: since,
        digest: first.map(|_| Arc::clone(&written.digest)),
        first_file: first.map_or_else(|| FIRST_FILE.into(), |source| source.name.as_str().into()),
        no_ledger: no_ledger.into(),
        no_inventory: inventory.as_ref().err().cloned().unwrap_or_default().into(),
        earlier,
        countries,
    };
    let policy = first.map(|_| &written.outline);
    let (observed, hours) = past.as_ref().map(|(observed, hours)| (observed, hours)).unzip();
    let mut audit = audit::judge(policy, observed, hours, inventory.ok(), &settings, now);
    for finding in audit.findings.iter_mut().chain(&mut audit.accepted) {
        finding.known_since = known.get(&finding.fingerprint).copied();
    }
    (audit, past.map(|(observed, _)| observed))
}
