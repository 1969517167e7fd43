//! Compiling: the model as an evaluation needs it, indexed, immutable, shared between threads.

mod bind_scope;
pub(crate) mod compiled_rule;
mod exceptions;
mod limited;
mod outlined;
mod peer_index;
mod pipeline;
mod policy;
mod ports;
mod rule_index;
mod tuples;

pub(crate) use compiled_rule::CompiledRule;
pub(crate) use peer_index::{ItemId, PeerIndex};
pub(crate) use policy::{CompiledDeclaration, CompiledSite};
pub(crate) use ports::PortClaim;
pub(crate) use rule_index::RuleIndex;

#[cfg(any(test, feature = "testing"))]
pub use pipeline::compile_any_mode;
pub use pipeline::{compile, outline};
pub use policy::{Policy, catalog_and, catalog_only};
pub use ports::PortInfo;
