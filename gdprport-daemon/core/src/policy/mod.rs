//! The policy: from its files to a verdict on every flow and listener.
//!
//! Belongs here: the public face. The stages each use only those before them: `read` (TOML to typed tables with places,
//! and the problems of a file), `model` (what they mean), `merge` (all files together, checked against each other),
//! `compile` (what an evaluation needs, indexed), `evaluate` (the verdict, and why when nothing allows a flow). Types
//! that several stages share: `source` (a file), `declared` (what is declared of a port), `enforcement` (what is done
//! about what it does not allow), `dns_names` (resolved names).
//! Beside them `difference` compares two policies as they are written.

mod compile;
mod declared;
mod difference;
mod dns_names;
mod enforcement;
mod evaluate;
mod exception;
mod merge;
mod model;
mod outline;
mod read;
#[cfg(test)]
mod tests;
mod volume;

pub use crate::written::{
    FILE_BYTES_MAX, FILES_MAX, Problem, Problems, Severity, Source, TOTAL_BYTES_MAX, nearest_name,
};
#[cfg(any(test, feature = "testing"))]
pub use compile::compile_any_mode;
pub(crate) use compile::{CompiledRule, CompiledSite, ItemId, PeerIndex, PortClaim};
pub use compile::{Policy, PortInfo, catalog_and, catalog_only, compile, outline};
pub use declared::{Controller, Emit, ProcessingRecord, TlsDemand};
pub use difference::{Difference, Effect, What, difference};
pub use dns_names::{DnsNames, Resolution};
pub use enforcement::{Enforcement, Mode, OnDaemonLoss, OnExisting, OnListener, OnPosture, OnUnknown};
pub use evaluate::{
    ActivePolicy, Evaluation, Existing, ExplainedKey, ExplainedPort, ExplainedRule, Explanation, Facts,
    KeyFit, Undecidable, UnresolvedHost,
};
pub use exception::About;
pub use model::exactly;
pub(crate) use model::{Fit, Pattern, ProcessKey, ProcessSpec, loopback_nets};
pub use outline::{
    DeclaredPeer, DeclaredPort, DeclaredRule, DeclaredSite, Exception, Outline, PeerSet, Place,
};
pub use read::json_schema;
pub use volume::{VolumeLimit, Window};
