//! The evidence log on disk: the sink that writes what is emitted into a transparency log.
//!
//! What holds, whenever the daemon or the host ends:
//!
//! - **A checkpoint has its entries.** What a checkpoint signs was synced before the checkpoint was.
//! - **Only whole entries.** A start goes on behind the last entry whose hash is right, and says how many bytes it cut off.
//! - **Never two trees.** A log whose files are not what its checkpoint signs is set aside, and another one begins that says so.
//! - **Nothing is silent.** Events that are not in the log are a gap entry once it can be written again.
//! - **Erased is declared first.** A bundle goes when a signed entry says that it does.
//!
//! Belongs here: writing. Does not belong here: the format (`gdprport_core::evidence`), and reading it elsewhere (`evidence`).

mod alone;
mod carry;
mod disk;
mod erase;
mod export;
mod files;
mod handle;
mod key;
mod log;
mod measured;
mod next_key;
mod order;
mod outlet;
mod place;
mod recover;
mod rotate;
mod running;
mod settings;
mod stored;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use alone::carry_out;
pub(crate) use disk::Directory;
pub(crate) use erase::Erasure;
pub(crate) use export::{Exported, NotExported, Wanted, export};
pub(crate) use files::Files;
pub(crate) use handle::{EvidenceHandle, PolicyTexts, Standing};
pub(crate) use key::{Unread, read as read_key, shown as shown_key};
pub use measured::{Found, Handed, Logged, verified};
pub(crate) use order::{Carried, Order, Orderer};
pub(crate) use outlet::Outlet;
pub(crate) use settings::EvidenceSettings;
pub(crate) use writer::ThisRun;
