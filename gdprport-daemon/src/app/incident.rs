//! What a draft notification reads of the past: the ledger of one time, and the policies in force in it.
//!
//! Does not belong here: what is gathered (`gdprport_core::incident`), and how it looks (`report`).

use gdprport_core::incident::{AskedPort, Deadline, Incident, Then, gather, known_ports};
use gdprport_core::pack::Version;
use gdprport_core::records::About;
use jiff::Timestamp;

use super::evidence::versions;
use super::policy::Written;
use super::records::{Recorded, has_pseudonym};
use super::scan::host_name;
use crate::ledger::{ReadError, Reader};

/// Ports that an error names.
const NAMED: usize = 12;

/// The past of one time.
#[derive(Debug)]
pub(crate) struct PastOf {
    recorded: Recorded,
    versions: Vec<Version>,
}

impl PastOf {
    /// Reads the ledger of a time.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn read(reader: &Reader, from: Timestamp, to: Timestamp) -> Result<Self, ReadError> {
        let recorded = Recorded::read(reader, from, to)?;
        let versions = versions(reader, &recorded)?;
        Ok(Self { recorded, versions })
    }
}

/// What a draft is about.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The port.
    pub(crate) port: AskedPort,
    /// Begin of the time.
    pub(crate) from: Timestamp,
    /// Its end.
    pub(crate) to: Timestamp,
    /// By when the authority has to be notified.
    pub(crate) deadline: Deadline,
}

/// Gathers a draft. Of the past there may be only a reason why there is nothing.
///
/// # Errors
/// If nothing knows the port: one sentence.
pub(crate) fn incident(
    written: &Written,
    past: Result<&PastOf, String>,
    asked: Asked,
    now: Timestamp,
) -> Result<Incident, String> {
    let Asked { port, from, to, deadline } = asked;
    let (past, no_ledger) = match past {
        Ok(past) => (Some(past), None),
        Err(why) => (None, Some(why.into())),
    };
    let then = past.map(|past| Then {
        observed: &past.recorded.observed,
        rows: &past.recorded.rows,
        versions: &past.versions,
    });
    let known = known_ports(&written.outline, then);
    // A number that nobody knows was not watched, which is an answer. A name that nobody knows is a mistake.
    if let AskedPort::Name(name) = &port {
        let is_service = gdprport_core::catalog::SERVICES
            .iter()
            .any(|service| [service.id, service.name].contains(&&**name));
        if !known.contains(&**name) && !is_service {
            let named: Vec<&str> = known.iter().take(NAMED).map(String::as_str).collect();
            let known = if named.is_empty() {
                "they name no port".to_owned()
            } else {
                format!("they name {}", named.join(", "))
            };
            return Err(format!(
                "no port `{name}`: neither the policy nor the ledger of that time names it; {known}; or write its number"
            ));
        }
    }
    let about = About {
        host: host_name().into(),
        version: env!("CARGO_PKG_VERSION").into(),
        made: now,
        asked: from,
        from: past.map_or(from, |past| past.recorded.observed.from),
        to,
        policy: None,
        pseudonyms: past.is_some_and(|past| past.recorded.rows.iter().any(|(_, edge)| has_pseudonym(edge))),
        no_ledger,
    };
    Ok(gather(port, about, deadline, written.outline.controller.clone(), then))
}
