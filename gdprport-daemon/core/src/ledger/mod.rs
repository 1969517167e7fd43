//! What the ledger counts: flows of a day, put together by who talked with whom, by which rule and how encrypted.
//!
//! Belongs here: the rows, how flows are added up to them, and how far they are rolled up. Where they are stored is not
//! known here.

mod batch;
mod identity;
mod observed;
mod process;
mod row;
mod tally;

pub use batch::{Batch, CoverageDelta, Entry, ListenerDelta, ListenerEvent};
pub use identity::{ContainerIdentity, Identity};
pub use observed::{
    CoverageHours, GapRow, HourlyLedger, KILLED, ListenerRow, Note, NoteKind, Observed, PolicyPeriod, Run,
    RunEnd, VolumeHour,
};
pub use row::{Counts, Edge, EdgeKey, PortKey, PostureKey, VerdictKey};
pub(crate) use tally::OpenFlows;
pub use tally::{Tally, TallyLimits};
