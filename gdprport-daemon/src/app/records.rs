//! The record of processing of this host: the ledger is read, and stands beside what the policy declares.
//!
//! Does not belong here: what is gathered (`gdprport_core::records`), and how it looks (`report`).

use gdprport_core::audit::CountriesFile;
use gdprport_core::ledger::{Edge, Observed};
use gdprport_core::privacy::{is_pseudonym, is_pseudonymous_id, names_pseudonym};
use gdprport_core::records::{About, Past, Records, gather};
use jiff::Timestamp;

use super::countries::country_of;
use super::policy::Written;
use super::scan::host_name;
use crate::ledger::{EdgeFilter, ReadError, Reader};

/// What a record reads of the past.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// All but the flows.
    pub(crate) observed: Observed,
    /// The rows, each with its number.
    pub(crate) rows: Vec<(i64, Edge)>,
}

impl Recorded {
    /// Reads the ledger from a moment on.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn read(reader: &Reader, since: Timestamp, now: Timestamp) -> Result<Self, ReadError> {
        Self::with(reader, None, since, now)
    }

    /// The same with all but the flows, if somebody has read that already.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn with(
        reader: &Reader,
        observed: Option<Observed>,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Self, ReadError> {
        let filter = EdgeFilter { since: Some(since), until: Some(now), ..EdgeFilter::default() };
        let rows = reader.edges(&filter)?.into_iter().map(|stored| (stored.row, stored.edge)).collect();
        let observed = observed.map_or_else(|| reader.around(since, now), Ok)?;
        Ok(Self { observed, rows })
    }
}

/// Puts the policy and the past side by side. Of the past there may be only a reason why there is nothing.
pub(crate) fn records(
    written: &Written,
    countries: &CountriesFile,
    past: Result<&Recorded, String>,
    since: Timestamp,
    now: Timestamp,
) -> Records {
    let has_policy = !written.sources.is_empty();
    let (past, no_ledger) = match past {
        Ok(past) => (Some(past), None),
        Err(why) => (None, Some(why.into())),
    };
    let about = About {
        host: host_name().into(),
        version: env!("CARGO_PKG_VERSION").into(),
        made: now,
        asked: since,
        from: past.as_ref().map_or(since, |past| past.observed.from),
        to: now,
        policy: has_policy.then(|| written.digest.clone()),
        pseudonyms: past.as_ref().is_some_and(|past| past.rows.iter().any(|(_, edge)| has_pseudonym(edge))),
        no_ledger,
    };
    let past = past.map(|past| Past { observed: &past.observed, rows: &past.rows });
    gather(about, has_policy.then_some(&written.outline), past, &|net| country_of(countries, net))
}

pub(super) fn has_pseudonym(edge: &Edge) -> bool {
    let identity = &edge.key.identity;
    is_pseudonym(edge.key.peer)
        || identity.uid.is_some_and(is_pseudonymous_id)
        || identity.user.as_deref().is_some_and(names_pseudonym)
}
