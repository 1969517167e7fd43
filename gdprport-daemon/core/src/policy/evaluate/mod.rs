//! Evaluating: the verdict on a flow or a listener, and why when nothing allows it.

mod accepted;
pub(crate) mod active;
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
pub use explanation::{ExplainedKey, ExplainedPort, ExplainedRule, Explanation, KeyFit, UnresolvedHost};
pub use facts::Facts;
pub use flow::Evaluation;
pub use undecidable::Undecidable;
