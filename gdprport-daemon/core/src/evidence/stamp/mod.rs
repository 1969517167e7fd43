//! Timestamps (RFC 3161): what an authority signed of a checkpoint, and whether it is what was asked for.
//!
//! Belongs here: requests, taking answers apart, and verifying them against trusted certificates. Pure: the network and files are
//! `deliver`'s and `app`'s. Does not belong here: whether the checkpoint is one of a log (`verify`).
//!
//! What holds: nothing of an answer is used before its signature, its signer's certificate and that certificate's chain were
//! verified at the time that the answer states.

mod algorithm;
mod authorities;
mod certificate;
mod element;
mod error;
mod info;
mod request;
mod response;
mod stamped;
#[cfg(test)]
mod tests;
mod token;

pub use authorities::{Authorities, AuthoritiesError};
pub use error::StampError;
pub use request::StampRequest;
pub use response::ANSWER_BYTES_MAX;
pub use stamped::{CLOCK_TOLERANCE, Stamp, answered, stamped};
