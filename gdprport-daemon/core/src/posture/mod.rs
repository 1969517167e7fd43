//! How a flow is encrypted, read from the first bytes of both its directions.
//!
//! Belongs here: pure and total parsers. Any bytes, in any order, give a result; no input makes one panic, or hold
//! more than [`Tracker::MAX_BYTES`]. What a policy makes of the result is `policy`'s, how the bytes are captured
//! `host`'s. No bytes are kept once the result is settled, and no evidence repeats what a user sent.

mod assess;
mod ber;
mod cursor;
mod protocols;
mod proxy;
mod readable;
mod reading;
mod spoken;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod tracker;
mod upgrade;

pub use spoken::{Spoken, spoken};
pub use table::Protocol;
pub use tracker::{Side, Tracker};
