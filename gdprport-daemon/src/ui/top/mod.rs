//! `gdprport top`: a live view of a daemon.
//!
//! Belongs here: what is shown and how one moves about in it (`model`, pure: time is an argument), how it looks (`draw`, into
//! ratatui's buffer), where it comes from (`source`, a thread that asks the daemon and the ledger), the terminal (`run`).
//! Does not belong here: sums, rates and the filter's grammar (`gdprport_core::top`).

mod draw;
mod message;
mod model;
mod run;
mod source;
mod terminal;

pub(super) use run::{TopOptions, WrongFilter, run};
pub(super) use source::OpenLedger;
pub(super) use terminal::NoScreen;
