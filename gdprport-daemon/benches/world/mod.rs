//! What the benches measure: each stage from a record to a line of an events file, and all of them together, on inputs
//! as a database server sees them.
//!
//! Belongs here: the inputs and the list of cases. Everything is fixed, ids and times too, so that an instruction
//! counter counts the same in every run. Does not belong here: how a case is measured.

pub(crate) mod case;
mod ledger;
mod path;
mod posture;
mod records;
mod stages;

pub(crate) use case::Case;
use gdprport_core::encode::Encoding;

/// Every event is a line, so that the cost of lines shows.
const EVERY: &str = "\"every\"";
/// The default.
const AUTO: &str = "\"auto\"";

/// Every case.
pub(crate) const CASES: &[Case] = &[
    Case { name: "connection", make: || path::connections(path::Traffic::Silent, EVERY) },
    Case { name: "connection-auto", make: || path::connections(path::Traffic::Silent, AUTO) },
    Case { name: "connection-tls", make: || path::connections(path::Traffic::Tls, EVERY) },
    Case { name: "connection-tls-auto", make: || path::connections(path::Traffic::Tls, AUTO) },
    Case { name: "connection-violation", make: || path::connections(path::Traffic::Violation, EVERY) },
    Case { name: "connection-violation-auto", make: || path::connections(path::Traffic::Violation, AUTO) },
    Case { name: "decode-record", make: stages::decode },
    Case { name: "identity-known", make: stages::identity },
    Case { name: "flow-open-close", make: stages::flow },
    Case { name: "policy-10-rules", make: || stages::policy(10) },
    Case { name: "policy-1000-rules", make: || stages::policy(1_000) },
    Case { name: "policy-100000-rules", make: || stages::policy(100_000) },
    Case { name: "event-encode", make: stages::event },
    Case { name: "encode-ocsf", make: || stages::encoded(Encoding::Ocsf) },
    Case { name: "encode-ecs", make: || stages::encoded(Encoding::Ecs) },
    Case { name: "encode-cef", make: || stages::encoded(Encoding::Cef) },
    Case { name: "ledger-tally", make: ledger::tally },
    Case { name: "ledger-batch", make: ledger::batch },
    Case { name: "snapshot-socket", make: stages::snapshot },
    Case { name: "posture-tls13", make: || posture::dialogue("postgresql", posture::TLS13) },
    Case { name: "posture-pg-upgraded", make: || posture::dialogue("postgresql", posture::PG_TLS) },
    Case { name: "posture-pg-plain", make: || posture::dialogue("postgresql", posture::PG_PLAIN) },
    Case { name: "posture-http", make: || posture::dialogue("elasticsearch", posture::HTTP) },
];
