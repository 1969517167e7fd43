//! Evaluating: the verdict on a flow or a listener, and why when nothing allows it.

mod accepted;
pub(crate) mod active;
mod ends;
mod explain;
mod explained;
mod explanation;
mod facts;
mod flow;
mod listener;
mod tls;
mod undecidable;
mod wording;

pub use active::ActivePolicy;
pub use ends::Existing;
pub use explanation::{ExplainedKey, ExplainedPort, ExplainedRule, Explanation, KeyFit, UnresolvedHost};
pub use facts::Facts;
pub use flow::Evaluation;
pub use undecidable::Undecidable;
