//! Flows: what is remembered of every connection on a watched port, from its first record to its end.
//!
//! Belongs here: the table and its rules of time. It asks a [`Context`] who a process is and what the
//! policy decides, and returns [`Change`]s; it reads no clock and writes nothing. Times are nanoseconds
//! of `CLOCK_BOOTTIME`, as the kernel side stamps them.
//!
//! Inside, each file uses only those before it: `types`, `change`, `context`, `found`, `last_counts`, `pairs`,
//! `which_end`, `fast_open`, `connecting`, `postures`, `undecided`, `entry`, `translating`, `table`, and then the operations
//! on the table (`answered`, `ending`, `reevaluate`, `observed`, `payload`, `intake`).

mod answered;
mod change;
mod connecting;
mod context;
mod ending;
mod entry;
mod fast_open;
mod found;
mod intake;
mod last_counts;
mod observed;
mod pairs;
mod payload;
mod postures;
mod reevaluate;
mod summed;
mod table;
#[cfg(test)]
mod tests;
mod translating;
mod types;
mod undecided;
mod which_end;

pub use change::{Change, ChangeKind, Removal, Standing};
pub use context::{Context, Judgement};
pub use found::{FoundFlow, Progress};
pub use last_counts::LastCounts;
pub use table::{Limits, Table, TableCounters};
pub use types::{Flow, PortIndex};
pub use which_end::SentCounts;
