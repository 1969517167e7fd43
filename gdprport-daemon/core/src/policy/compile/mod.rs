//! Compiling: the model as an evaluation needs it, indexed, immutable, shared between threads.

mod bind_scope;
mod peer_index;
mod pipeline;
mod policy;
mod ports;
pub(crate) mod rule_index;
mod tuples;

pub(crate) use peer_index::ItemId;
pub(crate) use policy::{CompiledDeclaration, CompiledSite};
pub(crate) use ports::PortClaim;
pub(crate) use rule_index::{CompiledRule, RuleIndex};

pub use pipeline::compile;
pub use policy::{Policy, catalog_only};
pub use ports::PortInfo;
