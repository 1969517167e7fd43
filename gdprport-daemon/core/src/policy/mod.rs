//! The policy: from its files to a verdict on every flow and listener.
//!
//! Belongs here: the public face. Inside, in the order of the way a policy takes: `read`, `values` and `raw` (TOML to
//! typed tables with places), `peers`, `pattern`, `rule` and `model` (what they mean together), `compiled`, `index`
//! and `evaluate` (fast answers), `explain` (answers in words when nothing allows), `demand` (encryption). `problem` holds what is wrong
//! with a file, `names` what the daemon knows of host names, `schema` the JSON Schema.

mod compiled;
mod demand;
mod evaluate;
mod explain;
mod index;
mod listener;
mod model;
mod names;
mod overlap;
mod pattern;
mod peers;
mod problem;
mod raw;
mod read;
mod rule;
mod schema;
#[cfg(test)]
mod tests;
mod unresolved;
mod values;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::model::{Direction, Endpoint, Posture, Process};

pub use compiled::{Policy, catalog_only};
pub use demand::TlsDemand;
pub use names::{Names, Resolution};
pub use problem::{Problem, Problems, Severity};
pub use schema::json_schema;
pub use unresolved::Undecidable;

/// How many files a policy may consist of.
pub const FILES_MAX: usize = 1024;
/// How many bytes one file may have.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// How many bytes all files together may have.
pub const TOTAL_BYTES_MAX: usize = 32 << 20;

/// One file of a policy.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path as it is shown to the user.
    pub name: String,
    /// The text.
    pub text: String,
}

/// What is known of a flow when it is evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Which end this host's socket is.
    pub direction: Direction,
    /// The local end.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// The owner of the local end; `None` (or one whose attribution is `unknown`): not known.
    pub process: Option<&'a Process>,
    /// What was seen of its encryption; `None`: nothing yet.
    pub posture: Option<&'a Posture>,
}

impl Facts<'_> {
    /// The number of the GDPR port: the local one of an accepted flow, the peer's of a connected one.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self.direction {
            Direction::In => self.local.port,
            Direction::Out => self.peer.port,
        }
    }
}

/// Which events a port's flows produce. Counts add up in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// Every flow.
    Every,
    /// Violations and undecided flows only.
    Violations,
    /// One summary per period, and violations.
    Summary {
        /// The period, from one second to one day.
        every: Duration,
    },
}

/// One watched port number.
#[derive(Debug, Clone)]
pub struct PortInfo {
    /// Its place in [`Policy::watched`].
    pub index: usize,
    /// The TCP port.
    pub number: u16,
    /// The name of its declaration, or the catalog's identifier of the service.
    pub name: Arc<str>,
    /// The catalog's identifier of the protocol: as declared, or else what the catalog says of the number.
    pub protocol: Option<Arc<str>>,
    /// `false`: watched because the catalog knows the number, not because a policy declares it.
    pub declared: bool,
    /// What its declaration demands of the encryption of its flows.
    pub tls: TlsDemand,
    /// Which events its flows produce.
    pub emit: Emit,
    /// The declared record of processing.
    pub record: Option<Arc<Record>>,
}

/// Who answers for the data (Art. 30(1)(a) GDPR).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controller {
    /// The controller's name.
    pub name: Arc<str>,
    /// How to reach the controller.
    pub contact: Option<Arc<str>>,
    /// How to reach the data protection officer.
    pub dpo: Option<Arc<str>>,
}

/// A record of processing (Art. 30(1)(b)–(g) GDPR): declared, never inferred. `None`: not declared; an empty list:
/// declared to be none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The purposes of the processing (b).
    pub purpose: Option<Arc<str>>,
    /// The legal basis (Art. 6(1)).
    pub basis: Option<Arc<str>>,
    /// The categories of data subjects (c).
    pub subjects: Option<Box<[Arc<str>]>>,
    /// The categories of personal data (c).
    pub data: Option<Box<[Arc<str>]>>,
    /// Whether special categories of data (Art. 9) are among them.
    pub special_category: Option<bool>,
    /// The categories of recipients (d).
    pub recipients: Option<Box<[Arc<str>]>>,
    /// Transfers to third countries (e).
    pub transfers: Option<Box<[Arc<str>]>>,
    /// The time limits for erasure (f).
    pub retention: Option<Arc<str>>,
    /// Technical and organisational security measures (g).
    pub measures: Option<Box<[Arc<str>]>>,
    /// The team that answers for the service.
    pub owner: Option<Arc<str>>,
}

impl Record {
    /// The keys that Art. 30(1)(b)–(f) asks for and that are not declared. The measures of (g) are owed "where
    /// possible" only.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let keys = [
            ("purpose", self.purpose.is_none()),
            ("subjects", self.subjects.is_none()),
            ("data", self.data.is_none()),
            ("recipients", self.recipients.is_none()),
            ("transfers", self.transfers.is_none()),
            ("retention", self.retention.is_none()),
        ];
        keys.into_iter().filter_map(|(key, missing)| missing.then_some(key)).collect()
    }
}

/// Compiles the files of a policy, merged in the order given. No file at all is [`catalog_only`].
///
/// # Errors
/// Every problem of every file, with its place and what would be right, if one of them is an error. Warnings alone
/// do not fail: see [`Policy::warnings`].
pub fn compile(sources: &[Source]) -> Result<Policy, Problems> {
    if sources.is_empty() {
        return Ok(catalog_only());
    }
    let mut report = problem::Report::new(sources);
    if !sizes_are_bounded(sources, &mut report) {
        let (list, omitted) = report.finish();
        return Err(Problems { list, omitted });
    }
    let raw =
        sources.iter().enumerate().map(|(index, source)| raw::RawPolicy::parse(index, source, &mut report));
    let raw = raw.collect();
    let model = model::Model::build(raw, &mut report);
    let failed = report.has_errors();
    let (list, omitted) = report.finish();
    if failed {
        return Err(Problems { list, omitted });
    }
    Ok(Policy::new(model, sources, list))
}

fn sizes_are_bounded(sources: &[Source], report: &mut problem::Report<'_>) -> bool {
    let start = |source| problem::Loc { source, start: 0, end: 0 };
    if sources.len() > FILES_MAX {
        report.error(start(FILES_MAX), format!("the policy has more than {FILES_MAX} files"), None);
    }
    let mut total = 0;
    for (index, source) in sources.iter().enumerate() {
        let bytes = source.text.len();
        if bytes > FILE_BYTES_MAX {
            let message = format!("the file has {bytes} bytes, more than the {FILE_BYTES_MAX} allowed");
            report.error(start(index), message, "split it into drop-ins".to_owned());
        }
        let before = total;
        total += bytes;
        if before <= TOTAL_BYTES_MAX && total > TOTAL_BYTES_MAX {
            let message = format!("with this file the policy has more than {TOTAL_BYTES_MAX} bytes");
            report.error(start(index), message, None);
        }
    }
    !report.has_errors()
}
