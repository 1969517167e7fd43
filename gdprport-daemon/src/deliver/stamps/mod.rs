//! Timestamps of checkpoints by an authority (RFC 3161): now and then the newest checkpoint of the spool is hashed, the hash is
//! sent, and what comes back is verified and kept.
//!
//! Belongs here: asking, keeping, and what is known of it. Does not belong here: what a timestamp is and whether it is a good one
//! (`gdprport_core::evidence`). No sink waits for any of this.

mod authority;
mod kept;
mod name;
mod newest;
mod stamper;
mod standing;

pub(crate) use kept::DIRECTORY;
pub(super) use stamper::{Stamper, Stamping};
pub(super) use standing::StampsKnown;
