//! The kernel side: loading the programs, attaching their hooks, and the maps and ring buffer behind them.

mod brake;
mod btf;
pub(crate) mod catalog;
mod combine;
mod compatibility;
mod enforce;
mod enforce_table;
mod enforce_tables;
mod error;
mod lacking;
mod load;
mod loaded;
mod log;
mod netns;
mod overload;
mod pins;
pub(super) mod requirements;
mod ring;
mod ring_position;
mod room;
mod sys;
mod takeover;
#[cfg(test)]
mod tests;
pub(super) mod tracefs;

pub(crate) use brake::{Released, release};

pub(crate) use enforce_table::{EnforceError, Stop};
pub(crate) use enforce_tables::EnforceTables;
pub(crate) use error::LoadError;
pub(crate) use load::{HookStatus, Sizes};
pub(crate) use loaded::{HookRuns, Probes};
pub(crate) use overload::{Collected, Collector};
pub(crate) use pins::{PinDirectory, PinError, is_bpffs};
pub(crate) use requirements::{check, check_btf, check_capabilities, check_release, effective_capabilities};
pub(crate) use ring::Ring;
pub(crate) use room::EnforceRoom;
pub(crate) use takeover::{PinsOutcome, PreviousPins};
pub(crate) use tracefs::{Tracefs, find as find_tracefs};
