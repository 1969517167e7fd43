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
mod disk;
mod erase;
mod files;
mod handle;
mod key;
mod log;
mod place;
mod recover;
mod settings;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use alone::erase_alone;
pub(crate) use disk::Directory;
pub(crate) use erase::{Done, Erasure};
pub(crate) use files::Files;
pub(crate) use handle::{EvidenceHandle, PolicyTexts};
pub(crate) use key::{Unread, read as read_key};
pub(crate) use settings::EvidenceSettings;
pub(crate) use writer::ThisRun;
