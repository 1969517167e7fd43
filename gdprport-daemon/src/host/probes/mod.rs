//! The kernel side: loading the programs, attaching their hooks, and the maps and ring buffer behind them.

mod btf;
pub mod catalog;
mod compatibility;
mod error;
mod load;
mod loaded;
mod log;
mod netns;
mod pins;
pub(super) mod requirements;
mod ring;
mod ring_position;
mod sys;
mod takeover;
pub(super) mod tracefs;

pub use compatibility::Incompatibility;
pub use error::LoadError;
pub use load::{HookStatus, Sizes};
pub use loaded::Probes;
pub use pins::{PinDirectory, PinError, is_bpffs};
pub use requirements::{check, check_btf, check_capabilities, check_release};
pub use ring::Ring;
pub use takeover::{AdoptedPins, PinsOutcome, PreviousPins};
pub use tracefs::{Tracefs, find as find_tracefs};
