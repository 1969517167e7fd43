//! What must hold for any bytes from outside, as assertions on any bytes.
//!
//! Belongs here: one function per kind of input of the core. The fuzzer (`fuzz/`) looks for bytes that break one; the
//! property tests beside them try some on every run, and all of the fuzzer's seeds. Compiled for those two only.

mod container;
mod countries;
mod event;
mod flow;
mod group;
mod input;
mod learned;
mod policy;
mod posture;
mod record;
#[cfg(any(test, feature = "testing"))]
pub mod seeds;
mod stamp;
#[cfg(test)]
mod tests;

pub use container::container;
pub use countries::countries;
pub use event::event;
pub use flow::flow;
pub use group::group;
pub use input::Input;
pub use learned::learned;
pub use policy::policy;
pub use posture::{posture, tls};
pub use record::record;
pub use stamp::stamp;
