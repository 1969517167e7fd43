//! Pseudonyms and truncated addresses: what leaves the daemon instead of the addresses of peers and the names of persons.
//!
//! Belongs here: what becomes of each value, purely. Verdicts are made from the true values (`policy`); where the key is
//! read and where this is applied is the app's. Every field of an event is listed in `docs/privacy.md`.

mod account;
mod address;
mod applied;
mod finding;
mod key;
mod paths;
mod process;
mod settings;
mod shown;
#[cfg(test)]
mod tests;

pub use account::{Accounts, is_pseudonymous_id, names_pseudonym};
pub use address::{PSEUDONYMS, Truncate, is_pseudonym};
pub use applied::{Applied, AppliedPeers, AppliedUsers};
pub use key::{Key, KeyId, NotAKey};
pub use settings::Privacy;
pub use shown::Shown;
