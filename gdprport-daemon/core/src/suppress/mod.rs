//! Which events a port sends one by one, and which it only counts, so that a busy pool does not flood a SIEM.
//!
//! Belongs here: the decision, the counts that make it add up, and the summaries. Does not belong here: where
//! events go (`sink`).
//!
//! Only events about single flows can be suppressed: `flow.open`, `flow.fail`, `flow.close`, `flow.update` and
//! `flow.posture`, and under `emit = "auto"` the `violation` or `finding` that comes with one of them, which is then
//! counted with its reasons. Decide before the event gets its envelope (`event::Stamper`), so that a suppressed event
//! leaves no gap in `seq`.
//!
//! Also here, with groups of the same kind: the summaries of connections that there was no room to describe (`overload`),
//! whatever `emit` asks for; and of events that a sink has lost (`lost`).

mod auto;
mod decision;
mod fixed;
mod groups;
mod kind;
mod lost;
mod member;
mod minute;
mod overload;
mod peers;
mod seen;
mod slab;
mod sum;
mod suppressor;
mod tally;
#[cfg(test)]
mod tests;

pub use decision::{Decision, With};
pub use lost::Lost;
pub use overload::{Counted, Overloaded, Summed};
pub use suppressor::Suppressor;
